// Which calls may leave before their decision is durable (architecture, rule 1): reads, so declared
// by the operator, of a pinned definition, that can name no place outside their server. Their
// answer is held until the decision is durable.
//
// The schema is judged strictly; what it does not say clearly is a no:
//   - the operator's rule says `effect = "read"`, and no annotation raised it
//   - every argument has a schema of its own; no `$ref`, no combinator, no free-form object
//   - no argument's name has a word that names a place (url, host, endpoint …, kPlaceWords)
//   - no argument's format is one of a place (uri, hostname, email, ipv4 …)
// and then the arguments themselves: no text in them looks like a URL, a UNC path or an address.
#pragma once

#include <string_view>

#include "catalog/catalog.h"
#include "json/value.h"

namespace writ::gate {

// Of a tool's definition; the answer may be kept for its pin. Pure.
bool may_overlap(const catalog::Tool& tool);
// Of one call's arguments.
bool names_a_place(const json::Value& arguments);

}  // namespace writ::gate
