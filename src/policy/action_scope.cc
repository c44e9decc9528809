#include "policy/action_scope.h"

#include <algorithm>

#include "cedar/value.h"

namespace writ::policy {

bool action_scope_covers(const cedar::Policy& policy, const catalog::Tool& tool) {
    if (policy.action.kind == cedar::ScopeKind::kAny) return true;
    const std::string name = tool.qualified();
    const std::string effect = "effect:" + std::string(catalog::name(tool.effect));
    const std::string server = "server:" + tool.server;
    return std::any_of(policy.action.uids.begin(), policy.action.uids.end(), [&](const auto& uid) {
        if (uid.uid.type != "Writ::Action") return false;
        if (uid.uid.id == name) return true;
        return policy.action.kind == cedar::ScopeKind::kIn &&
               (uid.uid.id == effect || uid.uid.id == server);
    });
}

std::vector<std::pair<std::string, SourceRef>> mentioned_entities(const cedar::Policy& policy,
                                                                  std::string_view type) {
    std::vector<std::pair<std::string, SourceRef>> out;
    const auto take = [&](const cedar::EntityUid& uid, std::uint32_t begin) {
        if (uid.type == type) out.emplace_back(uid.id, policy.source->at(begin));
    };
    for (const auto* scope : {&policy.principal, &policy.resource})
        if (scope->kind != cedar::ScopeKind::kAny && !scope->slot)
            take(scope->uid.uid, scope->begin);
    for (const auto& uid : policy.action.uids) take(uid.uid, policy.action.begin);
    for (const auto& node : policy.ast.nodes) {
        if (node.op != cedar::Op::kLiteral) continue;
        const cedar::Cell cell = cedar::Cell::of(policy.ast.literals[node.data]);
        if (cell.is(cedar::Type::kEntity)) take(*cell.uid().uid, node.begin);
    }
    return out;
}

std::vector<std::pair<std::string, SourceRef>> mentioned_actions(const cedar::Policy& policy) {
    return mentioned_entities(policy, "Writ::Action");
}

}  // namespace writ::policy
