// Evaluates expressions for one request (digest section 3). A walk over the flat tree; values are
// Cells, and what an expression makes lies in an arena, so that nothing is allocated but the text
// of an error.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cedar/arena.h"
#include "cedar/ast.h"
#include "cedar/entities.h"

namespace writ::cedar {

// What an error says is expected where any entity will do.
inline constexpr std::string_view kAnyEntity = "(entity of type `any_entity_type`)";

// A request with what is asked of it again and again. Borrows the request and the store.
class RequestView {
  public:
    RequestView(const Request& request, const Entities::Impl& entities);

    UidRef principal, action, resource;
    Cell context;
    const Entities::Impl& entities;

    // As Entities::Impl::find, remembering principal, action and resource.
    const Entity* find(const UidRef& uid) const;
    // `uid` is `group` or below it.
    bool is_in(const UidRef& uid, const UidRef& group) const;

  private:
    const Entity *principal_entity_, *action_entity_, *resource_entity_;
};

bool scope_matches(const EntityScope& scope, const UidRef& uid, const RequestView& request);
bool scope_matches(const ActionScope& scope, const UidRef& uid, const RequestView& request);
bool scope_matches(const Policy& policy, const RequestView& request);

class Evaluator {
  public:
    Evaluator(const RequestView& request, Arena& arena) : request_(request), arena_(arena) {}

    // The value of a node; nullopt with error() set. What the value borrows lives in the arena.
    std::optional<Cell> value(const Ast& ast, NodeId id);
    const std::string& error() const { return error_; }

    // How the conditions fare: satisfied, not, or an error. Clears the arena. `failed`: the index
    // of the condition that was not met.
    Outcome conditions(const Policy& policy, std::size_t* failed = nullptr);

  private:
    friend class PartialEvaluator;  // which calls the operators on operands that are known

    // Each gives its value in `out`, or false with error_ set.
    bool eval(const Ast& ast, NodeId id, Cell& out);
    bool variable(const Node& node, Cell& out) const;
    bool unary(const Ast& ast, const Node& node, Cell& out);
    bool conditional(const Ast& ast, const Node& node, Cell& out);
    bool junction(const Ast& ast, const Node& node, Cell& out);
    bool apply_unary(const Ast& ast, const Node& node, const Cell& operand, Cell& out);
    bool binary(const Ast& ast, const Node& node, Cell& out);
    bool apply_binary(Op op, const Cell& a, const Cell& b, Cell& out);
    bool compare_order(Op op, const Cell& a, const Cell& b, Cell& out);
    bool arithmetic(Op op, const Cell& a, const Cell& b, Cell& out);
    bool in(const Cell& a, const Cell& b, Cell& out);
    bool set_method(Op op, const Cell& a, const Cell& b, Cell& out);
    bool tag(Op op, const Cell& a, const Cell& b, Cell& out);
    bool attribute(const Cell& of, const std::string& name, Cell& out);
    bool has(const Ast& ast, const Node& node, Cell& out);
    bool has_path(const Ast& ast, const Node& node, std::uint32_t from, Cell of, Cell& out);
    bool has_one(const Cell& of, const std::string& name, bool& out);
    bool is(const Ast& ast, const Node& node, Cell& out);
    bool set(const Ast& ast, const Node& node, Cell& out);
    static Cell make_set(Cell* elements, std::size_t count);
    bool record(const Ast& ast, const Node& node, Cell& out);
    bool call(const Ast& ast, const Node& node, Cell& out);
    bool apply_call(Function function, std::span<const Cell> arguments, Cell& out);

    bool fail_with(std::string message) {
        error_ = std::move(message);
        return false;
    }
    bool need(Type type, std::string_view name, const Cell& got);

    const RequestView& request_;
    Arena& arena_;  // of what Cells borrow and no one else owns
    std::string error_;
};

}  // namespace writ::cedar
