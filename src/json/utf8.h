// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace writ::json {

// Length (1 to 4) of the valid sequence that starts at `text[at]`, 0 if there is none. `at` <
// text.size().
std::size_t utf8_sequence(std::string_view text, std::size_t at);
// Offset of the first byte that begins no valid sequence; text.size() if all is valid.
std::size_t first_invalid_utf8(std::string_view text);
// Appends code point `c`, which is a scalar value (not a surrogate, at most U+10FFFF).
void append_utf8(std::string& out, std::uint32_t c);
// The order of UTF-16 code units (RFC 8785 section 3.2.3), computed on valid UTF-8. A strict total
// order of all strings.
bool utf16_less(std::string_view a, std::string_view b);

}  // namespace writ::json
