// Somebody edits the log, or the gateway lies: each attack must be a finding.
#include "evidence/check.h"

#include <gtest/gtest.h>

#include "evidence/encode.h"
#include "evidence/fingerprints.h"
#include "evidence/samples.h"
#include "evidence/sequence.h"

namespace writ::evidence {
namespace {

using testing::joined;
using testing::replace;
using testing::Rig;
using testing::Story;
using Leaves = std::vector<std::string>;

CheckReport check_leaves(const Leaves& leaves) {
    Checker checker;
    for (std::size_t i = 0; i < leaves.size(); ++i)
        checker.feed(i, leaves[i], leaf_hash(leaves[i]));
    return checker.finish([&](std::uint64_t index) { return leaves[index]; });
}

std::string findings_in(const Leaves& leaves) {
    return joined(check_leaves(leaves).findings);
}

std::size_t find(const Leaves& leaves, std::string_view needle) {
    for (std::size_t i = 0; i < leaves.size(); ++i) {
        if (leaves[i].find(needle) != std::string::npos) return i;
    }
    ADD_FAILURE() << "no event with " << needle;
    return 0;
}

class CheckTest : public ::testing::Test {
  protected:
    void SetUp() override {
        testing::record_everything(rig);
        leaves = rig.ledger.entries;
        ASSERT_EQ(findings_in(leaves), "");
    }
    // The attack in `leaves` is found, with `words` in a finding.
    void expect_found(std::string_view words) {
        const auto report = findings_in(leaves);
        EXPECT_NE(report.find(words), std::string::npos) << report;
    }
    Rig rig;
    Leaves leaves;
};

TEST_F(CheckTest, AWholeSessionTakenOutIsFound) {
    const std::size_t at = find(leaves, R"("type":"session.started")");
    const auto leaf = read_leaf(leaves[at]);
    const std::string session = std::string("\"session\":\"") + std::string(leaf->session) + '"';
    std::erase_if(leaves,
                  [&](const std::string& text) { return text.find(session) != std::string::npos; });
    expect_found("are missing");
}

TEST_F(CheckTest, AnEventPutInIsFound) {
    Leaves longer = leaves;
    const std::size_t at = find(leaves, R"("kind":"forbid")");
    longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(at), leaves[at]);
    EXPECT_FALSE(check_leaves(longer).findings.empty());
}

TEST_F(CheckTest, TimeThatGoesBackIsFound) {
    auto& leaf = leaves[find(leaves, R"("type":"gateway.stopped")")];
    const auto t = leaf.find("\"t_us\":1");
    ASSERT_NE(t, std::string::npos);
    leaf[t + 8] = '2';  // 1,7… → 1,2…
    expect_found("goes back");
}

TEST_F(CheckTest, ManyIdsNeedFewBytes) {
    Fingerprints seen;
    constexpr std::size_t kIds = 200'000;
    for (std::size_t i = 0; i < kIds; ++i) {
        EXPECT_TRUE(seen.insert(0, rig.ids.next().text()));
    }
    EXPECT_EQ(seen.size(), kIds);
    EXPECT_LE(seen.memory_bytes() / kIds, 21u);
    EXPECT_TRUE(seen.insert(1, "a")) << "kinds are kept apart";
    EXPECT_TRUE(seen.insert(2, "a"));
    EXPECT_FALSE(seen.insert(2, "a"));
    EXPECT_FALSE(seen.contains(3, "a"));
}

TEST_F(CheckTest, CountsEventsAndSessions) {
    const auto report = check_leaves(leaves);
    EXPECT_EQ(report.events, leaves.size());
    EXPECT_EQ(report.sessions, 1u);
    EXPECT_EQ(report.open_sessions, 0u);
}

TEST_F(CheckTest, ADroppedEventOfAChainIsFound) {
    leaves.erase(leaves.begin() + static_cast<std::ptrdiff_t>(find(leaves, R"("forbid")")));
    expect_found("does not link");
    expect_found("are missing");
}

TEST_F(CheckTest, EverySingleDroppedEventIsFoundButTheLast) {
    for (std::size_t i = 0; i + 1 < leaves.size(); ++i) {
        Leaves cut = leaves;
        cut.erase(cut.begin() + static_cast<std::ptrdiff_t>(i));
        EXPECT_FALSE(check_leaves(cut).findings.empty()) << leaves[i];
    }
}

TEST_F(CheckTest, TwoSwappedEventsAreFound) {
    for (std::size_t i = 0; i + 1 < leaves.size(); ++i) {
        Leaves swapped = leaves;
        std::swap(swapped[i], swapped[i + 1]);
        EXPECT_FALSE(check_leaves(swapped).findings.empty()) << leaves[i];
    }
}

TEST_F(CheckTest, AnyChangedByteOfAChainedEventIsFound) {
    auto& leaf = leaves[find(leaves, R"("code":"forbidden")")];
    replace(leaf, R"(amount","src":"args","v":9900)", R"(amount","src":"args","v":9901)");
    expect_found("does not link");
}

TEST_F(CheckTest, ARemovedSealLeavesTheSessionOpenAndAHole) {
    leaves.erase(leaves.begin() +
                 static_cast<std::ptrdiff_t>(find(leaves, R"("type":"session.sealed")")));
    const auto report = check_leaves(leaves);
    EXPECT_EQ(report.open_sessions, 1u);
    EXPECT_FALSE(report.findings.empty());
}

TEST_F(CheckTest, ASealWithOtherCountsIsFound) {
    auto& seal = leaves[find(leaves, R"("type":"session.sealed")")];
    const std::string whole = seal;
    replace(seal, R"("denied":1)", R"("denied":0)");
    expect_found("denied");
    seal = whole;
    replace(seal, R"("events":11)", R"("events":12)");
    expect_found("counts 12 events");
}

TEST_F(CheckTest, AnEndWithoutADecisionIsFound) {
    const Story story(rig.ids);
    ASSERT_TRUE(rig.record(story.task_started()));
    ASSERT_TRUE(rig.record(story.session_started()));
    ASSERT_TRUE(rig.record(story.ended(rig.ids.mint<CallId>(), story.session_event)));
    leaves = rig.ledger.entries;
    expect_found("without a decision that permits it");
}

TEST_F(CheckTest, AnEndAfterAForbidIsFound) {
    const Story story(rig.ids);
    const auto call = rig.ids.mint<CallId>();
    ASSERT_TRUE(rig.record(story.task_started()));
    ASSERT_TRUE(rig.record(story.session_started()));
    const auto decision = rig.record(story.decided(call, "forbid"));
    ASSERT_TRUE(rig.record(story.ended(call, decision->event)));
    leaves = rig.ledger.entries;
    expect_found("without a decision that permits it");
}

TEST_F(CheckTest, ASecondPermitOrEndOfOneAttemptIsFound) {
    const Story story(rig.ids);
    const auto call = rig.ids.mint<CallId>();
    ASSERT_TRUE(rig.record(story.task_started()));
    ASSERT_TRUE(rig.record(story.session_started()));
    const auto decision = rig.record(story.decided(call, "permit"));
    ASSERT_TRUE(rig.record(story.ended(call, decision->event)));
    Draft retry = story.decided(call, "permit");
    retry.attempt = 2;
    ASSERT_TRUE(rig.record(std::move(retry)));
    leaves = rig.ledger.entries;
    EXPECT_EQ(findings_in(leaves), "") << "a retry is decided anew";
    ASSERT_TRUE(rig.record(story.decided(call, "permit")));
    ASSERT_TRUE(rig.record(story.ended(call, decision->event)));
    leaves = rig.ledger.entries;
    expect_found("is permitted twice");
    expect_found("ended twice");
}

TEST_F(CheckTest, AHoleInAnEmittersNumbersIsFound) {
    // Not in any chain's middle: the newest of the emitter's own, then one more after it.
    const Story story(rig.ids);
    Rig other;
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(other.record(story.of_writ("tool.pinned")));
    Leaves holed = other.ledger.entries;
    replace(holed[2], R"("seq":2},"id")", R"("seq":5},"id")");
    EXPECT_NE(findings_in(holed).find("2 to 4 are missing"), std::string::npos);
}

TEST_F(CheckTest, ALeafThatIsNotCanonicalIsFound) {
    const Leaves whole = leaves;
    const std::size_t last = leaves.size() - 1;
    replace(leaves[last], R"({"actor")", R"({ "actor")");
    expect_found("is not canonical");
    leaves = whole;
    replace(leaves[last], R"("basis":"observed")", R"("basis":"\u006fbserved")");
    expect_found("is not canonical");
    leaves = whole;
    replace(leaves[last], R"("reason":"asked to")", R"("reason":1.5)");
    expect_found("a number or a name");
    leaves = whole;
    replace(leaves[last], R"("reason":"asked to")", R"("reason":9007199254740992)");
    expect_found("a number or a name");
    leaves = whole;
    replace(leaves[last], R"("reason":"asked to")", R"("reason":"a","reason":"b")");
    expect_found("not JSON");
}

TEST_F(CheckTest, ACauseThatPointsForwardOrNowhereIsFound) {
    const Story story(rig.ids);
    const auto later = rig.ids.mint<EventId>();
    Draft first = story.of_writ("tool.pinned");
    first.cause.push_back({"requested_by", later, Basis::kObserved});
    ASSERT_TRUE(rig.record(std::move(first)));
    Draft second = story.of_writ("tool.pinned");
    second.id = later;
    ASSERT_TRUE(rig.record(std::move(second)));
    leaves = rig.ledger.entries;
    expect_found("which is not an earlier event");
}

TEST_F(CheckTest, AnEventCannotBeItsOwnCause) {
    const Story story(rig.ids);
    Draft draft = story.of_writ("tool.pinned");
    draft.id = rig.ids.mint<EventId>();
    draft.cause.push_back({"requested_by", *draft.id, Basis::kObserved});
    ASSERT_TRUE(rig.record(std::move(draft)));
    leaves = rig.ledger.entries;
    expect_found("which is not an earlier event");
}

TEST_F(CheckTest, ARepeatedIdIsFound) {
    const Story story(rig.ids);
    Draft draft = story.of_writ("tool.pinned");
    draft.id = story.task_event;
    ASSERT_TRUE(rig.record(draft));
    ASSERT_TRUE(rig.record(draft));
    leaves = rig.ledger.entries;
    expect_found("a second time");
}

TEST_F(CheckTest, AnEventInAStrangersChainIsFound) {
    auto& leaf = leaves[find(leaves, R"("type":"session.started")")];
    const auto at = leaf.find(R"("uid":")") + 7;
    leaf.replace(at, 36, "01a209c1-6900-7043-aa71-8774c572bd8a");
    // The credential's uid comes first in the text: aim at the chain's.
    leaves = rig.ledger.entries;
    auto& again = leaves[find(leaves, R"("type":"session.started")")];
    const auto chain = again.find(R"("chain":{)");
    again.replace(again.find(R"("uid":")", chain) + 7, 36, "01a209c1-6900-7043-aa71-8774c572bd8a");
    expect_found("neither its session's nor its emitter's");
}

TEST_F(CheckTest, AChainThatGoesOnAfterItsSealIsFound) {
    Leaf seal = *read_leaf(leaves[find(leaves, R"("type":"session.sealed")")]);
    ChainEnd end;
    end.next = seal.chain_seq + 1;
    end.prev = leaf_hash(leaves[find(leaves, R"("type":"session.sealed")")]);
    Story story(rig.ids);
    story.session = *SessionId::parse(seal.session);
    rig.recorder->adopt(story.session, end);
    ASSERT_TRUE(rig.record(story.of_session("call.inward")));
    leaves = rig.ledger.entries;
    expect_found("goes on after its seal");
}

TEST_F(CheckTest, AnUnknownTypeATenantAndRubbishAreFound) {
    const Leaves whole = leaves;
    replace(leaves.back(), "gateway.stopped", "gateway.hidden!");
    expect_found("unknown type");
    leaves = whole;
    replace(leaves.back(), R"("tenant":"acme")", R"("tenant":"evil")");
    expect_found("in the log of `acme`");
    leaves = whole;
    leaves.push_back("\x1b[2J not json");
    expect_found("not JSON");
    EXPECT_EQ(findings_in(leaves).find('\x1b'), std::string::npos) << "shown inert";
    leaves.back() = "{}";
    expect_found("`v`");
}

TEST_F(CheckTest, AForgedLogCannotFillTheMemoryWithFindings) {
    leaves.assign(5000, "rubbish");
    const auto report = check_leaves(leaves);
    EXPECT_EQ(report.findings.size(), kMaxFindings + 1);
    EXPECT_EQ(report.findings.back(), "and 4000 more");
}

}  // namespace
}  // namespace writ::evidence
