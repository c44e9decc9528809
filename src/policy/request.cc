#include "policy/request.h"

#include <cstring>
#include <map>
#include <unordered_map>

#include "base/bytes.h"
#include "policy/input.h"

namespace writ::policy {
namespace {

using cedar::Value;

Value text(std::string_view v) {
    return Value::string(v);
}

Value task_of(const identity::Task& task) {
    return Value::record({{"id", text(task.id.text())},
                          {"root", text(task.root.text())},
                          {"purpose", text(task.spec.purpose)},
                          {"depth", Value::integer(task.depth)}});
}

Value tool_of(const catalog::Tool& tool) {
    return Value::record(
        {{"effect", text(catalog::name(tool.effect))}, {"pin", text(digest_text(tool.pin))}});
}

struct PinHash {
    std::size_t operator()(const Sha256& pin) const {
        std::size_t head = 0;
        std::memcpy(&head, pin.data(), sizeof head);
        return head;
    }
};

// OPTIMIZATION: a thread keeps what it made for the tools it saw last, as below for tasks.
constexpr std::size_t kKeptTools = 256;

Value kept_tool(const catalog::Tool& tool) {
    struct Made {
        catalog::Effect effect;
        Value value;
    };
    thread_local std::unordered_map<Sha256, Made, PinHash> kept;
    const auto found = kept.find(tool.pin);
    if (found != kept.end() && found->second.effect == tool.effect) return found->second.value;
    if (kept.size() >= kKeptTools) kept.clear();
    Value value = tool_of(tool);
    kept.insert_or_assign(tool.pin, Made{tool.effect, value});
    return value;
}

// What the calls of one task have in common in their context, with all it was made of.
struct TaskContext {
    TaskId root;
    std::string purpose, subject_text, charter;
    std::int64_t depth = 0;
    bool charter_changed = false;
    Value task, subject, agent;

    bool fits(const Question& question) const {
        const identity::Task& task_now = question.task;
        return root == task_now.root && depth == task_now.depth &&
               charter_changed == question.charter_changed && purpose == task_now.spec.purpose &&
               subject_text == task_now.spec.subject && charter == task_now.agent->charter;
    }
};

TaskContext task_context(const Question& question) {
    const identity::Task& task = question.task;
    return {task.root,
            task.spec.purpose,
            task.spec.subject,
            task.agent->charter,
            task.depth,
            question.charter_changed,
            task_of(task),
            text(task.spec.subject),
            Value::record({{"charter", text(task.agent->charter)},
                           {"charter_changed", Value::boolean(question.charter_changed)}})};
}

// OPTIMIZATION: a thread keeps the contexts of the tasks it saw last. Found by the task's id, used
// only if everything it was made of is the same: "what if" asks with altered tasks of one id.
constexpr std::size_t kKeptContexts = 256;

const TaskContext& kept_task_context(const Question& question) {
    thread_local std::unordered_map<TaskId, TaskContext> kept;
    const auto found = kept.find(question.task.id);
    if (found != kept.end()) {
        if (found->second.fits(question)) return found->second;
        kept.erase(found);
    }
    if (kept.size() >= kKeptContexts) kept.clear();
    return kept.emplace(question.task.id, task_context(question)).first->second;
}

Value context_of(const Question& question, Value input) {
    static const Value no_flow = Value::record({});
    const TaskContext& task = kept_task_context(question);
    // OPTIMIZATION: one by one; a list in braces is copied, name by name and value by value.
    std::vector<std::pair<std::string, Value>> members;
    members.reserve(7);
    members.emplace_back("agent", task.agent);
    members.emplace_back("flow", no_flow);
    members.emplace_back("input", std::move(input));
    members.emplace_back("now", Value::datetime_ms(question.now_us / 1'000));
    members.emplace_back("subject", task.subject);
    members.emplace_back("task", task.task);
    members.emplace_back("tool", kept_tool(question.tool));
    return Value::record(std::move(members));
}

// Levels of nested arguments of which the members are told apart; below, anything may be there.
constexpr std::size_t kOpenDepth = 4;

using cedar::PartialValue;
using PartialMembers = std::map<std::string, cedar::PartialMember, std::less<>>;

PartialValue open_value(const Shape& shape, std::size_t depth);

// As input_value() makes them (docs/spec/policy-names.md).
PartialValue open_object(const ObjectShape& object, std::size_t depth) {
    PartialMembers members;
    for (const auto& [name, member] : object.members)
        members.emplace(name, cedar::PartialMember{
                                  open_value(*member.shape, depth + 1),
                                  !member.required || member.shape->null || member.shape->any});
    if (object.open) members.try_emplace("*", cedar::PartialMember{PartialValue::unknown(), true});
    return PartialValue::record(std::move(members));
}

PartialValue open_value(const Shape& shape, std::size_t depth) {
    const bool one_object = !shape.any && shape.kinds() == 1 && shape.object;
    if (!one_object || depth >= kOpenDepth) return PartialValue::unknown();
    return open_object(*shape.object, depth);
}

cedar::EntityData resource_entity(const catalog::Resource& resource) {
    cedar::EntityData data;
    data.uid = {"Writ::Resource", resource.uri};
    data.attributes = {{"uri", text(resource.uri)},
                       {"sensitivity", text(catalog::name(resource.sensitivity))}};
    for (const auto& domain : resource.domains) data.parents.push_back({"Writ::Domain", domain});
    return data;
}

// OPTIMIZATION: a thread keeps the store and its layer for the resources it saw last. One standing
// store has one catalog, whose resources of one name may still differ: all of it is compared.
constexpr std::size_t kKeptResources = 256;

Result<cedar::Entities> kept_entities(const catalog::Resource& resource,
                                      const std::shared_ptr<const cedar::Entities>& standing) {
    struct Made {
        catalog::Resource of;
        cedar::Entities entities;
    };
    thread_local std::shared_ptr<const cedar::Entities> under;
    thread_local std::unordered_map<std::string, Made> kept;
    if (under != standing || kept.size() >= kKeptResources) kept.clear();
    under = standing;
    const auto found = kept.find(resource.uri);
    if (found != kept.end() && found->second.of == resource) return found->second.entities;
    auto made = cedar::Entities::overlay(standing, {resource_entity(resource)});
    if (made) kept.insert_or_assign(resource.uri, Made{resource, *made});
    return made;
}

}  // namespace

cedar::EntityUid agent_uid(const identity::Agent& agent) {
    return {"Writ::Agent", agent.spiffe_id};
}

cedar::EntityUid action_uid(const catalog::Tool& tool) {
    return {"Writ::Action", tool.qualified()};
}

Result<cedar::Entities> standing_entities(
    const std::vector<std::shared_ptr<const identity::Agent>>& agents,
    const catalog::Snapshot& catalog) {
    std::vector<cedar::EntityData> out;
    for (const auto& agent : agents) {
        cedar::EntityData data;
        data.uid = agent_uid(*agent);
        data.attributes = {{"name", text(agent->name)},
                           {"owner", text(agent->owner)},
                           {"charter", text(agent->charter)}};
        for (const auto& group : agent->groups) data.parents.push_back({"Writ::Group", group});
        out.push_back(std::move(data));
    }
    for (const auto* tools : {&catalog.tools(), &catalog.absent_tools()}) {
        for (const auto& tool : *tools) {
            cedar::EntityData data;
            data.uid = action_uid(*tool);
            data.parents = {{"Writ::Action", "effect:" + std::string(catalog::name(tool->effect))},
                            {"Writ::Action", "server:" + tool->server}};
            out.push_back(std::move(data));
        }
    }
    return cedar::Entities::build(std::move(out));
}

cedar::PartialRequest any_call(const identity::Task& task, const catalog::Tool& tool,
                               const Shape& shape) {
    cedar::PartialRequest out;
    out.principal = agent_uid(*task.agent);
    out.action = action_uid(tool);
    out.resource = cedar::PartialEntity::of_type("Writ::Resource");
    auto input = shape.object ? open_object(*shape.object, 0) : PartialValue::unknown();
    auto agent = PartialValue::record(
        {{"charter", {text(task.agent->charter)}}, {"charter_changed", {PartialValue::unknown()}}});
    out.context = PartialValue::record({{"input", {std::move(input)}},
                                        {"task", {task_of(task)}},
                                        {"subject", {text(task.spec.subject)}},
                                        {"agent", {std::move(agent)}},
                                        {"tool", {tool_of(tool)}},
                                        {"flow", {PartialValue::unknown()}},
                                        {"now", {PartialValue::unknown()}}});
    return out;
}

Result<Prepared> prepare(const Question& question, const Shape& shape,
                         const std::shared_ptr<const cedar::Entities>& standing) {
    auto input = input_value(question.arguments, shape);
    if (!input) return fail(input.error());
    auto entities = kept_entities(question.resource, standing);
    if (!entities) return fail(entities.error());
    cedar::Request request{agent_uid(*question.task.agent),
                           action_uid(question.tool),
                           {"Writ::Resource", question.resource.uri},
                           context_of(question, std::move(*input))};
    return Prepared{std::move(request), std::move(*entities)};
}

}  // namespace writ::policy
