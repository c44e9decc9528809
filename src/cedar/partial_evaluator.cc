// The walk, and what is written of it. The operators are in partial_operators.cc.
#include "cedar/partial_evaluator.h"

#include <algorithm>
#include <vector>

namespace writ::cedar {

Kinds kind_of(const Cell& value) {
    switch (value.type()) {
        case Type::kBool:
            return value.is_true() ? kIsTrue : kIsFalse;
        case Type::kLong:
            return kIsLong;
        case Type::kString:
            return kIsString;
        case Type::kEntity:
            return kIsEntity;
        case Type::kSet:
            return kIsSet;
        case Type::kRecord:
            return kIsRecord;
        case Type::kDecimal:
            return kIsDecimal;
        case Type::kIp:
            return kIsIp;
        case Type::kDatetime:
            return kIsDatetime;
        case Type::kDuration:
            return kIsDuration;
    }
    return kAnyValue;
}

PartialEvaluator::Term PartialEvaluator::known(const Cell& value) {
    Term out;
    out.value = value;
    out.kinds = kind_of(value);
    return out;
}

PartialEvaluator::Term PartialEvaluator::failed() {
    Term out;
    out.state = Term::State::kError;
    out.kinds = kIsError;
    return out;
}

PartialEvaluator::Term PartialEvaluator::eval(const Ast& in, NodeId id, Ast* out) {
    in_ = &in;
    out_ = out;
    return term(id);
}

PartialEvaluator::Term PartialEvaluator::term(NodeId id) {
    const Node& node = in_->nodes[id];
    if (node.folded != kNone) return known(Cell::of(in_->literals[node.folded]));
    switch (node.op) {
        case Op::kLiteral:
            return known(Cell::of(in_->literals[node.data]));
        case Op::kVariable:
            return variable(node);
        case Op::kIf:
            return conditional(node);
        case Op::kAnd:
        case Op::kOr:
            return junction(node);
        case Op::kHas:
            return has(node);
        case Op::kIs:
        case Op::kIsIn:
            return is(node);
        case Op::kSet:
        case Op::kRecord:
            return collection(node);
        case Op::kCall:
            return call(node);
        case Op::kNot:
        case Op::kNegate:
        case Op::kIsEmpty:
        case Op::kLike:
        case Op::kAttribute:
            return unary(node);
        default:
            return binary(node);
    }
}

PartialEvaluator::Term PartialEvaluator::variable(const Node& node) {
    switch (node.variable) {
        case Variable::kPrincipal:
            return entity_variable(node, request_.principal, view_.principal);
        case Variable::kAction:
            return entity_variable(node, request_.action, view_.action);
        case Variable::kResource:
            return entity_variable(node, request_.resource, view_.resource);
        case Variable::kContext:
            break;
    }
    if (request_.context.known()) return known(view_.context);
    Term out = rest(node, {}, kIsRecord);
    out.part = &request_.context;
    return out;
}

PartialEvaluator::Term PartialEvaluator::entity_variable(const Node& node,
                                                         const PartialEntity& asked,
                                                         const UidRef& uid) {
    if (asked.uid) return known(Cell::entity(uid));
    Term out = rest(node, {}, kIsEntity);
    out.type = asked.type;
    return out;
}

PartialEvaluator::Term PartialEvaluator::conditional(const Node& node) {
    const auto branches = in_->children(node);
    const Term guard = term(branches[0]);
    if (guard.is_error()) return guard;
    if (guard.is_known()) {
        if (!exact_.need(Type::kBool, "bool", guard.value)) return failed();
        return term(branches[guard.value.is_true() ? 1 : 2]);
    }
    const Term operands[] = {guard, term(branches[1]), term(branches[2])};
    Kinds kinds = (guard.kinds & ~kIsBool) != 0 ? kIsError : Kinds{0};
    if ((guard.kinds & kIsTrue) != 0) kinds |= operands[1].kinds;
    if ((guard.kinds & kIsFalse) != 0) kinds |= operands[2].kinds;
    return rest(node, operands, kinds);
}

// A known operand that decides nothing is dropped; the first one that ends the evaluation, or the
// error of it, ends the chain.
PartialEvaluator::Term PartialEvaluator::junction(const Node& node) {
    const bool decides = node.op == Op::kOr;
    const Kinds deciding = decides ? kIsTrue : kIsFalse, passing = decides ? kIsFalse : kIsTrue;
    std::vector<NodeId> kept;
    Kinds kinds = 0;
    Kinds first_kinds = 0;  // of the first that is kept
    bool passes = true;     // the end of the chain may be reached
    for (NodeId child : in_->children(node)) {
        const Term operand = term(child);
        const bool is_bool = operand.is_known() && (operand.kinds & kIsBool) != 0;
        if (is_bool && (operand.kinds & passing) != 0) continue;
        if (!operand.is_residual()) {
            if (operand.is_known() && !is_bool) exact_.need(Type::kBool, "bool", operand.value);
            if (kept.empty()) return is_bool ? operand : failed();
            if (is_bool && (kinds & kIsError) == 0) return operand;
        }
        kinds |= operand.kinds & deciding;
        if ((operand.kinds & ~kIsBool) != 0) kinds |= kIsError;
        if (kept.empty()) first_kinds = operand.kinds;
        kept.push_back(emit(operand, *in_, child, out_));
        passes = (operand.kinds & passing) != 0;
        if (!passes) break;
    }
    if (kept.empty()) return known(Cell::boolean(!decides));
    if (passes) kinds |= passing;
    if (kinds == kIsTrue || kinds == kIsFalse) return known(Cell::boolean(kinds == kIsTrue));
    Term out;
    out.state = Term::State::kResidual;
    out.kinds = kinds;
    if (kept.size() == 1 && (first_kinds & kAnyValue & ~kIsBool) == 0) {
        out.node = kept[0];
        return out;
    }
    // One that may be no Bool stays an operand, so that it errs as it did.
    if (kept.size() == 1)
        kept.insert(kept.begin(),
                    emit(known(Cell::boolean(!decides)), *in_, in_->kids[node.first], out_));
    out.node = write(node, kept);
    return out;
}

PartialEvaluator::Term PartialEvaluator::rest(const Node& node, std::span<const Term> operands,
                                              Kinds kinds) {
    if (kinds == kIsTrue || kinds == kIsFalse) return known(Cell::boolean(kinds == kIsTrue));
    Term out;
    out.state = Term::State::kResidual;
    out.kinds = kinds;
    if (out_ == nullptr) return out;
    std::vector<NodeId> children;
    children.reserve(node.count);
    for (std::uint32_t i = 0; i < node.count; ++i) {
        const NodeId child = in_->kids[node.first + i];
        children.push_back(i < operands.size() ? emit(operands[i], *in_, child, out_)
                                               : copy(child));
    }
    out.node = write(node, children);
    return out;
}

NodeId PartialEvaluator::emit(const Term& term, const Ast& in, NodeId id, Ast* out) {
    if (out == nullptr) return kNone;
    in_ = &in;
    out_ = out;
    if (term.is_residual()) return term.node;
    if (term.is_error()) return copy(id);
    Node node;
    node.begin = in.nodes[id].begin;
    node.end = in.nodes[id].end;
    node.data = static_cast<std::uint32_t>(out->literals.size());
    out->literals.push_back(term.value.to_value());
    out->nodes.push_back(node);
    return static_cast<NodeId>(out->nodes.size() - 1);
}

NodeId PartialEvaluator::copy(NodeId id) {
    if (out_ == nullptr) return kNone;
    const Node& node = in_->nodes[id];
    if (node.folded != kNone)
        return emit(known(Cell::of(in_->literals[node.folded])), *in_, id, out_);
    std::vector<NodeId> children;
    children.reserve(node.count);
    for (NodeId child : in_->children(node)) children.push_back(copy(child));
    return write(node, children);
}

NodeId PartialEvaluator::write(const Node& node, std::span<const NodeId> children) {
    if (out_ == nullptr) return kNone;
    Node made = node;
    made.folded = kNone;
    made.data = copy_data(node);
    made.first = static_cast<std::uint32_t>(out_->kids.size());
    made.count = static_cast<std::uint32_t>(children.size());
    made.depth = 1;
    for (NodeId child : children)
        made.depth = std::max<std::uint16_t>(
            made.depth, static_cast<std::uint16_t>(out_->nodes[child].depth + 1));
    out_->kids.insert(out_->kids.end(), children.begin(), children.end());
    out_->nodes.push_back(made);
    return static_cast<NodeId>(out_->nodes.size() - 1);
}

std::uint32_t PartialEvaluator::copy_data(const Node& node) {
    const auto at = [](const auto& list) { return static_cast<std::uint32_t>(list.size()); };
    std::uint32_t names = 0;
    switch (node.op) {
        case Op::kLiteral:
            out_->literals.push_back(in_->literals[node.data]);
            return at(out_->literals) - 1;
        case Op::kLike:
            out_->patterns.push_back(in_->patterns[node.data]);
            return at(out_->patterns) - 1;
        case Op::kHas:
        case Op::kRecord:
            names = node.name_count;
            break;
        case Op::kAttribute:
        case Op::kIs:
        case Op::kIsIn:
            names = 1;
            break;
        default:
            return kNone;
    }
    const std::uint32_t first = at(out_->names);
    for (std::uint32_t i = 0; i < names; ++i) out_->names.push_back(in_->names[node.data + i]);
    return first;
}

PartialEvaluator::Answer PartialEvaluator::is_in(const UidRef& uid, const UidRef& group) const {
    if (view_.is_in(uid, group)) return Answer::kYes;
    if (missing_ == MissingEntities::kEmpty) return Answer::kNo;
    // Some entity on the way up that is not there may be below the group.
    if (!is_loaded(uid)) return Answer::kUnknown;
    std::vector<UidRef> above;
    view_.entities.ancestors(uid, above);
    const bool whole =
        std::all_of(above.begin(), above.end(), [&](const UidRef& at) { return is_loaded(at); });
    return whole ? Answer::kNo : Answer::kUnknown;
}

PartialEvaluator::Answer PartialEvaluator::matches(const EntityScope& scope,
                                                   const PartialEntity& asked,
                                                   const UidRef& uid) const {
    if (scope.slot) return Answer::kNo;
    const bool type_known = asked.uid || !asked.type.empty();
    const std::string& type = asked.uid ? asked.uid->type : asked.type;
    if (type_known && !scope.type.empty() && scope.type != type) return Answer::kNo;
    if (scope.kind == ScopeKind::kAny)
        return scope.type.empty() || type_known ? Answer::kYes : Answer::kUnknown;
    if (!asked.uid) {
        const bool other = scope.kind == ScopeKind::kEqual &&
                           ((type_known && scope.uid.uid.type != type) ||
                            (!scope.type.empty() && scope.uid.uid.type != scope.type));
        return other ? Answer::kNo : Answer::kUnknown;
    }
    if (scope.kind == ScopeKind::kEqual) return uid == scope.uid.ref() ? Answer::kYes : Answer::kNo;
    return is_in(uid, scope.uid.ref());
}

PartialEvaluator::Answer PartialEvaluator::matches(const ActionScope& scope) const {
    if (scope.kind == ScopeKind::kAny) return Answer::kYes;
    const PartialEntity& asked = request_.action;
    Answer out = Answer::kNo;
    for (const Uid& wanted : scope.uids) {
        Answer one = Answer::kNo;
        if (!asked.uid)
            one = scope.kind == ScopeKind::kEqual && !asked.type.empty() &&
                          asked.type != wanted.uid.type
                      ? Answer::kNo
                      : Answer::kUnknown;
        else if (scope.kind == ScopeKind::kEqual)
            one = view_.action == wanted.ref() ? Answer::kYes : Answer::kNo;
        else
            one = is_in(view_.action, wanted.ref());
        if (one == Answer::kYes) return one;
        if (one == Answer::kUnknown) out = one;
    }
    return out;
}

}  // namespace writ::cedar
