// The operators of the partial evaluator: exact where all operands are known, else the kinds of
// values that may come out.
#include <algorithm>

#include "cedar/partial_evaluator.h"

namespace writ::cedar {
namespace {

constexpr Kinds kFewest = 0;

constexpr Kinds error_if(bool may) {
    return may ? kIsError : kFewest;
}

// The result where the operand is of a wanted kind, an error where it is not.
Kinds typed(Kinds operand, Kinds wanted, Kinds result) {
    const Kinds fine = (operand & wanted) != 0 ? result : kFewest;
    return static_cast<Kinds>(fine | error_if((operand & ~wanted) != 0));
}

Kinds kinds_of_call(Function function) {
    switch (function) {
        case Function::kDecimal:
            return kIsDecimal;
        case Function::kIp:
            return kIsIp;
        case Function::kDatetime:
        case Function::kOffset:
        case Function::kToDate:
            return kIsDatetime;
        case Function::kDuration:
        case Function::kDurationSince:
        case Function::kToTime:
            return kIsDuration;
        case Function::kToMilliseconds:
        case Function::kToSeconds:
        case Function::kToMinutes:
        case Function::kToHours:
        case Function::kToDays:
            return kIsLong;
        default:
            return kIsBool;
    }
}

// The type of an entity, where it is known.
std::string_view entity_type(const PartialEvaluator::Term& term) {
    if (term.is_known() && term.kinds == kIsEntity) return term.value.uid().uid->type;
    return term.type;
}

Kinds kinds_of_equal(const PartialEvaluator::Term& a, const PartialEvaluator::Term& b, bool same) {
    const Kinds common = a.kinds & b.kinds & kAnyValue;
    const std::string_view left = entity_type(a), right = entity_type(b);
    const bool other =
        common == 0 || (common == kIsEntity && !left.empty() && !right.empty() && left != right);
    if (!other) return kIsBool;
    return same ? kIsFalse : kIsTrue;
}

Kinds kinds_of_order(Kinds a, Kinds b) {
    constexpr Kinds ordered = kIsLong | kIsDatetime | kIsDuration;
    const Kinds common = a & b & ordered;
    const bool one = a == b && (a == kIsLong || a == kIsDatetime || a == kIsDuration);
    return static_cast<Kinds>((common != 0 ? kIsBool : kFewest) | error_if(!one));
}

}  // namespace

Kinds PartialEvaluator::kinds_of(const Node& node, const Term& a, const Term& b) {
    if (a.kinds == kIsError || b.kinds == kIsError) return kIsError;
    const Kinds errs = (a.kinds | b.kinds) & kIsError;
    const Kinds left = a.kinds & kAnyValue, right = b.kinds & kAnyValue;
    Kinds out = kIsError;
    switch (node.op) {
        case Op::kEqual:
        case Op::kNotEqual:
            out = kinds_of_equal(a, b, node.op == Op::kEqual);
            break;
        case Op::kLess:
        case Op::kLessEqual:
        case Op::kGreater:
        case Op::kGreaterEqual:
            out = kinds_of_order(left, right);
            break;
        case Op::kAdd:
        case Op::kSubtract:
        case Op::kMultiply:
            out = (left & right & kIsLong) != 0 ? kIsLong | kIsError : kIsError;
            break;
        case Op::kContains:
            out = typed(left, kIsSet, kIsBool);
            break;
        case Op::kContainsAll:
        case Op::kContainsAny:
            out = typed(left, kIsSet, typed(right, kIsSet, kIsBool));
            break;
        case Op::kHasTag:
            out = typed(left, kIsEntity, typed(right, kIsString, kIsBool));
            break;
        case Op::kGetTag:
            out = typed(left, kIsEntity, typed(right, kIsString, kAnyValue)) | kIsError;
            break;
        default:
            break;
    }
    return out | errs;
}

PartialEvaluator::Term PartialEvaluator::unary(const Node& node) {
    const Term operand = term(in_->kids[node.first]);
    if (operand.is_error()) return operand;
    if (node.op == Op::kAttribute) return attribute(node, operand);
    if (operand.is_known()) {
        Cell out;
        const bool ok = exact_.apply_unary(*in_, node, operand.value, out);
        return exact(ok, out);
    }
    const Kinds of = operand.kinds;
    Kinds kinds = kFewest;
    switch (node.op) {
        case Op::kNot:
            kinds = error_if((of & ~kIsBool) != 0);
            if ((of & kIsTrue) != 0) kinds |= kIsFalse;
            if ((of & kIsFalse) != 0) kinds |= kIsTrue;
            break;
        case Op::kNegate:
            kinds = typed(of, kIsLong, kIsLong) | kIsError;
            break;
        case Op::kIsEmpty:
            kinds = typed(of, kIsSet, kIsBool);
            break;
        default:
            kinds = typed(of, kIsString, kIsBool);
    }
    return rest(node, {&operand, 1}, kinds);
}

PartialEvaluator::Term PartialEvaluator::attribute(const Node& node, const Term& of) {
    const std::string& name = in_->names[node.data];
    if (of.is_known()) {
        if (of.value.is(Type::kEntity) && !is_loaded(of.value.uid()))
            return rest(node, {&of, 1}, kAnyValue | kIsError);
        Cell out;
        const bool ok = exact_.attribute(of.value, name, out);
        return exact(ok, out);
    }
    if (of.part != nullptr) return attribute_of_part(node, of, name);
    return rest(node, {&of, 1}, typed(of.kinds, kIsRecord | kIsEntity, kAnyValue) | kIsError);
}

PartialEvaluator::Term PartialEvaluator::attribute_of_part(const Node& node, const Term& of,
                                                           const std::string& name) {
    const auto* members = of.part->members();
    if (of.part->known()) {  // below a member that may be absent
        const Cell owner = Cell::of(*of.part->known());
        if (owner.is(Type::kEntity) && !is_loaded(owner.uid()))
            return rest(node, {&of, 1}, kAnyValue | kIsError);
        Cell out;
        const bool ok = exact_.attribute(owner, name, out);
        return rest(node, {&of, 1}, (ok ? kind_of(out) : kFewest) | kIsError);
    }
    const auto found = members != nullptr ? members->find(name) : decltype(members->find(name)){};
    if (members == nullptr || found == members->end()) {
        if (of.part->open()) return rest(node, {&of, 1}, kAnyValue | kIsError);
        if (of.may_err()) return rest(node, {&of, 1}, kIsError);
        Cell none, out;
        const bool ok = exact_.attribute(Cell::loose_record(nullptr, 0), name, out);
        return exact(ok, none);
    }
    const PartialMember& member = found->second;
    const bool sure = !of.may_err() && !member.may_be_absent;
    const PartialValue& value = member.value;
    if (sure && value.known()) return known(Cell::of(*value.known()));
    const Kinds kinds = value.known()                ? kind_of(Cell::of(*value.known()))
                        : value.members() != nullptr ? kIsRecord
                                                     : kAnyValue;
    Term out = rest(node, {&of, 1}, kinds | error_if(!sure));
    out.part = &value;
    return out;
}

PartialEvaluator::Term PartialEvaluator::binary(const Node& node) {
    const Term a = term(in_->kids[node.first]);
    if (a.is_error()) return a;
    const Term b = term(in_->kids[node.first + 1]);
    if (b.is_error() && a.is_known()) return b;
    if (node.op == Op::kIn) return in(node, a, b);
    if (node.op == Op::kGetTag || node.op == Op::kHasTag) return tag(node, a, b);
    if (a.is_known() && b.is_known()) {
        Cell out;
        const bool ok = exact_.apply_binary(node.op, a.value, b.value, out);
        return exact(ok, out);
    }
    const Term both[] = {a, b};
    return rest(node, both, kinds_of(node, a, b));
}

// `node` has `a` and `b` as its operands.
PartialEvaluator::Term PartialEvaluator::in(const Node& node, const Term& a, const Term& b) {
    const Term both[] = {a, b};
    if (a.kinds == kIsError || b.kinds == kIsError) return rest(node, both, kIsError);
    // The groups, where they are known to be groups.
    bool entities = b.is_known() && b.kinds == kIsEntity;
    const bool set = b.is_known() && b.kinds == kIsSet;
    if (set) {
        entities = true;
        for (std::size_t i = 0; i < b.value.set().size(); ++i)
            entities = entities && b.value.set()[i].is(Type::kEntity);
    }
    if (a.is_known() && b.is_known()) {
        if (missing_ == MissingEntities::kEmpty || a.kinds != kIsEntity || !entities) {
            Cell out;
            const bool ok = exact_.in(a.value, b.value, out);
            return exact(ok, out);
        }
        Answer answer = set ? Answer::kNo : is_in(a.value.uid(), b.value.uid());
        for (std::size_t i = 0; set && i < b.value.set().size() && answer != Answer::kYes; ++i) {
            const Answer one = is_in(a.value.uid(), b.value.set()[i].uid());
            if (one != Answer::kNo) answer = one;
        }
        if (answer == Answer::kUnknown) return rest(node, both, kIsBool);
        return known(Cell::boolean(answer == Answer::kYes));
    }
    const bool never = b.is_known() ? !entities : (b.kinds & (kIsEntity | kIsSet)) == 0;
    if (never || (a.kinds & kIsEntity) == 0) return rest(node, both, kIsError);
    const bool may_err =
        (a.kinds & ~kIsEntity) != 0 || (b.is_known() ? !entities : (b.kinds & ~kIsEntity) != 0);
    const bool nobody = set && b.value.set().empty();
    return rest(node, both, (nobody ? kIsFalse : kIsBool) | error_if(may_err));
}

PartialEvaluator::Term PartialEvaluator::tag(const Node& node, const Term& a, const Term& b) {
    const Term both[] = {a, b};
    if (!a.is_known() || !b.is_known()) return rest(node, both, kinds_of(node, a, b));
    if (a.kinds == kIsEntity && b.kinds == kIsString && !is_loaded(a.value.uid()))
        return rest(node, both, kinds_of(node, a, b));
    Cell out;
    const bool ok = exact_.tag(node.op, a.value, b.value, out);
    return exact(ok, out);
}

PartialEvaluator::Term PartialEvaluator::has(const Node& node) {
    const Term of = term(in_->kids[node.first]);
    if (of.is_error()) return of;
    Cell owner = of.value;
    bool owner_known = of.is_known();
    const bool sure = !of.may_err();
    const PartialValue* part = of.part;
    const Kinds owners = kIsRecord | kIsEntity;
    const auto left = [&](Kinds kinds) { return rest(node, {&of, 1}, kinds | error_if(!sure)); };
    for (std::uint32_t i = 0; i < node.name_count; ++i) {
        const std::string& name = in_->names[node.data + i];
        const Kinds later = error_if(i + 1 < node.name_count);
        if (!owner_known && part != nullptr && part->known()) {
            owner = Cell::of(*part->known());
            owner_known = true;
        }
        if (owner_known) {
            if (!sure) return left(kIsBool);
            if (owner.is(Type::kEntity) && !is_loaded(owner.uid())) return left(kIsBool | later);
            bool present = false;
            if (!exact_.has_one(owner, name, present)) return failed();
            if (!present || later == 0) return known(Cell::boolean(present));
            if (!exact_.attribute(owner, name, owner)) return failed();
            continue;
        }
        const auto* members = part != nullptr ? part->members() : nullptr;
        if (members == nullptr) {
            const Kinds kinds = i == 0 ? of.kinds & kAnyValue : kAnyValue;
            return left(typed(kinds, owners, kIsBool) | later);
        }
        const auto found = members->find(name);
        if (found == members->end()) return left(part->open() ? kIsBool | later : kIsFalse);
        if (found->second.may_be_absent) return left(kIsBool | later);
        if (later == 0) return left(kIsTrue);
        part = &found->second.value;
    }
    return left(kIsBool);
}

PartialEvaluator::Term PartialEvaluator::is(const Node& node) {
    const Term of = term(in_->kids[node.first]);
    if (of.is_error()) return of;
    if (of.is_known() && !exact_.need(Type::kEntity, kAnyEntity, of.value)) return failed();
    const std::string_view type = entity_type(of);
    const bool certain = of.kinds == kIsEntity && !type.empty();
    const bool same = type == in_->names[node.data];
    const bool in_too = node.op == Op::kIsIn;
    if (certain && (!same || !in_too)) return known(Cell::boolean(same));
    if ((of.kinds & kIsEntity) == 0) return rest(node, {&of, 1}, kIsError);
    if (!in_too) return rest(node, {&of, 1}, typed(of.kinds, kIsEntity, kIsBool));
    const Term group = term(in_->kids[node.first + 1]);
    if (certain) {
        if (group.is_error() && of.is_known()) return group;
        Node only_in = node;
        only_in.op = Op::kIn;
        return in(only_in, of, group);
    }
    const Term both[] = {of, group};
    const bool fine = group.is_known() && group.kinds == kIsEntity;
    return rest(node, both, typed(of.kinds, kIsEntity, kIsBool) | error_if(!fine));
}

// A set or a record: all of it is evaluated, the first error wins.
PartialEvaluator::Term PartialEvaluator::collection(const Node& node) {
    std::vector<Term> operands;
    operands.reserve(node.count);
    Kinds kinds = node.op == Op::kSet ? kIsSet : kIsRecord;
    bool all_known = true;
    for (NodeId child : in_->children(node)) {
        operands.push_back(term(child));
        const Term& operand = operands.back();
        if (operand.is_error() && all_known) return operand;
        if (operand.kinds == kIsError) return rest(node, operands, kIsError);
        kinds |= operand.kinds & kIsError;
        all_known = all_known && operand.is_known();
    }
    if (!all_known) return rest(node, operands, kinds);
    if (node.op == Op::kSet) {
        Cell* elements = arena_.take<Cell>(node.count);
        for (std::uint32_t i = 0; i < node.count; ++i) elements[i] = operands[i].value;
        return known(Evaluator::make_set(elements, node.count));
    }
    auto* members = arena_.take<LooseMember>(node.count);
    for (std::uint32_t i = 0; i < node.count; ++i)
        members[i] = {&in_->names[node.data + i], operands[i].value};
    return known(Cell::loose_record(members, node.count));
}

PartialEvaluator::Term PartialEvaluator::call(const Node& node) {
    std::vector<Term> operands;
    operands.reserve(node.count);
    bool all_known = true;
    for (NodeId child : in_->children(node)) {
        operands.push_back(term(child));
        const Term& operand = operands.back();
        if (operand.is_error() && all_known) return operand;
        if (operand.kinds == kIsError) return rest(node, operands, kIsError);
        all_known = all_known && operand.is_known();
    }
    if (!all_known) return rest(node, operands, kinds_of_call(node.function) | kIsError);
    Cell* arguments = arena_.take<Cell>(node.count);
    for (std::uint32_t i = 0; i < node.count; ++i) arguments[i] = operands[i].value;
    Cell out;
    const bool ok =
        exact_.apply_call(node.function, std::span<const Cell>(arguments, node.count), out);
    return exact(ok, out);
}

}  // namespace writ::cedar
