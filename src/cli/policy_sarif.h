// Findings as a SARIF 2.1.0 log (OASIS), for code scanning in CI.
#pragma once

#include <vector>

#include "json/node.h"
#include "policy/check.h"

namespace writ::cli {

json::Node sarif_of(const std::vector<policy::CheckFinding>& findings);

}  // namespace writ::cli
