// What changed between the definition of a tool that a person accepted and the one its server lists
// now, in the words of somebody who must decide whether to accept it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "catalog/catalog.h"

namespace writ::catalog {

// Changes of one definition that are listed; a definition that differs more is another tool.
inline constexpr std::size_t kMaxChanges = 200;

struct Change {
    std::string path;    // `inputSchema.properties.path.description`
    std::string before;  // JSON text; empty: it was not there
    std::string after;   // JSON text; empty: it is not there any more
    bool operator==(const Change&) const = default;
};

struct Difference {
    std::vector<Change> changes;     // in the order of the canonical form
    bool more = false;               // over kMaxChanges
    std::vector<std::string> risks;  // what a person should look at, most dangerous first
};

// `pinned` and `now` are canonical definitions (Tool::definition); `declared` is the operator's own
// word on the tool's effect. Errors: kCorrupt (a text that is no definition). All text in the
// result is foreign but for the risks, where foreign names are inert.
Result<Difference> difference(std::string_view pinned, std::string_view now,
                              std::optional<Effect> declared);

}  // namespace writ::catalog
