#include "cli/idle_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/inert.h"
#include "cli/toml_reader.h"

namespace writ::cli {

std::vector<std::string> idle_rules(const catalog::ServerSpec& server,
                                    const std::vector<std::string>& listed) {
    std::vector<std::string> out;
    if (listed.empty()) return out;
    for (const auto& rule : server.tools) {
        if (std::ranges::find(listed, rule.tool) != listed.end()) continue;
        const auto meant = closest(rule.tool, listed);
        out.push_back(
            fmt::format("server `{}` lists no tool `{}`: its [[servers.tools]] does nothing{}",
                        server.name, inert(rule.tool, 100),
                        meant ? ", did you mean `" + inert(*meant, 100) + "`?" : std::string()));
    }
    return out;
}

}  // namespace writ::cli
