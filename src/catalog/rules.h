// The operator's rules, compiled: one index for all snapshots of a catalog. This room's own.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "catalog/glob.h"
#include "catalog/resource.h"

namespace writ::catalog {

inline constexpr std::string_view kUnclassified = "unclassified";

struct Snapshot::Rules {
    struct Domain {
        std::string name;
        Sensitivity sensitivity = Sensitivity::kRestricted;
        std::vector<Glob> globs;
    };
    std::vector<Domain> domains;
    std::map<std::string, Template, std::less<>> templates;  // by their text

    // The compiled template of that text; nullptr if no tool of this catalog has it.
    const Template* find(std::string_view text) const {
        const auto it = templates.find(text);
        return it == templates.end() ? nullptr : &it->second;
    }
    // Errors: kInvalid naming the server, tool or domain, with what to write instead.
    static Result<std::shared_ptr<const Rules>> compile(const std::vector<ServerSpec>& servers,
                                                        const std::vector<DomainRule>& rules);
};

}  // namespace writ::catalog
