// Defends: whoever keeps saying that his tools changed is listed ever more rarely; whoever says it
// now and then, at once.
#include "doors/mcp/relist_pace.h"

#include <gtest/gtest.h>

namespace writ::mcp {
namespace {

using std::chrono::seconds;
constexpr RelistPace::Instant kStart{seconds(1'000)};

RelistPace pace() {
    return {net::Millis(1'000), net::Millis(60'000)};
}

// Listings within `span` of one who says it every `each`.
int listings(RelistPace& of, RelistPace::Instant from, seconds span, net::Millis each) {
    int n = 0;
    for (auto now = from; now < from + span; now += each) {
        if (now < of.next()) continue;
        of.begin(now);
        of.listed(now);
        ++n;
    }
    return n;
}

TEST(RelistPace, DoublesUpToItsMost) {
    auto of = pace();
    EXPECT_LE(of.next(), kStart);
    auto now = kStart;
    for (const int pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
        of.begin(now);
        EXPECT_EQ(of.next(), now + seconds(pause));
        now = of.next();
    }
}

TEST(RelistPace, AnHourOfChangesCostsAboutOneListingAMinute) {
    for (const int each_ms : {100, 2'100, 9'000}) {
        auto of = pace();
        EXPECT_LE(listings(of, kStart, seconds(3'600), net::Millis(each_ms)), 70) << each_ms;
    }
}

TEST(RelistPace, QuietIsRewarded) {
    auto of = pace();
    listings(of, kStart, seconds(600), net::Millis(100));
    const auto later = of.next() + seconds(600);
    of.begin(later);
    EXPECT_EQ(of.next(), later + seconds(1));
}

TEST(RelistPace, AListingAnswersWhoAskedBeforeItBeganAndOnlyIfItCameIn) {
    auto of = pace();
    EXPECT_FALSE(of.answered(kStart));
    of.begin(kStart + seconds(1));
    EXPECT_FALSE(of.answered(kStart));
    of.listed(kStart + seconds(1));
    EXPECT_TRUE(of.answered(kStart));
    EXPECT_FALSE(of.answered(kStart + seconds(1)));
}

}  // namespace
}  // namespace writ::mcp
