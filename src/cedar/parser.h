// Policies: from text to Policy objects.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "cedar/ast.h"

namespace writ::cedar {

// The policies and templates of `text` in order. All errors of the text are in the one returned:
// the first with its position, the others one a line in its detail, each as `file:line:column:
// message`. Errors: kInvalid; kTooLarge where the first is of a limit.
Result<std::vector<std::shared_ptr<const Policy>>> parse_policies(std::string_view text,
                                                                  const ParseOptions& options);

}  // namespace writ::cedar
