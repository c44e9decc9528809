// Evaluates expressions of which something is unknown. Where the answer is the same whatever the
// unknown is, it is computed as Evaluator does; elsewhere what is left is written to another tree,
// and a mask says of which kinds its value may be.
//
// INVARIANT: masks say too much, never too little. A known term never errs, and the error of an
// erring one is the message that every completion gives.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "cedar/ast.h"
#include "cedar/evaluator.h"
#include "cedar/partial.h"

namespace writ::cedar {

// What an expression may come to: bits.
using Kinds = std::uint16_t;
inline constexpr Kinds kIsTrue = 1 << 0, kIsFalse = 1 << 1, kIsLong = 1 << 2, kIsString = 1 << 3,
                       kIsEntity = 1 << 4, kIsSet = 1 << 5, kIsRecord = 1 << 6, kIsDecimal = 1 << 7,
                       kIsIp = 1 << 8, kIsDatetime = 1 << 9, kIsDuration = 1 << 10,
                       kIsError = 1 << 11;
inline constexpr Kinds kIsBool = kIsTrue | kIsFalse;
inline constexpr Kinds kAnyValue = kIsError - 1;

// The expressions of one policy for one partial request. Borrows everything.
class PartialEvaluator {
  public:
    // `view` has empty uids and an empty context where `request` has nothing.
    PartialEvaluator(const PartialRequest& request, const RequestView& view,
                     MissingEntities missing, Arena& arena)
        : request_(request), view_(view), missing_(missing), arena_(arena), exact_(view, arena) {}

    struct Term {
        enum class State : std::uint8_t { kKnown, kError, kResidual };
        State state = State::kKnown;
        Kinds kinds = 0;
        Cell value;                          // of kKnown
        NodeId node = kNone;                 // of kResidual: in the tree that is written
        const PartialValue* part = nullptr;  // of kResidual: what is known of it
        std::string_view type = {};          // of kResidual: that of an entity, if known

        bool is_known() const { return state == State::kKnown; }
        bool is_error() const { return state == State::kError; }
        bool is_residual() const { return state == State::kResidual; }
        bool may_err() const { return (kinds & kIsError) != 0; }
    };

    // `out`: where residuals are written; null: nowhere.
    Term eval(const Ast& in, NodeId id, Ast* out);
    // The term as a node of `out`: a literal, what errs as it was written, or what is left.
    NodeId emit(const Term& term, const Ast& in, NodeId id, Ast* out);
    // Of the last term that is an error.
    const std::string& error() const { return exact_.error(); }

    enum class Answer : std::uint8_t { kNo, kYes, kUnknown };
    Answer matches(const EntityScope& scope, const PartialEntity& asked, const UidRef& uid) const;
    Answer matches(const ActionScope& scope) const;
    Answer is_in(const UidRef& uid, const UidRef& group) const;

    // Sets the message of a condition that is no Bool.
    void refuse_condition(const Cell& value) { exact_.need(Type::kBool, "bool", value); }

  private:
    Term term(NodeId id);
    Term variable(const Node& node);
    Term entity_variable(const Node& node, const PartialEntity& asked, const UidRef& uid);
    Term unary(const Node& node);
    Term attribute(const Node& node, const Term& of);
    Term attribute_of_part(const Node& node, const Term& of, const std::string& name);
    Term conditional(const Node& node);
    Term junction(const Node& node);
    Term binary(const Node& node);
    Term in(const Node& node, const Term& a, const Term& b);
    Term tag(const Node& node, const Term& a, const Term& b);
    Term has(const Node& node);
    Term is(const Node& node);
    Term collection(const Node& node);
    Term call(const Node& node);
    static Kinds kinds_of(const Node& node, const Term& a, const Term& b);

    static Term known(const Cell& value);
    static Term failed();
    // A term of what `exact_` gave.
    static Term exact(bool ok, const Cell& value) { return ok ? known(value) : failed(); }
    // What is left of `node` over `operands`; known after all where it can only be one Bool.
    Term rest(const Node& node, std::span<const Term> operands, Kinds kinds);
    bool is_loaded(const UidRef& uid) const {
        return missing_ == MissingEntities::kEmpty || view_.find(uid) != nullptr;
    }
    NodeId write(const Node& node, std::span<const NodeId> children);
    NodeId copy(NodeId id);
    std::uint32_t copy_data(const Node& node);

    const PartialRequest& request_;
    const RequestView& view_;
    MissingEntities missing_;
    Arena& arena_;
    Evaluator exact_;
    const Ast* in_ = nullptr;
    Ast* out_ = nullptr;
};

Kinds kind_of(const Cell& value);

}  // namespace writ::cedar
