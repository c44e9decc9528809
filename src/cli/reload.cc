#include "cli/reload.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/inert.h"

namespace writ::cli {
namespace {

// Compares two lists by name. `changed(a, b)` says what of a kept one differs; `gone(a)` is told.
template <class T, class Name, class Changed, class Gone>
void compare(std::string_view what, const std::vector<T>& now, const std::vector<T>& next,
             const Name& name, std::vector<std::string>& out, const Changed& changed,
             const Gone& gone) {
    std::map<std::string, const T*> before;
    for (const T& each : now) before[name(each)] = &each;
    for (const T& each : next) {
        auto old = before.extract(name(each));
        if (old.empty()) {
            out.push_back(fmt::format("{} {}: new", what, inert(name(each), 64)));
        } else if (const std::string text = changed(*old.mapped(), each); !text.empty()) {
            out.push_back(fmt::format("{} {}: {}", what, inert(name(each), 64), text));
        }
    }
    for (const auto& [key, old] : before) {
        out.push_back(fmt::format("{} {}: gone", what, inert(key, 64)));
        gone(*old);
    }
}

// Collects the names of the members that differ: `groups, owner`.
struct Names {
    std::string text;
    template <class T>
    void add(std::string_view name, const T& a, const T& b) {
        if (a == b) return;
        if (!text.empty()) text += ", ";
        text += name;
    }
};

void agents(const Config& now, const Config& next, Difference& out) {
    const auto name = [](const identity::Agent& agent) { return agent.name; };
    const auto changed = [](const identity::Agent& a, const identity::Agent& b) {
        Names names;
        names.add("owner", a.owner, b.owner);
        names.add("groups", a.groups, b.groups);
        names.add("charter", a.charter, b.charter);
        return names.text;
    };
    compare("agent", now.agents, next.agents, name, out.reloads, changed,
            [&](const identity::Agent& gone) { out.gone_agents.insert(gone.name); });
}

void people(const Config& now, const Config& next, Difference& out) {
    const auto name = [](const identity::Person& person) { return person.login; };
    const auto changed = [](const identity::Person& a, const identity::Person& b) {
        Names names;
        names.add("uid", a.uid, b.uid);
        names.add("roles", a.roles, b.roles);
        return names.text;
    };
    compare("person", now.people, next.people, name, out.reloads, changed, [](const auto&) {});
}

void servers(const Config& now, const Config& next, Difference& out) {
    using Spec = catalog::ServerSpec;
    const auto name = [](const Spec& server) { return server.name; };
    const auto changed = [&](const Spec& a, const Spec& b) {
        Names names;
        names.add("command", a.command, b.command);
        names.add("env", a.env, b.env);
        names.add("set", a.set, b.set);
        names.add("cwd", a.cwd, b.cwd);
        names.add("url", a.url, b.url);
        names.add("bearer_env", a.bearer_env, b.bearer_env);
        names.add("header_env", a.header_env, b.header_env);
        names.add("ca_file", a.ca_file, b.ca_file);
        names.add("shared", a.shared, b.shared);
        names.add("in_flight", a.in_flight, b.in_flight);
        if (!names.text.empty()) out.restarted_servers.insert(a.name);
        names.add("timeout", a.timeout_s, b.timeout_s);
        names.add("calls_per_second", a.calls_per_second, b.calls_per_second);
        names.add("tools", a.tools, b.tools);
        return names.text;
    };
    compare("server", now.servers, next.servers, name, out.reloads, changed, [](const auto&) {});
}

void domains(const Config& now, const Config& next, Difference& out) {
    using Rule = catalog::DomainRule;
    const auto name = [](const Rule& rule) { return rule.domain; };
    const auto changed = [](const Rule& a, const Rule& b) {
        Names names;
        names.add("sensitivity", a.sensitivity, b.sensitivity);
        names.add("resources", a.resources, b.resources);
        return names.text;
    };
    compare("domain", now.domains, next.domains, name, out.reloads, changed, [](const auto&) {});
}

void fixed(const Config& now, const Config& next, std::vector<std::string>& out) {
    const auto add = [&](std::string_view key, bool same) {
        if (!same) out.emplace_back(key);
    };
    add("trust_domain", now.trust_domain == next.trust_domain);
    add("tenant", now.tenant == next.tenant);
    add("node", now.node == next.node);
    add("data", now.data == next.data);
    add("reactors", now.reactors == next.reactors);
    add("listen.agents", now.agents_listen == next.agents_listen);
    add("listen.agents_socket", now.agents_socket == next.agents_socket);
    add("listen.operators_socket", now.operators_socket == next.operators_socket);
    add("listen.readers", now.readers_listen == next.readers_listen);
    add("listen.metrics", now.metrics == next.metrics);
    add("listen.bearer", now.bearer == next.bearer);
    add("[log]", now.log == next.log);
    add("[vault]", now.evidence.custody == next.evidence.custody);
    add("[redact]", now.evidence.redaction == next.evidence.redaction);
    add("[[export]]", now.evidence.exports == next.evidence.exports);
}

}  // namespace

Difference difference(const Config& now, const Config& next) {
    Difference out;
    fixed(now, next, out.restarts);
    if (now.policies != next.policies) out.reloads.emplace_back("policies: another folder");
    if (now.resume_grace_s != next.resume_grace_s) out.reloads.emplace_back("resume_grace");
    if (now.stop_grace_s != next.stop_grace_s) out.reloads.emplace_back("stop_grace");
    agents(now, next, out);
    people(now, next, out);
    servers(now, next, out);
    domains(now, next, out);
    return out;
}

std::vector<std::string> policy_difference(const PolicyTexts& now, const PolicyTexts& next) {
    std::vector<std::string> out;
    const auto name = [](const auto& file) {
        return std::filesystem::path(file.first).filename().string();
    };
    const auto changed = [](const auto& a, const auto& b) {
        return std::string(a.second == b.second ? "" : "changed");
    };
    compare("policy", now, next, name, out, changed, [](const auto&) {});
    return out;
}

}  // namespace writ::cli
