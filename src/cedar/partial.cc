#include "cedar/partial.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "cedar/partial_evaluator.h"
#include "cedar/policy_set.h"
#include "cedar/policy_text.h"

namespace writ::cedar {
namespace {

using Match = PartialEvaluator::Answer;

// The request with nothing where it is not known.
Request filled(const PartialRequest& request) {
    static const Value nothing = Value::record({});
    return {request.principal.uid.value_or(EntityUid{}), request.action.uid.value_or(EntityUid{}),
            request.resource.uid.value_or(EntityUid{}), request.context.known().value_or(nothing)};
}

// One policy of the set for one partial request.
class PolicyRun {
  public:
    PolicyRun(const PartialRequest& request, const RequestView& view, PartialEvaluator& evaluator,
              bool residuals)
        : request_(request), view_(view), evaluator_(evaluator), residuals_(residuals) {}

    PartialPolicy run(const PolicySet::Impl::Entry& entry) {
        const Policy& policy = *entry.policy;
        PartialPolicy out;
        out.id = entry.id;
        out.effect = policy.effect;
        if (!scope(policy)) return out;
        rest_.reset();
        out.satisfiable = true;
        for (const Condition& condition : policy.conditions)
            if (!add(policy, condition, out)) break;
        if (out.outcome == PartialOutcome::kError) return out;
        const bool scope_open =
            std::find(scope_.begin(), scope_.end(), Match::kUnknown) != scope_.end();
        if (never_) {
            out.outcome = PartialOutcome::kNotSatisfied;
            out.satisfiable = false;
        } else if (scope_open || kept_ > 0) {
            out.outcome = PartialOutcome::kResidual;
            if (residuals_) out.rest = take(policy);
        } else {
            out.outcome = PartialOutcome::kSatisfied;
        }
        return out;
    }

  private:
    // False if some part of the scope never matches.
    bool scope(const Policy& policy) {
        kept_ = 0;
        never_ = false;
        scope_ = {evaluator_.matches(policy.action), Match::kNo, Match::kNo};
        if (scope_[0] == Match::kNo) return false;
        scope_[1] = evaluator_.matches(policy.principal, request_.principal, view_.principal);
        if (scope_[1] == Match::kNo) return false;
        scope_[2] = evaluator_.matches(policy.resource, request_.resource, view_.resource);
        return scope_[2] != Match::kNo;
    }

    // False if what follows is never evaluated.
    bool add(const Policy& policy, const Condition& condition, PartialPolicy& out) {
        const Kinds met = condition.unless ? kIsFalse : kIsTrue;
        Policy* rest = residuals_ ? &this->rest(policy) : nullptr;
        Ast* tree = rest != nullptr ? &rest->ast : nullptr;
        const auto term = evaluator_.eval(policy.ast, condition.body, tree);
        if (term.kinds == met) return true;
        const bool errs = term.is_error() || (term.is_known() && (term.kinds & kIsBool) == 0);
        const bool sure = kept_ == 0 && scope_ == kMatched;
        if (errs && sure) {
            if (term.is_known()) evaluator_.refuse_condition(term.value);
            out.outcome = PartialOutcome::kError;
            out.error = evaluator_.error();
            out.satisfiable = false;
            out.fallible = true;
            return false;
        }
        const bool may_be_met = (term.kinds & met) != 0;
        if (!may_be_met && !out.fallible && (term.kinds & ~kIsBool) == 0) {
            never_ = true;  // whatever the scope and the conditions before it say
            return false;
        }
        out.satisfiable = may_be_met;
        out.fallible = out.fallible || (term.kinds & ~kIsBool) != 0;
        ++kept_;
        if (rest != nullptr) {
            Condition kept = condition;
            kept.body = evaluator_.emit(term, policy.ast, condition.body, tree);
            rest->conditions.push_back(kept);
        }
        return may_be_met;
    }

    Policy& rest(const Policy& policy) {
        if (rest_) return *rest_;
        rest_ = std::make_shared<Policy>();
        rest_->effect = policy.effect;
        rest_->annotations = policy.annotations;
        rest_->bare_annotations = policy.bare_annotations;
        rest_->source = policy.source;
        rest_->begin = policy.begin;
        rest_->end = policy.end;
        return *rest_;
    }

    std::shared_ptr<const Policy> take(const Policy& policy) {
        Policy& out = rest(policy);
        if (scope_[0] == Match::kUnknown) out.action = policy.action;
        if (scope_[1] == Match::kUnknown) out.principal = policy.principal;
        if (scope_[2] == Match::kUnknown) out.resource = policy.resource;
        return std::move(rest_);
    }

    using Scope = std::array<Match, 3>;  // action, principal, resource
    static constexpr Scope kMatched = {Match::kYes, Match::kYes, Match::kYes};

    const PartialRequest& request_;
    const RequestView& view_;
    PartialEvaluator& evaluator_;
    bool residuals_;
    Scope scope_ = {};
    std::size_t kept_ = 0;  // conditions that are left
    bool never_ = false;    // satisfied, nor an error
    std::shared_ptr<Policy> rest_;
};

}  // namespace

PartialEntity PartialEntity::of_type(std::string type) {
    PartialEntity out;
    out.type = std::move(type);
    return out;
}

PartialValue PartialValue::unknown() {
    return {};
}

PartialValue PartialValue::record(std::map<std::string, PartialMember, std::less<>> members,
                                  bool open) {
    PartialValue out;
    out.open_ = open;
    out.members_ = std::make_shared<const std::map<std::string, PartialMember, std::less<>>>(
        std::move(members));
    return out;
}

const std::map<std::string, PartialMember, std::less<>>* PartialValue::members() const {
    return members_.get();
}

PartialResponse partially_authorize(const PartialRequest& request, const PolicySet& policies,
                                    const Entities& entities, const PartialOptions& options) {
    const Request whole = filled(request);
    const RequestView view(whole, entities.impl());
    Arena arena;
    PartialEvaluator evaluator(request, view, options.missing, arena);
    PolicyRun run(request, view, evaluator, options.residuals);
    std::vector<PartialPolicy> out;
    for (const PolicySet::Impl::Entry& entry : policies.impl().entries) {
        if (entry.policy->is_template()) continue;
        arena.clear();
        out.push_back(run.run(entry));
    }
    return PartialResponse(std::move(out));
}

std::string PartialPolicy::residual() const {
    return rest ? policy_text(*rest) : std::string();
}

PartialResponse::PartialResponse(std::vector<PartialPolicy> policies)
    : policies_(std::move(policies)) {}

bool PartialResponse::any(PartialOutcome outcome, Effect effect) const {
    return std::any_of(policies_.begin(), policies_.end(), [&](const PartialPolicy& policy) {
        return policy.outcome == outcome && policy.effect == effect && policy.satisfiable;
    });
}

std::optional<Decision> PartialResponse::decision() const {
    const bool permitted = any(PartialOutcome::kSatisfied, Effect::kPermit);
    if (any(PartialOutcome::kSatisfied, Effect::kForbid)) return Decision::kDeny;
    if (!permitted && !any(PartialOutcome::kResidual, Effect::kPermit)) return Decision::kDeny;
    if (any(PartialOutcome::kResidual, Effect::kForbid) || !permitted) return std::nullopt;
    return Decision::kAllow;
}

std::vector<std::string> PartialResponse::with(PartialOutcome outcome, Effect effect) const {
    std::vector<std::string> out;
    for (const PartialPolicy& policy : policies_)
        if (policy.outcome == outcome && policy.effect == effect) out.push_back(policy.id);
    return out;
}

std::vector<PolicyError> PartialResponse::errors() const {
    std::vector<PolicyError> out;
    for (const PartialPolicy& policy : policies_)
        if (policy.outcome == PartialOutcome::kError) out.push_back({policy.id, policy.error});
    return out;
}

std::vector<std::string> PartialResponse::may_be_determining() const {
    const bool forbidden = any(PartialOutcome::kSatisfied, Effect::kForbid);
    std::vector<std::string> out;
    for (const PartialPolicy& policy : policies_)
        if (policy.satisfiable && (policy.effect == Effect::kForbid || !forbidden))
            out.push_back(policy.id);
    return out;
}

// A forbid that may yet be satisfied would take the permits' place.
std::vector<std::string> PartialResponse::must_be_determining() const {
    const bool forbidden = any(PartialOutcome::kSatisfied, Effect::kForbid);
    if (!forbidden && any(PartialOutcome::kResidual, Effect::kForbid)) return {};
    return with(PartialOutcome::kSatisfied, forbidden ? Effect::kForbid : Effect::kPermit);
}

Response PartialResponse::reauthorize(const Request& request, const Entities& entities) const {
    const RequestView view(request, entities.impl());
    Arena arena;
    Evaluator evaluator(view, arena);
    Response out;
    std::vector<std::string> permits, forbids;
    for (const PartialPolicy& policy : policies_) {
        if (policy.outcome == PartialOutcome::kError)
            out.errors.push_back({policy.id, policy.error});
        // Without residuals there is nothing to ask, and no answer would be right.
        WRIT_CHECK(policy.outcome != PartialOutcome::kResidual || policy.rest != nullptr);
        bool satisfied = policy.outcome == PartialOutcome::kSatisfied;
        if (policy.rest && scope_matches(*policy.rest, view)) {
            const Outcome outcome = evaluator.conditions(*policy.rest);
            satisfied = outcome == Outcome::kSatisfied;
            if (outcome == Outcome::kError) out.errors.push_back({policy.id, evaluator.error()});
        }
        if (satisfied) (policy.effect == Effect::kPermit ? permits : forbids).push_back(policy.id);
    }
    const bool allow = forbids.empty() && !permits.empty();
    out.decision = allow ? Decision::kAllow : Decision::kDeny;
    out.reason = std::move(allow ? permits : forbids);
    return out;
}

Result<PolicySet> PartialResponse::residuals() const {
    PolicySet out;
    for (const PartialPolicy& policy : policies_) {
        if (!policy.rest) continue;
        auto one = PolicySet::parse(policy.residual(), {.id_prefix = policy.id + "#"});
        if (!one) return fail(one.error());
        if (auto renamed = one->rename(policy.id + "#0", policy.id); !renamed)
            return fail(renamed.error());
        if (auto merged = out.merge(*one); !merged) return fail(merged.error());
    }
    return out;
}

}  // namespace writ::cedar
