// What a reload would change: two configurations compared, key by key, as an operator names them.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "cli/config.h"

namespace writ::cli {

struct Difference {
    // What can change while the gateway runs: `agent bot: groups`, `server fs: timeout`.
    std::vector<std::string> reloads;
    // What cannot: `listen.agents`, `data`.
    std::vector<std::string> restarts;
    // Servers that are started otherwise, and agents that are gone.
    std::set<std::string> restarted_servers, gone_agents;
};

// `now` as it was read, before a listener gave a port of 0 its number. Pure.
Difference difference(const Config& now, const Config& next);

// Names of the policy files that are new, gone or another text, as `policy pay.cedar: changed`.
using PolicyTexts = std::vector<std::pair<std::string, std::string>>;
std::vector<std::string> policy_difference(const PolicyTexts& now, const PolicyTexts& next);

}  // namespace writ::cli
