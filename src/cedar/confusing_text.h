// Text in a policy that a reader may take for other text: bidirectional controls, invisible
// characters, letters of several alphabets that look alike. Warnings.
#pragma once

#include "cedar/findings.h"

namespace writ::cedar {

void find_confusing_text(const Policy& policy, PolicyFindings& findings);

}  // namespace writ::cedar
