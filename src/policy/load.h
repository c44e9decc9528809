// Policy files, parsed and named: what is made once and shared by every engine over another
// catalog.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "cedar/cedar.h"
#include "policy/annotations.h"
#include "policy/policy.h"

namespace writ::policy {

struct Loaded {
    cedar::PolicySet set;
    std::map<std::string, Notes, std::less<>> notes;       // by policy id
    std::map<std::string, SourceRef, std::less<>> places;  // by policy id
    Sha256 digest{};
};

// Errors: as Engine::make().
Result<std::shared_ptr<const Loaded>> load(PolicyFiles files);

}  // namespace writ::policy
