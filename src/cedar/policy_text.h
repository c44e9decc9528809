// A parsed policy as Cedar text, from its tree: for policies that no text was written for. Every
// operand that is not a name, literal or call stands in parentheses. What is printed reads back as
// the same tree, up to nesting (`a || b || c` keeps its shape) and constants that were folded.
#pragma once

#include <string>

#include "cedar/ast.h"

namespace writ::cedar {

std::string expression_text(const Ast& ast, NodeId id);
std::string policy_text(const Policy& policy);

}  // namespace writ::cedar
