// From the outcomes of policies to a decision: allow iff some permit is satisfied and no forbid is.
// A policy that errs is not satisfied; its error is reported whatever the decision.
#include "cedar/cedar.h"
#include "cedar/explain.h"
#include "cedar/policy_set.h"
#include "cedar/scratch.h"

namespace writ::cedar {

Scratch::Scratch() : impl_(std::make_unique<Impl>()) {}
Scratch::~Scratch() = default;
Scratch::Scratch(Scratch&&) noexcept = default;
Scratch& Scratch::operator=(Scratch&&) noexcept = default;

void find_matches(const RequestView& request, const PolicySet::Impl& policies, Lookup lookup,
                  IndexProbe& probe, std::vector<std::uint32_t>& out) {
    out.clear();
    if (lookup == Lookup::kIndexed && policies.index.candidates(request, probe, out)) {
        std::erase_if(out, [&](std::uint32_t position) {
            return !scope_matches(*policies.entries[position].policy, request);
        });
        return;
    }
    for (std::uint32_t i = 0; i < policies.entries.size(); ++i)
        if (scope_matches(*policies.entries[i].policy, request)) out.push_back(i);
}

Answer authorize_with(Lookup lookup, const Request& request, const PolicySet& policies,
                      const Entities& entities, Scratch& scratch) {
    Scratch::Impl& memory = scratch.impl();
    memory.permits.clear();
    memory.forbids.clear();
    memory.failures.clear();
    memory.errors.clear();
    const RequestView view(request, entities.impl());
    Evaluator evaluator(view, memory.arena);
    find_matches(view, policies.impl(), lookup, memory.probe, memory.matches);
    for (std::uint32_t position : memory.matches) {
        const PolicySet::Impl::Entry& entry = policies.impl().entries[position];
        const Outcome outcome = evaluator.conditions(*entry.policy);
        if (outcome == Outcome::kSatisfied)
            (entry.policy->effect == Effect::kPermit ? memory.permits : memory.forbids)
                .push_back(entry.id);
        else if (outcome == Outcome::kError)
            memory.failures.push_back({entry.id, evaluator.error()});
    }
    for (const auto& failure : memory.failures)
        memory.errors.push_back({failure.policy, failure.message});
    const bool allow = memory.forbids.empty() && !memory.permits.empty();
    return {allow ? Decision::kAllow : Decision::kDeny, allow ? memory.permits : memory.forbids,
            memory.errors, memory.permits, memory.forbids};
}

Response authorize_with(Lookup lookup, const Request& request, const PolicySet& policies,
                        const Entities& entities) {
    Scratch scratch;
    const Answer answer = authorize_with(lookup, request, policies, entities, scratch);
    Response out;
    out.decision = answer.decision;
    out.reason.assign(answer.reason.begin(), answer.reason.end());
    for (const PolicyErrorView& error : answer.errors)
        out.errors.push_back({std::string(error.policy), std::string(error.message)});
    return out;
}

Answer authorize(const Request& request, const PolicySet& policies, const Entities& entities,
                 Scratch& scratch) {
    return authorize_with(Lookup::kIndexed, request, policies, entities, scratch);
}

Response authorize(const Request& request, const PolicySet& policies, const Entities& entities) {
    return authorize_with(Lookup::kIndexed, request, policies, entities);
}

std::vector<PolicyOutcome> evaluate(const Request& request, const PolicySet& policies,
                                    const Entities& entities, bool all) {
    const RequestView view(request, entities.impl());
    Arena arena;
    Evaluator evaluator(view, arena);
    std::vector<PolicyOutcome> out;
    const auto add = [&](const PolicySet::Impl::Entry& entry) {
        PolicyOutcome outcome{entry.id, entry.policy->effect, Outcome::kNotSatisfied, {}};
        std::size_t failed = 0;
        outcome.outcome = evaluator.conditions(*entry.policy, &failed);
        if (outcome.outcome == Outcome::kError) outcome.detail = evaluator.error();
        if (outcome.outcome == Outcome::kNotSatisfied)
            outcome.detail = explain_condition(*entry.policy, failed, evaluator);
        out.push_back(std::move(outcome));
    };
    if (!all) {
        IndexProbe probe;
        std::vector<std::uint32_t> matches;
        find_matches(view, policies.impl(), Lookup::kIndexed, probe, matches);
        for (std::uint32_t position : matches) add(policies.impl().entries[position]);
        return out;
    }
    for (const auto& entry : policies.impl().entries) {
        if (entry.policy->is_template()) continue;
        if (scope_matches(*entry.policy, view))
            add(entry);
        else
            out.push_back({entry.id, entry.policy->effect, Outcome::kScopeMismatch,
                           explain_scope(*entry.policy, view)});
    }
    return out;
}

}  // namespace writ::cedar
