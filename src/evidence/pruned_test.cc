// A log whose beginning was pruned: what is left is checked as far as it stands for itself, and
// what may have stood before is not held against it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "evidence/check.h"
#include "evidence/encode.h"
#include "evidence/log_rig.h"

namespace writ::evidence {
namespace {

using testing::joined;
using testing::LogRig;
using testing::Story;

class PrunedLog : public ::testing::Test {
  protected:
    static constexpr std::uint64_t kBound = 256;

    // A session that is open across the bound with a call that is, before and after it whole ones.
    void SetUp() override {
        rig.must(rig.story.of_writ("gateway.started"));
        rig.must(across.task_started());
        rig.must(across.session_started());
        const auto call = rig.ids.mint<CallId>();
        const auto permit = rig.must(across.decided(call, "permit"));
        while (rig.reader().checkpoint().size < kBound + 50) {
            const Story whole(rig.ids);
            rig.must(whole.task_started());
            rig.must(whole.session_started());
            const auto own = rig.ids.mint<CallId>();
            const auto decision = rig.must(whole.decided(own, "permit"));
            rig.must(whole.ended(own, decision));
            ASSERT_TRUE(rig.seal(whole.session));
            ASSERT_TRUE(rig.ledger->flush());
        }
        rig.must(across.ended(call, permit));
        ASSERT_TRUE(rig.seal(across.session));
        ASSERT_TRUE(rig.ledger->flush());
        // As the ledger prunes, which takes whole segments only: the bound, then the bytes.
        std::ofstream(dir() / "minimum-index") << kBound << "\n";
        std::filesystem::remove(dir() / "tile/entries/000");
    }
    std::filesystem::path dir() const { return rig.dir.path() / "data/log/acme/gw-1"; }
    // The entries that are left, given to a check; `change` may alter one.
    template <class Change>
    std::string findings(Change change) {
        const auto log = rig.reader();
        Checker checker(false);
        std::vector<std::string> leaves(log.checkpoint().size);
        const auto read = log.entries(0, [&](std::uint64_t index, std::string_view bytes) {
            leaves[index] = bytes;
            change(index, leaves[index]);
            checker.feed(index, leaves[index], leaf_hash(leaves[index]));
            return true;
        });
        EXPECT_TRUE(read);
        return joined(checker.finish([&](std::uint64_t index) { return leaves[index]; }).findings);
    }
    LogRig rig;
    Story across{rig.ids};
};

TEST_F(PrunedLog, HoldsAndSaysFromWhere) {
    const auto log = rig.reader();
    EXPECT_EQ(log.minimum_index(), kBound);
    const auto [tree, events] = check_all(log);
    ASSERT_TRUE(tree.findings.empty()) << tree.findings.front().what;
    EXPECT_EQ(joined(events.findings), "");
    EXPECT_EQ(tree.entries, log.checkpoint().size - kBound);
    EXPECT_EQ(events.events, tree.entries);
    EXPECT_EQ(joined(check(log).findings), "");
}

TEST_F(PrunedLog, WhatIsLeftIsStillChecked) {
    EXPECT_EQ(findings([](std::uint64_t, std::string&) {}), "");
    // The permit of a call in a session that begins after the bound.
    std::uint64_t at = 0;
    const std::string denied = findings([&](std::uint64_t index, std::string& leaf) {
        const auto permit = leaf.find("\"kind\":\"permit\"");
        if (at != 0 || index < kBound + 10 || permit == std::string::npos) return;
        at = index;
        leaf.replace(permit, 15, "\"kind\":\"forbid\"");
    });
    ASSERT_NE(at, 0u);
    EXPECT_NE(denied.find("ended without a decision that permits it"), std::string::npos) << denied;
    EXPECT_NE(denied.find("does not link"), std::string::npos) << denied;
}

TEST_F(PrunedLog, AMissingTileOfThePrunedPartIsFound) {
    std::filesystem::remove(dir() / "tile/0/000");
    EXPECT_FALSE(check_all(rig.reader()).tree.findings.empty());
}

}  // namespace
}  // namespace writ::evidence
