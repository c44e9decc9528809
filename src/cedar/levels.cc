#include "cedar/levels.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "cedar/value.h"

namespace writ::cedar {
namespace {

// checkLevel and checkEntityAccessLevel of the Lean model: the first looks for dereferences, the
// second follows the expression that is dereferenced to its root. Recursion: as deep as the tree.
class LevelChecker {
  public:
    LevelChecker(const Policy& policy, const Typechecker& typechecker, std::uint32_t level,
                 PolicyFindings& findings)
        : policy_(policy),
          ast_(policy.ast),
          typechecker_(typechecker),
          level_(level),
          findings_(findings) {}

    void run() {
        scope(policy_.principal.kind, policy_.principal.begin, policy_.principal.end);
        scope(policy_.action.kind, policy_.action.begin, policy_.action.end);
        scope(policy_.resource.kind, policy_.resource.begin, policy_.resource.end);
        for (const Condition& condition : policy_.conditions) check(condition.body);
    }

  private:
    using Path = std::vector<std::string_view>;  // attributes still to follow, innermost last

    void scope(ScopeKind kind, std::uint32_t begin, std::uint32_t end) {
        if (kind == ScopeKind::kIn && level_ == 0) too_deep(begin, end, begin);
    }

    void check(NodeId id) {
        // What `&&`, `||` or `if` decided without it is no part of the policy in this environment.
        if (!typechecker_.looked_at(id)) return;
        const Node& of = ast_.nodes[id];
        const auto kids = ast_.children(of);
        switch (of.op) {
            case Op::kIn:
            case Op::kIsIn:
            case Op::kGetTag:
            case Op::kHasTag:
                dereference(id, kids[0]);
                check(kids[1]);
                return;
            case Op::kAttribute:
                if (is_entity(kids[0]))
                    dereference(id, kids[0]);
                else
                    check(kids[0]);
                return;
            case Op::kHas:
                has(id, of);
                return;
            default:
                for (const NodeId kid : kids) check(kid);
        }
    }

    // e has a.b: each step that is of an entity is one dereference more.
    void has(NodeId id, const Node& of) {
        const NodeId base = ast_.children(of)[0];
        TypeId type = typechecker_.type_of(base);
        std::uint32_t steps = 0;
        for (std::uint32_t i = 0; i < of.name_count && type != kNoType; ++i) {
            const TypeTable& types = typechecker_.types();
            if (types.kind(type) == TypeKind::kEntity) {
                ++steps;
                type = typechecker_.schema().entity_types[types.node(type).data].shape;
            }
            if (types.kind(type) != TypeKind::kRecord) break;
            const TypeField* field = types.field(type, ast_.names[of.data + i]);
            type = field == nullptr ? kNoType : field->type;
        }
        if (steps == 0) {
            check(base);
        } else if (steps > level_) {
            too_deep(of.begin, of.end, id);
        } else {
            Path path;
            if (!is_entity(base))  // a record: its first attributes lead to the entity
                for (std::uint32_t i = 0; i < of.name_count; ++i)
                    path.insert(path.begin(), ast_.names[of.data + i]);
            access(id, base, level_ - steps, path);
        }
    }

    void dereference(NodeId id, NodeId entity) {
        const Node& of = ast_.nodes[id];
        if (level_ == 0) {
            too_deep(of.begin, of.end, id);
            return;
        }
        Path path;
        access(id, entity, level_ - 1, path);
    }

    // `left`: dereferences that may still come below; `path`: what is taken of the record that the
    // expression gives.
    void access(NodeId whole, NodeId id, std::uint32_t left, Path& path) {
        if (!typechecker_.looked_at(id)) return;
        const Node& of = ast_.nodes[id];
        const auto kids = ast_.children(of);
        switch (of.op) {
            case Op::kVariable:
                return;
            case Op::kLiteral:
                literal(whole, of);
                return;
            case Op::kIf: {
                check(kids[0]);
                Path copy = path;
                access(whole, kids[1], left, path);
                access(whole, kids[2], left, copy);
                return;
            }
            case Op::kAttribute:
                if (!is_entity(kids[0])) {
                    path.push_back(ast_.names[of.data]);
                    access(whole, kids[0], left, path);
                    return;
                }
                step(whole, kids[0], left);
                return;
            case Op::kGetTag:
                step(whole, kids[0], left);
                check(kids[1]);
                return;
            case Op::kRecord:
                record(whole, of, left, path);
                return;
            default:
                // No other expression gives an entity or a record.
                for (const NodeId kid : kids) check(kid);
        }
    }

    void step(NodeId whole, NodeId entity, std::uint32_t left) {
        if (left == 0) {
            too_deep(ast_.nodes[whole].begin, ast_.nodes[whole].end, whole);
            return;
        }
        Path path;
        access(whole, entity, left - 1, path);
    }

    void record(NodeId whole, const Node& of, std::uint32_t left, Path& path) {
        const auto kids = ast_.children(of);
        const std::string_view wanted = path.empty() ? std::string_view() : path.back();
        const bool taken = !path.empty();
        if (taken) path.pop_back();
        for (std::size_t i = 0; i < kids.size(); ++i) {
            const auto key = of.data + static_cast<std::uint32_t>(i);
            if (taken && ast_.names[key] == wanted)
                access(whole, kids[i], left, path);
            else
                check(kids[i]);
        }
    }

    // Only the request's action is loaded whatever the level.
    void literal(NodeId whole, const Node& of) {
        const Cell cell = Cell::of(ast_.literals[of.data]);
        if (!cell.is(Type::kEntity)) return;
        const auto& action =
            typechecker_.schema().actions[typechecker_.environment().action].uid.uid;
        if (*cell.uid().uid == action) return;
        const Node& at = ast_.nodes[whole];
        if (!findings_.fresh(FindingKind::kLevel, whole, 1)) return;
        findings_.add(Severity::kError, FindingKind::kLevel, at.begin, at.end,
                      "entity literals cannot be dereferenced at any level",
                      "only principal, action, resource and what the context names can");
    }

    void too_deep(std::uint32_t begin, std::uint32_t end, std::uint32_t place) {
        if (!findings_.fresh(FindingKind::kLevel, place)) return;
        findings_.add(Severity::kError, FindingKind::kLevel, begin, end,
                      fmt::format("this policy requires more than level {}, the maximum allowed "
                                  "level",
                                  level_),
                      "follow fewer entity references in a row, or allow a higher level");
    }

    bool is_entity(NodeId id) const {
        return typechecker_.types().is(typechecker_.type_of(id), TypeKind::kEntity);
    }

    const Policy& policy_;
    const Ast& ast_;
    const Typechecker& typechecker_;
    std::uint32_t level_;
    PolicyFindings& findings_;
};

}  // namespace

void check_levels(const Policy& policy, const Typechecker& typechecker, std::uint32_t level,
                  PolicyFindings& findings) {
    LevelChecker(policy, typechecker, level, findings).run();
}

}  // namespace writ::cedar
