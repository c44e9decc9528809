#include "cedar/datetime.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace writ::cedar {
namespace {

constexpr std::int64_t kSecond_ms = 1'000;
constexpr std::int64_t kMinute_ms = 60 * kSecond_ms;
constexpr std::int64_t kHour_ms = 60 * kMinute_ms;
constexpr std::int64_t kDay_ms = 24 * kHour_ms;

// Whether `text` starts with the shape, where `0` stands for any digit.
bool has_shape(std::string_view text, std::string_view shape) {
    if (text.size() < shape.size()) return false;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == '0' ? !digit : text[i] != shape[i]) return false;
    }
    return true;
}

int number(std::string_view text, std::size_t at, std::size_t digits) {
    int value = 0;
    for (std::size_t i = at; i < at + digits; ++i) value = value * 10 + (text[i] - '0');
    return value;
}

int days_in_month(int year, int month) {
    constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

// Days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so that
// the leap day is a year's last; 400 years have 146,097 days.
std::int64_t days_from_civil(int year, int month, int day) {
    const std::int64_t y = year - (month <= 2 ? 1 : 0);
    const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
    const std::int64_t year_of_era = y - era * 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719'468;
}

struct Civil {
    std::int64_t year = 0, month = 0, day = 0;
};

Civil civil_from_days(std::int64_t days) {
    days += 719'468;
    const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
    const std::int64_t day_of_era = days - era * 146'097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t from_march = (5 * day_of_year + 2) / 153;
    Civil out;
    out.day = day_of_year - (153 * from_march + 2) / 5 + 1;
    out.month = from_march + (from_march < 10 ? 3 : -9);
    out.year = year_of_era + era * 400 + (out.month <= 2 ? 1 : 0);
    return out;
}

// What follows the seconds: where the milliseconds and the offset begin, if they are well formed.
struct Tail {
    bool valid = false;
    int ms = 0;
    bool utc = true;
};

Tail read_tail(std::string_view text) {
    Tail out;
    if (has_shape(text, ".000")) {
        out.ms = number(text, 1, 3);
        text.remove_prefix(4);
    }
    out.utc = text == "Z";
    const bool offset = text.size() == 5 && (has_shape(text, "+0000") || has_shape(text, "-0000"));
    out.valid = out.utc || offset;
    return out;
}

}  // namespace

Parsed<std::int64_t> parse_datetime(std::string_view text) {
    const auto refuse = [](std::string why) { return tl::make_unexpected(std::move(why)); };
    // 1. All patterns first.
    if (!has_shape(text, "0000-00-00")) return refuse("invalid date pattern");
    const bool with_time = text.size() > 10;
    Tail tail;
    if (with_time) {
        if (!has_shape(text.substr(10), "T00:00:00"))
            return refuse("invalid hour/minute/second pattern");
        tail = read_tail(text.substr(19));
        if (!tail.valid) return refuse("invalid millisecond and/or offset pattern");
    }
    // 2. Then what they say.
    const int year = number(text, 0, 4), month = number(text, 5, 2), day = number(text, 8, 2);
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return refuse(fmt::format("invalid date: {}", text.substr(0, 10)));
    std::int64_t ms = days_from_civil(year, month, day) * kDay_ms;
    if (!with_time) return ms;
    const int hour = number(text, 11, 2), minute = number(text, 14, 2),
              second = number(text, 17, 2);
    if (hour > 23 || minute > 59 || second > 59)
        return refuse(fmt::format("invalid hour/minute/second: {}", text.substr(11, 8)));
    ms += hour * kHour_ms + minute * kMinute_ms + second * kSecond_ms + tail.ms;
    if (tail.utc) return ms;
    const std::string_view offset = text.substr(text.size() - 5);
    const int offset_hour = number(offset, 1, 2), offset_minute = number(offset, 3, 2);
    if (offset_hour > 23 || offset_minute > 59)
        return refuse(fmt::format("invalid offset range: {}{}", offset_hour, offset_minute));
    const std::int64_t shift = offset_hour * kHour_ms + offset_minute * kMinute_ms;
    return offset[0] == '-' ? ms + shift : ms - shift;
}

Parsed<std::int64_t> parse_duration(std::string_view text) {
    struct Part {
        std::string_view unit;
        std::int64_t factor;
        std::uint64_t count = 0;
    };
    std::array<Part, 5> parts = {
        {{"d", kDay_ms}, {"h", kHour_ms}, {"m", kMinute_ms}, {"s", kSecond_ms}, {"ms", 1}}};
    const auto pattern = [] {
        return tl::make_unexpected(std::string("invalid duration pattern"));
    };
    const auto overflow = [] {
        return tl::make_unexpected(std::string("Duration overflows internal representation"));
    };
    const bool negative = text.starts_with('-');
    std::string_view rest = text.substr(negative ? 1 : 0);
    if (rest.empty()) return pattern();
    bool too_large = false;
    for (std::size_t next = 0; !rest.empty();) {
        const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
        const std::string_view tail = rest.substr(digits);
        const std::string_view unit = tail.substr(0, tail.starts_with("ms") ? 2 : 1);
        while (next < parts.size() && parts[next].unit != unit) ++next;
        if (digits == 0 || next == parts.size()) return pattern();
        Part& part = parts[next++];
        const auto read = std::from_chars(rest.data(), rest.data() + digits, part.count);
        too_large = too_large || read.ec != std::errc();
        rest = tail.substr(unit.size());
    }
    // The sum is taken from the milliseconds up, with the sign: each step must fit.
    std::int64_t sum = 0;
    for (std::size_t i = parts.size(); i-- > 0 && !too_large;) {
        std::int64_t amount = 0;
        too_large = __builtin_mul_overflow(parts[i].count, parts[i].factor, &amount);
        // Only milliseconds reach one further below zero than above.
        const bool least = parts[i].factor == 1 && negative && parts[i].count == 1ULL << 63;
        if (least) {
            sum = INT64_MIN;
            too_large = false;
        } else if (!too_large) {
            too_large = negative ? __builtin_sub_overflow(sum, amount, &sum)
                                 : __builtin_add_overflow(sum, amount, &sum);
        }
    }
    if (too_large) return overflow();
    return sum;
}

std::string datetime_text(std::int64_t ms) {
    const std::int64_t time = to_time(ms);
    const std::int64_t days = ms / kDay_ms - (ms % kDay_ms < 0 ? 1 : 0);
    const Civil date = civil_from_days(days);
    if (date.year < 0 || date.year > 9999)
        return fmt::format("datetime(\"1970-01-01\").offset(duration(\"{}ms\"))", ms);
    return fmt::format("datetime(\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z\")", date.year,
                       date.month, date.day, time / kHour_ms, time / kMinute_ms % 60,
                       time / kSecond_ms % 60, time % kSecond_ms);
}

std::string datetime_in_errors(std::int64_t ms) {
    return fmt::format("(datetime(\"1970-01-01\")).offset(duration(\"{}ms\"))", ms);
}

Parsed<std::int64_t> to_date(std::int64_t ms) {
    std::int64_t midnight = 0;
    if (__builtin_sub_overflow(ms, to_time(ms), &midnight))
        return tl::make_unexpected(
            fmt::format("overflows when computing the date of {}", datetime_in_errors(ms)));
    return midnight;
}

std::int64_t to_time(std::int64_t ms) {
    const std::int64_t remainder = ms % kDay_ms;
    return remainder < 0 ? remainder + kDay_ms : remainder;
}

}  // namespace writ::cedar
