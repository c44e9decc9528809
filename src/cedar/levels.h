// Level validation (RFC 76): how many times in a row a policy follows an entity into the store,
// from principal, action, resource or the context. With a level of n, the entities within n steps
// of the request are all that an application must load.
#pragma once

#include <cstdint>

#include "cedar/typechecker.h"

namespace writ::cedar {

// Checks what the last check() of `typechecker` looked at, and the scope. Errors go to `findings`.
void check_levels(const Policy& policy, const Typechecker& typechecker, std::uint32_t level,
                  PolicyFindings& findings);

}  // namespace writ::cedar
