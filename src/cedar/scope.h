// The scope of a policy: `(principal …, action …, resource …)`.
#pragma once

#include "cedar/ast.h"
#include "cedar/cursor.h"

namespace writ::cedar {

// Reads the parentheses and what stands between them. False after a syntactic error.
bool parse_scope(Cursor& cursor, Policy& policy);

}  // namespace writ::cedar
