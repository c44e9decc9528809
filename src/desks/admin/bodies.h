// What the requests of the admin API say (docs/guide/admin-api.md), read strictly: an act that
// cannot be taken back must not happen because `dry_run` was misspelt. Errors: kInvalid.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace writ::admin {

// POST /reload. An empty body is `{}`.
Result<bool> reload_checks_only(std::string_view body);

// POST /evidence/shred
struct ShredBody {
    std::string subject, before, reason;
    bool dry_run = false;
};
Result<ShredBody> read_shred(std::string_view body);

// POST /tasks/ID/end and /revoke: the reason, or `fallback` where there is none; at most 500 bytes
// of it. An empty body is `{}`. The one that is not strict: these only take authority away, and a
// misspelt reason must not keep a task alive.
Result<std::string> read_reason(std::string_view body, std::string fallback);

// POST /catalog/SERVER/TOOL/pin: the digest of the definition that was read.
Result<std::string> read_pin(std::string_view body);

// POST /policy/explain
struct ExplainBody {
    std::string task, tool;
    std::string arguments = "{}";  // JSON, as it stood there
};
Result<ExplainBody> read_explain(std::string_view body);

}  // namespace writ::admin
