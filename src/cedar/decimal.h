// The decimal extension: fixed point with four fraction digits in an i64.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace writ::cedar {

// What an extension's parser gives, or why it refuses (the reference's words).
template <class T>
using Parsed = tl::expected<T, std::string>;

// `-?[0-9]+\.[0-9]{1,4}` in units of 1/10,000.
Parsed<std::int64_t> parse_decimal(std::string_view text);
std::string decimal_text(std::int64_t units);  // `-?int.dddd`

}  // namespace writ::cedar
