#include "cedar/policy_text.h"

#include <array>

#include "cedar/escape.h"
#include "cedar/names.h"
#include "cedar/operators.h"

namespace writ::cedar {
namespace {

std::string_view variable_name(Variable variable) {
    constexpr std::array<std::string_view, 4> names = {"principal", "action", "resource",
                                                       "context"};
    return names[static_cast<std::size_t>(variable)];
}

// Recursion: bounded by the depth of the tree.
class TextPrinter {
  public:
    explicit TextPrinter(const Ast& ast) : ast_(ast) {}

    void print(NodeId id) {
        const Node& node = ast_.nodes[id];
        if (const OperatorInfo* info = operator_info(node.op); info != nullptr)
            return info->method ? call(node, info->text) : list(node, info->text);
        switch (node.op) {
            case Op::kLiteral:
                out_ += ast_.literals[node.data].text();
                break;
            case Op::kVariable:
                out_ += variable_name(node.variable);
                break;
            case Op::kNot:
            case Op::kNegate:
                out_ += node.op == Op::kNot ? "!(" : "-(";
                print(child(node, 0));
                out_ += ')';
                break;
            case Op::kIf:
                conditional(node);
                break;
            case Op::kSet:
                out_ += '[';
                join(node, 0);
                out_ += ']';
                break;
            case Op::kRecord:
                record(node);
                break;
            case Op::kCall:
                function(node);
                break;
            default:
                named(node);
        }
    }

    std::string take() { return std::move(out_); }

  private:
    NodeId child(const Node& node, std::uint32_t i) const { return ast_.kids[node.first + i]; }

    // What needs no parentheses wherever it stands: but for a negative number, which does as a
    // receiver and after a minus.
    bool is_simple(NodeId id) const {
        const Node& node = ast_.nodes[id];
        if (node.op == Op::kLiteral) return !ast_.literals[node.data].text().starts_with('-');
        return node.op == Op::kVariable || node.op == Op::kAttribute || node.op == Op::kSet ||
               node.op == Op::kRecord || node.op == Op::kCall || is_method(node.op);
    }

    void operand(NodeId id) {
        const bool simple = is_simple(id);
        if (!simple) out_ += '(';
        print(id);
        if (!simple) out_ += ')';
    }

    void join(const Node& node, std::uint32_t from) {
        for (std::uint32_t i = from; i < node.count; ++i) {
            if (i > from) out_ += ", ";
            print(child(node, i));
        }
    }

    static bool is_method(Op op) {
        const OperatorInfo* info = operator_info(op);
        return info != nullptr && info->method;
    }

    void list(const Node& node, std::string_view between) {
        for (std::uint32_t i = 0; i < node.count; ++i) {
            if (i > 0) (out_ += ' ').append(between) += ' ';
            operand(child(node, i));
        }
    }

    void call(const Node& node, std::string_view name) {
        operand(child(node, 0));
        out_ += '.';
        out_ += name;
        out_ += '(';
        join(node, 1);
        out_ += ')';
    }

    void function(const Node& node) {
        const FunctionInfo& called = info(node.function);
        if (called.method) return call(node, called.name);
        out_ += called.name;
        out_ += '(';
        join(node, 0);
        out_ += ')';
    }

    void conditional(const Node& node) {
        out_ += "if ";
        operand(child(node, 0));
        out_ += " then ";
        operand(child(node, 1));
        out_ += " else ";
        operand(child(node, 2));
    }

    void record(const Node& node) {
        out_ += '{';
        for (std::uint32_t i = 0; i < node.count; ++i) {
            const std::string& key = ast_.names[node.data + i];
            if (i > 0) out_ += ", ";
            out_ += is_bare_key(key) ? key : string_literal(key);
            out_ += ": ";
            print(child(node, i));
        }
        out_ += '}';
    }

    void named(const Node& node) {
        operand(child(node, 0));
        const std::string& name = node.op == Op::kLike ? none_ : ast_.names[node.data];
        if (node.op == Op::kAttribute) {
            if (is_bare_key(name)) {
                out_ += '.';
                out_ += name;
            } else {
                out_ += '[';
                out_ += string_literal(name);
                out_ += ']';
            }
        } else if (node.op == Op::kHas) {
            out_ += " has ";
            out_ += is_bare_key(name) ? name : string_literal(name);
            for (std::uint32_t i = 1; i < node.name_count; ++i) {
                out_ += '.';
                out_ += ast_.names[node.data + i];
            }
        } else if (node.op == Op::kLike) {
            out_ += " like ";
            pattern(ast_.patterns[node.data]);
        } else {
            out_ += " is ";
            out_ += name;
            if (node.op == Op::kIsIn) {
                out_ += " in ";
                operand(child(node, 1));
            }
        }
    }

    void pattern(const Pattern& of) {
        out_ += '"';
        for (std::size_t i = 0; i < of.pieces().size(); ++i) {
            if (i > 0) out_ += '*';
            for (const char c : escape(of.pieces()[i])) {
                if (c == '*') out_ += '\\';
                out_ += c;
            }
        }
        out_ += '"';
    }

    const Ast& ast_;
    const std::string none_;
    std::string out_;
};

void print_scope(const EntityScope& scope, std::string_view variable, std::string& out) {
    out += variable;
    if (!scope.type.empty()) out += " is " + scope.type;
    if (scope.kind == ScopeKind::kAny) return;
    out += scope.kind == ScopeKind::kEqual ? " == " : " in ";
    out += scope.slot ? "?" + std::string(variable) : scope.uid.uid.text();
}

void print_scope(const ActionScope& scope, std::string& out) {
    out += "action";
    if (scope.kind == ScopeKind::kAny) return;
    if (scope.kind == ScopeKind::kEqual) {
        out += " == " + scope.uids[0].uid.text();
        return;
    }
    out += " in [";
    for (std::size_t i = 0; i < scope.uids.size(); ++i) {
        if (i > 0) out += ", ";
        out += scope.uids[i].uid.text();
    }
    out += ']';
}

}  // namespace

std::string expression_text(const Ast& ast, NodeId id) {
    TextPrinter printer(ast);
    printer.print(id);
    return printer.take();
}

std::string policy_text(const Policy& policy) {
    std::string out;
    for (const auto& [key, value] : policy.annotations)
        out += "@" + key +
               (policy.bare_annotations.contains(key) ? "" : "(" + string_literal(value) + ")") +
               "\n";
    out += policy.effect == Effect::kPermit ? "permit (" : "forbid (";
    print_scope(policy.principal, "principal", out);
    out += ", ";
    print_scope(policy.action, out);
    out += ", ";
    print_scope(policy.resource, "resource", out);
    out += ")";
    for (const Condition& condition : policy.conditions)
        out += std::string(condition.unless ? "\nunless { " : "\nwhen { ") +
               expression_text(policy.ast, condition.body) + " }";
    return out + ";\n";
}

}  // namespace writ::cedar
