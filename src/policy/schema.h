// The Cedar schema of a gateway: the fixed part that docs/architecture.md, section 2, names, and
// one action with its arguments' type for every tool of a catalog. docs/spec/policy-names.md is
// its specification.
//
// The text is deterministic: the same catalog, servers and names give the same bytes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "catalog/catalog.h"
#include "cedar/schema.h"
#include "policy/shape.h"

namespace writ::policy {

// A schema is refused beyond this; 512 tools of 2 KiB of types are 1 MiB.
inline constexpr std::size_t kMaxSchemaBytes = 32 << 20;

// The arguments' types of one snapshot's tools. Immutable, shared by an engine and its schema.
class Shapes {
  public:
    explicit Shapes(const catalog::Snapshot& catalog);
    // The shape of exactly this definition; read anew where the snapshot held another.
    ShapePtr of(const catalog::Tool& tool) const;
    const InputShape* find(std::string_view qualified) const;

  private:
    struct Entry {
        Sha256 pin{};
        InputShape input;
    };
    std::unordered_map<std::string, Entry> entries_;
};

struct SchemaInput {
    const catalog::Snapshot& catalog;
    const Shapes& shapes;
    std::vector<std::string> servers;  // every configured server, for `server:<name>`
    // Actions of servers that have not listed their tools: declared, so that policies may name
    // them, but of no call.
    std::vector<std::string> absent_actions;
    // Of all tools only this one can be called: what a policy says about it alone.
    std::optional<std::string> only;
};

// What a schema of a whole catalog may take.
cedar::SchemaLimits schema_limits();

// Cedar schema syntax. Errors: kTooLarge.
Result<std::string> schema_text(const SchemaInput& input);

// One argument shape as a Cedar type, on one line.
std::string type_text(const Shape& shape);

}  // namespace writ::policy
