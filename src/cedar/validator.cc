// Validation of policies, in three passes over each (digest section 8): names, the scope, and the
// types of the conditions in every environment that the scope allows.
#include "cedar/validator.h"

#include <fmt/format.h>

#include <algorithm>

#include "cedar/confusing_text.h"
#include "cedar/escape.h"
#include "cedar/findings.h"
#include "cedar/levels.h"
#include "cedar/names.h"
#include "cedar/policy_set.h"
#include "cedar/redundancy.h"
#include "cedar/schema_model.h"
#include "cedar/typechecker.h"
#include "cedar/value.h"

namespace writ::cedar {
namespace {

// Expressions of one policy times the environments it is checked in.
constexpr std::uint64_t kWorkMax = 50'000'000;
// Types of literals that are kept from one policy to the next.
constexpr std::size_t kTypesKeptMax = 10'000;
constexpr std::size_t kSuggestionsMax = 20;  // of one validation: each compares all names

// Which entity types the scope allows for principal or resource.
struct ScopeFilter {
    bool unknown_uid_type = false;  // `==` or `in` an entity of an undeclared type
    bool never = false;
    std::uint32_t only = kNone;            // `is` or `==`
    const EntityTypeDef* below = nullptr;  // `in`
    std::uint32_t below_index = kNone;

    ScopeFilter(const Schema::Impl& schema, const EntityScope& scope) {
        if (!scope.type.empty()) {
            const EntityTypeDef* def = schema.entity_type(scope.type);
            never = def == nullptr;
            if (def != nullptr) only = schema.index_of(*def);
        }
        if (scope.kind == ScopeKind::kAny || scope.slot) return;
        const EntityTypeDef* def = schema.entity_type(scope.uid.uid.type);
        if (def == nullptr) {
            never = unknown_uid_type = true;
        } else if (scope.kind == ScopeKind::kEqual) {
            only = schema.index_of(*def);
        } else {
            below = def;
            below_index = schema.index_of(*def);
        }
    }

    bool allows(std::uint32_t type) const {
        if (never || (only != kNone && only != type)) return false;
        return below == nullptr || below_index == type || below->descendants.contains(type);
    }
    template <class Types>
    bool allows_any(const Types& types) const {
        return std::any_of(types.begin(), types.end(), [&](auto type) { return allows(type); });
    }
};

class PolicyValidator {
  public:
    PolicyValidator(const Schema::Impl& schema, TypeTable& types, std::string_view id,
                    const Policy& policy, const ValidateOptions& options, std::size_t& suggestions)
        : schema_(schema),
          types_(types),
          policy_(policy),
          options_(options),
          suggestions_(suggestions),
          findings_(id, policy),
          principals_(schema, policy.principal),
          resources_(schema, policy.resource) {}

    std::vector<Finding> run() {
        names();
        scope();
        conditions();
        find_confusing_text(policy_, findings_);
        return findings_.take();
    }

    // Of a linked policy: the entities of its slots, and that some action is left for them. All
    // else is in its template, which has been looked at.
    std::vector<Finding> run_link() {
        scope_names(policy_.principal);
        scope_names(policy_.resource);
        scope();
        return findings_.take();
    }

  private:
    // Every name in the policy, whether it is evaluated or not.

    void names() {
        scope_names(policy_.principal);
        for (const Uid& uid : policy_.action.uids)
            uid_name(uid.uid, policy_.action.begin, policy_.action.end, kNone);
        scope_names(policy_.resource);
        const Ast& ast = policy_.ast;
        for (NodeId id = 0; id < ast.nodes.size(); ++id) {
            const Node& node = ast.nodes[id];
            if (node.op == Op::kLiteral)
                value_names(Cell::of(ast.literals[node.data]), node, id);
            else if (node.op == Op::kIs || node.op == Op::kIsIn)
                type_name(ast.names[node.data], node.begin, node.end, id);
        }
    }

    void scope_names(const EntityScope& scope) {
        if (!scope.type.empty()) type_name(scope.type, scope.begin, scope.end, scope.begin);
        if (scope.kind != ScopeKind::kAny && !scope.slot)
            uid_name(scope.uid.uid, scope.begin, scope.end, scope.begin);
    }

    // Recursion: as deep as the value, which its maker bounds.
    void value_names(const Cell& cell, const Node& node, NodeId id) {
        if (cell.is(Type::kEntity)) {
            uid_name(*cell.uid().uid, node.begin, node.end, id);
        } else if (cell.is(Type::kSet)) {
            const SetView set = cell.set();
            for (std::size_t i = 0; i < set.size(); ++i) value_names(set[i], node, id);
        } else if (cell.is(Type::kRecord)) {
            const RecordView record = cell.record();
            for (std::size_t i = 0; i < record.size(); ++i) value_names(record.value(i), node, id);
        }
    }

    void uid_name(const EntityUid& uid, std::uint32_t begin, std::uint32_t end,
                  std::uint32_t place) {
        if (is_action_type(uid.type)) {
            const UidRef ref{hash_uid(uid), &uid};
            if (schema_.action(ref) != nullptr) return;
            if (!findings_.fresh(FindingKind::kUnknownAction, place, ref.hash)) return;
            findings_.add(Severity::kError, FindingKind::kUnknownAction, begin, end,
                          fmt::format("unrecognized action `{}`", uid.text()), action_help(uid));
            return;
        }
        const EntityTypeDef* def = schema_.entity_type(uid.type);
        if (def == nullptr) {
            type_name(uid.type, begin, end, place);
            return;
        }
        if (!def->enumerated || def->has_id(uid.id)) return;
        if (!findings_.fresh(FindingKind::kUnknownEnumId, place, hash_uid(uid))) return;
        const std::vector<std::string_view> ids(def->ids.begin(), def->ids.end());
        const std::string near = ++suggestions_ > kSuggestionsMax ? "" : nearest(uid.id, ids);
        findings_.add(Severity::kError, FindingKind::kUnknownEnumId, begin, end,
                      fmt::format("entity `{}` is of an enumerated entity type, but `{}` is not "
                                  "declared as a valid eid",
                                  uid.text(), string_literal(uid.id)),
                      near.empty() ? "" : fmt::format("did you mean `{}`?", near));
    }

    void type_name(const std::string& type, std::uint32_t begin, std::uint32_t end,
                   std::uint32_t place) {
        if (schema_.entity_type(type) != nullptr) return;
        if (!findings_.fresh(FindingKind::kUnknownEntityType, place, hash_text(type))) return;
        std::string near;
        if (++suggestions_ <= kSuggestionsMax) {
            std::vector<std::string_view> all;
            for (const EntityTypeDef& def : schema_.entity_types)
                if (!def.is_action) all.push_back(def.name);
            near = nearest(type, all);
        }
        findings_.add(Severity::kError, FindingKind::kUnknownEntityType, begin, end,
                      fmt::format("unrecognized entity type `{}`", type),
                      near.empty() ? "" : fmt::format("did you mean `{}`?", near));
    }

    std::string action_help(const EntityUid& uid) {
        if (++suggestions_ > kSuggestionsMax) return {};
        std::vector<std::string_view> ids;
        for (const ActionDef& def : schema_.actions) ids.push_back(def.uid.uid.id);
        const std::string near = nearest(uid.id, ids);
        for (const ActionDef& def : schema_.actions)
            if (!near.empty() && def.uid.uid.id == near)
                return fmt::format("did you mean `{}`?", def.uid.uid.text());
        return {};
    }

    // The scope.

    // The actions that it allows, ascending.
    std::vector<std::uint32_t> scope_actions() const {
        std::vector<std::uint32_t> out;
        if (policy_.action.kind == ScopeKind::kAny) {
            for (std::uint32_t i = 0; i < schema_.actions.size(); ++i) out.push_back(i);
            return out;
        }
        for (const Uid& uid : policy_.action.uids) {
            const ActionDef* def = schema_.action(uid.ref());
            if (def == nullptr) continue;
            out.push_back(schema_.index_of(*def));
            if (policy_.action.kind == ScopeKind::kIn)
                out.insert(out.end(), def->descendants.begin(), def->descendants.end());
        }
        std::sort(out.begin(), out.end());
        out.erase(std::unique(out.begin(), out.end()), out.end());
        return out;
    }

    void scope() {
        for (const std::uint32_t i : scope_actions()) {
            const ActionDef& action = schema_.actions[i];
            if (principals_.allows_any(action.principals) &&
                resources_.allows_any(action.resources))
                actions_.push_back(i);
        }
        if (!actions_.empty()) return;
        const bool error = options_.no_applicable_action_is_error;
        findings_.add(
            error ? Severity::kError : Severity::kWarning, FindingKind::kNoApplicableAction,
            policy_.principal.begin, policy_.resource.end,
            "unable to find an applicable action given the policy scope constraints", scope_help());
    }

    std::string scope_help() const {
        const auto with_in = [](const EntityScope& scope) {
            EntityScope out = scope;
            if (out.kind == ScopeKind::kEqual) out.kind = ScopeKind::kIn;
            return out;
        };
        const ScopeFilter principals(schema_, with_in(policy_.principal));
        const ScopeFilter resources(schema_, with_in(policy_.resource));
        bool helps_principal = false, helps_resource = false;
        for (const std::uint32_t i : scope_actions()) {
            const ActionDef& action = schema_.actions[i];
            helps_principal = helps_principal || (principals.allows_any(action.principals) &&
                                                  resources_.allows_any(action.resources));
            helps_resource = helps_resource || (principals_.allows_any(action.principals) &&
                                                resources.allows_any(action.resources));
        }
        if (helps_principal) return "try replacing `==` with `in` in the principal clause";
        if (helps_resource) return "try replacing `==` with `in` in the resource clause";
        return {};
    }

    // `action in […]` is a set: it may not be empty, nor of actions of several types. Only looked
    // at where the principal fits. True if there was an error, here or in a name.
    bool action_set() {
        const ActionScope& scope = policy_.action;
        if (scope.kind != ScopeKind::kIn) return false;
        const bool looked_at = std::any_of(
            schema_.actions.begin(), schema_.actions.end(), [&](const ActionDef& action) {
                return !action.resources.empty() && principals_.allows_any(action.principals);
            });
        if (!looked_at) return false;
        if (scope.uids.empty()) {
            findings_.add(Severity::kError, FindingKind::kEmptySet, scope.begin, scope.end,
                          "empty set literals are forbidden in policies");
            return true;
        }
        bool wrong = false;
        for (const Uid& uid : scope.uids) {
            const std::string& other = uid.uid.type;
            const std::string& first = scope.uids[0].uid.type;
            wrong = wrong || schema_.action(uid.ref()) == nullptr;
            if (other == first || schema_.entity_type(other) == nullptr ||
                schema_.entity_type(first) == nullptr)
                continue;
            findings_.add(Severity::kError, FindingKind::kIncompatibleTypes, scope.begin, scope.end,
                          fmt::format("the types {} and {} are not compatible",
                                      std::min(first, other), std::max(first, other)),
                          "elements of a set must have compatible types");
            return true;
        }
        return wrong;
    }

    // The types.

    void conditions() {
        const bool any_environment =
            std::any_of(schema_.actions.begin(), schema_.actions.end(),
                        [](const ActionDef& action) { return action.applies(); });
        const bool wrong_scope =
            action_set() || principals_.unknown_uid_type || resources_.unknown_uid_type;
        const bool possible = check_environments();
        if (possible || (wrong_scope && any_environment)) return;
        findings_.add(Severity::kWarning, FindingKind::kImpossiblePolicy, policy_.begin,
                      policy_.end,
                      "policy is impossible: the policy expression evaluates to false for all "
                      "valid requests");
    }

    // Whether the policy can be satisfied in some environment.
    bool check_environments() {
        if (policy_.conditions.empty() && !options_.level) return !actions_.empty();
        if (!within_limits()) return true;
        Typechecker typechecker(schema_, types_, policy_, findings_);
        Redundancy redundancy(policy_);
        bool possible = false;
        for (const std::uint32_t i : actions_) {
            const ActionDef& action = schema_.actions[i];
            for (const std::uint32_t principal : action.principals) {
                if (!principals_.allows(principal)) continue;
                for (const std::uint32_t resource : action.resources) {
                    if (!resources_.allows(resource)) continue;
                    const Checked checked = typechecker.check({principal, i, resource});
                    possible = possible || checked.type != kFalseType;
                    if (options_.redundant_parts) redundancy.observe(typechecker);
                    if (options_.level && checked.ok)
                        check_levels(policy_, typechecker, *options_.level, findings_);
                }
            }
        }
        if (options_.redundant_parts && possible && !findings_.failed())
            redundancy.report(findings_);
        return possible;
    }

    bool within_limits() {
        std::uint64_t environments = 0;
        for (const std::uint32_t i : actions_) {
            const ActionDef& action = schema_.actions[i];
            environments += action.principals.size() * action.resources.size();
        }
        if (environments * (policy_.ast.nodes.size() + 1) <= kWorkMax) return true;
        findings_.add(Severity::kError, FindingKind::kLimit, policy_.begin, policy_.end,
                      fmt::format("too large: {} expressions to be checked for {} combinations of "
                                  "principal, action and resource",
                                  policy_.ast.nodes.size(), environments),
                      "narrow the scope, or split the policy");
        return false;
    }

    const Schema::Impl& schema_;
    TypeTable& types_;
    const Policy& policy_;
    const ValidateOptions& options_;
    std::size_t& suggestions_;
    PolicyFindings findings_;
    ScopeFilter principals_, resources_;
    std::vector<std::uint32_t> actions_;  // applicable ones
};

}  // namespace

Validator::Validator(Schema schema) : schema_(std::move(schema)) {}

Validation Validator::validate(const PolicySet& policies, const ValidateOptions& options) const {
    const Schema::Impl& schema = schema_.impl();
    Validation out;
    std::optional<TypeTable> types;
    std::size_t suggestions = 0;
    for (const auto& entry : policies.impl().entries) {
        if (!types || types->size() > kTypesKeptMax) types.emplace(&schema.types);
        PolicyValidator policy(schema, *types, entry.id, *entry.policy, options, suggestions);
        auto found = entry.is_link() ? policy.run_link() : policy.run();
        std::move(found.begin(), found.end(), std::back_inserter(out.findings));
    }
    return out;
}

}  // namespace writ::cedar
