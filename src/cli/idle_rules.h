// The operator's words on tools that nobody lists.
#pragma once

#include <string>
#include <vector>

#include "catalog/catalog.h"

namespace writ::cli {

// Of each [[servers.tools]] of `server` whose tool is not among `listed`, the names of the tools it
// has, a line that says so: a misspelt name leaves the tool that was meant with the default effect.
// Nothing where nothing is listed. Pure.
std::vector<std::string> idle_rules(const catalog::ServerSpec& server,
                                    const std::vector<std::string>& listed);

}  // namespace writ::cli
