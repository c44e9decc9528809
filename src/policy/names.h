// Names of tools as Cedar identifiers, and back (docs/spec/policy-names.md).
//
// Only the names of types need it: Cedar takes any string as the id of an action (`"fs/read.file"`)
// and as the name of an attribute (`context.input["content-type"]`).
//
//   letters, digits    stand for themselves (a digit not at the start)
//   `_`                stands for itself where the next byte is not `_`
//   every other byte   `__` and two lower-case hex digits
//
//   type_name("fs/read-file")   fs__2fread__2dfile
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace writ::policy {

// Never empty for a text that is not empty, never a reserved word of Cedar where the text has a
// byte that is escaped, as every `server/tool` has.
std::string type_name(std::string_view text);
// The text that gives this name; nothing if none does.
std::optional<std::string> text_of_type_name(std::string_view name);

}  // namespace writ::policy
