#include "cedar/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

namespace writ::cedar {
namespace {

constexpr std::string_view kRecordOrEntity = "one of [record, (entity of type `any_entity_type`)]";

std::string no_entity(const UidRef& uid) {
    return fmt::format("entity `{}` does not exist", uid.uid->text());
}

}  // namespace

RequestView::RequestView(const Request& request, const Entities::Impl& store)
    : principal{hash_uid(request.principal), &request.principal},
      action{hash_uid(request.action), &request.action},
      resource{hash_uid(request.resource), &request.resource},
      context(Cell::of(request.context)),
      entities(store),
      principal_entity_(store.find(principal)),
      action_entity_(store.find(action)),
      resource_entity_(store.find(resource)) {}

const Entity* RequestView::find(const UidRef& uid) const {
    if (uid.uid == principal.uid) return principal_entity_;
    if (uid.uid == resource.uid) return resource_entity_;
    if (uid.uid == action.uid) return action_entity_;
    return entities.find(uid);
}

bool RequestView::is_in(const UidRef& uid, const UidRef& group) const {
    return uid == group || entities.has_ancestor(uid, group);
}

bool scope_matches(const EntityScope& scope, const UidRef& uid, const RequestView& request) {
    if (scope.slot) return false;  // an unlinked template
    if (!scope.type.empty() && scope.type != uid.uid->type) return false;
    switch (scope.kind) {
        case ScopeKind::kAny:
            return true;
        case ScopeKind::kEqual:
            return uid == scope.uid.ref();
        case ScopeKind::kIn:
            break;
    }
    return request.is_in(uid, scope.uid.ref());
}

bool scope_matches(const ActionScope& scope, const UidRef& uid, const RequestView& request) {
    if (scope.kind == ScopeKind::kAny) return true;
    return std::any_of(scope.uids.begin(), scope.uids.end(), [&](const Uid& wanted) {
        return scope.kind == ScopeKind::kEqual ? uid == wanted.ref()
                                               : request.is_in(uid, wanted.ref());
    });
}

bool scope_matches(const Policy& policy, const RequestView& request) {
    return scope_matches(policy.action, request.action, request) &&
           scope_matches(policy.principal, request.principal, request) &&
           scope_matches(policy.resource, request.resource, request);
}

std::optional<Cell> Evaluator::value(const Ast& ast, NodeId id) {
    Cell out;
    if (!eval(ast, id, out)) return std::nullopt;
    return out;
}

Outcome Evaluator::conditions(const Policy& policy, std::size_t* failed) {
    arena_.clear();
    for (std::size_t i = 0; i < policy.conditions.size(); ++i) {
        const Condition& condition = policy.conditions[i];
        Cell result;
        if (!eval(policy.ast, condition.body, result) || !need(Type::kBool, "bool", result))
            return Outcome::kError;
        if (result.is_true() != condition.unless) continue;
        if (failed != nullptr) *failed = i;
        return Outcome::kNotSatisfied;
    }
    return Outcome::kSatisfied;
}

bool Evaluator::need(Type type, std::string_view name, const Cell& got) {
    return got.is(type) || fail_with(type_error(name, got));
}

bool Evaluator::eval(const Ast& ast, NodeId id, Cell& out) {
    const Node& node = ast.nodes[id];
    if (node.folded != kNone) {
        out = Cell::of(ast.literals[node.folded]);
        return true;
    }
    switch (node.op) {
        case Op::kLiteral:
            out = Cell::of(ast.literals[node.data]);
            return true;
        case Op::kVariable:
            return variable(node, out);
        case Op::kIf:
            return conditional(ast, node, out);
        case Op::kAnd:
        case Op::kOr:
            return junction(ast, node, out);
        case Op::kHas:
            return has(ast, node, out);
        case Op::kIs:
        case Op::kIsIn:
            return is(ast, node, out);
        case Op::kSet:
            return set(ast, node, out);
        case Op::kRecord:
            return record(ast, node, out);
        case Op::kCall:
            return call(ast, node, out);
        case Op::kNot:
        case Op::kNegate:
        case Op::kIsEmpty:
        case Op::kLike:
        case Op::kAttribute:
            return unary(ast, node, out);
        default:
            return binary(ast, node, out);
    }
}

bool Evaluator::variable(const Node& node, Cell& out) const {
    switch (node.variable) {
        case Variable::kPrincipal:
            out = Cell::entity(request_.principal);
            break;
        case Variable::kAction:
            out = Cell::entity(request_.action);
            break;
        case Variable::kResource:
            out = Cell::entity(request_.resource);
            break;
        case Variable::kContext:
            out = request_.context;
            break;
    }
    return true;
}

bool Evaluator::unary(const Ast& ast, const Node& node, Cell& out) {
    Cell operand;
    return eval(ast, ast.kids[node.first], operand) && apply_unary(ast, node, operand, out);
}

bool Evaluator::apply_unary(const Ast& ast, const Node& node, const Cell& operand, Cell& out) {
    switch (node.op) {
        case Op::kNot:
            if (!need(Type::kBool, "bool", operand)) return false;
            out = Cell::boolean(!operand.is_true());
            return true;
        case Op::kNegate: {
            if (!need(Type::kLong, "long", operand)) return false;
            std::int64_t result = 0;
            if (__builtin_sub_overflow(std::int64_t{0}, operand.number(), &result))
                return fail_with(
                    fmt::format("integer overflow while attempting to negate the value `{}`",
                                operand.number()));
            out = Cell::number(Type::kLong, result);
            return true;
        }
        case Op::kIsEmpty:
            if (!need(Type::kSet, "set", operand)) return false;
            out = Cell::boolean(operand.set().empty());
            return true;
        case Op::kLike:
            if (!need(Type::kString, "string", operand)) return false;
            out = Cell::boolean(ast.patterns[node.data].matches(operand.text()));
            return true;
        default:
            return attribute(operand, ast.names[node.data], out);
    }
}

bool Evaluator::conditional(const Ast& ast, const Node& node, Cell& out) {
    const auto branches = ast.children(node);
    Cell guard;
    if (!eval(ast, branches[0], guard) || !need(Type::kBool, "bool", guard)) return false;
    return eval(ast, branches[guard.is_true() ? 1 : 2], out);
}

bool Evaluator::junction(const Ast& ast, const Node& node, Cell& out) {
    const bool decides = node.op == Op::kOr;  // the value that ends the evaluation
    for (NodeId child : ast.children(node)) {
        Cell operand;
        if (!eval(ast, child, operand) || !need(Type::kBool, "bool", operand)) return false;
        out = operand;
        if (operand.is_true() == decides) return true;
    }
    return true;
}

bool Evaluator::binary(const Ast& ast, const Node& node, Cell& out) {
    Cell a, b;
    return eval(ast, ast.kids[node.first], a) && eval(ast, ast.kids[node.first + 1], b) &&
           apply_binary(node.op, a, b, out);
}

bool Evaluator::apply_binary(Op op, const Cell& a, const Cell& b, Cell& out) {
    switch (op) {
        case Op::kEqual:
            out = Cell::boolean(equal(a, b));
            return true;
        case Op::kNotEqual:
            out = Cell::boolean(!equal(a, b));
            return true;
        case Op::kLess:
        case Op::kLessEqual:
        case Op::kGreater:
        case Op::kGreaterEqual:
            return compare_order(op, a, b, out);
        case Op::kAdd:
        case Op::kSubtract:
        case Op::kMultiply:
            return arithmetic(op, a, b, out);
        case Op::kIn:
            return in(a, b, out);
        case Op::kGetTag:
        case Op::kHasTag:
            return tag(op, a, b, out);
        default:
            return set_method(op, a, b, out);
    }
}

bool Evaluator::compare_order(Op op, const Cell& a, const Cell& b, Cell& out) {
    const auto ordered = [](const Cell& cell) {
        return cell.is(Type::kDatetime) || cell.is(Type::kDuration);
    };
    const bool comparable = a.is(Type::kLong) || ordered(a);
    if (!comparable || a.type() != b.type()) {
        if (a.is(Type::kLong)) return fail_with(type_error("long", b));
        if (b.is(Type::kLong)) return fail_with(type_error("long", a));
        if (ordered(a)) return fail_with(type_error(type_name(a), b));
        if (ordered(b)) return fail_with(type_error(type_name(b), a));
        return fail_with(type_error("one of [long, datetime, duration]", a));
    }
    const std::int64_t x = a.number(), y = b.number();
    out = Cell::boolean(op == Op::kLess        ? x < y
                        : op == Op::kLessEqual ? x <= y
                        : op == Op::kGreater   ? x > y
                                               : x >= y);
    return true;
}

bool Evaluator::arithmetic(Op op, const Cell& a, const Cell& b, Cell& out) {
    if (!need(Type::kLong, "long", a) || !need(Type::kLong, "long", b)) return false;
    const std::int64_t x = a.number(), y = b.number();
    std::int64_t result = 0;
    const bool overflow = op == Op::kAdd        ? __builtin_add_overflow(x, y, &result)
                          : op == Op::kSubtract ? __builtin_sub_overflow(x, y, &result)
                                                : __builtin_mul_overflow(x, y, &result);
    if (overflow)
        return fail_with(
            fmt::format("integer overflow while attempting to {} the values `{}` and `{}`",
                        op == Op::kAdd        ? "add"
                        : op == Op::kSubtract ? "subtract"
                                              : "multiply",
                        x, y));
    out = Cell::number(Type::kLong, result);
    return true;
}

bool Evaluator::in(const Cell& a, const Cell& b, Cell& out) {
    if (!need(Type::kEntity, kAnyEntity, a)) return false;
    if (b.is(Type::kEntity)) {
        out = Cell::boolean(request_.is_in(a.uid(), b.uid()));
        return true;
    }
    if (!b.is(Type::kSet))
        return fail_with(type_error("one of [set, (entity of type `any_entity_type`)]", b));
    // The whole set is checked before any of it is asked.
    const SetView groups = b.set();
    for (std::size_t i = 0; i < groups.size(); ++i)
        if (!need(Type::kEntity, kAnyEntity, groups[i])) return false;
    bool found = false;
    for (std::size_t i = 0; i < groups.size() && !found; ++i)
        found = request_.is_in(a.uid(), groups[i].uid());
    out = Cell::boolean(found);
    return true;
}

bool Evaluator::set_method(Op op, const Cell& a, const Cell& b, Cell& out) {
    if (!need(Type::kSet, "set", a)) return false;
    if (op == Op::kContains) {
        out = Cell::boolean(a.set().contains(b));
        return true;
    }
    if (!need(Type::kSet, "set", b)) return false;
    const SetView held = a.set(), wanted = b.set();
    const bool all = op == Op::kContainsAll;
    bool answer = all;
    for (std::size_t i = 0; i < wanted.size() && answer == all; ++i)
        answer = held.contains(wanted[i]);
    out = Cell::boolean(answer);
    return true;
}

bool Evaluator::tag(Op op, const Cell& a, const Cell& b, Cell& out) {
    if (!need(Type::kEntity, kAnyEntity, a) || !need(Type::kString, "string", b)) return false;
    const Entity* entity = request_.find(a.uid());
    const bool found = entity != nullptr && Cell::of(entity->tags).record().find(b.text(), out);
    if (op == Op::kHasTag) {
        out = Cell::boolean(found);
        return true;
    }
    if (found) return true;
    if (entity == nullptr) return fail_with(no_entity(a.uid()));
    return fail_with(fmt::format("`{}` does not have the tag `{}`", a.uid().uid->text(), b.text()));
}

bool Evaluator::attribute(const Cell& of, const std::string& name, Cell& out) {
    if (of.is(Type::kRecord)) {
        if (of.record().find(name, out)) return true;
        return fail_with(fmt::format("record does not have the attribute `{}`", name));
    }
    if (!of.is(Type::kEntity)) return fail_with(type_error(kRecordOrEntity, of));
    const UidRef uid = of.uid();
    const Entity* entity = request_.find(uid);
    if (entity == nullptr) return fail_with(no_entity(uid));
    if (Cell::of(entity->attributes).record().find(name, out)) return true;
    return fail_with(fmt::format("`{}` does not have the attribute `{}`", uid.uid->text(), name));
}

bool Evaluator::has_one(const Cell& of, const std::string& name, bool& out) {
    Cell ignored;
    if (of.is(Type::kRecord)) {
        out = of.record().find(name, ignored);
        return true;
    }
    if (!of.is(Type::kEntity)) return fail_with(type_error(kRecordOrEntity, of));
    const Entity* entity = request_.find(of.uid());
    out = entity != nullptr && Cell::of(entity->attributes).record().find(name, ignored);
    return true;
}

// `e has a.b` is `e has a && e.a has b`.
bool Evaluator::has(const Ast& ast, const Node& node, Cell& out) {
    Cell of;
    return eval(ast, ast.kids[node.first], of) && has_path(ast, node, 0, of, out);
}

// The same from the name `from` on, whose owner is `of`.
bool Evaluator::has_path(const Ast& ast, const Node& node, std::uint32_t from, Cell of, Cell& out) {
    bool present = true;
    for (std::uint32_t i = from; i < node.name_count && present; ++i) {
        const std::string& name = ast.names[node.data + i];
        if (!has_one(of, name, present)) return false;
        const bool more = i + 1 < node.name_count && present;
        if (more && !attribute(of, name, of)) return false;
    }
    out = Cell::boolean(present);
    return true;
}

// `e is T in x` is `e is T && e in x`.
bool Evaluator::is(const Ast& ast, const Node& node, Cell& out) {
    Cell of;
    if (!eval(ast, ast.kids[node.first], of) || !need(Type::kEntity, kAnyEntity, of)) return false;
    const bool same = of.uid().uid->type == ast.names[node.data];
    if (node.op == Op::kIs || !same) {
        out = Cell::boolean(same);
        return true;
    }
    Cell group;
    return eval(ast, ast.kids[node.first + 1], group) && in(of, group, out);
}

bool Evaluator::set(const Ast& ast, const Node& node, Cell& out) {
    Cell* elements = arena_.take<Cell>(node.count);
    for (std::uint32_t i = 0; i < node.count; ++i)
        if (!eval(ast, ast.kids[node.first + i], elements[i])) return false;
    out = make_set(elements, node.count);
    return true;
}

Cell Evaluator::make_set(Cell* elements, std::size_t count) {
    Cell* end = elements + count;
    std::sort(elements, end, [](const Cell& a, const Cell& b) { return compare(a, b) < 0; });
    end = std::unique(elements, end, equal);
    return Cell::loose_set(elements, static_cast<std::size_t>(end - elements));
}

// The parser has put the members in the order of their keys.
bool Evaluator::record(const Ast& ast, const Node& node, Cell& out) {
    auto* members = arena_.take<LooseMember>(node.count);
    for (std::uint32_t i = 0; i < node.count; ++i) {
        members[i].key = &ast.names[node.data + i];
        if (!eval(ast, ast.kids[node.first + i], members[i].value)) return false;
    }
    out = Cell::loose_record(members, node.count);
    return true;
}

bool Evaluator::call(const Ast& ast, const Node& node, Cell& out) {
    std::array<Cell, 2> few;
    Cell* arguments = node.count <= few.size() ? few.data() : arena_.take<Cell>(node.count);
    for (std::uint32_t i = 0; i < node.count; ++i)
        if (!eval(ast, ast.kids[node.first + i], arguments[i])) return false;
    return apply_call(node.function, std::span<const Cell>(arguments, node.count), out);
}

bool Evaluator::apply_call(Function function, std::span<const Cell> arguments, Cell& out) {
    IpNet* place = function == Function::kIp ? arena_.take<IpNet>(1) : nullptr;
    IpNet none;
    const auto result = call_function(function, arguments, place != nullptr ? *place : none);
    if (!result) return fail_with(result.error());
    out = *result;
    return true;
}

}  // namespace writ::cedar
