// What was accepted and is not on disk yet: found again in order, without gaps, and once.
#include "ledger/accepted.h"

#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <memory>
#include <optional>

#include "base/secret.h"
#include "base/temp_dir.h"
#include "ledger/file.h"
#include "ledger/ledger.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;

class AcceptedTest : public ::testing::Test {
  protected:
    void SetUp() override {
        if (::access("/dev/shm", W_OK) != 0) GTEST_SKIP() << "no tmpfs at /dev/shm";
        memory.emplace("/dev/shm");
        shm = memory->path();
        struct statfs system{};
        ASSERT_EQ(::statfs(shm.c_str(), &system), 0);
        if (system.f_type != TMPFS_MAGIC) GTEST_SKIP() << "/dev/shm is not tmpfs";
    }

    Accepted opened(std::string_view run = "r") const {
        auto out = Accepted::open(file());
        EXPECT_TRUE(out) << out.error().message();
        out->begin(run);
        return std::move(*out);
    }
    // As the next process finds it.
    std::vector<std::string> found() const {
        std::vector<std::string> out;
        for (auto& each : Accepted::open(file())->left()) out.push_back(std::move(each.entry));
        return out;
    }
    fs::path file() const { return shm / "accepted"; }

    Result<std::unique_ptr<Ledger>> ledger() const {
        Options options;
        options.dir = dir;
        options.origin = "test.local/log/default/node";
        if (!shm.empty()) options.accepted = file();
        options.company_wait_ms = company_wait_ms;
        return Ledger::open(std::move(options), *crypto::Ed25519Key::from_seed(seed), clock);
    }
    std::vector<std::string> entries(const Ledger& log) const {
        std::vector<std::string> out;
        EXPECT_TRUE(log.read(0, [&](std::uint64_t, std::string_view entry) {
            out.emplace_back(entry);
            return true;
        }));
        return out;
    }
    fs::path run_file() const { return dir / "state/default-node.accepted"; }
    // What a run that was killed leaves.
    void leave(std::string_view run, const std::vector<std::string>& open) const {
        auto accepted = Accepted::open(file());
        ASSERT_TRUE(accepted);
        accepted->begin(run);
        for (const auto& entry : open) ASSERT_TRUE(accepted->keep(0, entry).kept());
        std::ofstream(run_file()) << "theirs";
    }

    const TempDir disk;
    const fs::path dir = disk.path();
    std::optional<TempDir> memory;
    fs::path shm;
    std::int64_t company_wait_ms = 2;
    Bytes seed = random_bytes(32);
    ManualClock clock{1'000'000};
};

using Texts = std::vector<std::string>;

TEST_F(AcceptedTest, WhatIsOpenIsFoundInItsOrder) {
    auto accepted = opened("a run");
    const auto first = accepted.keep(7, "one");
    const auto second = accepted.keep(7, "");
    accepted.keep(8, std::string(3000, 'x'));
    EXPECT_TRUE(first.kept());
    accepted.settle(second);
    EXPECT_EQ(found(), (Texts{"one", std::string(3000, 'x')}));
    EXPECT_EQ(Accepted::open(file())->run(), "a run");
    EXPECT_EQ(Accepted::open(file())->left().front().from, 7u);
    accepted.settle(first);
    EXPECT_EQ(found(), Texts{std::string(3000, 'x')});
    opened("another");
    EXPECT_EQ(found(), Texts{});
    EXPECT_EQ(Accepted::open(file())->run(), "another");
}

TEST_F(AcceptedTest, AreasTakeTurnsAndNothingOldComesBack) {
    auto accepted = opened();
    std::vector<std::pair<Accepted::Slot, std::string>> open;
    for (int i = 0; i < 5'000; ++i) {
        std::string entry = std::to_string(i) + std::string(static_cast<std::size_t>(i % 900), '.');
        const auto slot = accepted.keep(0, entry);
        ASSERT_TRUE(slot.kept()) << i;
        open.emplace_back(slot, std::move(entry));
        if (open.size() > 40) {
            accepted.settle(open.front().first);
            open.erase(open.begin());
        }
        if (i % 500 != 499) continue;
        Texts expected;
        for (const auto& each : open) expected.push_back(each.second);
        ASSERT_EQ(found(), expected) << i;
    }
}

TEST_F(AcceptedTest, BehindAnEntryThatDoesNotFitNothingIsKeptUntilItIsSettled) {
    auto accepted = opened();
    const std::string large(60'000, 'x');
    std::vector<Accepted::Slot> slots;
    Accepted::Slot hole;
    do {
        hole = accepted.keep(0, large);
        if (hole.kept()) slots.push_back(hole);
    } while (hole.kept());
    EXPECT_EQ(slots.size(), 2 * (Accepted::kAreaBytes / large.size()));
    const auto behind = accepted.keep(0, "small");
    EXPECT_FALSE(behind.kept()) << "there would be a gap before it";
    for (const auto& slot : slots) accepted.settle(slot);
    EXPECT_FALSE(accepted.keep(0, "still").kept());
    accepted.settle(hole);
    accepted.settle(behind);
    accepted.settle({});  // of "still"
    EXPECT_TRUE(accepted.keep(0, "again").kept());
    EXPECT_EQ(found(), Texts{"again"});
}

TEST_F(AcceptedTest, OnlyAFileOfThisUserAloneOnTmpfsWillDo) {
    EXPECT_EQ(Accepted::open(dir / "accepted").error().code, ErrorCode::kUnsupported);
    std::ofstream(shm / "theirs") << "x";
    fs::permissions(shm / "theirs", fs::perms(0666));
    EXPECT_EQ(Accepted::open(shm / "theirs").error().code, ErrorCode::kCorrupt);
    fs::create_symlink(shm / "theirs", file());
    EXPECT_FALSE(Accepted::open(file()));
    fs::remove(file());
    ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
    EXPECT_FALSE(Accepted::open(file()));
    fs::remove(file());
    std::ofstream(file()) << std::string(Accepted::kAreaBytes * 2, '\xff');
    fs::permissions(file(), fs::perms(0600));
    EXPECT_EQ(Accepted::open(file())->left().size(), 0u) << "nonsense has no entries";
}

TEST_F(AcceptedTest, TheNextStartWritesDownWhatAKilledRunLeft) {
    ASSERT_TRUE((*ledger())->append_sync("on disk"));
    leave("theirs", {"on disk", "one", "two"});
    auto log = ledger();
    ASSERT_TRUE(log) << log.error().message();
    EXPECT_EQ(entries(**log), (Texts{"on disk", "one", "two"}))
        << "what the log has is not repeated";
    EXPECT_EQ((*log)->health().durable, 3u);
    EXPECT_EQ(found(), Texts{});
}

TEST_F(AcceptedTest, WhatAnOlderRunLeftIsNotBelieved) {
    ASSERT_TRUE(ledger());
    leave("an older run", {"stale"});
    EXPECT_EQ(entries(**ledger()), Texts{});
    leave("theirs", {"stale"});
    fs::remove(run_file());
    EXPECT_EQ(entries(**ledger()), Texts{});
    // A run that could not have the file takes the belief away for good.
    leave("theirs", {"stale"});
    fs::permissions(file(), fs::perms(0666));
    ASSERT_TRUE((*ledger())->append_sync("later"));
    fs::permissions(file(), fs::perms(0600));
    EXPECT_EQ(entries(**ledger()), Texts{"later"});
}

TEST_F(AcceptedTest, AnEntryOutlivesTheProcessFromItsAppendOn) {
    auto log = ledger();
    ASSERT_TRUE(log);
    EXPECT_TRUE((*log)->append_outliving("entry", {}, [](Result<Appended>) {}));
    bool told = false;
    EXPECT_FALSE((*log)->append_outliving("", {}, [&](Result<Appended> r) { told = !r; }));
    EXPECT_TRUE(told) << "refused at once";
    ASSERT_TRUE((*log)->flush());
    EXPECT_EQ(found(), Texts{}) << "it is on disk";
    log->reset();
    EXPECT_FALSE(fs::exists(file())) << "nothing is left behind";
}

TEST_F(AcceptedTest, WhatOutlivesTheProcessSharesTheNextSync) {
    company_wait_ms = 60'000;
    auto log = ledger();
    ASSERT_TRUE(log);
    std::promise<std::uint64_t> outcome;
    const auto batches = (*log)->meters()->batches.value();
    EXPECT_TRUE((*log)->append_outliving(
        "outcome", {}, [&](Result<Appended> r) { outcome.set_value(r ? r->index : 99); }));
    auto told = outcome.get_future();
    const auto decision = (*log)->append_sync("decision");
    ASSERT_TRUE(decision);
    EXPECT_EQ(decision->index, 1u);
    EXPECT_EQ(told.get(), 0u);
    EXPECT_EQ((*log)->meters()->batches.value(), batches + 1);
    EXPECT_EQ(found(), Texts{}) << "both are on disk";
}

TEST_F(AcceptedTest, WhatOutlivesTheProcessAndFindsNoCompanyIsWrittenAllTheSame) {
    auto log = ledger();
    ASSERT_TRUE(log);
    for (std::uint64_t i = 0; i < 3; ++i) {
        std::promise<std::uint64_t> outcome;
        EXPECT_TRUE((*log)->append_outliving(
            "outcome", {}, [&](Result<Appended> r) { outcome.set_value(r ? r->index : 99); }));
        EXPECT_EQ(outcome.get_future().get(), i);
    }
}

TEST_F(AcceptedTest, AFlushAndAnEndWaitForNoCompany) {
    company_wait_ms = 60'000;
    auto log = ledger();
    ASSERT_TRUE(log);
    const auto append = [&](std::string entry) {
        const Sha256 leaf = leaf_hash(as_bytes(entry));
        return (*log)->append_outliving(std::move(entry), leaf, [](Result<Appended>) {});
    };
    EXPECT_TRUE(append("one"));
    ASSERT_TRUE((*log)->flush());
    EXPECT_TRUE(append("two"));
    log->reset();
    auto again = ledger();
    ASSERT_TRUE(again);
    EXPECT_EQ(entries(**again), (Texts{"one", "two"}));
}

// Without the file nobody is told early, so nobody may wait.
TEST_F(AcceptedTest, WhatDoesNotOutliveTheProcessHasASyncOfItsOwn) {
    company_wait_ms = 60'000;
    shm.clear();
    auto log = ledger();
    ASSERT_TRUE(log);
    std::promise<std::uint64_t> outcome;
    EXPECT_FALSE((*log)->append_outliving(
        "outcome", {}, [&](Result<Appended> r) { outcome.set_value(r ? r->index : 99); }));
    EXPECT_EQ(outcome.get_future().get(), 0u);
}

}  // namespace
}  // namespace writ::ledger
