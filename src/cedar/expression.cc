// Levels of precedence, loosest first: if, ||, &&, relations, + -, *, unary, member. What a member
// starts with, and calls, are in expression_primary.cc.
#include "cedar/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "cedar/escape.h"

namespace writ::cedar {
namespace {

std::optional<Op> relational(const Cursor& cursor) {
    switch (cursor.now().kind) {
        case Kind::kEqual:
        case Kind::kAssign:
            return Op::kEqual;
        case Kind::kNotEqual:
            return Op::kNotEqual;
        case Kind::kLess:
            return Op::kLess;
        case Kind::kLessEqual:
            return Op::kLessEqual;
        case Kind::kGreater:
            return Op::kGreater;
        case Kind::kGreaterEqual:
            return Op::kGreaterEqual;
        default:
            break;
    }
    if (cursor.at_word("in")) return Op::kIn;
    return std::nullopt;
}

}  // namespace

ExpressionParser::ExpressionParser(Cursor& cursor, Ast& ast, std::size_t depth_max,
                                   std::string_view clause)
    : cursor_(cursor), ast_(ast), depth_max_(std::min(depth_max, kMaxDepth)), clause_(clause) {}

std::optional<NodeId> ExpressionParser::parse() {
    return expression();
}

ExpressionParser::MaybeNode ExpressionParser::make(Node node, std::span<const NodeId> children,
                                                   std::uint32_t begin) {
    std::uint16_t deepest = 0;
    for (NodeId child : children) deepest = std::max(deepest, ast_.nodes[child].depth);
    if (deepest >= depth_max_) {
        cursor_.report_too_large(
            begin, fmt::format("expressions may nest at most {} deep: split this one over several "
                               "`when` clauses",
                               depth_max_));
        return std::nullopt;
    }
    node.depth = static_cast<std::uint16_t>(deepest + 1);
    node.begin = begin;
    node.end = cursor_.last_end();
    node.first = static_cast<std::uint32_t>(ast_.kids.size());
    node.count = static_cast<std::uint32_t>(children.size());
    ast_.kids.insert(ast_.kids.end(), children.begin(), children.end());
    fold(node);
    ast_.nodes.push_back(node);
    return static_cast<NodeId>(ast_.nodes.size() - 1);
}

ExpressionParser::MaybeNode ExpressionParser::make(Op op, std::initializer_list<NodeId> children,
                                                   std::uint32_t begin) {
    Node node;
    node.op = op;
    return make(node, std::span(children.begin(), children.size()), begin);
}

NodeId ExpressionParser::literal(Value value, std::uint32_t begin) {
    Node node;
    node.data = static_cast<std::uint32_t>(ast_.literals.size());
    node.begin = begin;
    node.end = cursor_.last_end();
    ast_.literals.push_back(std::move(value));
    ast_.nodes.push_back(node);
    return static_cast<NodeId>(ast_.nodes.size() - 1);
}

std::uint32_t ExpressionParser::add_name(std::string name) {
    ast_.names.push_back(std::move(name));
    return static_cast<std::uint32_t>(ast_.names.size() - 1);
}

// Every nesting of the text passes here, so that the recursion is bounded.
ExpressionParser::MaybeNode ExpressionParser::expression() {
    if (depth_ >= depth_max_) {
        cursor_.report_too_large(cursor_.now().begin,
                                 fmt::format("expressions may nest at most {} deep: split this "
                                             "one over several `when` clauses",
                                             depth_max_));
        return std::nullopt;
    }
    ++depth_;
    const bool is_if = cursor_.at_word("if") && cursor_.next().kind != Kind::kColons;
    const MaybeNode out = is_if ? conditional() : disjunction();
    --depth_;
    return out;
}

ExpressionParser::MaybeNode ExpressionParser::conditional() {
    const std::uint32_t begin = cursor_.now().begin;
    cursor_.advance();
    const MaybeNode guard = expression();
    if (!guard) return std::nullopt;
    if (!cursor_.accept_word("then")) {
        cursor_.unexpected("`then` after the condition of an `if`");
        return std::nullopt;
    }
    const MaybeNode yes = expression();
    if (!yes) return std::nullopt;
    if (!cursor_.accept_word("else")) {
        cursor_.unexpected("`else`: every `if` has one");
        return std::nullopt;
    }
    const MaybeNode no = expression();
    if (!no) return std::nullopt;
    return make(Op::kIf, {*guard, *yes, *no}, begin);
}

ExpressionParser::MaybeNode ExpressionParser::disjunction() {
    const MaybeNode first = conjunction();
    if (!first || !cursor_.at(Kind::kOr)) return first;
    std::vector<NodeId> operands = {*first};
    while (cursor_.accept(Kind::kOr)) {
        const MaybeNode operand = conjunction();
        if (!operand) return std::nullopt;
        operands.push_back(*operand);
    }
    Node node;
    node.op = Op::kOr;
    return make(node, operands, begin_of(*first));
}

ExpressionParser::MaybeNode ExpressionParser::conjunction() {
    const MaybeNode first = relation();
    if (!first || !cursor_.at(Kind::kAnd)) return first;
    std::vector<NodeId> operands = {*first};
    while (cursor_.accept(Kind::kAnd)) {
        const MaybeNode operand = relation();
        if (!operand) return std::nullopt;
        operands.push_back(*operand);
    }
    Node node;
    node.op = Op::kAnd;
    return make(node, operands, begin_of(*first));
}

ExpressionParser::MaybeNode ExpressionParser::relation() {
    const MaybeNode left = sum();
    if (!left) return std::nullopt;
    if (cursor_.accept_word("has")) return relation_has(*left);
    if (cursor_.accept_word("like")) return relation_like(*left);
    if (cursor_.accept_word("is")) return relation_is(*left);
    const auto op = relational(cursor_);
    if (!op) return left;
    if (cursor_.at(Kind::kAssign))
        cursor_.report(cursor_.now().begin,
                       "'=' is not a valid operator in Cedar: try using `==` instead");
    cursor_.advance();
    const MaybeNode right = sum();
    if (!right) return std::nullopt;
    if (relational(cursor_) || cursor_.at_word("has") || cursor_.at_word("like") ||
        cursor_.at_word("is")) {
        cursor_.report(cursor_.now().begin,
                       "multiple relational operators (>, ==, in, etc.) must be used with "
                       "parentheses to make ordering explicit");
        return std::nullopt;
    }
    return make(*op, {*left, *right}, begin_of(*left));
}

// e has a | e has a.b.c | e has "any string"
ExpressionParser::MaybeNode ExpressionParser::relation_has(NodeId left) {
    constexpr std::string_view kWanted =
        "a sequence of identifiers separated by `.`, or a string, after `has`";
    Node node;
    node.op = Op::kHas;
    node.name_count = 1;
    if (cursor_.at(Kind::kString)) {
        const Token token = cursor_.now();
        node.data = add_name(cursor_.string(token));
        cursor_.advance();
        return make(node, std::span(&left, 1), begin_of(left));
    }
    auto first = cursor_.name(kWanted);
    if (!first) return std::nullopt;
    node.data = add_name(std::move(*first));
    while (cursor_.accept(Kind::kDot)) {
        auto name = cursor_.name(kWanted);
        if (!name) return std::nullopt;
        add_name(std::move(*name));
        ++node.name_count;
    }
    return make(node, std::span(&left, 1), begin_of(left));
}

ExpressionParser::MaybeNode ExpressionParser::relation_like(NodeId left) {
    const Token token = cursor_.now();
    if (token.kind != Kind::kString) {
        if (token.kind == Kind::kEnd || token.kind == Kind::kInvalid)
            cursor_.unexpected("a pattern in quotes after `like`");
        else
            cursor_.report(token.begin,
                           fmt::format("right hand side of a `like` expression must be a pattern "
                                       "literal, but got `{}`: write the pattern in quotes",
                                       cursor_.text(token)));
        return std::nullopt;
    }
    const std::string_view quoted_text = cursor_.text(token);
    const Unescaped read =
        unescape(quoted_text.substr(1, quoted_text.size() - 2), Literal::kPattern);
    cursor_.report_escapes(token.begin + 1, read.errors);
    cursor_.advance();
    Node node;
    node.op = Op::kLike;
    node.data = static_cast<std::uint32_t>(ast_.patterns.size());
    ast_.patterns.emplace_back(read.text, read.wildcards);
    return make(node, std::span(&left, 1), begin_of(left));
}

// e is T | e is T in x
ExpressionParser::MaybeNode ExpressionParser::relation_is(NodeId left) {
    const Token token = cursor_.now();
    if (token.kind == Kind::kString) {
        cursor_.report(token.begin,
                       fmt::format("right hand side of an `is` expression must be an entity type "
                                   "name, but got `{}`: try removing the quotes",
                                   cursor_.text(token)));
        return std::nullopt;
    }
    const auto type = cursor_.reference("the name of an entity type after `is`");
    if (!type) return std::nullopt;
    if (type->id) {
        cursor_.report(type->begin,
                       fmt::format("right hand side of an `is` expression must be an entity type "
                                   "name: write `is {0}`, or `== {0}::\"…\"`",
                                   type->name));
        return std::nullopt;
    }
    Node node;
    node.op = Op::kIs;
    node.data = add_name(type->name);
    if (!cursor_.accept_word("in")) return make(node, std::span(&left, 1), begin_of(left));
    const MaybeNode right = sum();
    if (!right) return std::nullopt;
    node.op = Op::kIsIn;
    const NodeId children[] = {left, *right};
    return make(node, children, begin_of(left));
}

ExpressionParser::MaybeNode ExpressionParser::sum() {
    MaybeNode left = product();
    while (left && (cursor_.at(Kind::kPlus) || cursor_.at(Kind::kMinus))) {
        const Op op = cursor_.at(Kind::kPlus) ? Op::kAdd : Op::kSubtract;
        cursor_.advance();
        const MaybeNode right = product();
        if (!right) return std::nullopt;
        left = make(op, {*left, *right}, begin_of(*left));
    }
    return left;
}

ExpressionParser::MaybeNode ExpressionParser::product() {
    MaybeNode left = unary();
    while (left &&
           (cursor_.at(Kind::kStar) || cursor_.at(Kind::kSlash) || cursor_.at(Kind::kPercent))) {
        if (cursor_.at(Kind::kSlash))
            cursor_.report(cursor_.now().begin, "division is not supported");
        if (cursor_.at(Kind::kPercent))
            cursor_.report(cursor_.now().begin, "remainder/modulo is not supported");
        cursor_.advance();
        const MaybeNode right = unary();
        if (!right) return std::nullopt;
        left = make(Op::kMultiply, {*left, *right}, begin_of(*left));
    }
    return left;
}

// `!` or `-`, up to four of one kind.
ExpressionParser::MaybeNode ExpressionParser::unary() {
    constexpr int kOperatorsMax = 4;
    const Kind kind = cursor_.now().kind;
    if (kind != Kind::kNot && kind != Kind::kMinus) return member();
    const std::uint32_t begin = cursor_.now().begin;
    const std::string_view sign = kind == Kind::kNot ? "!" : "-";
    int count = 0;
    std::uint32_t last = begin;
    while (cursor_.at(kind)) {
        last = cursor_.now().begin;
        cursor_.advance();
        ++count;
    }
    if (count > kOperatorsMax) {
        cursor_.report(begin, fmt::format("too many occurrences of `{}`", sign));
        return std::nullopt;
    }
    if (cursor_.at(Kind::kNot) || cursor_.at(Kind::kMinus)) {
        cursor_.unexpected("an operand: `!` and `-` are combined with parentheses");
        return std::nullopt;
    }
    const Kind after = cursor_.next().kind;
    const bool folds = kind == Kind::kMinus && cursor_.at(Kind::kNumber) && after != Kind::kDot &&
                       after != Kind::kLeftParen && after != Kind::kLeftBracket;
    MaybeNode out = folds ? number(true, last) : member();
    for (int i = folds ? 1 : 0; i < count && out; ++i)
        out = make(kind == Kind::kNot ? Op::kNot : Op::kNegate, {*out}, begin);
    return out;
}

ExpressionParser::MaybeNode ExpressionParser::member() {
    MaybeNode out = primary();
    while (out) {
        if (cursor_.at(Kind::kDot)) {
            out = access(*out);
        } else if (cursor_.at(Kind::kLeftBracket)) {
            out = index(*out);
        } else if (cursor_.at(Kind::kLeftParen)) {
            cursor_.report(cursor_.now().begin,
                           "function calls must be of the form `<name>(arg1, arg2, ...)`");
            return std::nullopt;
        } else {
            break;
        }
    }
    return out;
}

// e.name | e.method(…)
ExpressionParser::MaybeNode ExpressionParser::access(NodeId left) {
    cursor_.advance();
    const std::uint32_t at = cursor_.now().begin;
    auto name = cursor_.name("the name of an attribute or a method after `.`");
    if (!name) return std::nullopt;
    if (cursor_.at(Kind::kLeftParen)) return method_call(left, *name, at);
    Node node;
    node.op = Op::kAttribute;
    node.data = add_name(std::move(*name));
    return make(node, std::span(&left, 1), begin_of(left));
}

// e["any string"]
ExpressionParser::MaybeNode ExpressionParser::index(NodeId left) {
    cursor_.advance();
    const Token token = cursor_.now();
    if (token.kind == Kind::kIdentifier || token.kind == Kind::kNumber) {
        cursor_.report(token.begin,
                       fmt::format("invalid string literal: {}; an attribute in `[…]` stands in "
                                   "quotes",
                                   cursor_.text(token)));
        return std::nullopt;
    }
    if (!cursor_.at(Kind::kString)) {
        cursor_.unexpected("the name of an attribute in quotes");
        return std::nullopt;
    }
    Node node;
    node.op = Op::kAttribute;
    node.data = add_name(cursor_.string(token));
    cursor_.advance();
    if (!cursor_.expect(Kind::kRightBracket, "`]`")) return std::nullopt;
    return make(node, std::span(&left, 1), begin_of(left));
}

}  // namespace writ::cedar
