// A question in Cedar's terms: the names that docs/architecture.md, section 2, gives to principal,
// action, resource and context.
#pragma once

#include <memory>
#include <vector>

#include "catalog/catalog.h"
#include "cedar/cedar.h"
#include "cedar/partial.h"
#include "identity/types.h"
#include "policy/policy.h"
#include "policy/shape.h"

namespace writ::policy {

cedar::EntityUid agent_uid(const identity::Agent& agent);
cedar::EntityUid action_uid(const catalog::Tool& tool);

// Agents in their groups and every tool's action in its effect and server: what does not change
// between calls.
Result<cedar::Entities> standing_entities(
    const std::vector<std::shared_ptr<const identity::Agent>>& agents,
    const catalog::Snapshot& catalog);

// One call, ready for the engine. `entities` is the standing store plus the call's resource in its
// domains.
struct Prepared {
    cedar::Request request;
    cedar::Entities entities;
};

// What is known of every call of the tool under the task: not its arguments but for what `shape`
// says of them, nor its resource, what has flowed, the time, or whether the charter has changed.
cedar::PartialRequest any_call(const identity::Task& task, const catalog::Tool& tool,
                               const Shape& shape);

// `shape` is the tool's. Errors: kInvalid (an argument that has no Cedar form).
Result<Prepared> prepare(const Question& question, const Shape& shape,
                         const std::shared_ptr<const cedar::Entities>& standing);

}  // namespace writ::policy
