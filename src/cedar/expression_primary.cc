// What a member expression starts with (literals, variables, entities, sets, records), calls, and
// the folding of what is constant.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <tuple>

#include "cedar/expression.h"
#include "cedar/names.h"
#include "cedar/operators.h"

namespace writ::cedar {
namespace {

std::optional<Variable> find_variable(std::string_view name) {
    if (name == "principal") return Variable::kPrincipal;
    if (name == "action") return Variable::kAction;
    if (name == "resource") return Variable::kResource;
    if (name == "context") return Variable::kContext;
    return std::nullopt;
}

// `: did you mean …` among methods or functions, or nothing.
std::string suggestion(std::string_view wrong, bool method) {
    std::vector<std::string_view> names;
    if (method)
        for (const OperatorInfo& info : kOperators)
            if (info.method) names.push_back(info.text);
    for (int i = 0; i <= static_cast<int>(Function::kToDays); ++i) {
        const FunctionInfo& function = info(static_cast<Function>(i));
        if (function.method == method) names.push_back(function.name);
    }
    const std::string near = nearest(wrong, names);
    return near.empty() ? "" : fmt::format(", did you mean `{}`?", near);
}

}  // namespace

ExpressionParser::MaybeNode ExpressionParser::primary() {
    const Token token = cursor_.now();
    switch (token.kind) {
        case Kind::kIdentifier:
            return word();
        case Kind::kNumber:
            return number(false, token.begin);
        case Kind::kString: {
            Value value = Value::string(cursor_.string(token));
            cursor_.advance();
            return literal(std::move(value), token.begin);
        }
        case Kind::kSlot:
            return slot();
        case Kind::kLeftBracket:
            return set();
        case Kind::kLeftBrace:
            return record();
        case Kind::kLeftParen: {
            cursor_.advance();
            const MaybeNode inner = expression();
            if (!inner || !cursor_.expect(Kind::kRightParen, "`)`")) return std::nullopt;
            return inner;
        }
        default:
            cursor_.unexpected("an expression");
            return std::nullopt;
    }
}

// true, false, a variable, an entity or a call of a function.
ExpressionParser::MaybeNode ExpressionParser::word() {
    const Token token = cursor_.now();
    if (cursor_.at_word("true") || cursor_.at_word("false")) {
        const bool value = cursor_.at_word("true");
        cursor_.advance();
        return literal(Value::boolean(value), token.begin);
    }
    if (cursor_.at_word("if") && cursor_.next().kind != Kind::kColons) {
        cursor_.unexpected("an operand: put this `if` in parentheses");
        return std::nullopt;
    }
    auto read = cursor_.reference("an expression");
    if (!read) return std::nullopt;
    if (read->id) {
        EntityUid uid{std::move(read->name), std::move(*read->id)};
        return literal(Value::entity(std::move(uid)), read->begin);
    }
    const auto variable = read->single ? find_variable(read->name) : std::nullopt;
    if (cursor_.at(Kind::kLeftParen)) {
        if (!variable) return function_call(read->name, read->begin);
        cursor_.report(read->begin, fmt::format("`{}(...)` is not a valid function call: variables "
                                                "cannot be called as functions",
                                                read->name));
        return std::nullopt;
    }
    if (variable) {
        Node node;
        node.op = Op::kVariable;
        node.variable = *variable;
        return make(node, {}, read->begin);
    }
    if (!is_reserved(read->name))
        cursor_.report(
            read->begin,
            fmt::format("invalid variable: {0}; the valid Cedar variables are `principal`, "
                        "`action`, `resource`, and `context`; did you mean to enclose `{0}` in "
                        "quotes to make a string?",
                        read->name));
    return literal(Value::boolean(false), read->begin);
}

// Read as u64: the most negative i64 is written with one more than the most positive has.
ExpressionParser::MaybeNode ExpressionParser::number(bool negative, std::uint32_t begin) {
    const std::string_view digits = cursor_.text(cursor_.now());
    const std::uint32_t at = cursor_.now().begin;
    std::uint64_t magnitude = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude);
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    cursor_.advance();
    if (read.ec != std::errc() || magnitude > kMax + (negative ? 1 : 0)) {
        cursor_.report(at, fmt::format("integer literal `{}` is too large: a Long goes from "
                                       "-9223372036854775808 to 9223372036854775807",
                                       digits));
        magnitude = 0;
    }
    return literal(Value::integer(static_cast<std::int64_t>(negative ? ~magnitude + 1 : magnitude)),
                   begin);
}

ExpressionParser::MaybeNode ExpressionParser::slot() {
    const Token token = cursor_.now();
    const std::string_view name = cursor_.text(token);
    if (name == "?principal" || name == "?resource")
        cursor_.report(token.begin,
                       fmt::format("found template slot {} in a `{}` clause: slots stand in the "
                                   "scope only",
                                   name, clause_));
    else
        cursor_.report(token.begin, fmt::format("`{}` is not a valid template slot: a template "
                                                "slot may only be `?principal` or `?resource`",
                                                name));
    cursor_.advance();
    return literal(Value::boolean(false), token.begin);
}

ExpressionParser::MaybeNode ExpressionParser::set() {
    const std::uint32_t begin = cursor_.now().begin;
    cursor_.advance();
    std::vector<NodeId> elements;
    while (!cursor_.at(Kind::kRightBracket)) {
        const MaybeNode element = expression();
        if (!element) return std::nullopt;
        elements.push_back(*element);
        if (!cursor_.accept(Kind::kComma)) break;
    }
    if (!cursor_.expect(Kind::kRightBracket, "`,` or `]`")) return std::nullopt;
    Node node;
    node.op = Op::kSet;
    return make(node, elements, begin);
}

std::optional<std::string> ExpressionParser::key() {
    const Token token = cursor_.now();
    if (token.kind == Kind::kString) {
        std::string text = cursor_.string(token);
        cursor_.advance();
        return text;
    }
    if (token.kind == Kind::kNumber) {
        cursor_.report(token.begin,
                       fmt::format("invalid attribute name: {}; attribute names can either be "
                                   "identifiers or string literals",
                                   cursor_.text(token)));
        return std::nullopt;
    }
    const auto read = cursor_.reference("an attribute name, or `}`");
    if (!read) return std::nullopt;
    if (!read->single || read->id) {
        cursor_.report(read->begin, fmt::format("`{}` cannot be used as an attribute as it "
                                                "contains a namespace",
                                                read->name));
        return std::nullopt;
    }
    return read->name;
}

ExpressionParser::MaybeNode ExpressionParser::record() {
    const std::uint32_t begin = cursor_.now().begin;
    cursor_.advance();
    struct Entry {
        std::string key;
        NodeId value;
        std::uint32_t at;
    };
    std::vector<Entry> entries;
    while (!cursor_.at(Kind::kRightBrace)) {
        const std::uint32_t at = cursor_.now().begin;
        auto name = key();
        if (!name || !cursor_.expect(Kind::kColon, "`:` after the key of a record"))
            return std::nullopt;
        const MaybeNode value = expression();
        if (!value) return std::nullopt;
        entries.push_back({std::move(*name), *value, at});
        if (!cursor_.accept(Kind::kComma)) break;
    }
    if (!cursor_.expect(Kind::kRightBrace, "`,` or `}`")) return std::nullopt;
    // Values are evaluated in the order of their keys.
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return std::tie(a.key, a.at) < std::tie(b.key, b.at);
    });
    Node node;
    node.op = Op::kRecord;
    node.data = static_cast<std::uint32_t>(ast_.names.size());
    node.name_count = static_cast<std::uint32_t>(entries.size());
    std::vector<NodeId> values;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (i > 0 && entries[i].key == entries[i - 1].key)
            cursor_.report(entries[i].at,
                           fmt::format("duplicate key `{}` in record literal", entries[i].key));
        values.push_back(entries[i].value);
    }
    for (Entry& entry : entries) add_name(std::move(entry.key));
    return make(node, values, begin);
}

// ( [expression {, expression}] [,] )
bool ExpressionParser::arguments(std::vector<NodeId>& out) {
    cursor_.advance();
    while (!cursor_.at(Kind::kRightParen)) {
        const MaybeNode argument = expression();
        if (!argument) return false;
        out.push_back(*argument);
        if (!cursor_.accept(Kind::kComma)) break;
    }
    return cursor_.expect(Kind::kRightParen, "`,` or `)`");
}

ExpressionParser::MaybeNode ExpressionParser::function_call(const std::string& name,
                                                            std::uint32_t begin) {
    std::vector<NodeId> given;
    if (!arguments(given)) return std::nullopt;
    const auto function = find_function(name);
    if (method_named(name) != nullptr || (function && !is_constructor(*function))) {
        cursor_.report(begin, fmt::format("`{0}` is a method, not a function: use a method-style "
                                          "call `e.{0}(..)`",
                                          name));
    } else if (!function) {
        cursor_.report(
            begin, fmt::format("`{}` is not a valid function{}", name, suggestion(name, false)));
    }
    Node node;
    node.op = Op::kCall;
    node.function = function.value_or(Function::kDecimal);
    return make(node, given, begin);
}

ExpressionParser::MaybeNode ExpressionParser::method_call(NodeId receiver, const std::string& name,
                                                          std::uint32_t at) {
    std::vector<NodeId> given = {receiver};
    if (!arguments(given)) return std::nullopt;
    Node node;
    if (const OperatorInfo* method = method_named(name)) {
        node.op = method->op;
        if (given.size() - 1 != method->arguments) {
            cursor_.report(at,
                           fmt::format("call to `{}` requires exactly {} argument{}, but got {} "
                                       "argument{}",
                                       name, method->arguments, method->arguments == 1 ? "" : "s",
                                       given.size() - 1, given.size() == 2 ? "" : "s"));
            return receiver;
        }
        return make(node, given, begin_of(receiver));
    }
    const auto function = find_function(name);
    if (!function)
        cursor_.report(at,
                       fmt::format("`{}` is not a valid method{}", name, suggestion(name, true)));
    else if (is_constructor(*function))
        cursor_.report(at, fmt::format("`{0}` is a function, not a method: use a function-style "
                                       "call `{0}(..)`",
                                       name));
    node.op = Op::kCall;
    node.function = function.value_or(Function::kDecimal);
    return make(node, given, begin_of(receiver));
}

const Value* ExpressionParser::constant(NodeId id) const {
    const Node& node = ast_.nodes[id];
    const std::uint32_t literal = node.op == Op::kLiteral ? node.data : node.folded;
    return literal == kNone ? nullptr : &ast_.literals[literal];
}

// A set, record or call of an extension over constants is computed once. One that errs is left as
// it is, and errs when evaluated.
void ExpressionParser::fold(Node& node) {
    if (node.op != Op::kSet && node.op != Op::kRecord && node.op != Op::kCall) return;
    std::vector<Value> values;
    for (NodeId child : ast_.children(node)) {
        const Value* value = constant(child);
        if (value == nullptr) return;
        values.push_back(*value);
    }
    std::optional<Value> result;
    if (node.op == Op::kSet) {
        result = Value::set(std::move(values));
    } else if (node.op == Op::kRecord) {
        std::vector<std::pair<std::string, Value>> members;
        for (std::size_t i = 0; i < values.size(); ++i)
            members.emplace_back(ast_.names[node.data + i], values[i]);
        result = Value::record(std::move(members));
    } else {
        std::vector<Cell> cells;
        std::transform(values.begin(), values.end(), std::back_inserter(cells), Cell::of);
        IpNet place;
        const auto called = call_function(node.function, cells, place);
        if (!called) return;
        result = called->to_value();
    }
    node.folded = static_cast<std::uint32_t>(ast_.literals.size());
    ast_.literals.push_back(std::move(*result));
}

}  // namespace writ::cedar
