// One tool as a server lists it (MCP `Tool`), read into a definition that can be pinned. What is
// pinned is what can reach a model: name, title, description, inputSchema, outputSchema,
// annotations, icons and _meta, in canonical form (RFC 8785). Other members are left out of the
// definition, hence never shown.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "catalog/catalog.h"
#include "json/value.h"

namespace writ::catalog {

inline constexpr std::size_t kMaxToolNameBytes = 100;
// One definition; kMaxToolsPerServer of them stay in memory for each server.
inline constexpr std::size_t kMaxDefinitionBytes = 128 << 10;

// What the server says about itself: hints, of which only the raising ones are heard.
struct Annotations {
    std::optional<bool> read_only, destructive;
};

struct Definition {
    std::string name, description;
    std::string text;          // the definition, canonical
    std::string input_schema;  // canonical
    Sha256 digest{};           // of `text`
    Annotations annotations;
};

// [A-Za-z0-9_.-]{1,100}: no look-alikes, nothing that needs escaping anywhere.
bool is_tool_name(std::string_view name);
// [a-z0-9][a-z0-9-]{0,30}
bool is_server_name(std::string_view name);

// Errors: kInvalid (no usable name, inputSchema not an object of type `object`, a member of the
// wrong type), kTooLarge.
Result<Definition> parse_definition(const json::Value& tool);

// What a call of the tool does. Effects are ordered as the enum lists them: read < write < delete <
// send < exec < configure < grant < pay; annotations only ever raise:
//   no rule          write; `destructiveHint: true` makes it delete
//   the rule's word  stands, unless the server itself says `destructiveHint: true` without
//                    contradicting itself by `readOnlyHint: true`: then at least delete
// `readOnlyHint`, and hints that are absent, change nothing.
Effect effective(std::optional<Effect> declared, const Annotations& annotations);

}  // namespace writ::catalog
