// Operators, literals of sets and records, extension functions.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cedar/extension.h"
#include "cedar/names.h"
#include "cedar/typechecker.h"
#include "cedar/value.h"

namespace writ::cedar {
namespace {

constexpr std::string_view kAnySet = "Set<Any>";

struct Signature {
    std::array<TypeId, 2> arguments;  // kNoType: none
    TypeId result;
};

// In the order of Function.
constexpr std::array<Signature, 22> kSignatures = {{
    {{kStringType, kNoType}, kDecimalType},
    {{kStringType, kNoType}, kIpType},
    {{kStringType, kNoType}, kDatetimeType},
    {{kStringType, kNoType}, kDurationType},
    {{kDecimalType, kDecimalType}, kBoolType},
    {{kDecimalType, kDecimalType}, kBoolType},
    {{kDecimalType, kDecimalType}, kBoolType},
    {{kDecimalType, kDecimalType}, kBoolType},
    {{kIpType, kNoType}, kBoolType},
    {{kIpType, kNoType}, kBoolType},
    {{kIpType, kNoType}, kBoolType},
    {{kIpType, kNoType}, kBoolType},
    {{kIpType, kIpType}, kBoolType},
    {{kDatetimeType, kDurationType}, kDatetimeType},
    {{kDatetimeType, kDatetimeType}, kDurationType},
    {{kDatetimeType, kNoType}, kDatetimeType},
    {{kDatetimeType, kNoType}, kDurationType},
    {{kDurationType, kNoType}, kLongType},
    {{kDurationType, kNoType}, kLongType},
    {{kDurationType, kNoType}, kLongType},
    {{kDurationType, kNoType}, kLongType},
    {{kDurationType, kNoType}, kLongType},
}};

Checked both(const Checked& a, const Checked& b, TypeId type) {
    Checked out;
    out.type = type;
    out.ok = a.ok && b.ok;
    return out;
}

TypeId bool_type(bool known) {
    return known ? kTrueType : kFalseType;
}

}  // namespace

// The uid that an expression is in this environment, without looking at data.
const EntityUid* Typechecker::literal_uid(NodeId id) const {
    const Node& of = node(id);
    if (of.op == Op::kVariable && of.variable == Variable::kAction)
        return &schema_.actions[environment_.action].uid.uid;
    if (of.op != Op::kLiteral) return nullptr;
    const Cell cell = Cell::of(ast_.literals[of.data]);
    return cell.is(Type::kEntity) ? cell.uid().uid : nullptr;
}

Checked Typechecker::equality(NodeId id, const Node& of, Prior prior) {
    const auto kids = ast_.children(of);
    const Checked a = check(kids[0], prior);
    const Checked b = check(kids[1], prior);
    Checked out = both(a, b, kBoolType);

    const auto scalar = [&](NodeId kid) {
        const Node& operand = node(kid);
        if (operand.op != Op::kLiteral) return false;
        const Type type = Cell::of(ast_.literals[operand.data]).type();
        return type == Type::kBool || type == Type::kLong || type == Type::kString;
    };
    const EntityUid* left = literal_uid(kids[0]);
    const EntityUid* right = literal_uid(kids[1]);
    const bool literals =
        (left != nullptr || scalar(kids[0])) && (right != nullptr || scalar(kids[1]));
    if (literals) {
        bool same = false;
        if (left != nullptr && right != nullptr)
            same = *left == *right;
        else if (left == nullptr && right == nullptr)
            same = ast_.literals[node(kids[0]).data] == ast_.literals[node(kids[1]).data];
        out.type = bool_type(same);
    } else if (a.type != kNoType && b.type != kNoType) {
        if (types_.is(a.type, TypeKind::kEntity) && types_.is(b.type, TypeKind::kEntity)) {
            if (a.type != b.type) out.type = kFalseType;
        } else if (!types_.join(a.type, b.type)) {
            incompatible(id, {a.type, b.type}, "both operands of `==` must have compatible types");
            out.ok = false;
        }
    }
    if (of.op == Op::kNotEqual && out.type != kBoolType)
        out.type = bool_type(out.type == kFalseType);
    return out;
}

Checked Typechecker::order(const Node& of, Prior prior) {
    const auto kids = ast_.children(of);
    const Checked a = check(kids[0], prior);
    const Checked b = check(kids[1], prior);
    Checked out = both(a, b, kBoolType);
    const auto ordered = [](TypeId type) {
        return type == kLongType || type == kDatetimeType || type == kDurationType;
    };
    // The side that can be ordered says what the other must be.
    const TypeId wanted = ordered(a.type) ? a.type : ordered(b.type) ? b.type : kNoType;
    for (const auto& [id, type] : {std::pair(kids[0], a.type), std::pair(kids[1], b.type)}) {
        if (type == kNoType || (wanted != kNoType && type == wanted)) continue;
        unexpected(id, wanted == kNoType ? "datetime, or duration, or Long" : shown(wanted), type);
        out.ok = false;
    }
    return out;
}

Checked Typechecker::arithmetic(const Node& of, Prior prior) {
    Checked out;
    out.type = kLongType;
    for (const NodeId kid : ast_.children(of)) out.ok = expect(kid, prior, kLongType).ok && out.ok;
    return out;
}

Checked Typechecker::in(const Node& of, Prior prior) {
    const auto kids = ast_.children(of);
    return in(kids[0], kids[1], prior);
}

Checked Typechecker::in(NodeId left, NodeId right, Prior prior) {
    const Checked a = expect_entity(left, prior);
    const Checked b = check(right, prior);
    Checked out = both(a, b, kBoolType);
    TypeId group = b.type;
    if (types_.is(group, TypeKind::kSet)) group = types_.node(group).data;
    if (group != kNoType && !types_.is(group, TypeKind::kEntity)) {
        unexpected(right, "an entity, or a set of entities", b.type,
                   "try using `contains`, `containsAny`, or `containsAll` to examine the contents "
                   "of a set");
        out.ok = false;
        return out;
    }
    if (const auto known = action_in(left, right)) {
        out.type = bool_type(*known);
    } else if (types_.is(a.type, TypeKind::kEntity) && group != kNoType) {
        const TypeId below = entity_type(a.type), above = entity_type(group);
        const EntityTypeDef& def = schema_.entity_types[below];
        const bool possible = below == above || def.ancestors.contains(above) ||
                              (def.is_action && schema_.action_type_below(below, above));
        if (!possible) out.type = kFalseType;
    }
    return out;
}

// For an action and one or more literal uids, what the schema's hierarchy of actions says.
std::optional<bool> Typechecker::action_in(NodeId left, NodeId right) const {
    const EntityUid* uid = literal_uid(left);
    if (uid == nullptr) return std::nullopt;
    const ActionDef* action = schema_.action({hash_uid(*uid), uid});
    if (action == nullptr) return std::nullopt;
    // Nothing is known of an action that is not declared.
    const auto below = [&](const EntityUid& group) -> std::optional<bool> {
        const ActionDef* above = schema_.action({hash_uid(group), &group});
        if (above == nullptr && is_action_type(group.type)) return std::nullopt;
        return above == action ||
               (above != nullptr && action->ancestors.contains(schema_.index_of(*above)));
    };
    if (const EntityUid* group = literal_uid(right)) return below(*group);
    const Node& of = node(right);
    if (of.op != Op::kSet || of.count == 0) return std::nullopt;
    bool any = false;
    for (const NodeId kid : ast_.children(of)) {
        const EntityUid* group = literal_uid(kid);
        const std::optional<bool> one = group == nullptr ? std::nullopt : below(*group);
        if (!one) return std::nullopt;
        any = any || *one;
    }
    return any;
}

Checked Typechecker::is(const Node& of, Prior prior) {
    Checked out = expect_entity(ast_.children(of)[0], prior);
    const bool known = types_.is(out.type, TypeKind::kEntity);
    out.type = known ? bool_type(schema_.entity_types[entity_type(out.type)].name == data_name(of))
                     : kBoolType;
    out.proven = {};
    return out;
}

// e is T in x: e is T && e in x
Checked Typechecker::is_in(const Node& of, Prior prior) {
    Checked out = is(of, prior);
    if (out.type == kFalseType) return out;
    const auto kids = ast_.children(of);
    const Checked inside = in(kids[0], kids[1], prior);
    conjoin(out, inside);
    return out;
}

Checked Typechecker::set_method(NodeId id, const Node& of, Prior prior) {
    const auto kids = ast_.children(of);
    Checked out;
    std::array<TypeId, 2> types = {kNoType, kNoType};
    for (std::size_t i = 0; i < kids.size(); ++i) {
        const Checked operand = check(kids[i], prior);
        out.ok = out.ok && operand.ok;
        types[i] = operand.type;
        const bool element = of.op == Op::kContains && i == 1;
        if (element || operand.type == kNoType || types_.kind(operand.type) == TypeKind::kSet)
            continue;
        unexpected(kids[i], kAnySet, operand.type,
                   operand.type == kStringType && of.op == Op::kIsEmpty
                       ? "try using `== \"\"` to test if a string is empty"
                       : "");
        types[i] = kNoType;
        out.ok = false;
    }
    out.type = kBoolType;
    if (of.op == Op::kIsEmpty || types[0] == kNoType || types[1] == kNoType) return out;
    const TypeId a = of.op == Op::kContains ? types_.node(types[0]).data : types[0];
    if (!types_.join(a, types[1])) {
        incompatible(id, {a, types[1]},
                     of.op == Op::kContains
                         ? "the operand of `contains` must be of the type of the set's elements"
                         : "elements of both sets must have compatible types");
        out.ok = false;
    }
    return out;
}

Checked Typechecker::set(NodeId id, const Node& of, Prior prior) {
    Checked out;
    if (of.count == 0) {
        if (fresh(FindingKind::kEmptySet, id))
            error(FindingKind::kEmptySet, id, "empty set literals are forbidden in policies");
        out.ok = false;
        return out;
    }
    std::vector<TypeId> elements;
    std::optional<TypeId> joined;
    bool known = true;
    for (const NodeId kid : ast_.children(of)) {
        const Checked element = check(kid, prior);
        out.ok = out.ok && element.ok;
        if (element.type == kNoType) {
            known = false;
            continue;
        }
        joined = elements.empty() ? element.type
                 : joined         ? types_.join(*joined, element.type)
                                  : std::nullopt;
        elements.push_back(element.type);
    }
    if (!elements.empty() && !joined) {
        incompatible(id, std::move(elements), "elements of a set must have compatible types");
        out.ok = false;
    } else if (known) {
        out.type = types_.set(*joined);
    }
    return out;
}

Checked Typechecker::record(const Node& of, Prior prior) {
    Checked out;
    std::vector<TypeField> fields;
    bool known = true;
    const auto kids = ast_.children(of);
    for (std::size_t i = 0; i < kids.size(); ++i) {
        const Checked member = check(kids[i], prior);
        out.ok = out.ok && member.ok;
        known = known && member.type != kNoType;
        fields.push_back({ast_.names[of.data + static_cast<std::uint32_t>(i)], member.type, true});
    }
    if (known) out.type = types_.record(fields);
    return out;
}

Checked Typechecker::call(NodeId id, const Node& of, Prior prior) {
    const auto kids = ast_.children(of);
    const Signature& signature = kSignatures[static_cast<std::size_t>(of.function)];
    const std::size_t arity = info(of.function).arity;
    Checked out;
    out.type = signature.result;
    for (std::size_t i = 0; i < kids.size(); ++i) {
        const Checked argument =
            i < arity ? expect(kids[i], prior, signature.arguments[i]) : check(kids[i], prior);
        out.ok = out.ok && argument.ok;
        if (i == 0 && is_constructor(of.function) && argument.type == kStringType)
            check_constructor(id, of, kids[0]);
    }
    if (kids.size() != arity) {
        out.ok = false;
        if (fresh(FindingKind::kWrongArity, id))
            error(FindingKind::kWrongArity, id,
                  fmt::format("wrong number of arguments in extension function application. "
                              "Expected {}, got {}",
                              arity, kids.size()));
    }
    return out;
}

// A constructor is computed when the policy is read, so that it cannot fail later.
void Typechecker::check_constructor(NodeId id, const Node& of, NodeId argument) {
    if (of.folded != kNone) return;
    const Node& text = node(argument);
    if (text.op != Op::kLiteral) {
        if (fresh(FindingKind::kNonLiteralConstructor, id))
            error(FindingKind::kNonLiteralConstructor, id,
                  "extension constructors may not be called with non-literal expressions",
                  "give attributes and context the extension type instead");
        return;
    }
    const std::array<Cell, 1> arguments = {Cell::of(ast_.literals[text.data])};
    IpNet place;
    const auto called = call_function(of.function, arguments, place);
    if (called || !fresh(FindingKind::kBadExtensionLiteral, id)) return;
    error(FindingKind::kBadExtensionLiteral, id,
          "error during extension function argument validation: " + called.error());
}

}  // namespace writ::cedar
