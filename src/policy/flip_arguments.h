// Values of arguments at which conditions change their mind, read from the conditions themselves.
// Inner header of the room.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cedar/ast.h"
#include "json/node.h"

namespace writ::policy {

struct ArgumentEdit {
    std::vector<std::string> path;     // below context.input
    std::optional<std::string> value;  // JSON; nothing: leave the argument out
};

// For every comparison of an argument with a literal: the literal and its neighbours; for every
// `like`: a text that fits; for every boolean: both; for every `has`: the argument left out.
void collect_edits(const cedar::Policy& policy, std::vector<ArgumentEdit>& into);

struct EditedArguments {
    std::string text;  // JSON
    std::string told;  // `amount`: 500 -> 100
};
// Nothing where the path leads nowhere in these arguments.
std::optional<EditedArguments> apply(const std::string& arguments, const ArgumentEdit& edit);

}  // namespace writ::policy
