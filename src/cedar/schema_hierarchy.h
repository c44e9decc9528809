// Closes the hierarchies of a schema: which entity types may be above which, which actions are
// below which. Entity types may be in cycles, actions may not.
#pragma once

#include <functional>
#include <utility>

#include "cedar/schema_model.h"

namespace writ::cedar {

// Fills in ancestors and descendants from the parents. `where` says where an action was declared.
void close_hierarchies(
    Schema::Impl& schema, SchemaErrors& errors,
    const std::function<std::pair<const SchemaTree*, std::uint32_t>(std::uint32_t)>& where);

}  // namespace writ::cedar
