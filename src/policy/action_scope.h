// Which tools a policy can be about. Inner header of the room.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog.h"
#include "cedar/ast.h"

namespace writ::policy {

// Whether the policy's action scope holds for calls of this tool.
bool action_scope_covers(const cedar::Policy& policy, const catalog::Tool& tool);

// Ids of every Writ::Action in the scope and the conditions, with a place of each.
std::vector<std::pair<std::string, SourceRef>> mentioned_actions(const cedar::Policy& policy);

// Every entity literal of that type in the policy, with its place.
std::vector<std::pair<std::string, SourceRef>> mentioned_entities(const cedar::Policy& policy,
                                                                  std::string_view type);

}  // namespace writ::policy
