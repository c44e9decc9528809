#include "policy/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/inert.h"
#include "base/limits.h"
#include "cedar/names.h"

namespace writ::policy {
namespace {

// A task that was never started: its ids are the same every time, so that answers are too.
constexpr std::string_view kScenarioTask = "01a00000-0000-7000-8000-00000000000";

std::string nearest(std::string_view wrong, const std::vector<std::string>& names) {
    std::vector<std::string_view> views(names.begin(), names.end());
    const std::string found = cedar::nearest(wrong, views);
    if (!found.empty()) return ", did you mean `" + found + "`?";
    std::string list;
    for (std::size_t i = 0; i < names.size() && i < 12; ++i)
        list += (i == 0 ? ": there is `" : ", `") + inert(names[i], 100) + "`";
    return list + (names.size() > 12 ? " …" : "");
}

Result<std::shared_ptr<const identity::Agent>> find_agent(const std::string& name,
                                                          const World& world) {
    if (world.agents.empty())
        return fail(ErrorCode::kNotFound, "no agent is registered: add [[agents]] to writ.toml");
    if (name.empty()) return world.agents.front();
    std::vector<std::string> names;
    for (const auto& agent : world.agents) {
        if (agent->name == name) return agent;
        names.push_back(agent->name);
    }
    return fail(ErrorCode::kNotFound,
                fmt::format("no agent `{}`{}", inert(name, 100), nearest(name, names)));
}

std::shared_ptr<const identity::Task> make_task(const Scenario& scenario,
                                                const std::shared_ptr<const identity::Agent>& agent,
                                                const std::string& tool) {
    auto chain = scenario.chain;
    if (chain.empty()) chain = {{{{tool}, {}, "", 0}}};
    std::shared_ptr<const identity::Task> parent;
    for (std::size_t depth = 0; depth < chain.size(); ++depth) {
        auto task = std::make_shared<identity::Task>();
        // 36 characters: the last digit tells the depths apart.
        const auto id = TaskId::parse(fmt::format("{}{:x}", kScenarioTask, depth & 15));
        task->id = id.value_or(TaskId{});
        task->root = parent ? parent->root : task->id;
        task->depth = static_cast<std::int64_t>(depth);
        task->agent = agent;
        task->parent_task = parent;
        task->spec.agent = agent->name;
        task->spec.subject = scenario.subject.empty() ? "person:alice" : scenario.subject;
        task->spec.purpose = scenario.purpose;
        task->spec.grants = chain[depth];
        parent = std::move(task);
    }
    return parent;
}

Verdict refusal(std::string code, std::string reason) {
    Verdict verdict;
    verdict.code = std::move(code);
    verdict.advice = reason;
    verdict.reason = std::move(reason);
    verdict.granted = true;
    return verdict;
}

}  // namespace

Result<std::vector<identity::Grant>> Scenario::grants_from(std::string_view json) {
    const std::string text = fmt::format("{{\"grants\":{}}}", json);
    const auto parsed = json::parse(text);
    if (!parsed) return fail(parsed.error().in("the grants are no JSON"));
    auto spec = identity::TaskSpec::from_json(parsed->root());
    if (!spec) return fail(spec.error());
    for (const auto& grant : spec->grants)
        if (!grant.when.empty())
            if (const auto checked = check_condition(grant.when); !checked)
                return fail(checked.error().in("`when` is not a Cedar expression"));
    return std::move(spec->grants);
}

Result<Posed> Posed::make(const Scenario& scenario, const World& world) {
    const auto agent = find_agent(scenario.agent, world);
    if (!agent) return fail(agent.error());
    auto tool = world.catalog->by_qualified(scenario.tool);
    if (!tool) tool = world.catalog->by_exposed(scenario.tool);
    if (!tool) {
        std::vector<std::string> names;
        for (const auto& one : world.catalog->tools()) names.push_back(one->qualified());
        return fail(ErrorCode::kNotFound, fmt::format("no tool `{}`{}", inert(scenario.tool, 150),
                                                      nearest(scenario.tool, names)));
    }
    if (scenario.chain.size() > kMaxChainDepth)
        return fail(ErrorCode::kTooLarge,
                    fmt::format("a chain has at most {} tasks", kMaxChainDepth));
    auto task = make_task(scenario, *agent, tool->qualified());
    return of(std::move(task), tool, world.catalog, scenario.arguments,
              scenario.now_us.value_or(kScenarioNow_us), scenario.charter_changed);
}

Result<Posed> Posed::of(std::shared_ptr<const identity::Task> task,
                        std::shared_ptr<const catalog::Tool> tool,
                        std::shared_ptr<const catalog::Snapshot> catalog, std::string arguments,
                        std::int64_t now_us, bool charter_changed) {
    Posed out;
    out.task_ = std::move(task);
    out.tool_ = std::move(tool);
    out.catalog_ = std::move(catalog);
    out.now_us_ = now_us;
    out.charter_changed_ = charter_changed;
    if (const auto read = out.read_arguments(std::move(arguments)); !read)
        return fail(read.error());
    return out;
}

// As the gate reads them: one decode, sensitive arguments canonical, one resource.
Status Posed::read_arguments(std::string text) {
    refused_.reset();
    resource_.reset();
    arguments_ = std::make_shared<const std::string>(std::move(text));
    auto parsed = json::parse(*arguments_);
    if (!parsed) return fail(parsed.error().in("the arguments are not JSON"));
    document_ = std::make_shared<const json::Document>(std::move(*parsed));
    if (tool_->changed) {
        refused_ = refusal("tool_changed", "the definition is not the one that was pinned");
        return {};
    }
    root_ = document_->root();
    const json::Value& root = *root_;
    if (!root.is_object()) {
        refused_ = refusal("bad_argument", "the arguments are not an object");
        return {};
    }
    if (const auto canonical = catalog_->check_sensitive(*tool_, root); !canonical) {
        refused_ = refusal("bad_argument", canonical.error().detail);
        return {};
    }
    auto resource = catalog_->resource(*tool_, root);
    if (resource)
        resource_ = std::move(*resource);
    else
        refused_ = refusal("bad_argument", resource.error().detail);
    return {};
}

Result<Posed> Posed::with_arguments(std::string arguments) const {
    Posed out = *this;
    if (const auto read = out.read_arguments(std::move(arguments)); !read)
        return fail(read.error());
    return out;
}

Posed Posed::with_task(std::shared_ptr<const identity::Task> task) const {
    Posed out = *this;
    out.task_ = std::move(task);
    return out;
}

std::optional<Question> Posed::question() const {
    if (!resource_) return std::nullopt;
    return Question{*task_, *tool_, *resource_, *root_, now_us_, charter_changed_};
}

Verdict Posed::decide(const Engine& engine) const {
    const auto asked = question();
    return asked ? engine.decide(*asked) : *refused_;
}

json::Node Posed::explain(const Engine& engine) const {
    if (const auto asked = question()) return engine.explain(*asked);
    json::Node out = json::Node::object();
    out["verdict"] = name(refused_->kind);
    out["code"] = refused_->code;
    out["reason"] = refused_->reason;
    out["granted"] = true;
    out["tool"] = tool_->qualified();
    out["grants"] = json::Node::array();
    out["policies"] = json::Node::array();
    return out;
}

}  // namespace writ::policy
