// Characters that some reader takes for ASCII: Unicode's compatibility forms (NFKC) and decimal
// digits of other scripts. This room's own.
#pragma once

#include <cstddef>
#include <string_view>

namespace writ::catalog {

// One scalar value of `text` at `at`, or 0 length where the UTF-8 is not valid.
struct Scalar {
    char32_t value = 0;
    std::size_t length = 0;
};
Scalar scalar_at(std::string_view text, std::size_t at);

// The ASCII that NFKC makes of `c`, or a slash that merely looks like one; empty if it is only
// itself (ASCII included).
std::string_view ascii_lookalike(char32_t c);
// The ASCII digit that `c` stands for in another script (general category Nd), which number parsers
// accept and NFKC leaves alone; empty if none.
std::string_view foreign_digit(char32_t c);
// Controls and format characters that show nothing.
bool is_invisible(char32_t c);

}  // namespace writ::catalog
