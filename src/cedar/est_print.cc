// From the tree of a policy to its JSON. Operators stay as they were written; `has a.b.c` becomes
// the conjunction it stands for, as in the reference.
#include <fmt/format.h>

#include <array>

#include "cedar/est.h"
#include "cedar/operators.h"
#include "cedar/value.h"
#include "json/node.h"
#include "json/utf8.h"

namespace writ::cedar {
namespace {

std::string_view operator_name(Op op) {
    if (op == Op::kNot) return "!";
    if (op == Op::kNegate) return "neg";
    const OperatorInfo* info = operator_info(op);
    return info == nullptr ? std::string_view() : info->text;
}

class EstPrinter {
  public:
    explicit EstPrinter(const Policy& policy) : policy_(policy), ast_(policy.ast) {}

    Result<std::string> print() {
        out_ += policy_.effect == Effect::kPermit ? R"({"effect":"permit","principal":)"
                                                  : R"({"effect":"forbid","principal":)";
        scope(policy_.principal, "?principal");
        out_ += R"(,"action":)";
        action(policy_.action);
        out_ += R"(,"resource":)";
        scope(policy_.resource, "?resource");
        out_ += R"(,"conditions":[)";
        for (std::size_t i = 0; i < policy_.conditions.size(); ++i) {
            const Condition& condition = policy_.conditions[i];
            if (i > 0) out_ += ',';
            out_ += condition.unless ? R"({"kind":"unless","body":)" : R"({"kind":"when","body":)";
            expression(condition.body);
            out_ += '}';
        }
        out_ += ']';
        annotations();
        out_ += '}';
        if (full())
            return fail(ErrorCode::kTooLarge,
                        fmt::format("the policy as JSON would have more than {} bytes: each "
                                    "`has a.b.c` repeats what stands before it; use `has a && …`",
                                    kEstBytesMax),
                        policy_.source->at(policy_.begin));
        return std::move(out_);
    }

  private:
    bool full() const { return out_.size() > kEstBytesMax; }
    void text(std::string_view of) { json::append_string(out_, of); }

    void annotations() {
        if (policy_.annotations.empty()) return;
        out_ += R"(,"annotations":)";
        char separator = '{';
        for (const auto& [name, value] : policy_.annotations) {
            out_ += separator;
            separator = ',';
            text(name);
            out_ += ':';
            if (policy_.bare_annotations.contains(name))
                out_ += "null";
            else
                text(value);
        }
        out_ += '}';
    }

    void uid(const EntityUid& of) {
        out_ += R"({"type":)";
        text(of.type);
        out_ += R"(,"id":)";
        text(of.id);
        out_ += '}';
    }

    void target(const EntityScope& scope, std::string_view slot) {
        if (scope.slot) {
            out_ += R"("slot":)";
            text(slot);
        } else {
            out_ += R"("entity":)";
            uid(scope.uid.uid);
        }
    }

    void scope(const EntityScope& scope, std::string_view slot) {
        if (!scope.type.empty()) {
            out_ += R"({"op":"is","entity_type":)";
            text(scope.type);
            if (scope.kind == ScopeKind::kIn) {
                out_ += R"(,"in":{)";
                target(scope, slot);
                out_ += '}';
            }
            out_ += '}';
        } else if (scope.kind == ScopeKind::kAny) {
            out_ += R"({"op":"All"})";
        } else {
            out_ += scope.kind == ScopeKind::kEqual ? R"({"op":"==",)" : R"({"op":"in",)";
            target(scope, slot);
            out_ += '}';
        }
    }

    void action(const ActionScope& scope) {
        if (scope.kind == ScopeKind::kAny) {
            out_ += R"({"op":"All"})";
            return;
        }
        out_ += scope.kind == ScopeKind::kEqual ? R"({"op":"==",)" : R"({"op":"in",)";
        if (scope.uids.size() == 1) {
            out_ += R"("entity":)";
            uid(scope.uids[0].uid);
        } else {
            out_ += R"("entities":[)";
            for (std::size_t i = 0; i < scope.uids.size(); ++i) {
                if (i > 0) out_ += ',';
                uid(scope.uids[i].uid);
            }
            out_ += ']';
        }
        out_ += '}';
    }

    void literal(const Cell& value) {
        out_ += R"({"Value":)";
        switch (value.type()) {
            case Type::kBool:
                out_ += value.is_true() ? "true" : "false";
                break;
            case Type::kLong:
                out_ += std::to_string(value.number());
                break;
            case Type::kString:
                text(value.text());
                break;
            default:
                out_ += R"({"__entity":)";
                uid(*value.uid().uid);
                out_ += '}';
        }
        out_ += '}';
    }

    // Recursion: as deep as the tree (kMaxDepth).
    void expression(NodeId id) {
        if (full()) return;
        const Node& node = ast_.nodes[id];
        const auto kids = ast_.children(node);
        switch (node.op) {
            case Op::kLiteral:
                return literal(Cell::of(ast_.literals[node.data]));
            case Op::kVariable:
                return variable(node.variable);
            case Op::kIf:
                member("if-then-else", "if", kids[0]);
                next("then", kids[1]);
                next("else", kids[2]);
                out_ += "}}";
                return;
            case Op::kAttribute:
                member(".", "left", kids[0]);
                attribute(ast_.names[node.data]);
                return;
            case Op::kHas:
                return has(node, node.name_count);
            case Op::kLike:
                member("like", "left", kids[0]);
                pattern(ast_.patterns[node.data]);
                return;
            case Op::kIs:
            case Op::kIsIn:
                member("is", "left", kids[0]);
                out_ += R"(,"entity_type":)";
                text(ast_.names[node.data]);
                if (node.op == Op::kIsIn) next("in", kids[1]);
                out_ += "}}";
                return;
            case Op::kSet:
                out_ += R"({"Set":)";
                list(kids);
                out_ += '}';
                return;
            case Op::kRecord:
                return record(node);
            case Op::kCall:
                out_ += '{';
                text(info(node.function).name);
                out_ += ':';
                list(kids);
                out_ += '}';
                return;
            default:
                return operation(operator_name(node.op), kids);
        }
    }

    void variable(Variable variable) {
        constexpr std::array<std::string_view, 4> kNames = {"principal", "action", "resource",
                                                            "context"};
        out_ += R"({"Var":)";
        text(kNames[static_cast<std::size_t>(variable)]);
        out_ += '}';
    }

    // `{"operator":{"key":child`
    void member(std::string_view name, std::string_view key, NodeId child) {
        out_ += '{';
        text(name);
        out_ += ":{";
        text(key);
        out_ += ':';
        expression(child);
    }
    void next(std::string_view key, NodeId child) {
        out_ += ',';
        text(key);
        out_ += ':';
        expression(child);
    }
    void attribute(std::string_view name) {
        out_ += R"(,"attr":)";
        text(name);
        out_ += "}}";
    }
    // One operand, or two; more of `&&` and `||`, which nest to the left.
    void operation(std::string_view name, std::span<const NodeId> kids) {
        if (kids.size() == 1) {
            member(name, "arg", kids[0]);
            out_ += "}}";
            return;
        }
        for (std::size_t i = 1; i < kids.size(); ++i)
            out_ += fmt::format(R"({{"{}":{{"left":)", name);
        expression(kids[0]);
        for (std::size_t i = 1; i < kids.size(); ++i) {
            next("right", kids[i]);
            out_ += "}}";
        }
    }

    // e has a.b.c is ((e has a && e.a has b) && e.a.b has c)
    void has(const Node& node, std::uint32_t count) {
        for (std::uint32_t i = 1; i < count; ++i) out_ += R"({"&&":{"left":)";
        for (std::uint32_t i = 0; i < count; ++i) {
            if (i > 0) out_ += R"(,"right":)";
            out_ += R"({"has":{"left":)";
            path(node, i);
            attribute(ast_.names[node.data + i]);
            if (i > 0) out_ += "}}";
        }
    }
    // The receiver with the first `count` names after it.
    void path(const Node& node, std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; ++i) out_ += R"({".":{"left":)";
        expression(ast_.children(node)[0]);
        for (std::uint32_t i = 0; i < count; ++i) attribute(ast_.names[node.data + i]);
    }

    // The reference writes each character of a pattern by itself.
    void pattern(const Pattern& pattern) {
        out_ += R"(,"pattern":[)";
        bool first = true;
        const auto element = [&] {
            if (!first) out_ += ',';
            first = false;
        };
        for (std::size_t i = 0; i < pattern.pieces().size(); ++i) {
            if (i > 0) {
                element();
                out_ += R"("Wildcard")";
            }
            const std::string_view piece = pattern.pieces()[i];
            for (std::size_t at = 0; at < piece.size();) {
                const std::size_t length = std::max<std::size_t>(1, json::utf8_sequence(piece, at));
                element();
                out_ += R"({"Literal":)";
                text(piece.substr(at, length));
                out_ += '}';
                at += length;
            }
        }
        out_ += "]}}";
    }

    void list(std::span<const NodeId> kids) {
        out_ += '[';
        for (std::size_t i = 0; i < kids.size(); ++i) {
            if (i > 0) out_ += ',';
            expression(kids[i]);
        }
        out_ += ']';
    }

    void record(const Node& node) {
        out_ += R"({"Record":{)";
        const auto kids = ast_.children(node);
        for (std::size_t i = 0; i < kids.size(); ++i) {
            if (i > 0) out_ += ',';
            text(ast_.names[node.data + i]);
            out_ += ':';
            expression(kids[i]);
        }
        out_ += "}}";
    }

    const Policy& policy_;
    const Ast& ast_;
    std::string out_;
};

}  // namespace

Result<std::string> policy_to_json(const Policy& policy) {
    return EstPrinter(policy).print();
}

}  // namespace writ::cedar
