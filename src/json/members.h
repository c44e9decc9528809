// Objects that people and programs send, read strictly: an unknown member is an error that names
// the known ones, a member of another type one that says which is wanted. A misspelt member that
// would otherwise be left out may be the very one that makes an act harmless.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "json/value.h"

namespace writ::json {

// One member an object may have, and what takes its value. `path` is where that stands, e.g.
// `grants[0].tools`.
struct Field {
    std::string_view name;
    std::function<Status(const Value& value, const std::string& path)> take;
};

// Reads an object none of whose members is unknown. What is absent keeps its default. `path` is
// empty for the whole text. All of these: kInvalid, with the place and what is wanted there.
Status read_object(const Value& value, const std::string& path, const std::vector<Field>& fields);
Status read_text(const Value& value, const std::string& path, std::string& out);
Status read_boolean(const Value& value, const std::string& path, bool& out);
// A whole number from 0 to `max`.
Status read_integer(const Value& value, const std::string& path, std::int64_t max,
                    std::int64_t& out);
// Each element of an array of `of` (`objects`) with `take`; its path is `path[i]`.
Status read_array(const Value& value, const std::string& path, std::string_view of,
                  const std::function<Status(const Value&, const std::string&)>& take);
Status read_texts(const Value& value, const std::string& path, std::vector<std::string>& out);

}  // namespace writ::json
