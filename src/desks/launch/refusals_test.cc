// Defends: whoever knocks in a loop does not fill the log, and nothing is lost of what was refused.
#include "desks/launch/refusals.h"

#include <gtest/gtest.h>

#include <vector>

namespace writ::launch {
namespace {

struct Told {
    ManualClock clock{1'795'460'000'000'000};
    std::vector<Refused> events;
    Refusals refusals{clock, [this](const Refused& refused) { events.push_back(refused); }};
    void refuse(int times, Error error) {
        net::Peer peer;
        peer.address = "unix:uid=7,pid=8";
        for (int i = 0; i < times; ++i) refusals.add(peer, error);
    }
};

const Error kNoListener{ErrorCode::kInvalid, "one descriptor is needed", {}};

TEST(LaunchRefusals, ManyAlikeAreTwoEventsInAMinute) {
    Told told;
    told.refuse(3'000, kNoListener);
    ASSERT_EQ(told.events.size(), 1u) << "the first is told at once";
    EXPECT_EQ(told.events[0].n, 1);
    EXPECT_EQ(told.events[0].code, "invalid");
    EXPECT_EQ(told.events[0].peer, "unix:uid=7,pid=8");
    EXPECT_EQ(told.events[0].reason, "one descriptor is needed");
    EXPECT_TRUE(told.refusals.waiting());
    told.clock.advance_us(kRefusalsEvery_us - 1);
    told.refusals.tell_due();
    EXPECT_EQ(told.events.size(), 1u);
    told.clock.advance_us(1);
    told.refusals.tell_due();
    ASSERT_EQ(told.events.size(), 2u);
    EXPECT_EQ(told.events[1].n, 2'999);
    EXPECT_FALSE(told.refusals.waiting());
    told.refuse(1, kNoListener);
    EXPECT_EQ(told.events.size(), 2u) << "the minute begins anew";
}

TEST(LaunchRefusals, AnotherCodeIsNotDrownedByALoop) {
    Told told;
    told.refuse(100, kNoListener);
    told.refuse(1, {ErrorCode::kForbidden, "a process inside a task may not launch agents", {}});
    ASSERT_EQ(told.events.size(), 2u);
    EXPECT_EQ(told.events[1].code, "forbidden");
}

TEST(LaunchRefusals, AStopTellsWhatWaits) {
    Told told;
    told.refuse(5, kNoListener);
    told.refusals.tell_all();
    ASSERT_EQ(told.events.size(), 2u);
    EXPECT_EQ(told.events[1].n, 4);
    told.refusals.tell_all();
    EXPECT_EQ(told.events.size(), 2u);
}

}  // namespace
}  // namespace writ::launch
