#include "policy/scalars.h"

#include <chrono>
#include <string>

namespace writ::policy {
namespace {

// `lexeme` times 10^shift, if that is an integer of 64 bits.
std::optional<std::int64_t> scaled(std::string_view lexeme, std::int64_t shift) {
    std::size_t i = 0;
    const bool negative = !lexeme.empty() && lexeme[0] == '-';
    if (negative) ++i;
    std::string digits;
    std::int64_t exponent = shift;
    bool point = false;
    for (; i < lexeme.size() && lexeme[i] != 'e' && lexeme[i] != 'E'; ++i) {
        if (lexeme[i] == '.') {
            point = true;
            continue;
        }
        if (lexeme[i] < '0' || lexeme[i] > '9') return std::nullopt;
        if (!digits.empty() || lexeme[i] != '0') digits += lexeme[i];
        if (point) --exponent;
    }
    if (i < lexeme.size()) {
        ++i;
        const bool minus = i < lexeme.size() && lexeme[i] == '-';
        if (i < lexeme.size() && (lexeme[i] == '-' || lexeme[i] == '+')) ++i;
        std::int64_t power = 0;
        for (; i < lexeme.size(); ++i)
            if (power < 100'000'000) power = power * 10 + (lexeme[i] - '0');
        exponent += minus ? -power : power;
    }
    while (!digits.empty() && digits.back() == '0') {
        digits.pop_back();
        ++exponent;
    }
    if (digits.empty()) return 0;
    if (exponent < 0 || digits.size() > 19 || exponent > 19) return std::nullopt;
    std::int64_t out = 0;
    digits.append(static_cast<std::size_t>(exponent), '0');
    for (const char digit : digits) {
        const std::int64_t step = negative ? -(digit - '0') : digit - '0';
        if (__builtin_mul_overflow(out, 10, &out) || __builtin_add_overflow(out, step, &out))
            return std::nullopt;
    }
    return out;
}

// Takes `count` digits off the front.
std::optional<int> digits(std::string_view& text, std::size_t count) {
    if (text.size() < count) return std::nullopt;
    int out = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (text[i] < '0' || text[i] > '9') return std::nullopt;
        out = out * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return out;
}

bool take(std::string_view& text, std::string_view any_of) {
    if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
}

// `hh:mm:ss[.fraction]`, in milliseconds of the day.
std::optional<std::int64_t> time_ms(std::string_view& text) {
    const auto hour = digits(text, 2);
    if (!hour || *hour > 23 || !take(text, ":")) return std::nullopt;
    const auto minute = digits(text, 2);
    if (!minute || *minute > 59 || !take(text, ":")) return std::nullopt;
    const auto second = digits(text, 2);
    if (!second || *second > 59) return std::nullopt;
    std::int64_t ms = ((*hour * 60 + *minute) * 60 + *second) * std::int64_t{1'000};
    if (!take(text, ".")) return ms;
    if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
    for (std::int64_t unit = 100; !text.empty() && text[0] >= '0' && text[0] <= '9'; unit /= 10) {
        ms += unit * (text[0] - '0');
        text.remove_prefix(1);
    }
    return ms;
}

std::optional<std::int64_t> zone_ms(std::string_view text) {
    if (text.empty() || text == "Z" || text == "z") return 0;
    const bool minus = text.front() == '-';
    if (!take(text, "+-")) return std::nullopt;
    const auto hour = digits(text, 2);
    if (!hour || *hour > 23 || !take(text, ":")) return std::nullopt;
    const auto minute = digits(text, 2);
    if (!minute || *minute > 59 || !text.empty()) return std::nullopt;
    const std::int64_t ms = (*hour * 60 + *minute) * std::int64_t{60'000};
    return minus ? -ms : ms;
}

}  // namespace

std::optional<std::int64_t> exact_decimal(std::string_view lexeme) {
    return scaled(lexeme, 4);
}

std::optional<std::int64_t> exact_integer(std::string_view lexeme) {
    return scaled(lexeme, 0);
}

std::optional<std::int64_t> datetime_ms(std::string_view text) {
    const auto year = digits(text, 4);
    if (!year || !take(text, "-")) return std::nullopt;
    const auto month = digits(text, 2);
    if (!month || !take(text, "-")) return std::nullopt;
    const auto day = digits(text, 2);
    if (!day) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    const std::int64_t midnight = days * 86'400'000;
    if (text.empty()) return midnight;
    if (!take(text, "Tt ")) return std::nullopt;
    const auto time = time_ms(text);
    if (!time) return std::nullopt;
    const auto zone = zone_ms(text);
    if (!zone) return std::nullopt;
    return midnight + *time - *zone;
}

std::optional<std::int64_t> duration_ms(std::string_view text) {
    const bool minus = text.starts_with('-');
    if (minus) text.remove_prefix(1);
    if (!take(text, "P") || text.empty()) return std::nullopt;
    constexpr std::int64_t day = 86'400'000;
    struct Unit {
        char name;
        std::int64_t ms;
    };
    constexpr Unit dates[] = {{'Y', 365 * day}, {'M', 30 * day}, {'W', 7 * day}, {'D', day}};
    constexpr Unit times[] = {{'H', 3'600'000}, {'M', 60'000}, {'S', 1'000}};
    std::int64_t sum = 0;
    bool in_time = false;
    std::size_t next = 0;
    while (!text.empty()) {
        if (!in_time && take(text, "T")) {
            in_time = true;
            next = 0;
            if (text.empty()) return std::nullopt;
        }
        const auto end = text.find_first_not_of("0123456789.");
        if (end == 0 || end == std::string_view::npos) return std::nullopt;
        const auto number = text.substr(0, end);
        const char name = text[end];
        text.remove_prefix(end + 1);
        const Unit* units = in_time ? times : dates;
        const std::size_t count = in_time ? std::size(times) : std::size(dates);
        while (next < count && units[next].name != name) ++next;
        if (next == count) return std::nullopt;
        const std::int64_t unit = units[next++].ms;
        const bool fraction = number.find('.') != std::string_view::npos;
        if (fraction && (name != 'S' || number.front() == '.' || number.back() == '.'))
            return std::nullopt;
        const auto value = scaled(number, fraction ? 3 : 0);
        std::int64_t ms = 0;
        if (!value || __builtin_mul_overflow(*value, fraction ? 1 : unit, &ms) ||
            __builtin_add_overflow(sum, ms, &sum))
            return std::nullopt;
    }
    return minus ? -sum : sum;
}

}  // namespace writ::policy
