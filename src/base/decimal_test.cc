#include "base/decimal.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace writ {
namespace {

TEST(Decimal, ReadsWhatToStringWrites) {
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{10},
                                      std::uint64_t{18'446'744'073'709'551'615U}})
        EXPECT_EQ(from_decimal<std::uint64_t>(std::to_string(value)), value);
    EXPECT_EQ(from_decimal<std::uint16_t>("65535"), 65'535);
}

TEST(Decimal, RefusesEveryOtherText) {
    using std::string_view_literals::operator""sv;
    for (const auto text : {""sv, "-1"sv, "+1"sv, " 1"sv, "1 "sv, "1\n"sv, "01"sv, "00"sv, "0x1"sv,
                            "1e3"sv, "1.0"sv, "1\0"sv, "\xd9\xa1"sv, "18446744073709551616"sv})
        EXPECT_FALSE(from_decimal<std::uint64_t>(text)) << text;
    EXPECT_FALSE(from_decimal<std::uint16_t>("65536"));
}

}  // namespace
}  // namespace writ
