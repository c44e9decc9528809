// Whole numbers as texts of other people's formats: sizes, indexes, ports.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>
#include <system_error>

namespace writ {

// The number whose decimal digits are the whole of `text`, in the one form that std::to_string
// writes: no sign, no space, no leading zero. Nothing for any other text, or for a number that a
// T does not hold.
template <std::unsigned_integral T>
std::optional<T> from_decimal(std::string_view text) {
    if (text.size() > 1 && text.front() == '0') return std::nullopt;
    T out = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, out);
    if (error != std::errc() || stop != end) return std::nullopt;
    return out;
}

}  // namespace writ
