// Holds a policy set against the types of a catalog and what else is known of the organisation:
// tools, servers, agents, groups, domains, the words of arguments, policies that others hide.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "catalog/catalog.h"
#include "identity/types.h"

namespace writ::policy {

struct Loaded;
class Shapes;

enum class Level : std::uint8_t {
    kError,    // the set may not be loaded
    kWarning,  // it may, and is probably not what was meant
    kNote,     // worth knowing
};
std::string_view name(Level level);

struct CheckFinding {
    Level level = Level::kError;
    std::string rule;    // stable: `unknown_attribute`, `shadowed` … (docs/guide/policies.md)
    std::string policy;  // id; empty: of the set
    SourceRef at;
    std::string offending, message, help;

    // `file:line:column: policy `id`: message: help`
    std::string text() const;
};

struct CheckReport {
    std::vector<CheckFinding> findings;  // by file and place; errors of the schema first
    std::string schema;                  // Cedar syntax
    // Actions (`server/tool`) that a policy which may apply to them does not type-check for, with
    // the finding's text: their calls are refused (docs/guide/policies.md, "When a tool changes").
    std::map<std::string, std::string, std::less<>> broken;

    std::size_t count(Level level) const;
    // All errors as one, at the place of the first; nothing where there is none.
    std::optional<Error> error() const;
};

// What is configured, for names that no catalog tells.
struct EngineOptions {
    std::vector<std::string> servers;  // every configured tool server
    std::vector<std::string> domains;  // every configured data domain; empty: unknown
    bool check_types = true;           // false: for tests of what happens without
};

// Types and names of tools: what loading needs. Cost: about 2 us a policy and tool it can apply to.
// `before` is taken over where it is of the same types.
std::shared_ptr<const CheckReport> check_types(const Loaded& loaded,
                                               const catalog::Snapshot& catalog,
                                               const Shapes& shapes, const EngineOptions& options,
                                               std::shared_ptr<const CheckReport> before);

// All of it, for `writ policy check`: also conditions that decide nothing, names that nobody has,
// words that an argument never is, policies that others hide, annotations that nobody reads.
CheckReport check_all(const Loaded& loaded, const catalog::Snapshot& catalog, const Shapes& shapes,
                      const std::vector<std::shared_ptr<const identity::Agent>>& agents,
                      const EngineOptions& options);

}  // namespace writ::policy
