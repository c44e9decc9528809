// From the outcomes of policies to a decision: allow iff some permit is satisfied and no forbid is.
// A policy that errs is not satisfied; its error is reported whatever the decision.
#include "cedar/cedar.h"
#include "cedar/explain.h"
#include "cedar/policy_set.h"

namespace writ::cedar {

void for_each_match(const RequestView& request, const PolicySet::Impl& policies, Lookup lookup,
                    const std::function<void(const PolicySet::Impl::Entry&)>& visit) {
    const auto try_entry = [&](const PolicySet::Impl::Entry& entry) {
        if (scope_matches(*entry.policy, request)) visit(entry);
    };
    std::vector<std::uint32_t> candidates;
    if (lookup == Lookup::kIndexed && policies.index.candidates(request, candidates))
        for (std::uint32_t position : candidates) try_entry(policies.entries[position]);
    else
        for (const auto& entry : policies.entries) try_entry(entry);
}

Response authorize_with(Lookup lookup, const Request& request, const PolicySet& policies,
                        const Entities& entities) {
    const RequestView view(request, entities.impl());
    Evaluator evaluator(view);
    std::vector<std::string> permits, forbids;
    Response out;
    for_each_match(view, policies.impl(), lookup, [&](const PolicySet::Impl::Entry& entry) {
        switch (evaluator.conditions(*entry.policy)) {
            case Outcome::kSatisfied:
                (entry.policy->effect == Effect::kPermit ? permits : forbids).push_back(entry.id);
                break;
            case Outcome::kError:
                out.errors.push_back({entry.id, evaluator.error()});
                break;
            case Outcome::kNotSatisfied:
            case Outcome::kScopeMismatch:
                break;
        }
    });
    if (forbids.empty() && !permits.empty()) {
        out.decision = Decision::kAllow;
        out.reason = std::move(permits);
    } else {
        out.reason = std::move(forbids);
    }
    return out;
}

Response authorize(const Request& request, const PolicySet& policies, const Entities& entities) {
    return authorize_with(Lookup::kIndexed, request, policies, entities);
}

std::vector<PolicyOutcome> evaluate(const Request& request, const PolicySet& policies,
                                    const Entities& entities, bool all) {
    const RequestView view(request, entities.impl());
    Evaluator evaluator(view);
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
        for_each_match(view, policies.impl(), Lookup::kIndexed, add);
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
