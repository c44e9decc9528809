// Decides one question: every link of the task's chain of grants AND the organisation's Cedar
// policies. Pure: no I/O, no clock of its own, no storage. Every failure is a forbid.
//
// How a policy says hold: a satisfied `forbid` annotated @hold("rule") holds instead of forbidding;
// the verdict is hold iff some permit is satisfied, every satisfied forbid carries @hold, and
// nothing errored (docs/architecture.md, section 2).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "catalog/catalog.h"
#include "cedar/cedar.h"
#include "identity/types.h"
#include "json/node.h"
#include "json/value.h"
#include "policy/check.h"

namespace writ::policy {

using PolicyFiles = std::vector<std::pair<std::string, std::string>>;  // name, text

enum class Kind : std::uint8_t { kForbid, kPermit, kHold };
std::string_view name(Kind kind);

struct Determining {
    std::string id;      // policy id, or `grant:<depth>:<n>`
    std::string effect;  // permit | forbid | grant
};

// From @redact @cap @notify on satisfied permits; the union, strictest wins.
struct Obligation {
    std::string kind, value;
    auto operator<=>(const Obligation&) const = default;
};

// The answer. Its default is a forbid, so that no path returns nothing.
struct Verdict {
    Kind kind = Kind::kForbid;
    std::string reason = "no decision was made";  // whole, for evidence and explain
    std::string code = "no_decision";  // stable: permitted, not_granted, condition, domain,
                                       // no_permit, forbidden, held, policy_error, bad_argument,
                                       // policy_invalid, budget, expired, unknown_tool,
                                       // tool_changed …
    std::string advice;                // what an agent may be told; no policy internals
    std::vector<Determining> determining;
    std::vector<Obligation> obligations;
    std::vector<std::string> holds;  // rules that hold
    std::vector<std::string> errors;
    bool granted = false;  // false: answered like a tool that does not exist
};

// One call as policy sees it. References are borrowed for the call of decide().
struct Question {
    const identity::Task& task;
    const catalog::Tool& tool;
    const catalog::Resource& resource;
    const json::Value& arguments;  // an object
    std::int64_t now_us = 0;
    bool charter_changed = false;
};

// One immutable set of policies with what it needs to decide. Made at start and at reload, shared
// as shared_ptr<const>.
class Engine {
  public:
    // `files`: name and text of each `policies/*.cedar`. Ids are @id if present, else `<file
    // stem>.<n>`. Errors: kInvalid with file, line, column (all errors of all files in the detail),
    // kTooLarge; an unknown @ annotation among hold/redact/cap/ notify's misspellings is refused
    // with a suggestion. What does not fit the types of the catalog is no error here: see report().
    static Result<std::shared_ptr<const Engine>> make(
        PolicyFiles files, const std::vector<std::shared_ptr<const identity::Agent>>& agents,
        std::shared_ptr<const catalog::Snapshot> catalog, const EngineOptions& options = {});
    virtual ~Engine() = default;

    virtual Verdict decide(const Question& question) const = 0;
    // Whether the task knows of it: every link names it and some permit's scope could match. Also
    // of one whose definition changed: it is refused with what to do. Cheap: asked on every call.
    virtual bool visible(const identity::Task& task, const catalog::Tool& tool) const = 0;
    // Whether tools/list shows it: some arguments could be permitted, or held for a person, under
    // every link of the task and the organisation's policies. Arguments of the tool's schema, the
    // resource, what flows and the time of day are left open; all else is as it is now, a grant
    // that has expired at `now_us` too. False where every call would be refused, be it that a
    // policy errs or that the definition changed. True may be said too often, never false. Cost: as
    // deciding once under every policy; keep the answer until the engine changes.
    virtual bool possible(const identity::Task& task, const catalog::Tool& tool,
                          std::int64_t /*now_us*/) const {
        return visible(task, tool);
    }
    // Whether the conditions of a task's grants are expressions that type-check for each tool that
    // the grant names and the catalog has. Errors: kInvalid with the grant and the place in `when`.
    virtual Status check_grants(const std::vector<identity::Grant>& /*grants*/) const { return {}; }
    // SHA-256 over the sorted files.
    virtual const Sha256& digest() const = 0;
    // Why: one entry a link and a policy that matched or nearly did, with the condition that
    // decided and its values.
    virtual json::Node explain(const Question& question) const = 0;
    virtual std::size_t policies() const = 0;
    // The catalog it was made over, so that tools, rules and policies of one moment are used
    // together; null for an engine that has none.
    virtual std::shared_ptr<const catalog::Snapshot> catalog() const { return nullptr; }
    // The same policies over another catalog (tools changed), checked against its types.
    virtual std::shared_ptr<const Engine> with(
        std::shared_ptr<const catalog::Snapshot> catalog) const = 0;
    // How the policies fit the types of the catalog. Whoever loads a set refuses it if there is an
    // error; an engine in force keeps every policy and forbids the actions in `broken`.
    virtual const CheckReport& report() const;
};

// Checks a grant's `when` by itself. Errors: kInvalid with line and column inside the expression.
Status check_condition(std::string_view when);

// Arguments as a Cedar record, typed by the tool's schema (docs/spec/policy-names.md). Errors:
// kInvalid naming the argument's path.
Result<cedar::Value> input_value(const json::Value& arguments, const catalog::Tool& tool);

}  // namespace writ::policy
