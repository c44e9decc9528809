// Why: every grant, every policy that matched or nearly did, and of each the conditions with what
// they came to.
#include <fmt/format.h>

#include "cedar/evaluator.h"
#include "policy/anatomy.h"
#include "policy/cedar_engine.h"

namespace writ::policy {
namespace {

// Policies that nearly match, shown at most.
constexpr std::size_t kMaxNear = 20;

json::Node conditions_of(const std::shared_ptr<const cedar::Policy>& policy,
                         const Prepared& prepared) {
    const Anatomy anatomy(policy);
    const auto outcomes = anatomy.evaluate(prepared.request, prepared.entities);
    json::Node out = json::Node::array();
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        const Leaf& leaf = anatomy.leaves()[i];
        json::Node one = json::Node::object();
        one["condition"] = leaf.text;
        one["in"] = leaf.unless ? "unless" : "when";
        one["at"] = leaf.at.text();
        one["came"] = name(outcomes[i].came);
        if (!outcomes[i].values.empty()) one["values"] = outcomes[i].values;
        out.push_back(std::move(one));
    }
    return out;
}

// How many of principal, action and resource do not match.
int mismatches(const cedar::Policy& policy, const cedar::RequestView& view) {
    return (cedar::scope_matches(policy.principal, view.principal, view) ? 0 : 1) +
           (cedar::scope_matches(policy.action, view.action, view) ? 0 : 1) +
           (cedar::scope_matches(policy.resource, view.resource, view) ? 0 : 1);
}

json::Node policies_of_call(const CedarEngine& engine, const Prepared& prepared) {
    std::map<std::string, std::shared_ptr<const cedar::Policy>, std::less<>> policies;
    for (auto& [id, policy] : policies_of(engine.set())) policies.emplace(id, std::move(policy));
    const cedar::RequestView view(prepared.request, prepared.entities.impl());
    json::Node list = json::Node::array();
    std::size_t near = 0;
    for (const auto& outcome :
         cedar::evaluate(prepared.request, engine.set(), prepared.entities, true)) {
        const auto found = policies.find(outcome.policy);
        if (found == policies.end()) continue;
        const bool scope = outcome.outcome != cedar::Outcome::kScopeMismatch;
        if (!scope && (mismatches(*found->second, view) != 1 || near++ >= kMaxNear)) continue;
        json::Node entry = json::Node::object();
        entry["id"] = outcome.policy;
        entry["effect"] = outcome.effect == cedar::Effect::kPermit ? "permit" : "forbid";
        entry["outcome"] = name(outcome.outcome);
        entry["detail"] = outcome.detail;
        const auto at = engine.loaded().places.find(outcome.policy);
        if (at != engine.loaded().places.end()) entry["at"] = at->second.text();
        const auto notes = engine.loaded().notes.find(outcome.policy);
        if (notes != engine.loaded().notes.end() && notes->second.hold)
            entry["hold"] = *notes->second.hold;
        entry["conditions"] = scope ? conditions_of(found->second, prepared) : json::Node::array();
        list.push_back(std::move(entry));
    }
    return list;
}

json::Node grants_of_call(const Question& question, const Prepared* prepared) {
    json::Node grants = json::Node::array();
    for (const auto& link :
         match_chain(question.task, question.tool, &question.resource, question.now_us, prepared)) {
        for (const auto& outcome : link) {
            json::Node entry = json::Node::object();
            entry["id"] = outcome.id;
            entry["effect"] = "grant";
            entry["outcome"] = name(outcome.match);
            entry["detail"] = outcome.detail;
            if (!outcome.grant->when.empty()) entry["when"] = outcome.grant->when;
            grants.push_back(std::move(entry));
        }
    }
    return grants;
}

}  // namespace

std::string_view name(Match match) {
    switch (match) {
        case Match::kGrants:
            return "grants";
        case Match::kOtherTool:
            return "names other tools";
        case Match::kExpired:
            return "expired";
        case Match::kOtherDomain:
            return "other domain";
        case Match::kCondition:
            return "condition is false";
        case Match::kError:
            return "error";
    }
    return "error";
}

std::string_view name(cedar::Outcome outcome) {
    switch (outcome) {
        case cedar::Outcome::kSatisfied:
            return "satisfied";
        case cedar::Outcome::kNotSatisfied:
            return "condition is false";
        case cedar::Outcome::kError:
            return "error";
        case cedar::Outcome::kScopeMismatch:
            return "scope does not match";
    }
    return "error";
}

json::Node CedarEngine::explain(const Question& question) const {
    const Verdict verdict = decide(question);
    json::Node out = json::Node::object();
    out["verdict"] = name(verdict.kind);
    out["code"] = verdict.code;
    out["reason"] = verdict.reason;
    out["advice"] = verdict.advice;
    out["granted"] = verdict.granted;
    out["tool"] = question.tool.qualified();
    out["resource"] = question.resource.uri;
    out["policy_set"] = digest_text(digest());
    out["domains"] = json::Node::array();
    for (const auto& domain : question.resource.domains) out["domains"].push_back(domain);
    const auto ready = prepared(question);
    out["grants"] = grants_of_call(question, ready ? &*ready : nullptr);
    out["policies"] = ready ? policies_of_call(*this, *ready) : json::Node::array();
    return out;
}

}  // namespace writ::policy
