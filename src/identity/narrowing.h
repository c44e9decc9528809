// Issuance: whether a specification is well formed, and whether a child's authority is within its
// parent's (docs/architecture.md, rule 4). Pure; no clock, no storage.
//
// What is compared, link by link: subject (never changes), tools, domains, expiry, budget, deadline
// and depth. `when` is conjoined along the chain and therefore never compared: every link's
// condition must hold at each call, so a child without one gains nothing.
//
//   parent `fs/*` in {work}            child `fs/read` in {work}          within
//   parent `fs/*` in {work}            child `fs/read` in any domain      wider: refused
//   parent `fs/read`, `fs/write`       child `fs/*`                       wider: refused
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "identity/types.h"

namespace writ::identity {

// `server/tool` or `server/*`: server [a-z0-9][a-z0-9-]{0,30}, tool [A-Za-z0-9_.-]{1,100}.
bool is_tool_pattern(std::string_view text);
// [A-Za-z0-9][A-Za-z0-9_.-]{0,63}
bool is_domain_name(std::string_view text);
// Whether every tool that `narrow` names is named by `wide`; both are tool patterns.
bool pattern_covers(std::string_view wide, std::string_view narrow);

// A grant with the moment it really ends: the earlier of its expiry and its task's deadline.
struct Until {
    const Grant& grant;
    std::int64_t expires_s;
};
Until until(const Grant& grant, std::int64_t deadline_us);
// What makes `narrow` wider than `wide`; empty if nothing does. Starts with what to compare, for
// people: ``tool `fs/*` is not granted``.
std::string widens(const Until& wide, const Until& narrow);

// The rules of the format: grants are there and well formed, numbers and sizes within bounds,
// nothing expired at `now_s`. Errors: kInvalid, kTooLarge, naming the member.
Status check_spec(const TaskSpec& spec, std::int64_t now_s);

// Whether `child`, to end at wall time `deadline_us`, is within `parent`. Whether the parent lives
// and how its deadline compares in boot time is the directory's business. Errors: kForbidden naming
// the link and the grant.
Status check_narrowing(const TaskSpec& child, std::int64_t deadline_us, const Task& parent);

}  // namespace writ::identity
