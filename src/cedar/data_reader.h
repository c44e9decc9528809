// Reads entities and contexts from JSON where a schema says what is expected (digest section 6): an
// entity reference may be {"type", "id"}, an extension value the string of its constructor, and
// what is missing or too much is refused.
#pragma once

#include <string>

#include "cedar/schema_model.h"
#include "json/value.h"

namespace writ::cedar {

// A value of the type. What has the wrong type may still be read, as it is: hold the result against
// the type (conformance.h). `path` names the place for errors. Errors: kInvalid.
Result<Value> read_typed(const Schema::Impl& schema, TypeId type, const json::Value& value,
                         const std::string& path);

// A context of the action. Errors: kInvalid.
Result<Value> read_typed_context(const Schema::Impl& schema, const ActionDef& action,
                                 const json::Value& value);

// One element of Cedar's entities JSON. Errors: kInvalid.
Result<EntityData> read_typed_entity(const Schema::Impl& schema, const json::Value& value);

}  // namespace writ::cedar
