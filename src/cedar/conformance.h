// Holds values, entities and requests against a schema (digest section 6).
#pragma once

#include <optional>
#include <string>

#include "cedar/schema_model.h"
#include "cedar/value.h"

namespace writ::cedar {

// Why the value is not of the type: `type mismatch: value was expected to have type long, but it
// actually has type string: "x"`; nothing if it is.
std::optional<std::string> mismatch(const Schema::Impl& schema, TypeId type, const Cell& value);

// An entity in the value whose id its enumerated type does not have, or an action that is not
// declared; nothing if there is none.
std::optional<std::string> bad_uid(const Schema::Impl& schema, const Cell& value);
std::optional<std::string> bad_uid(const Schema::Impl& schema, const EntityUid& uid);

// Each entity by itself, and actions with the ancestors that the entities give them. Errors:
// kInvalid.
Status check_entities(const Schema::Impl& schema, const std::vector<EntityData>& entities);
Status check_context(const Schema::Impl& schema, const ActionDef& action, const Value& context);
Status check_request(const Schema::Impl& schema, const Request& request);

}  // namespace writ::cedar
