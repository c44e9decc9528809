#include "cedar/typechecker.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cedar/value.h"

namespace writ::cedar {
namespace {

// The order in which the reference lists types.
int rank(const TypeTable& types, TypeId type) {
    if (type <= kStringType) return static_cast<int>(type);
    if (type < kFixedTypes) return 8;
    return types.kind(type) == TypeKind::kSet ? 6 : 7;
}

}  // namespace

Typechecker::Typechecker(const Schema::Impl& schema, TypeTable& types, const Policy& policy,
                         PolicyFindings& findings)
    : schema_(schema),
      types_(types),
      policy_(policy),
      ast_(policy.ast),
      findings_(findings),
      capabilities_(policy.ast),
      types_of_(policy.ast.nodes.size(), kNoType),
      seen_(policy.ast.nodes.size()) {}

Checked Typechecker::check(const Environment& environment) {
    environment_ = environment;
    seen_.assign(seen_.size(), false);
    Checked all;
    all.type = kTrueType;
    for (const Condition& condition : policy_.conditions) {
        Checked next = expect_bool(condition.body, all.proven);
        if (condition.unless) {
            next.proven = {};
            if (next.type == kTrueType)
                next.type = kFalseType;
            else if (next.type == kFalseType)
                next.type = kTrueType;
        }
        if (!conjoin(all, std::move(next))) break;
    }
    if (capabilities_.overflowed() && fresh(FindingKind::kLimit, kNone))
        findings_.add(
            Severity::kError, FindingKind::kLimit, policy_.begin, policy_.end,
            fmt::format("the policy tests for more than {} attributes and tags", kCapabilitiesMax));
    return all;
}

// Whether what comes after is still looked at.
bool Typechecker::conjoin(Checked& all, Checked next) const {
    all.ok = all.ok && next.ok;
    if (next.type == kFalseType && all.type != kNoType) {
        all.type = kFalseType;
        all.proven = {};
        return false;
    }
    if (next.type == kNoType || all.type == kNoType)
        all.type = kNoType;
    else if (all.type == kTrueType)
        all.type = next.type;
    else if (next.type != kTrueType)
        all.type = kBoolType;
    all.proven.unite(next.proven);
    return true;
}

Checked Typechecker::check(NodeId id, Prior prior) {
    Checked out = dispatch(id, prior);
    seen_[id] = true;
    types_of_[id] = out.type;
    return out;
}

// Recursion: as deep as the tree, which its parser bounds.
Checked Typechecker::dispatch(NodeId id, Prior prior) {
    const Node& of = node(id);
    switch (of.op) {
        case Op::kLiteral:
            return literal(Cell::of(ast_.literals[of.data]));
        case Op::kVariable:
            return variable(of);
        case Op::kNot:
            return negation(of, prior);
        case Op::kNegate:
        case Op::kAdd:
        case Op::kSubtract:
        case Op::kMultiply:
            return arithmetic(of, prior);
        case Op::kIf:
            return conditional(of, prior);
        case Op::kAnd:
            return conjunction(ast_.children(of), prior);
        case Op::kOr:
            return disjunction(ast_.children(of), prior);
        case Op::kEqual:
        case Op::kNotEqual:
            return equality(id, of, prior);
        case Op::kLess:
        case Op::kLessEqual:
        case Op::kGreater:
        case Op::kGreaterEqual:
            return order(of, prior);
        case Op::kIn:
            return in(of, prior);
        case Op::kIs:
            return is(of, prior);
        case Op::kIsIn:
            return is_in(of, prior);
        case Op::kContains:
        case Op::kContainsAll:
        case Op::kContainsAny:
        case Op::kIsEmpty:
            return set_method(id, of, prior);
        case Op::kGetTag:
        case Op::kHasTag:
            return tag(id, of, prior);
        case Op::kAttribute:
            return attribute(id, of, prior);
        case Op::kHas:
            return has(of, prior);
        case Op::kLike: {
            Checked out = expect(ast_.children(of)[0], prior, kStringType);
            out.type = kBoolType;
            out.proven = {};
            return out;
        }
        case Op::kSet:
            return set(id, of, prior);
        case Op::kRecord:
            return record(of, prior);
        case Op::kCall:
            return call(id, of, prior);
    }
    return {};
}

// Sets and records are literals only in policies that came as JSON.
Checked Typechecker::literal(const Cell& cell) {
    Checked out;
    switch (cell.type()) {
        case Type::kBool:
            out.type = cell.is_true() ? kTrueType : kFalseType;
            break;
        case Type::kLong:
            out.type = kLongType;
            break;
        case Type::kString:
            out.type = kStringType;
            break;
        case Type::kEntity: {
            const EntityTypeDef* def = schema_.entity_type(cell.uid().uid->type);
            if (def != nullptr) out.type = def->type;
            out.ok = def != nullptr;  // reported where the names of the policy are checked
            break;
        }
        case Type::kDecimal:
            out.type = kDecimalType;
            break;
        case Type::kIp:
            out.type = kIpType;
            break;
        case Type::kDatetime:
            out.type = kDatetimeType;
            break;
        case Type::kDuration:
            out.type = kDurationType;
            break;
        case Type::kSet: {
            std::optional<TypeId> element;
            const SetView set = cell.set();
            for (std::size_t i = 0; i < set.size(); ++i) {
                const Checked next = literal(set[i]);
                element = element ? types_.join(*element, next.type) : next.type;
                out.ok = out.ok && next.ok && element;
                if (!out.ok) return out;
            }
            out.ok = element.has_value();
            if (element) out.type = types_.set(*element);
            break;
        }
        case Type::kRecord: {
            std::vector<TypeField> fields;
            const RecordView record = cell.record();
            for (std::size_t i = 0; i < record.size(); ++i) {
                const Checked next = literal(record.value(i));
                if (!next.ok) return next;
                fields.push_back({record.key(i), next.type, true});
            }
            out.type = types_.record(fields);
            break;
        }
    }
    return out;
}

Checked Typechecker::variable(const Node& of) const {
    Checked out;
    switch (of.variable) {
        case Variable::kPrincipal:
            out.type = schema_.entity_types[environment_.principal].type;
            break;
        case Variable::kAction:
            out.type = schema_.entity_types[schema_.actions[environment_.action].entity_type].type;
            break;
        case Variable::kResource:
            out.type = schema_.entity_types[environment_.resource].type;
            break;
        case Variable::kContext:
            out.type = schema_.actions[environment_.action].context;
            break;
    }
    return out;
}

Checked Typechecker::expect(NodeId id, Prior prior, TypeId wanted, std::string_view help) {
    Checked out = check(id, prior);
    if (out.type == kNoType || out.type == wanted || (wanted == kBoolType && is_bool(out.type)))
        return out;
    unexpected(id, shown(wanted), out.type, help);
    out.ok = false;
    out.type = kNoType;
    return out;
}

Checked Typechecker::negation(const Node& of, Prior prior) {
    Checked out = expect_bool(ast_.children(of)[0], prior);
    out.proven = {};
    out.type = out.type == kTrueType ? kFalseType : out.type == kFalseType ? kTrueType : kBoolType;
    return out;
}

Checked Typechecker::conditional(const Node& of, Prior prior) {
    const auto kids = ast_.children(of);
    Checked guard = expect_bool(kids[0], prior);
    if (guard.type == kFalseType) {
        Checked out = check(kids[2], prior);
        out.ok = out.ok && guard.ok;
        return out;
    }
    CapabilitySet inside = prior;
    inside.unite(guard.proven);
    Checked out = check(kids[1], inside);
    out.ok = out.ok && guard.ok;
    out.proven.unite(guard.proven);
    if (guard.type == kTrueType) return out;
    Checked otherwise = check(kids[2], prior);
    out.ok = out.ok && otherwise.ok;
    out.proven.intersect(otherwise.proven);
    if (out.type == kNoType || otherwise.type == kNoType) {
        out.type = kNoType;
        return out;
    }
    const auto joined = types_.join(out.type, otherwise.type);
    if (!joined) {
        const auto id = static_cast<NodeId>(&of - ast_.nodes.data());
        incompatible(id, {out.type, otherwise.type},
                     "both branches of a conditional must have compatible types");
        out.ok = false;
    }
    out.type = joined.value_or(kNoType);
    return out;
}

Checked Typechecker::conjunction(std::span<const NodeId> operands, Prior prior) {
    Checked all;
    all.type = kTrueType;
    CapabilitySet known = prior;
    for (const NodeId operand : operands) {
        Checked next = expect_bool(operand, known);
        if (!conjoin(all, std::move(next))) break;
        known.unite(all.proven);
    }
    return all;
}

Checked Typechecker::disjunction(std::span<const NodeId> operands, Prior prior) {
    Checked any = expect_bool(operands[0], prior);
    for (const NodeId operand : operands.subspan(1)) {
        if (any.type == kTrueType) {
            any.proven = {};
            break;
        }
        Checked next = expect_bool(operand, prior);
        next.ok = next.ok && any.ok;
        if (any.type == kFalseType) {
            any = std::move(next);
            continue;
        }
        any.ok = next.ok;
        if (next.type == kTrueType) {
            any.type = kTrueType;
            any.proven = std::move(next.proven);
        } else if (next.type == kFalseType) {
            any.type = any.type == kNoType ? kNoType : kBoolType;
        } else {
            any.type = any.type == kNoType || next.type == kNoType ? kNoType : kBoolType;
            any.proven.intersect(next.proven);
        }
    }
    return any;
}

void Typechecker::unexpected(NodeId id, std::string_view wanted, TypeId saw,
                             std::string_view help) {
    if (!fresh(FindingKind::kUnexpectedType, id, saw)) return;
    error(FindingKind::kUnexpectedType, id,
          fmt::format("unexpected type: expected {} but saw {}", wanted, shown(saw)),
          std::string(help));
}

void Typechecker::incompatible(NodeId id, std::vector<TypeId> types, std::string_view where) {
    std::sort(types.begin(), types.end());
    types.erase(std::unique(types.begin(), types.end()), types.end());
    std::uint64_t detail = 0;
    for (const TypeId type : types) detail = hash_pair(detail, type);
    if (!fresh(FindingKind::kIncompatibleTypes, id, detail)) return;
    std::vector<std::pair<int, std::string>> texts;
    for (const TypeId type : types) texts.emplace_back(rank(types_, type), shown(type));
    std::sort(texts.begin(), texts.end());
    std::string list;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (i > 0) list += texts.size() == 2 ? " " : ", ";
        if (i > 0 && i + 1 == texts.size()) list += "and ";
        list += texts[i].second;
    }
    error(FindingKind::kIncompatibleTypes, id, fmt::format("the types {} are not compatible", list),
          std::string(where));
}

void Typechecker::error(FindingKind kind, NodeId id, std::string message, std::string help) {
    findings_.add(Severity::kError, kind, node(id).begin, node(id).end, std::move(message),
                  std::move(help));
}

std::string Typechecker::shown(TypeId type) const {
    return is_bool(type) ? "Bool" : type_text(schema_, types_, type);
}

}  // namespace writ::cedar
