#include "policy/flip_arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "cedar/value.h"

namespace writ::policy {
namespace {

using cedar::Ast;
using cedar::Op;

std::string json_string(std::string_view text) {
    std::string out;
    json::append_string(out, text);
    return out;
}

std::string decimal_text(std::int64_t units) {
    const auto magnitude =
        units < 0 ? 0 - static_cast<std::uint64_t>(units) : static_cast<std::uint64_t>(units);
    std::string out =
        fmt::format("{}{}.{:04}", units < 0 ? "-" : "", magnitude / 10'000, magnitude % 10'000);
    while (out.back() == '0' && out[out.size() - 2] != '.') out.pop_back();
    return out;
}

// JSON of values near this one; nothing for what arguments cannot be.
std::vector<std::string> near(const cedar::Cell& cell) {
    std::vector<std::string> out;
    const auto around = [&](auto&& text) {
        out.push_back(text(cell.number()));
        if (cell.number() != INT64_MIN) out.push_back(text(cell.number() - 1));
        if (cell.number() != INT64_MAX) out.push_back(text(cell.number() + 1));
    };
    switch (cell.type()) {
        case cedar::Type::kBool:
            return {cell.is_true() ? "true" : "false"};
        case cedar::Type::kLong:
            around([](std::int64_t v) { return std::to_string(v); });
            return out;
        case cedar::Type::kDecimal:
            around([](std::int64_t v) { return decimal_text(v); });
            return out;
        case cedar::Type::kString:
            return {json_string(cell.text())};
        case cedar::Type::kSet:
            for (std::size_t i = 0; i < cell.set().size(); ++i) {
                const auto one = near(cell.set()[i]);
                if (!one.empty()) out.push_back(one.front());
                if (out.size() >= 8) break;
            }
            return out;
        default:
            return {};
    }
}

class Collector {
  public:
    Collector(const cedar::Policy& policy, std::vector<ArgumentEdit>& into)
        : policy_(policy), ast_(policy.ast), into_(into) {}

    void walk(cedar::NodeId id) {
        const cedar::Node& node = ast_.nodes[id];
        const auto kids = ast_.children(node);
        if (kids.size() == 2) {
            compare(kids[0], kids[1]);
            compare(kids[1], kids[0]);
        }
        if (node.op == Op::kLike)
            if (const auto path = path_of(kids[0]); !path.empty()) like(node, path);
        if (node.op == Op::kHas) has(node, kids[0]);
        if (const auto path = path_of(id); !path.empty()) {
            add(path, "true");
            add(path, "false");
        }
        for (const cedar::NodeId kid : kids) walk(kid);
    }

  private:
    // Names below context.input; empty if it is no such path.
    std::vector<std::string> path_of(cedar::NodeId id) const {
        std::vector<std::string> out;
        while (ast_.nodes[id].op == Op::kAttribute) {
            const cedar::Node& node = ast_.nodes[id];
            out.insert(out.begin(), ast_.names[node.data]);
            id = ast_.kids[node.first];
        }
        const cedar::Node& root = ast_.nodes[id];
        if (root.op != Op::kVariable || root.variable != cedar::Variable::kContext ||
            out.size() < 2 || out.front() != "input")
            return {};
        out.erase(out.begin());
        return out;
    }

    const cedar::Value* literal(cedar::NodeId id) const {
        const cedar::Node& node = ast_.nodes[id];
        if (node.folded != cedar::kNone) return &ast_.literals[node.folded];
        return node.op == Op::kLiteral ? &ast_.literals[node.data] : nullptr;
    }

    void compare(cedar::NodeId one, cedar::NodeId other) {
        const auto path = path_of(one);
        const cedar::Value* value = path.empty() ? nullptr : literal(other);
        if (value == nullptr) return;
        for (auto& text : near(cedar::Cell::of(*value))) add(path, std::move(text));
    }

    // The pattern without its stars fits.
    void like(const cedar::Node& node, const std::vector<std::string>& path) {
        const std::string_view source = policy_.text(node.begin, node.end);
        const auto open = source.rfind(" \"");
        if (open == std::string_view::npos || !source.ends_with('"')) return;
        std::string text(source.substr(open + 2, source.size() - open - 3));
        if (text.find('\\') != std::string::npos) return;
        std::erase(text, '*');
        add(path, json_string(text));
    }

    void has(const cedar::Node& node, cedar::NodeId of) {
        std::vector<std::string> path = path_of(of);
        const cedar::Node& base = ast_.nodes[of];
        const bool is_input = base.op == Op::kAttribute && ast_.names[base.data] == "input" &&
                              ast_.nodes[ast_.kids[base.first]].op == Op::kVariable;
        if (path.empty() && !is_input) return;
        for (std::uint32_t i = 0; i < node.name_count; ++i) {
            path.push_back(ast_.names[node.data + i]);
            into_.push_back({path, std::nullopt});
        }
    }

    void add(std::vector<std::string> path, std::string value) {
        into_.push_back({path, value});
        // `context.input.id.integer` is the member of a choice: the argument is `id`.
        constexpr std::string_view choices[] = {"integer", "number", "string", "boolean"};
        if (path.size() > 1 &&
            std::find(std::begin(choices), std::end(choices), path.back()) != std::end(choices)) {
            path.pop_back();
            into_.push_back({std::move(path), std::move(value)});
        }
    }

    const cedar::Policy& policy_;
    const Ast& ast_;
    std::vector<ArgumentEdit>& into_;
};

// `node` with the path set to `value`, or left out. False if the path leads through what is no
// object.
bool set_at(json::Node& node, const std::vector<std::string>& path, std::size_t depth,
            const std::optional<std::string>& value) {
    const auto* object = node.if_object();
    if (object == nullptr) return false;
    const auto found = object->find(path[depth]);
    if (depth + 1 < path.size()) {
        if (found == object->end()) return false;
        json::Node below = found->second;
        if (!set_at(below, path, depth + 1, value)) return false;
        node[path[depth]] = std::move(below);
        return true;
    }
    if (value) {
        node[path[depth]] = json::Node::raw(*value);
        return true;
    }
    if (found == object->end()) return false;
    json::Node::Object without = *object;
    without.erase(path[depth]);
    node = json::Node(std::move(without));
    return true;
}

std::string before_at(const json::Node& root, const std::vector<std::string>& path) {
    const json::Node* at = &root;
    for (const auto& step : path) {
        const auto* object = at->if_object();
        const auto found = object ? object->find(step) : json::Node::Object::const_iterator{};
        if (object == nullptr || found == object->end()) return "absent";
        at = &found->second;
    }
    return at->dump();
}

}  // namespace

void collect_edits(const cedar::Policy& policy, std::vector<ArgumentEdit>& into) {
    Collector collector(policy, into);
    for (const auto& condition : policy.conditions) collector.walk(condition.body);
}

std::optional<EditedArguments> apply(const std::string& arguments, const ArgumentEdit& edit) {
    const auto parsed = json::parse(arguments);
    if (!parsed) return std::nullopt;
    json::Node root = json::Node::from(parsed->root());
    const std::string before = before_at(root, edit.path);
    if (!set_at(root, edit.path, 0, edit.value)) return std::nullopt;
    if (edit.value && before == *edit.value) return std::nullopt;
    return EditedArguments{root.dump(),
                           fmt::format("argument `{}`: {} -> {}", fmt::join(edit.path, "."), before,
                                       edit.value.value_or("left out"))};
}

}  // namespace writ::policy
