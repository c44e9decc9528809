// decimal, ipaddr, datetime and duration: the edges that the recorded probes leave out.
#include "cedar/extension.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <limits>

#include "cedar/datetime.h"
#include "cedar/ipaddr.h"
#include "cedar/test_world.h"

namespace writ::cedar {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

TEST(Decimal, ReadsItsWholeRangeAndNoMore) {
    EXPECT_EQ(parse_decimal("922337203685477.5807").value(), kMax);
    EXPECT_EQ(parse_decimal("-922337203685477.5808").value(), kMin);
    EXPECT_EQ(parse_decimal("-0.5").value(), -5'000);
    EXPECT_EQ(parse_decimal("1.20").value(), 12'000);
    for (const char* text : {"922337203685477.5808", "-922337203685477.5809",
                             "99999999999999999999.0", "", "-", ".", "1", "1.", ".1", "+1.0",
                             " 1.0", "1.0 ", "1.00000", "1.-1", "--1.0", "1.0.0", "0x1.0", "1e3.0"})
        EXPECT_FALSE(parse_decimal(text)) << text;
}

TEST(Decimal, TextReadsBack) {
    const bool held = rc::check(
        [](std::int64_t units) { RC_ASSERT(parse_decimal(decimal_text(units)).value() == units); });
    EXPECT_TRUE(held);
    for (const std::int64_t units : {kMin, kMax, std::int64_t{-1}, std::int64_t{0}})
        EXPECT_EQ(parse_decimal(decimal_text(units)).value(), units);
}

TEST(IpAddr, RefusesWhatLooksLikeAnAddress) {
    for (const char* text : {"",
                             "1.2.3",
                             "1.2.3.4.5",
                             "256.1.1.1",
                             "1.2.3.04",
                             "1.2.3.4 ",
                             "1..2.3",
                             ".1.2.3",
                             "1.2.3.4/",
                             "1.2.3.4/33",
                             "1.2.3.4/+1",
                             "1.2.3.4/01",
                             "1.2.3.4//8",
                             "/8",
                             ":",
                             ":::",
                             "1:2:3:4:5:6:7",
                             "1:2:3:4:5:6:7:8:9",
                             "1::2::3",
                             "12345::",
                             "g::",
                             "::1%lo",
                             "1:",
                             ":1",
                             "::1/129",
                             "::1/-1",
                             "::ffff:1.2.3.4",
                             "1:2:3:4:5:6:7:8::",
                             "::1:2:3:4:5:6:7:8",
                             "0000:0000:0000:0000:0000:0000:0000:0001/1280"})
        EXPECT_FALSE(parse_ip(text)) << text;
}

TEST(IpAddr, AGapStandsWhereItIsWritten) {
    EXPECT_EQ(parse_ip("::").value().text(), "0:0:0:0:0:0:0:0/128");
    EXPECT_EQ(parse_ip("1::").value().text(), "1:0:0:0:0:0:0:0/128");
    EXPECT_EQ(parse_ip("1:2::7:8/64").value().text(), "1:2:0:0:0:0:7:8/64");
    EXPECT_EQ(parse_ip("1:2:3:4:5:6:7::").value().text(), "1:2:3:4:5:6:7:0/128");
    EXPECT_EQ(parse_ip("::2:3:4:5:6:7:8").value().text(), "0:2:3:4:5:6:7:8/128");
}

TEST(IpAddr, RangesContainOnlyWhatIsWhollyInside) {
    const auto in = [](const char* a, const char* b) {
        return parse_ip(a).value().in_range(parse_ip(b).value());
    };
    EXPECT_TRUE(in("10.1.2.3", "10.0.0.0/8"));
    EXPECT_FALSE(in("10.0.0.0/7", "10.0.0.0/8"));
    EXPECT_TRUE(in("10.1.2.3/31", "10.1.2.2/31"));
    EXPECT_FALSE(in("10.1.2.4/31", "10.1.2.2/31"));
    EXPECT_TRUE(in("255.255.255.255", "0.0.0.0/0"));
    EXPECT_FALSE(in("1.2.3.4", "::/0"));
    EXPECT_TRUE(in("2001:db8::1", "2001:db8::/33"));
    EXPECT_FALSE(in("2001:db8:8000::1", "2001:db8::/33"));
}

TEST(IpAddr, TextReadsBack) {
    const bool held = rc::check([] {
        IpNet net;
        net.v6 = *rc::gen::arbitrary<bool>();
        for (std::size_t i = 0; i < (net.v6 ? 16u : 4u); ++i)
            net.address[i] = *rc::gen::arbitrary<std::uint8_t>();
        net.prefix = static_cast<std::uint8_t>(*rc::gen::inRange(0, net.v6 ? 129 : 33));
        RC_ASSERT(parse_ip(net.text()).value() == net);
    });
    EXPECT_TRUE(held);
}

TEST(Datetime, CountsDaysOfTheProlepticCalendar) {
    EXPECT_EQ(parse_datetime("1970-01-01").value(), 0);
    EXPECT_EQ(parse_datetime("2000-02-29").value(), 951'782'400'000);
    EXPECT_EQ(parse_datetime("0000-01-01").value(), -62'167'219'200'000);
    EXPECT_EQ(parse_datetime("9999-12-31T23:59:59.999Z").value(), 253'402'300'799'999);
    EXPECT_FALSE(parse_datetime("1900-02-29"));
    EXPECT_EQ(parse_datetime("2024-01-01T00:00:00.250-0130").value(),
              parse_datetime("2024-01-01T01:30:00.250Z").value());
}

TEST(Datetime, RefusesEveryOtherShape) {
    for (const char* text : {"",
                             "2024",
                             "2024-13-01",
                             "2024-00-10",
                             "2024-01-00",
                             "24-01-01",
                             "+2024-01-01",
                             "2024-01-01Z",
                             "2024-01-01T00:00Z",
                             "2024-01-01T00:00:00",
                             "2024-01-01T00:00:00.1Z",
                             "2024-01-01T00:00:00.1234Z",
                             "2024-01-01T00:00:00z",
                             "2024-01-01T00:00:00+01:00",
                             "2024-01-01T00:00:00+010",
                             "2024-01-01T00:00:00+01000",
                             "2024-01-01T00:00:00+2400",
                             "2024-01-01T00:00:00+0060",
                             "2024-01-01T00:60:00Z",
                             "2024-01-01T00:00:00Z ",
                             " 2024-01-01",
                             "2024-01-01T00:00:00ZZ",
                             "\u0662024-01-01"})
        EXPECT_FALSE(parse_datetime(text)) << text;
}

TEST(Datetime, PatternsAreCheckedBeforeDates) {
    EXPECT_EQ(parse_datetime("2024-02-30T00:00:00").error(),
              "invalid millisecond and/or offset pattern");
}

TEST(Duration, UnitsComeInOrderAndOnce) {
    EXPECT_EQ(parse_duration("1d2h3m4s5ms").value(), 93'784'005);
    EXPECT_EQ(parse_duration("-1m1ms").value(), -60'001);
    EXPECT_EQ(parse_duration("5ms").value(), 5);
    EXPECT_EQ(parse_duration("0005m").value(), 300'000);
    for (const char* text : {"", "-", "1", "d", "1h1d", "1s1s", "1ms1s", "1m1m", "+1h", "1.5h",
                             "1h ", "1 h", "--1h", "1D", "1dd", "1mss"})
        EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Duration, EveryStepOfTheSumMustFit) {
    EXPECT_EQ(parse_duration("-9223372036854775808ms").value(), kMin);
    EXPECT_EQ(parse_duration("9223372036854775807ms").value(), kMax);
    for (const char* text :
         {"9223372036854775808ms", "-9223372036854775809ms", "18446744073709551616ms",
          "1s9223372036854775807ms", "-1d9223372036854775808ms", "9223372036854775807d",
          "18446744073709551615d", "106751991168d"})
        EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Datetime, DayAndTimeAddUp) {
    const bool held = rc::check([](std::int64_t ms) {
        const std::int64_t time = to_time(ms);
        RC_ASSERT(time >= 0 && time < 86'400'000);
        const auto date = to_date(ms);
        if (date) RC_ASSERT(*date + time == ms);
    });
    EXPECT_TRUE(held);
    EXPECT_FALSE(to_date(kMin));
    EXPECT_TRUE(to_date(kMax));
}

TEST(Functions, NamesAreFoundAndArityIsChecked) {
    EXPECT_FALSE(find_function("unknown"));
    EXPECT_FALSE(find_function("contains"));
    IpNet place;
    const auto result = call_function(Function::kIsInRange, {}, place);
    EXPECT_EQ(result.error(),
              "wrong number of arguments provided to extension function `isInRange`: expected 2, "
              "got 0");
}

// Found by tests/oracle/cedar_decide.cjs: a method's error names the method.
TEST(Extensions, MethodsThatOverflowSayItInTheReferencesWords) {
    const std::string least =
        "datetime(\"1970-01-01\").offset(duration(\"-9223372036854775808ms\"))";
    EXPECT_EQ(
        test::ask(least + ".toDate() == 1"),
        "ERR: error while evaluating `toDate` extension function: overflows when computing "
        "the date of (datetime(\"1970-01-01\")).offset(duration(\"-9223372036854775808ms\"))");
    EXPECT_EQ(test::ask(least + ".offset(duration(\"-1ms\")) == 1"),
              "ERR: error while evaluating `offset` extension function: overflows when adding an "
              "offset: (datetime(\"1970-01-01\")).offset(duration(\"-9223372036854775808ms\"))"
              "+(-1ms)");
    EXPECT_EQ(test::ask("datetime(\"2024-01-01\").durationSince(" + least + ") == 1"),
              "ERR: error while evaluating `durationSince` extension function: overflows when "
              "computing the duration between (datetime(\"1970-01-01\")).offset(duration("
              "\"1704067200000ms\")) and (datetime(\"1970-01-01\")).offset(duration("
              "\"-9223372036854775808ms\"))");
}

}  // namespace
}  // namespace writ::cedar
