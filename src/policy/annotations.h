// What Writ reads from a policy's annotations: @id names it, @hold("rule") makes a forbid hold,
// @redact @cap @notify on a permit are obligations. Others are the author's own, unless they look
// like a misspelling of these.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cedar/cedar.h"
#include "policy/policy.h"

namespace writ::policy {

struct Notes {
    std::optional<std::string> id, hold;
    std::vector<Obligation> obligations;
};

// Errors: kInvalid at the policy's place (a misspelling, @hold on a permit or without a rule, an
// obligation on a forbid).
Result<Notes> read_annotations(const cedar::PolicyInfo& policy);

}  // namespace writ::policy
