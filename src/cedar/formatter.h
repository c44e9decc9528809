// Formatting policies: one layout for every text that means the same, comments kept.
//
// The layout is the reference formatter's: a scope of three bare variables on one line, any other
// one element a line; `when { … }` on one line where it fits; a chain breaks after its operator.
// It differs in this: a text of comments alone begins with the first of them, no line begins or
// ends with a space too many around a comment, and a comment in the midst of a name or an entity
// stays there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cedar/cedar.h"

namespace writ::cedar {

struct FormatOptions {
    std::size_t line_width = 80;   // columns
    std::size_t indent_width = 2;  //
    std::string file = {};         // for positions
    Limits limits = {};
};

// The text laid out anew, ending in a line break; empty for a text without policies and comments.
// Idempotent. Each comment stays, after the token it followed on its line or before the token it
// stood above. That the result has the same comments and parses to the same policies is checked
// before it is returned. Errors: those of PolicySet::parse(); kInternal if a check failed.
// Cost: linear in the text, times the line width at worst.
Result<std::string> format(std::string_view text, const FormatOptions& options = {});

}  // namespace writ::cedar
