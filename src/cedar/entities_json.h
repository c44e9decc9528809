// The pieces of Cedar's JSON data format that its readers and printers share (digest section 6).
// What says itself what it is is read here; data_reader.h reads what a schema explains.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cedar/cedar.h"
#include "json/node.h"
#include "json/value.h"

namespace writ::cedar {

inline constexpr std::size_t kEntitiesBytesMax = 256 << 20;  // a store is the operator's, and large
inline constexpr std::size_t kValueDepthMax = 256;

// kInvalid, with the path where it is known.
tl::unexpected<Error> invalid_at(std::string_view path, std::string message);

// {"type", "id"}.
json::Node uid_node(const EntityUid& uid);
// {"type", "id"}, or that in {"__entity": …}. Errors, here and below: kInvalid with the path.
Result<EntityUid> read_uid(const json::Value& value, std::string_view path);

// A value, escapes followed.
Result<Value> read_value(const json::Value& value, const std::string& path);

// {"fn": name, "arg": value} or {"fn": name, "args": [value…]}, evaluated.
Result<Value> read_extension_call(const json::Value& call, const std::string& path);

// {"uid", "attrs", "parents", "tags"?}
Result<EntityData> read_entity(const json::Value& value);

}  // namespace writ::cedar
