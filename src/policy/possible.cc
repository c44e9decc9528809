// What could become of a tool's calls, whatever their arguments (tools/list), and the conditions of
// a task's grants held against the tools' types (the start of a task).
#include <fmt/format.h>

#include <algorithm>

#include "base/inert.h"
#include "cedar/partial.h"
#include "cedar/schema.h"
#include "policy/cedar_engine.h"

namespace writ::policy {
namespace {

constexpr cedar::PartialOptions kOutcomesOnly{.residuals = false};

// As refused_by_grants() of engine.cc: in every link some grant allows some call, and no grant that
// is about the tool errs for all.
bool grants_allow_some(const std::vector<std::vector<GrantOutcome>>& chain,
                       const cedar::PartialRequest& asked, const cedar::Entities& entities) {
    for (const auto& link : chain) {
        bool some = false;
        for (const GrantOutcome& outcome : link) {
            if (outcome.match != Match::kGrants) continue;
            if (outcome.grant->when.empty()) {
                some = true;
                continue;
            }
            const auto compiled = condition(outcome.grant->when);
            if (!compiled) return false;
            const auto answer =
                cedar::partially_authorize(asked, **compiled, entities, kOutcomesOnly);
            for (const auto& policy : answer.policies()) {
                if (policy.outcome == cedar::PartialOutcome::kError) return false;
                some = some || policy.satisfiable;
            }
        }
        if (!some) return false;
    }
    return true;
}

// As Weighing of engine.cc: some permit, no forbid that does not only hold, no error.
bool policies_allow_some(const Loaded& loaded, const cedar::PartialRequest& asked,
                         const cedar::Entities& entities) {
    bool some = false;
    const auto answer = cedar::partially_authorize(asked, loaded.set, entities, kOutcomesOnly);
    for (const auto& policy : answer.policies()) {
        if (policy.outcome == cedar::PartialOutcome::kError) return false;
        if (policy.effect == cedar::Effect::kPermit) {
            some = some || policy.satisfiable;
        } else if (policy.outcome == cedar::PartialOutcome::kSatisfied &&
                   !loaded.notes.find(policy.id)->second.hold) {
            return false;
        }
    }
    return some;
}

// The actions of the catalog's tools that a grant names, as a set in Cedar.
std::string actions_of(const identity::Grant& grant, const catalog::Snapshot& catalog) {
    std::string out;
    for (const auto& tool : catalog.tools())
        if (names_tool(grant, *tool)) out += (out.empty() ? "" : ", ") + action_uid(*tool).text();
    return out;
}

Error at_grant(std::size_t position, Error error) {
    if (error.at.line > 1) --error.at.line;  // compiled under a line of our own
    error.at.file = fmt::format("grants[{}].when", position);
    return error;
}

}  // namespace

bool CedarEngine::possible(const identity::Task& task, const catalog::Tool& tool,
                           std::int64_t now_us) const {
    if (tool.changed || !visible(task, tool) || broken_by(tool) != nullptr) return false;
    const auto asked = any_call(task, tool, *shapes_->of(tool));
    return grants_allow_some(match_chain(task, tool, nullptr, now_us, nullptr), asked,
                             *standing_) &&
           policies_allow_some(*loaded_, asked, *standing_);
}

Status CedarEngine::check_grants(const std::vector<identity::Grant>& grants) const {
    for (std::size_t i = 0; i < grants.size(); ++i) {
        const identity::Grant& grant = grants[i];
        if (grant.when.empty()) continue;
        if (const auto read = condition(grant.when); !read) {
            Error error = read.error();
            error.at.file = fmt::format("grants[{}].when", i);
            return fail(std::move(error));
        }
        const std::string actions = actions_of(grant, *catalog_);
        const cedar::Validator* validator = this->validator();
        if (actions.empty() || validator == nullptr) continue;
        const auto policy = cedar::PolicySet::parse(fmt::format(
            "permit (principal, action in [{}], resource) when {{\n{}\n}};", actions, grant.when));
        if (!policy) return fail(at_grant(i, policy.error()));
        for (const auto& found : validator->validate(*policy).findings) {
            if (found.severity != cedar::Severity::kError) continue;
            std::string detail = found.message + (found.help.empty() ? "" : ": " + found.help);
            if (grant.tools.size() > 1 || grant.tools[0].ends_with("/*"))
                detail +=
                    ": a condition must fit every tool of its grant, so give tools with "
                    "other arguments a grant of their own";
            return fail(at_grant(i, {ErrorCode::kInvalid, std::move(detail), found.at}));
        }
    }
    return {};
}

// Null where there are no types to check against.
const cedar::Validator* CedarEngine::validator() const {
    std::call_once(schema_once_, [&] {
        if (!options_.check_types || report_->schema.empty()) return;
        cedar::SchemaOptions how;
        how.limits = schema_limits();
        auto schema = cedar::Schema::parse(report_->schema, how);
        if (schema) validator_ = std::make_unique<const cedar::Validator>(std::move(*schema));
    });
    return validator_.get();
}

}  // namespace writ::policy
