#include "base/ids.h"

#include <gtest/gtest.h>

namespace writ {
namespace {

TEST(IdSource, RisesWithinOneMillisecondAndThroughAClockStepBack) {
    ManualClock clock(1'795'460'000'000'000);
    IdSource ids(clock);
    Uuid last = ids.next();
    for (int i = 0; i < 20'000; ++i) {
        if (i == 10'000) clock.step_wall_us(-3'600'000'000);
        const Uuid next = ids.next();
        ASSERT_LT(last, next);
        last = next;
    }
}

TEST(Uuid, ParsesOnlyItsOwnText) {
    ManualClock clock(1'795'460'000'000'000);
    IdSource ids(clock);
    const Uuid id = ids.next();
    EXPECT_EQ(Uuid::parse(id.text()), id);
    EXPECT_TRUE(id.text().starts_with("01a209c1-6900-7"));
    std::string written(Uuid::kTextBytes + 1, '.');
    EXPECT_EQ(id.write_text(written.data()), &written.back());
    EXPECT_EQ(written, id.text() + ".");
    const std::string known = "01a209c1-6900-7043-aa71-8774c572bd8a";
    EXPECT_EQ(Uuid::parse(known)->text(), known);
    for (std::size_t at = 0; at < known.size(); ++at) {
        std::string bad = known;
        bad[at] = known[at] == '-' ? '0' : '-';
        EXPECT_FALSE(Uuid::parse(bad)) << bad;
    }
    EXPECT_FALSE(Uuid::parse("01A209C1-6900-7043-aa71-8774c572bd8a"));  // upper case
    EXPECT_FALSE(Uuid::parse("01a209c1-6900-4043-aa71-8774c572bd8a"));  // version 4
    EXPECT_FALSE(Uuid::parse("01a209c1-6900-7043-aa71-8774c572bd8"));
    EXPECT_FALSE(Uuid::parse("01a209c169007043aa718774c572bd8a"));
}

}  // namespace
}  // namespace writ
