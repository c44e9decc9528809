#include "policy/scalars.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace writ::policy {
namespace {

TEST(Scalars, ADecimalIsExactOrNothing) {
    const std::pair<const char*, std::int64_t> exact[] = {{"0", 0},
                                                          {"-0", 0},
                                                          {"0.0", 0},
                                                          {"1", 10'000},
                                                          {"1.5", 15'000},
                                                          {"-1.50000000", -15'000},
                                                          {"1e2", 1'000'000},
                                                          {"1E-4", 1},
                                                          {"12.3e1", 1'230'000},
                                                          {"0e999999999", 0},
                                                          {"0.0001", 1},
                                                          {"922337203685477.5807", INT64_MAX},
                                                          {"-922337203685477.5808", INT64_MIN}};
    for (const auto& [text, value] : exact) EXPECT_EQ(exact_decimal(text), value) << text;
    for (const char* text : {"0.00001", "1e-5", "922337203685477.5808", "1e999999999999999999999",
                             "1e-999999999999999999999", "52.5200066", "1e20"})
        EXPECT_EQ(exact_decimal(text), std::nullopt) << text;
}

TEST(Scalars, AnIntegerMayBeWrittenAsANumber) {
    EXPECT_EQ(exact_integer("1.0"), 1);
    EXPECT_EQ(exact_integer("-2e3"), -2'000);
    EXPECT_EQ(exact_integer("9223372036854775807"), INT64_MAX);
    EXPECT_EQ(exact_integer("-9223372036854775808"), INT64_MIN);
    EXPECT_EQ(exact_integer("100000000000000000000e-10"), 10'000'000'000);
    for (const char* text : {"1.5", "9223372036854775808", "1e19", "1e-1"})
        EXPECT_EQ(exact_integer(text), std::nullopt) << text;
}

TEST(Scalars, DateTimesOfRfc3339) {
    EXPECT_EQ(datetime_ms("1970-01-01"), 0);
    EXPECT_EQ(datetime_ms("1970-01-01T00:00:01Z"), 1'000);
    EXPECT_EQ(datetime_ms("1970-01-01t00:00:01.2569z"), 1'256);
    EXPECT_EQ(datetime_ms("1970-01-01T01:30:00+01:30"), 0);
    EXPECT_EQ(datetime_ms("1969-12-31T23:00:00-01:00"), 0);
    EXPECT_EQ(datetime_ms("2026-11-25 10:00:00"), datetime_ms("2026-11-25T10:00:00Z"));
    for (const char* text : {"", "now", "2026-13-01", "2026-02-30", "2026-11-25T24:00:00Z",
                             "2026-11-25T10:00:60Z", "2026-11-25T10:00Z", "2026-11-25T10:00:00.Z",
                             "2026-11-25T10:00:00+0100", "2026-11-25x", "2026-1-1"})
        EXPECT_EQ(datetime_ms(text), std::nullopt) << text;
}

TEST(Scalars, DurationsOfIso8601) {
    EXPECT_EQ(duration_ms("PT1H30M"), 5'400'000);
    EXPECT_EQ(duration_ms("P1DT0.25S"), 86'400'250);
    EXPECT_EQ(duration_ms("-P1W"), -7LL * 86'400'000);
    EXPECT_EQ(duration_ms("P1Y2M"), (365LL + 60) * 86'400'000);
    for (const char* text : {"", "P", "PT", "1H", "P1H", "PT1D", "PT1S1H", "P1.5D", "PT.5S",
                             "PT9223372036854775807H", "PT1"})
        EXPECT_EQ(duration_ms(text), std::nullopt) << text;
}

}  // namespace
}  // namespace writ::policy
