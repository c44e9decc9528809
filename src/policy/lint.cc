// What is allowed and probably not meant: names that nobody has, words that an argument never is,
// policies that others hide, annotations that nobody reads.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/inert.h"
#include "cedar/names.h"
#include "cedar/value.h"
#include "policy/action_scope.h"
#include "policy/anatomy.h"
#include "policy/cedar_engine.h"
#include "policy/check_run.h"
#include "policy/load.h"
#include "policy/scenario.h"
#include "policy/schema.h"

namespace writ::policy {
namespace {

using PolicyPtr = std::shared_ptr<const cedar::Policy>;

constexpr std::array<std::string_view, 8> kEffects = {"read", "write",     "delete", "send",
                                                      "exec", "configure", "grant",  "pay"};
constexpr std::array<std::string_view, 4> kSensitivities = {"public", "internal", "confidential",
                                                            "restricted"};

std::string did_you_mean(std::string_view wrong, const std::vector<std::string>& names) {
    std::vector<std::string_view> views(names.begin(), names.end());
    const std::string near = cedar::nearest(wrong, views);
    if (!near.empty()) return "did you mean `" + near + "`?";
    std::string list;
    for (std::size_t i = 0; i < names.size() && i < 8; ++i)
        list += (i == 0 ? "there is `" : ", `") + inert(names[i], 80) + "`";
    return list + (names.size() > 8 ? " …" : "");
}

class Linter {
  public:
    Linter(const Loaded& loaded, const catalog::Snapshot& catalog, const Shapes& shapes,
           const Agents& agents, const EngineOptions& options, CheckReport& report)
        : loaded_(loaded),
          catalog_(catalog),
          shapes_(shapes),
          options_(options),
          report_(report),
          policies_(policies_of(loaded.set)) {
        for (const auto& agent : agents) {
            agent_ids_.push_back(agent->spiffe_id);
            for (const auto& group : agent->groups) groups_.insert(group);
        }
    }

    void run() {
        for (const auto& [id, policy] : policies_) {
            names(id, *policy);
            annotations(id, *policy);
            words(id, *policy);
        }
        hidden();
    }

  private:
    void add(Level level, std::string rule, const std::string& id, SourceRef at,
             std::string offending, std::string message, std::string help) {
        report_.findings.push_back({level, std::move(rule), id, std::move(at), std::move(offending),
                                    std::move(message), std::move(help)});
    }

    void unknown(const std::string& id, const cedar::Policy& policy, const char* type,
                 const std::vector<std::string>& names, std::string_view what) {
        if (names.empty()) return;
        for (const auto& [entity, at] : mentioned_entities(policy, type))
            if (std::find(names.begin(), names.end(), entity) == names.end())
                add(Level::kWarning, "unknown_name", id, at,
                    fmt::format("{}::\"{}\"", type, inert(entity, 150)),
                    fmt::format("{} `{}`", what, inert(entity, 150)), did_you_mean(entity, names));
    }

    void names(const std::string& id, const cedar::Policy& policy) {
        unknown(id, policy, "Writ::Agent", agent_ids_, "no agent is registered as");
        unknown(id, policy, "Writ::Group", {groups_.begin(), groups_.end()},
                "no agent is in a group");
        auto domains = options_.domains;
        if (!domains.empty()) domains.emplace_back("unclassified");
        unknown(id, policy, "Writ::Domain", domains, "no data domain is configured as");
    }

    void annotations(const std::string& id, const cedar::Policy& policy) {
        constexpr std::array<std::string_view, 9> known = {
            "id", "hold", "redact", "cap", "notify", "description", "owner", "advice", "ticket"};
        for (const auto& [key, value] : policy.annotations)
            if (std::find(known.begin(), known.end(), key) == known.end())
                add(Level::kNote, "unread_annotation", id, policy.source->at(policy.begin),
                    "@" + key, fmt::format("Writ does not read `@{}`: it is for people only", key),
                    "");
    }

    // --- literals that an argument never equals ---

    void words(const std::string& id, const cedar::Policy& policy) {
        for (const auto& node : policy.ast.nodes) {
            const bool compares = node.op == cedar::Op::kEqual || node.op == cedar::Op::kNotEqual ||
                                  node.op == cedar::Op::kContains;
            if (!compares) continue;
            const auto kids = policy.ast.children(node);
            compare(id, policy, kids[0], kids[1]);
            compare(id, policy, kids[1], kids[0]);
        }
    }

    static std::vector<std::string> path_of(const cedar::Policy& policy, cedar::NodeId at) {
        std::vector<std::string> out;
        const cedar::Ast& ast = policy.ast;
        while (ast.nodes[at].op == cedar::Op::kAttribute) {
            out.insert(out.begin(), ast.names[ast.nodes[at].data]);
            at = ast.kids[ast.nodes[at].first];
        }
        const cedar::Node& root = ast.nodes[at];
        if (root.op != cedar::Op::kVariable) return {};
        out.insert(out.begin(), root.variable == cedar::Variable::kContext    ? "context"
                                : root.variable == cedar::Variable::kResource ? "resource"
                                                                              : "other");
        return out;
    }

    // Every string that this path can be, over all tools that the policy is about; nothing: any.
    std::optional<std::vector<std::string>> words_at(const cedar::Policy& policy,
                                                     const std::vector<std::string>& path) const {
        if (path == std::vector<std::string>{"context", "tool", "effect"})
            return std::vector<std::string>(kEffects.begin(), kEffects.end());
        if (path == std::vector<std::string>{"resource", "sensitivity"})
            return std::vector<std::string>(kSensitivities.begin(), kSensitivities.end());
        if (path.size() < 3 || path[0] != "context" || path[1] != "input") return std::nullopt;
        std::set<std::string> all;
        for (const auto& tool : catalog_.tools()) {
            if (!action_scope_covers(policy, *tool)) continue;
            const Shape* at = shapes_.of(*tool).get();
            for (std::size_t i = 2; at != nullptr && i < path.size(); ++i) {
                if (at->any || !at->object) return std::nullopt;
                const auto member = at->object->members.find(path[i]);
                at = member == at->object->members.end() ? nullptr : member->second.shape.get();
            }
            if (at == nullptr) continue;  // this tool has no such argument
            const Shape* element = at->array && at->array->element ? at->array->element.get() : at;
            if (element->any || element->words.empty()) return std::nullopt;
            all.insert(element->words.begin(), element->words.end());
        }
        if (all.empty()) return std::nullopt;
        return std::vector<std::string>(all.begin(), all.end());
    }

    void compare(const std::string& id, const cedar::Policy& policy, cedar::NodeId path_node,
                 cedar::NodeId literal_node) {
        const auto words = words_at(policy, path_of(policy, path_node));
        if (!words) return;
        check_literal(id, policy, literal_node, *words);
        if (policy.ast.nodes[literal_node].op == cedar::Op::kSet)
            for (const cedar::NodeId element : policy.ast.children(policy.ast.nodes[literal_node]))
                check_literal(id, policy, element, *words);
    }

    void check_literal(const std::string& id, const cedar::Policy& policy, cedar::NodeId at,
                       const std::vector<std::string>& words) {
        const cedar::Node& node = policy.ast.nodes[at];
        if (node.op != cedar::Op::kLiteral) return;
        const cedar::Cell cell = cedar::Cell::of(policy.ast.literals[node.data]);
        if (!cell.is(cedar::Type::kString)) return;
        if (std::binary_search(words.begin(), words.end(), cell.text()) ||
            std::find(words.begin(), words.end(), cell.text()) != words.end())
            return;
        add(Level::kWarning, "impossible_value", id, policy.source->at(node.begin),
            "\"" + inert(cell.text(), 150) + "\"",
            fmt::format("it is never `{}`", inert(cell.text(), 150)),
            did_you_mean(cell.text(), words));
    }

    // --- policies that others hide ---

    // Whether every request in the scope of `b` is in the scope of `a`.
    bool scope_covers(const cedar::Policy& a, const cedar::Policy& b) const {
        const auto entity = [](const cedar::Policy& p, const cedar::EntityScope& x) {
            return p.text(x.begin, x.end);
        };
        const auto covers = [&](const cedar::EntityScope& x, const cedar::EntityScope& y) {
            const bool free = x.kind == cedar::ScopeKind::kAny && x.type.empty();
            return free || entity(a, x) == entity(b, y);
        };
        if (!covers(a.principal, b.principal) || !covers(a.resource, b.resource)) return false;
        if (a.action.kind == cedar::ScopeKind::kAny) return true;
        if (b.action.kind == cedar::ScopeKind::kAny) return false;
        if (a.text(a.action.begin, a.action.end) == b.text(b.action.begin, b.action.end))
            return true;
        std::size_t tools = 0;
        for (const auto& tool : catalog_.tools()) {
            if (!action_scope_covers(b, *tool)) continue;
            ++tools;
            if (!action_scope_covers(a, *tool)) return false;
        }
        return tools > 0;
    }

    static std::string conditions_text(const cedar::Policy& policy) {
        std::string out;
        for (const auto& condition : policy.conditions)
            out += std::string(policy.text(condition.begin, condition.end)) + "\n";
        return out;
    }

    bool plain(const std::string& id) const {
        const auto notes = loaded_.notes.find(id);
        return notes == loaded_.notes.end() ||
               (!notes->second.hold && notes->second.obligations.empty());
    }

    void hidden_by(const std::pair<std::string, PolicyPtr>& one,
                   const std::pair<std::string, PolicyPtr>& other, bool earlier) {
        const cedar::Policy& a = *other.second;
        const cedar::Policy& b = *one.second;
        if (!scope_covers(a, b)) return;
        const SourceRef at = b.source->at(b.begin);
        const std::string where =
            fmt::format("`{}` ({}:{})", other.first, a.source->file, a.source->at(a.begin).line);
        const bool always = a.conditions.empty();
        if (always && a.effect == cedar::Effect::kForbid && plain(other.first) &&
            b.effect == cedar::Effect::kPermit) {
            add(Level::kWarning, "unreachable", one.first, at, "",
                "it never permits anything: " + where + " forbids all that is in its scope",
                "remove one of the two, or narrow the forbid");
            return;
        }
        if (a.effect != b.effect || !plain(one.first) || !plain(other.first)) return;
        const bool same_conditions = conditions_text(a) == conditions_text(b);
        if (!always && !same_conditions) return;
        if (scope_covers(b, a) && (same_conditions || b.conditions.empty()) && !earlier) return;
        add(Level::kWarning, "shadowed", one.first, at, "",
            "it changes nothing: " + where + " says the same of all that is in its scope",
            "remove it, or narrow the other");
    }

    void hidden() {
        constexpr std::size_t kMaxCompared = 2'000;  // pairs grow with the square
        if (policies_.size() > kMaxCompared) {
            add(Level::kNote, "not_compared", "", {}, "",
                fmt::format("more than {} policies: none was compared with the others",
                            kMaxCompared),
                "");
            return;
        }
        for (std::size_t i = 0; i < policies_.size(); ++i) {
            const std::size_t before = report_.findings.size();
            for (std::size_t j = 0; j < policies_.size(); ++j) {
                if (i == j) continue;
                hidden_by(policies_[i], policies_[j], j < i);
                if (report_.findings.size() > before) break;  // one reason is enough
            }
        }
    }

    const Loaded& loaded_;
    const catalog::Snapshot& catalog_;
    const Shapes& shapes_;
    const EngineOptions& options_;
    CheckReport& report_;
    const std::vector<std::pair<std::string, PolicyPtr>> policies_;
    std::vector<std::string> agent_ids_;
    std::set<std::string> groups_;
};

}  // namespace

CheckReport check_all(const Loaded& loaded, const catalog::Snapshot& catalog, const Shapes& shapes,
                      const Agents& agents, const EngineOptions& options) {
    CheckReport report = run_type_check(loaded, catalog, shapes, options, true);
    Linter(loaded, catalog, shapes, agents, options, report).run();
    sort_findings(report);
    return report;
}

CheckReport check_world(const World& world) {
    const auto* engine = CedarEngine::from(*world.engine);
    if (engine == nullptr) return {};
    return check_all(engine->loaded(), *world.catalog, engine->shapes(), world.agents,
                     engine->options());
}

std::map<std::string, std::string> texts_of(const World& world) {
    std::map<std::string, std::string> out;
    const auto* engine = CedarEngine::from(*world.engine);
    if (engine != nullptr)
        for (const auto& [id, policy] : policies_of(engine->set()))
            out.emplace(id, policy->text(policy->begin, policy->end));
    return out;
}

}  // namespace writ::policy
