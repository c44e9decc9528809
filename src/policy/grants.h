// The task's own authority: every link of its chain of grants must allow the call. Narrowing was
// checked at issuance; here each link is asked again, so that a mistake there grants nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cedar/cedar.h"
#include "policy/policy.h"

namespace writ::policy {

// How one grant fared against one call.
enum class Match : std::uint8_t { kGrants, kOtherTool, kExpired, kOtherDomain, kCondition, kError };

struct GrantOutcome {
    std::string id;  // `grant:<depth>:<position>`
    Match match = Match::kOtherTool;
    std::string detail;  // what did not match, with its values
    const identity::Grant* grant = nullptr;
};

// Whether a pattern (`server/tool`, `server/*`) names the tool.
bool names_tool(const identity::Grant& grant, const catalog::Tool& tool);

// Every grant of every link, from the root of the chain down. `prepared` may be null: conditions
// are then not evaluated and count as granting (for tools/list).
struct Prepared;
std::vector<std::vector<GrantOutcome>> match_chain(const identity::Task& task,
                                                   const catalog::Tool& tool,
                                                   const catalog::Resource* resource,
                                                   std::int64_t now_us, const Prepared* prepared);

// The grants that allow the call where no condition has to be asked: for every link, from the root
// down, the first that covers it. Nothing where a link has none, or where any grant that names the
// tool carries a condition: then match_chain() decides.
std::optional<std::vector<Determining>> plainly_granted(const identity::Task& task,
                                                        const catalog::Tool& tool,
                                                        const catalog::Resource& resource,
                                                        std::int64_t now_us);

// The condition as a policy of its own; cached per thread. Errors: kInvalid with its place inside
// the expression.
Result<const cedar::PolicySet*> condition(std::string_view when);

}  // namespace writ::policy
