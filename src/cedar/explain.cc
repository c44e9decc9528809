#include "cedar/explain.h"

#include <fmt/format.h>

#include <algorithm>

namespace writ::cedar {
namespace {

constexpr std::size_t kPathsMax = 16;       // values shown
constexpr std::size_t kFactShownMax = 200;  // bytes of each
constexpr std::size_t kSourceShownMax = 1'000;

std::string cut(std::string text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return text;
    std::size_t end = bytes_max;
    while (end > 0 && (text[end] & 0xc0) == 0x80) --end;
    return text.substr(0, end) + "…";
}

// A chain of attributes down to a variable.
bool is_path(const Ast& ast, NodeId id) {
    while (ast.nodes[id].op == Op::kAttribute) id = ast.kids[ast.nodes[id].first];
    return ast.nodes[id].op == Op::kVariable;
}

class Explainer {
  public:
    Explainer(const Policy& policy, Evaluator& evaluator)
        : policy_(policy), evaluator_(evaluator) {}

    // Everything that is read below `id`, in the order of the source.
    void collect(NodeId id) {
        const Node& node = policy_.ast.nodes[id];
        if (is_path(policy_.ast, id)) {
            add_value(id);
            return;
        }
        if (node.op == Op::kHas && is_path(policy_.ast, policy_.ast.kids[node.first])) {
            add_has(id);
            return;
        }
        for (NodeId child : policy_.ast.children(node)) collect(child);
    }

    std::string text() const { return fmt::format("{}", fmt::join(found_, ", ")); }

  private:
    std::string source(NodeId id) const {
        const Node& node = policy_.ast.nodes[id];
        return std::string(policy_.text(node.begin, node.end));
    }

    void add(std::string line) {
        if (found_.size() >= kPathsMax) return;
        if (std::find(found_.begin(), found_.end(), line) == found_.end())
            found_.push_back(std::move(line));
    }

    // The whole context is no answer to "what was it?".
    void add_value(NodeId id) {
        const Node& node = policy_.ast.nodes[id];
        if (node.op == Op::kVariable && node.variable == Variable::kContext) return;
        const auto value = evaluator_.value(policy_.ast, id);
        if (!value) return;
        add(fmt::format("{} is {}", source(id), cut(value->to_value().text(), kFactShownMax)));
    }

    void add_has(NodeId id) {
        const auto value = evaluator_.value(policy_.ast, id);
        if (!value) return;
        add(fmt::format("`{}` is {}", source(id), value->is_true()));
    }

    const Policy& policy_;
    Evaluator& evaluator_;
    std::vector<std::string> found_;
};

}  // namespace

std::string explain_condition(const Policy& policy, std::size_t index, Evaluator& evaluator) {
    const Condition& condition = policy.conditions[index];
    std::string out =
        cut(std::string(policy.text(condition.begin, condition.end)), kSourceShownMax);
    out += condition.unless ? " is true" : " is false";
    Explainer explainer(policy, evaluator);
    explainer.collect(condition.body);
    const std::string values = explainer.text();
    return values.empty() ? out : out + ": " + values;
}

std::string explain_scope(const Policy& policy, const RequestView& request) {
    const auto differs = [&](std::uint32_t begin, std::uint32_t end, const UidRef& uid) {
        return fmt::format("scope `{}` does not match {}",
                           cut(std::string(policy.text(begin, end)), kSourceShownMax),
                           uid.uid->text());
    };
    if (!scope_matches(policy.principal, request.principal, request))
        return differs(policy.principal.begin, policy.principal.end, request.principal);
    if (!scope_matches(policy.action, request.action, request))
        return differs(policy.action.begin, policy.action.end, request.action);
    return differs(policy.resource.begin, policy.resource.end, request.resource);
}

}  // namespace writ::cedar
