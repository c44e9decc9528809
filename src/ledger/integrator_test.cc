#include "ledger/integrator.h"

#include <gtest/gtest.h>

namespace writ::ledger {
namespace {

TEST(Fresh, HoldsConsecutiveEntriesWithTheirHashes) {
    Fresh fresh;
    for (std::uint64_t i = 0; i < 3; ++i)
        fresh.add(7 + i, std::string(100, 'e'), Sha256{static_cast<std::uint8_t>(i)});
    EXPECT_EQ(fresh.entry(6), nullptr);
    ASSERT_NE(fresh.entry(9), nullptr);
    EXPECT_EQ(*fresh.entry(9), std::string(100, 'e'));
    EXPECT_EQ((*fresh.leaf(9))[0], 2);
    EXPECT_EQ(fresh.entry(10), nullptr);
    EXPECT_EQ(fresh.leaf(10), nullptr);
    EXPECT_GE(fresh.bytes(), 300u);
}

TEST(Fresh, NothingAfterAHoleIsTakenForWhatIsMissing) {
    Fresh fresh;
    fresh.add(7, "seven", {});
    fresh.add(9, "nine", {});
    EXPECT_EQ(fresh.entry(8), nullptr);
    EXPECT_EQ(fresh.entry(9), nullptr);
}

TEST(Fresh, KeepsHashesOnlyBeyondItsBytes) {
    Fresh fresh;
    const std::size_t each = 60'000;
    const std::uint64_t count = (40 << 20) / each;
    for (std::uint64_t i = 0; i < count; ++i) fresh.add(i, std::string(each, 'e'), {});
    fresh.add(count, "small enough, but not the next that is held", {});
    EXPECT_LE(fresh.bytes(), std::size_t{32} << 20);
    EXPECT_NE(fresh.entry(500), nullptr);
    EXPECT_EQ(fresh.entry(count - 1), nullptr);
    EXPECT_NE(fresh.leaf(count - 1), nullptr);
    EXPECT_EQ(fresh.entry(count), nullptr);
    EXPECT_NE(fresh.leaf(count), nullptr);
}

TEST(Fresh, HasAnEndOfHashesToo) {
    Fresh fresh;
    for (std::uint64_t i = 0; i < 70'000; ++i) fresh.add(i, "e", {});
    EXPECT_NE(fresh.leaf(65'535), nullptr);
    EXPECT_EQ(fresh.leaf(65'536), nullptr);
}

}  // namespace
}  // namespace writ::ledger
