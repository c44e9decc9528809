#include "cedar/decimal.h"

#include <fmt/format.h>

#include <charconv>

namespace writ::cedar {
namespace {

constexpr std::int64_t kScale = 10'000;
constexpr std::size_t kFractionDigits = 4;

bool all_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Parsed<std::int64_t> parse_decimal(std::string_view text) {
    const bool negative = text.starts_with('-');
    const std::string_view digits = text.substr(negative ? 1 : 0);
    const std::size_t dot = digits.find('.');
    if (dot == std::string_view::npos || !all_digits(digits.substr(0, dot)) ||
        !all_digits(digits.substr(dot + 1)))
        return tl::make_unexpected(fmt::format("`{}` is not a well-formed decimal value", text));
    const std::string_view fraction = digits.substr(dot + 1);
    if (fraction.size() > kFractionDigits)
        return tl::make_unexpected(fmt::format("too many digits after the decimal in `{}`", text));

    // The integer part is read with its sign, so that the most negative value fits.
    const std::string_view whole = text.substr(0, dot + (negative ? 1 : 0));
    std::int64_t units = 0;
    const auto read = std::from_chars(whole.data(), whole.data() + whole.size(), units);
    std::int64_t tail = 0;
    std::from_chars(fraction.data(), fraction.data() + fraction.size(), tail);
    for (std::size_t i = fraction.size(); i < kFractionDigits; ++i) tail *= 10;
    if (read.ec != std::errc() || __builtin_mul_overflow(units, kScale, &units) ||
        __builtin_add_overflow(units, negative ? -tail : tail, &units))
        return tl::make_unexpected(std::string("overflow when converting to decimal"));
    return units;
}

std::string decimal_text(std::int64_t units) {
    const std::int64_t fraction = units % kScale;
    return fmt::format("{}{}.{:04}", units < 0 ? "-" : "",
                       units < 0 ? -(units / kScale) : units / kScale,
                       fraction < 0 ? -fraction : fraction);
}

}  // namespace writ::cedar
