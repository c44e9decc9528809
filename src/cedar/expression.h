// Expressions: from tokens to the nodes of an Ast. A recursive-descent parser, one function for
// each level of precedence.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cedar/ast.h"
#include "cedar/cursor.h"

namespace writ::cedar {

class ExpressionParser {
  public:
    // Appends to `ast`. Nesting beyond `depth_max` (at most kMaxDepth) is an error. `clause` names
    // where the expression stands, for errors: `when` or `unless`.
    ExpressionParser(Cursor& cursor, Ast& ast, std::size_t depth_max, std::string_view clause);
    // nullopt after a syntactic error, which the cursor has.
    std::optional<NodeId> parse();

  private:
    using MaybeNode = std::optional<NodeId>;

    MaybeNode expression();
    MaybeNode conditional();
    MaybeNode disjunction();
    MaybeNode conjunction();
    MaybeNode relation();
    MaybeNode relation_has(NodeId left);
    MaybeNode relation_like(NodeId left);
    MaybeNode relation_is(NodeId left);
    MaybeNode sum();
    MaybeNode product();
    MaybeNode unary();
    MaybeNode member();
    MaybeNode access(NodeId left);
    MaybeNode index(NodeId left);

    MaybeNode primary();
    MaybeNode word();
    MaybeNode number(bool negative, std::uint32_t begin);
    MaybeNode slot();
    MaybeNode set();
    MaybeNode record();
    std::optional<std::string> key();

    bool arguments(std::vector<NodeId>& out);
    MaybeNode function_call(const std::string& name, std::uint32_t begin);
    MaybeNode method_call(NodeId receiver, const std::string& name, std::uint32_t at);

    // Nodes. The span runs from `begin` to the last token read.
    MaybeNode make(Node node, std::span<const NodeId> children, std::uint32_t begin);
    MaybeNode make(Op op, std::initializer_list<NodeId> children, std::uint32_t begin);
    NodeId literal(Value value, std::uint32_t begin);
    std::uint32_t add_name(std::string name);
    void fold(Node& node);
    const Value* constant(NodeId id) const;
    std::uint32_t begin_of(NodeId id) const { return ast_.nodes[id].begin; }

    Cursor& cursor_;
    Ast& ast_;
    std::size_t depth_max_;
    std::string_view clause_;
    std::size_t depth_ = 0;  // of the recursion
};

}  // namespace writ::cedar
