// The steps that check_types() and check_all() share. Inner header of the room.
#pragma once

#include "policy/check.h"

namespace writ::policy {

CheckReport run_type_check(const Loaded& loaded, const catalog::Snapshot& catalog,
                           const Shapes& shapes, const EngineOptions& options,
                           bool redundant_parts);
void sort_findings(CheckReport& report);

}  // namespace writ::policy
