// Defends: what befalls the log itself is on record, once, and telling it never keeps the log busy.
#include "evidence/log_watch.h"

#include <gtest/gtest.h>

namespace writ::evidence {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

std::vector<std::string> said(LogWatch& watch, const ledger::Health& health, std::int64_t at_s) {
    std::vector<std::string> out;
    for (const auto& draft : watch.look(health, at_s * kSecond))
        out.push_back(draft.type + " " + draft.data.dump());
    return out;
}

TEST(LogWatch, AQuorumLostAndRegainedIsSaidOnceEach) {
    LogWatch watch("two");
    ledger::Health health;
    health.witnesses = {{"w1", "http://w1", 10, ""}, {"w2", "http://w2", 0, "refused\x1b[2J"}};
    health.durable = 12;
    health.witnessed = 10;
    EXPECT_EQ(said(watch, health, 1).size(), 1u) << "the first confirmation is said at once";
    health.quorum = false;
    const auto lost = said(watch, health, 2);
    ASSERT_EQ(lost.size(), 1u);
    EXPECT_TRUE(lost[0].starts_with("evidence.degraded")) << lost[0];
    for (const char* word : {"\"state\":\"lost\"", "\"quorum\":\"two\"", "\"name\":\"w2\""})
        EXPECT_NE(lost[0].find(word), std::string::npos) << lost[0];
    EXPECT_EQ(lost[0].find("\"w1\""), std::string::npos) << "w1 has no trouble";
    EXPECT_TRUE(said(watch, health, 3).empty());
    health.quorum = true;
    const auto back = said(watch, health, 9);
    ASSERT_EQ(back.size(), 1u);
    EXPECT_NE(back[0].find("\"lost_ms\":7000"), std::string::npos) << back[0];
    EXPECT_TRUE(said(watch, health, 10).empty());
}

TEST(LogWatch, WitnessedCheckpointsDoNotFeedThemselves) {
    LogWatch watch("two");
    ledger::Health health;
    health.witnesses = {{"w1", "http://w1", 0, ""}};
    EXPECT_TRUE(said(watch, health, 1).empty()) << "nothing is confirmed yet";
    // Every event is an entry, and a moment later the witnesses have confirmed it.
    std::uint64_t entries = 5;
    int events = 0;
    for (std::int64_t second = 2; second < 3'600; ++second) {
        health.witnessed = health.witnesses[0].size = entries;
        const auto now = said(watch, health, second);
        entries += now.size();
        events += static_cast<int>(now.size());
    }
    EXPECT_EQ(events, 1) << "an idle log stays idle";
    for (std::int64_t second = 4'000; second < 4'600; ++second) {
        entries += 3;
        health.witnessed = health.witnesses[0].size = entries;
        const auto now = said(watch, health, second);
        entries += now.size();
        events += static_cast<int>(now.size());
    }
    EXPECT_EQ(events, 11) << "once a minute while there is something new";
}

TEST(LogWatch, TamperingAndTheMirrorAreSaidAndBounded) {
    LogWatch watch;
    ledger::Health health;
    health.tampered = {"`tile/0/000` was removed"};
    health.mirror_trouble = "no room";
    EXPECT_EQ(said(watch, health, 1).size(), 2u);
    EXPECT_TRUE(said(watch, health, 2).empty());
    health.mirror_trouble.clear();
    const auto back = said(watch, health, 3);
    ASSERT_EQ(back.size(), 1u);
    EXPECT_NE(back[0].find("regained"), std::string::npos);
    std::size_t told = 0;
    for (int i = 0; i < 1'000; ++i) {
        health.tampered = {"`tile/0/" + std::to_string(i) + "` was removed"};
        told += said(watch, health, 4 + i).size();
    }
    EXPECT_LE(told, 64u) << "who changes files in a loop does not fill the log";
}

TEST(LogWatch, WithoutWitnessesNothingIsSaid) {
    LogWatch watch;
    ledger::Health health;
    health.durable = health.published = 1'000;
    EXPECT_TRUE(said(watch, health, 1).empty());
}

}  // namespace
}  // namespace writ::evidence
