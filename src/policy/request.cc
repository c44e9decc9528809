#include "policy/request.h"

#include "base/bytes.h"
#include "policy/input.h"

namespace writ::policy {
namespace {

using cedar::Value;
using Members = std::vector<std::pair<std::string, Value>>;

Value text(std::string_view v) {
    return Value::string(v);
}

Value context_of(const Question& question, Value input) {
    const identity::Task& task = question.task;
    Members task_record = {{"id", text(task.id.text())},
                           {"root", text(task.root.text())},
                           {"purpose", text(task.spec.purpose)},
                           {"depth", Value::integer(task.depth)}};
    Members agent = {{"charter", text(task.agent->charter)},
                     {"charter_changed", Value::boolean(question.charter_changed)}};
    Members tool = {{"pin", text(digest_text(question.tool.pin))},
                    {"effect", text(catalog::name(question.tool.effect))}};
    return Value::record({{"input", std::move(input)},
                          {"task", Value::record(std::move(task_record))},
                          {"subject", text(task.spec.subject)},
                          {"agent", Value::record(std::move(agent))},
                          {"tool", Value::record(std::move(tool))},
                          {"flow", Value::record({})},
                          {"now", Value::datetime_ms(question.now_us / 1'000)}});
}

cedar::EntityData resource_entity(const catalog::Resource& resource) {
    cedar::EntityData data;
    data.uid = {"Writ::Resource", resource.uri};
    data.attributes = {{"uri", text(resource.uri)},
                       {"sensitivity", text(catalog::name(resource.sensitivity))}};
    for (const auto& domain : resource.domains) data.parents.push_back({"Writ::Domain", domain});
    return data;
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
    for (const auto& tool : catalog.tools()) {
        cedar::EntityData data;
        data.uid = action_uid(*tool);
        data.parents = {{"Writ::Action", "effect:" + std::string(catalog::name(tool->effect))},
                        {"Writ::Action", "server:" + tool->server}};
        out.push_back(std::move(data));
    }
    return cedar::Entities::build(std::move(out));
}

Result<Prepared> prepare(const Question& question, const Shape& shape,
                         const std::shared_ptr<const cedar::Entities>& standing) {
    auto input = input_value(question.arguments, shape);
    if (!input) return fail(input.error());
    auto entities = cedar::Entities::overlay(standing, {resource_entity(question.resource)});
    if (!entities) return fail(entities.error());
    cedar::Request request{agent_uid(*question.task.agent),
                           action_uid(question.tool),
                           {"Writ::Resource", question.resource.uri},
                           context_of(question, std::move(*input))};
    return Prepared{std::move(request), std::move(*entities)};
}

}  // namespace writ::policy
