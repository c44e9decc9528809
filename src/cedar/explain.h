// Why a policy did not apply, in words for a person.
#pragma once

#include <string>

#include "cedar/ast.h"
#include "cedar/evaluator.h"

namespace writ::cedar {

// ``when { context.input.amount <= 100 } is false: context.input.amount is 250``: the source of
// condition `index`, which was not met, and the values of the variables and attribute paths it
// reads, as far as they exist.
std::string explain_condition(const Policy& policy, std::size_t index, Evaluator& evaluator);

// ``scope `principal in Team::"a"` does not match Agent::"b"``: the first part that does not.
std::string explain_scope(const Policy& policy, const RequestView& request);

}  // namespace writ::cedar
