// The index is a convenience that may lie: what it finds is looked up in the log, what it says is
// compared with the log, and a broken one is made anew.
#include "evidence/log_index.h"

#include <gtest/gtest.h>

#include <fstream>

#include "evidence/database.h"
#include "evidence/log_rig.h"
#include "evidence/words.h"

namespace writ::evidence {
namespace {

using testing::LogRig;

class LogIndexTest : public ::testing::Test {
  protected:
    void SetUp() override {
        rig.record_everything();
        other.begin();
        rig.must(other.task_started());
        rig.must(other.session_started());
    }
    std::unique_ptr<LogIndex> open(const ledger::LogReader& log) {
        auto index = LogIndex::open(file(), source_of(log));
        EXPECT_TRUE(index) << index.error().message();
        return index ? std::move(*index) : nullptr;
    }
    std::filesystem::path file() const { return rig.dir.path() / "index.sqlite"; }
    std::size_t count(LogIndex& index, const Query& query) {
        const auto found = index.search(query);
        EXPECT_TRUE(found) << found.error().message();
        return found ? found->size() : 0;
    }
    LogRig rig;
    testing::Story other{rig.ids};
};

TEST_F(LogIndexTest, FindsByWhoWhatVerdictWordsAndTime) {
    const auto log = rig.reader();
    const auto index = open(log);
    EXPECT_EQ(count(*index, {}), log.checkpoint().size);
    EXPECT_EQ(count(*index, {.verdict = "forbid"}), 1u);
    EXPECT_EQ(count(*index, {.verdict = "permit"}), 1u);
    EXPECT_EQ(count(*index, {.tool = "bank/pay"}), 3u);
    EXPECT_EQ(count(*index, {.tool = "bank"}), 3u);
    EXPECT_EQ(count(*index, {.tool = "pay"}), 3u);
    EXPECT_EQ(count(*index, {.agent = "invoice-bot", .type = "call."}), 4u);
    EXPECT_EQ(count(*index, {.agent = "spiffe://acme.example/agent/invoice-bot"}),
              count(*index, {.agent = "invoice-bot"}));
    EXPECT_EQ(count(*index, {.agent = "bot"}), 0u) << "half a name is no name";
    EXPECT_EQ(count(*index, {.domain = "payments"}), 3u);
    EXPECT_EQ(count(*index, {.text = "OVER the limit"}), 2u);
    EXPECT_EQ(count(*index, {.text = "accounts/DE00"}), 3u);
    EXPECT_EQ(count(*index, {.text = "9900", .verdict = "permit"}), 1u) << "facts are not sealed";
    EXPECT_EQ(count(*index, {.text = "unheard"}), 0u);
    EXPECT_EQ(count(*index, {.task = other.task.text()}), 2u);
    EXPECT_EQ(count(*index, {.from_us = rig.clock.now_us() + 1'000'000}), 0u);
    EXPECT_EQ(count(*index, {.limit = 2}), 2u);
    EXPECT_FALSE(index->search({.task = "nonsense"}));
}

TEST_F(LogIndexTest, WordsOfAStrangerAreNoQueryLanguage) {
    const auto log = rig.reader();
    const auto index = open(log);
    for (const char* text : {"\" OR 1", "*", "NEAR(a b)", "'; DROP TABLE events; --", "a\"b", "-x",
                             "\xff\xfe", "w:pay", "^pay"}) {
        EXPECT_TRUE(index->search({.text = text})) << text;
        EXPECT_TRUE(index->search({.agent = text})) << text;
        EXPECT_TRUE(index->search({.tool = text})) << text;
    }
    EXPECT_EQ(count(*index, {.agent = "%"}), 0u);
    EXPECT_EQ(count(*index, {.tool = "bank/_ay"}), 0u);
    EXPECT_TRUE(index->check()->empty());
}

TEST_F(LogIndexTest, GrowsWithTheLogAndAgreesWithIt) {
    {
        const auto log = rig.reader();
        EXPECT_TRUE(open(log)->check()->empty());
    }
    rig.must(other.decided(rig.ids.mint<CallId>(), "forbid"));
    const auto log = rig.reader();
    const auto index = open(log);
    EXPECT_EQ(count(*index, {.verdict = "forbid"}), 2u);
    EXPECT_TRUE(index->check()->empty());
    EXPECT_EQ(index->by_session(other.session)->size(), 2u);
}

TEST_F(LogIndexTest, ALyingIndexHidesAtMostAndTheCheckSaysSo) {
    const auto log = rig.reader();
    open(log);
    {
        auto db = Database::open(file());
        ASSERT_TRUE((*db)->execute("UPDATE events SET verdict=1 WHERE verdict=2"));
        ASSERT_TRUE((*db)->execute("DELETE FROM keys WHERE idx=4"));
    }
    const auto index = open(log);
    EXPECT_EQ(count(*index, {.verdict = "permit"}), 1u) << "the log was asked again";
    const auto findings = index->check();
    ASSERT_TRUE(findings);
    EXPECT_GE(findings->size(), 2u);
    ASSERT_TRUE(index->rebuild());
    EXPECT_TRUE(index->check()->empty());
    EXPECT_EQ(count(*index, {.verdict = "forbid"}), 1u);
}

TEST_F(LogIndexTest, ADamagedFileOrOneOfAnotherLogIsMadeAnew) {
    const auto log = rig.reader();
    std::ofstream(file()) << std::string(5000, 'x');
    EXPECT_TRUE(open(log)->check()->empty());
    LogRig another(3);
    another.record_everything();
    const auto other_log = another.reader();
    EXPECT_TRUE(open(other_log)->check()->empty());
    EXPECT_TRUE(open(log)->check()->empty());
}

TEST(Words, AreTextsNotIdsAndDigests) {
    std::set<std::string> words;
    split_words(
        "Bank://accounts/DE00, \xc3\x9c"
        "ber \x1b[31m",
        words);
    EXPECT_TRUE(words.contains("bank"));
    EXPECT_TRUE(words.contains("de00"));
    EXPECT_TRUE(
        words.contains("\xc3\x9c"
                       "ber"));
    EXPECT_TRUE(words.contains("31m"));
}

}  // namespace
}  // namespace writ::evidence
