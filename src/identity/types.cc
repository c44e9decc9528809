#include "identity/types.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string_view>

#include "base/limits.h"
#include "identity/limits.h"
#include "json/members.h"

namespace writ::identity {

namespace {

using json::read_array;
using json::read_integer;
using json::read_object;
using json::read_text;
using json::read_texts;

Status read_grant(const json::Value& value, const std::string& path, Grant& grant) {
    using V = const json::Value&;
    using P = const std::string&;
    constexpr auto kAnyTime = std::numeric_limits<std::int64_t>::max() / 1'000'000;
    return read_object(
        value, path,
        {{"tools", [&](V v, P p) { return read_texts(v, p, grant.tools); }},
         {"domains", [&](V v, P p) { return read_texts(v, p, grant.domains); }},
         {"when", [&](V v, P p) { return read_text(v, p, grant.when); }},
         {"expires_s", [&](V v, P p) { return read_integer(v, p, kAnyTime, grant.expires_s); }}});
}

}  // namespace

bool Person::has(Role role) const {
    return std::find(roles.begin(), roles.end(), role) != roles.end();
}

std::string_view name(TaskState state) {
    switch (state) {
        case TaskState::kLive:
            return "live";
        case TaskState::kEnded:
            return "ended";
        case TaskState::kRevoked:
            return "revoked";
        case TaskState::kExpired:
            return "expired";
    }
    return "ended";
}

std::optional<TaskState> task_state_from(std::string_view text) {
    for (const TaskState state :
         {TaskState::kLive, TaskState::kEnded, TaskState::kRevoked, TaskState::kExpired})
        if (name(state) == text) return state;
    return std::nullopt;
}

std::string_view name(Role role) {
    switch (role) {
        case Role::kViewer:
            return "viewer";
        case Role::kAuditor:
            return "auditor";
        case Role::kApprover:
            return "approver";
        case Role::kAuthor:
            return "author";
        case Role::kOperator:
            return "operator";
        case Role::kLauncher:
            return "launcher";
    }
    return "viewer";
}

std::optional<Role> role_from(std::string_view text) {
    for (const Role role : kRoles)
        if (name(role) == text) return role;
    return std::nullopt;
}

json::Node TaskSpec::to_json() const {
    json::Node out = json::Node::object();
    out["agent"] = agent;
    out["subject"] = subject;
    out["purpose"] = purpose;
    out["prompt"] = prompt;
    out["grants"] = json::Node::array();
    for (const Grant& grant : grants) {
        json::Node each = json::Node::object();
        each["tools"] = json::Node::array_of(grant.tools);
        each["domains"] = json::Node::array_of(grant.domains);
        each["when"] = grant.when;
        each["expires_s"] = grant.expires_s;
        out["grants"].push_back(std::move(each));
    }
    out["budget"]["calls"] = budget.calls;
    out["deadline_s"] = deadline_s;
    out["depth_max"] = depth_max;
    return out;
}

Result<TaskSpec> TaskSpec::from_json(const json::Value& value) {
    using V = const json::Value&;
    using P = const std::string&;
    TaskSpec spec;
    const auto grant = [&](V v, P p) { return read_grant(v, p, spec.grants.emplace_back()); };
    const auto calls = [&](V v, P p) {
        return read_integer(v, p, kMaxBudgetCalls, spec.budget.calls);
    };
    constexpr auto kDepthMax = static_cast<std::int64_t>(kMaxChainDepth) - 1;
    const auto read = read_object(
        value, "",
        {{"agent", [&](V v, P p) { return read_text(v, p, spec.agent); }},
         {"subject", [&](V v, P p) { return read_text(v, p, spec.subject); }},
         {"purpose", [&](V v, P p) { return read_text(v, p, spec.purpose); }},
         {"prompt", [&](V v, P p) { return read_text(v, p, spec.prompt); }},
         {"grants", [&](V v, P p) { return read_array(v, p, "objects", grant); }},
         {"budget", [&](V v, P p) { return read_object(v, p, {{"calls", calls}}); }},
         {"deadline_s",
          [&](V v, P p) { return read_integer(v, p, kMaxTaskLifetime_s, spec.deadline_s); }},
         {"depth_max", [&](V v, P p) { return read_integer(v, p, kDepthMax, spec.depth_max); }}});
    if (!read) return fail(read.error());
    return spec;
}

bool Task::live(std::int64_t boot_us) const {
    for (const Task* link = this; link != nullptr; link = link->parent_task.get())
        if (link->state.load() != TaskState::kLive || boot_us >= link->deadline_boot_us)
            return false;
    return true;
}

bool Session::live(std::int64_t boot_us) const {
    return !ended.load() && boot_us < expires_boot_us.load() && task->live(boot_us);
}

}  // namespace writ::identity
