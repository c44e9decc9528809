// Escapes of Cedar string literals and `like` patterns.
//
//   \n \r \t \\ \0 \' \"   \xHH (at most 7F)   \u{H…} (1 to 6 hex digits, `_` between them)
//
// and in patterns `\*` for a star that is not a wildcard.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace writ::cedar {

enum class Literal { kString, kPattern };

struct EscapeError {
    std::size_t at = 0;   // offset in the raw text
    std::string message;  // the reference's words
};

struct Unescaped {
    std::string text;
    // Patterns only: the offsets in `text` before which a wildcard stands, ascending.
    std::vector<std::size_t> wildcards;
    std::vector<EscapeError> errors;  // all of them
};

// `raw` is what stood between the quotes, valid UTF-8. In a pattern every star is a wildcard
// except `\*`; so is one written `\u{2a}`, as in the reference.
Unescaped unescape(std::string_view raw, Literal kind);

// `text` as the inside of a literal: what unescape() reads back. Quotes, backslashes, controls and
// the invisible format characters that could mislead a reader are escaped.
std::string escape(std::string_view text);
std::string string_literal(std::string_view text);  // with the quotes

}  // namespace writ::cedar
