// [[servers]] and [[domains]] of writ.toml.
#include "cli/config_servers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/inert.h"
#include "base/limits.h"
#include "cli/config_values.h"
#include "net/http_url.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

// Limits that [[servers]] may set. An instance's own memory ends before a thousand calls do.
constexpr std::int64_t kMaxServerInFlight = 1'024;
constexpr std::int64_t kMaxServerCalls_per_s = 100'000;
// Below kAdmissionDeadline_s, so that the outcome is recorded as what it was.
constexpr std::int64_t kMaxServerTimeout_s = 110;

bool is_variable(std::string_view text) {
    const auto ok = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
    };
    return !text.empty() && text.size() <= 128 && !(text.front() >= '0' && text.front() <= '9') &&
           std::all_of(text.begin(), text.end(), ok);
}

// Whether a process can have a variable of that name.
bool may_name_variable(std::string_view text) {
    return !text.empty() &&
           text.find_first_of(std::string_view("=\0", 2)) == std::string_view::npos;
}

bool same_field(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return std::tolower(static_cast<unsigned char>(x)) == y;
    });
}

// Whether an operator may name that field of a request: it is a field name, and not the protocol's.
bool may_set_field(std::string_view name) {
    const bool token =
        !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
            return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
        });
    constexpr std::string_view kOurs[] = {
        "host",   "accept",     "content-type",        "content-length", "transfer-encoding",
        "origin", "connection", "last-event-id",       "expect",         "mcp-session-id",
        "date",   "upgrade",    "mcp-protocol-version"};
    return token && std::none_of(std::begin(kOurs), std::end(kOurs),
                                 [&](std::string_view ours) { return same_field(name, ours); });
}

catalog::ToolRule read_tool(TomlTable table) {
    catalog::ToolRule rule;
    rule.tool = table.string("name");
    if (const auto text = table.string("effect", ""); !text.empty()) {
        rule.effect = catalog::effect_from(text);
        if (!rule.effect)
            table.reject("effect", fmt::format("unknown effect `{}`: use read, write, delete, "
                                               "send, exec, configure, grant or pay",
                                               text));
    }
    rule.resource = table.string("resource", "");
    rule.sensitive = table.strings("sensitive");
    if (const auto text = table.string("output", ""); !text.empty()) {
        rule.output = catalog::sensitivity_from(text);
        if (!rule.output)
            table.reject("output", fmt::format("unknown sensitivity `{}`: use public, internal, "
                                               "confidential or restricted",
                                               text));
    }
    return rule;
}

// `url` and what belongs to it. The operator's own word is what lets the gateway leave the loopback
// interface, and then only encrypted (net/http_url.h).
void read_http_server(TomlTable& table, const fs::path& file, catalog::ServerSpec& spec) {
    spec.url = table.string("url");
    const auto url = net::Url::parse(spec.url);
    if (!url) table.reject("url", url.error().detail);
    spec.bearer_env = table.string("bearer_env", "");
    if (!spec.bearer_env.empty() && !is_variable(spec.bearer_env))
        table.reject(
            "bearer_env",
            "`bearer_env` is not the name of an environment variable: write the token into "
            "one, and its name here");
    spec.header_env = table.string_map("header_env");
    for (const auto& [field, variable] : spec.header_env) {
        if (!may_set_field(field) ||
            (!spec.bearer_env.empty() && same_field(field, "authorization")))
            table.reject("header_env", fmt::format("the field `{}` is the gateway's own to set",
                                                   inert(field, 60)));
        if (!is_variable(variable))
            table.reject(
                "header_env",
                fmt::format("`{}` must be the name of an environment variable, not a value",
                            inert(field, 60)));
    }
    spec.ca_file = path_key(table, "ca_file", file).string();
    if (!spec.ca_file.empty() && url && !url->tls)
        table.reject("ca_file", "`ca_file` is for https urls");
    for (const char* key : {"env", "set", "cwd"})
        if (table.has(key))
            table.reject(key, fmt::format("`{}` is for servers with `command`, not `url`", key));
}

std::int64_t limit(TomlTable& table, std::string_view key, std::int64_t max) {
    const std::int64_t value = table.integer(key, 0);
    if (table.has(key) && (value < 1 || value > max))
        table.reject(key, fmt::format("`{}` must be between 1 and {}", key, max));
    return value;
}

}  // namespace

catalog::ServerSpec read_server(TomlTable table, const fs::path& file) {
    catalog::ServerSpec spec;
    spec.name = name_key(table, "name", std::nullopt, 31);
    spec.command = table.strings("command");
    if (spec.command.empty() && !table.has("url"))
        table.reject("command",
                     "`command` is missing: write command = [\"program\", \"arg\"] or url = "
                     "\"http://127.0.0.1:PORT/mcp\"");
    if (!spec.command.empty() && table.has("url"))
        table.reject("url", "`command` and `url` are both there: write only one of them");
    if (table.has("url")) {
        read_http_server(table, file, spec);
    } else {
        spec.env = table.strings("env");
        spec.set = table.string_map("set");
        for (const auto& name : spec.env)
            if (!may_name_variable(name))
                table.reject("env", fmt::format("`{}` is not the name of an environment variable: "
                                                "write values into `set`",
                                                inert(name.substr(0, name.find('=')), 60)));
        for (const auto& [name, value] : spec.set)
            if (!may_name_variable(name))
                table.reject("set", fmt::format("`{}` is not the name of an environment variable",
                                                inert(name, 60)));
        spec.cwd = path_key(table, "cwd", file, ".").string();
        for (const char* key : {"bearer_env", "header_env", "ca_file"})
            if (table.has(key))
                table.reject(key,
                             fmt::format("`{}` is for servers with `url`, not `command`", key));
    }
    spec.shared = table.boolean("shared", false);
    spec.in_flight = static_cast<std::size_t>(limit(table, "in_flight", kMaxServerInFlight));
    spec.calls_per_second = limit(table, "calls_per_second", kMaxServerCalls_per_s);
    spec.timeout_s = table.seconds("timeout", 0);
    if (table.has("timeout") && (spec.timeout_s < 1 || spec.timeout_s > kMaxServerTimeout_s))
        table.reject("timeout", fmt::format("`timeout` must be between 1s and {}s: a call that is "
                                            "not closed after {} s is recorded as `unknown`",
                                            kMaxServerTimeout_s, kAdmissionDeadline_s));
    for (auto& tool : table.tables("tools")) spec.tools.push_back(read_tool(tool));
    return spec;
}

catalog::DomainRule read_domain(TomlTable table) {
    catalog::DomainRule rule;
    rule.domain = name_key(table, "name", std::nullopt);
    const std::string text = table.string("sensitivity", "restricted");
    if (const auto sensitivity = catalog::sensitivity_from(text)) {
        rule.sensitivity = *sensitivity;
    } else {
        table.reject("sensitivity", fmt::format("unknown sensitivity `{}`: use public, internal, "
                                                "confidential or restricted",
                                                text));
    }
    rule.resources = table.strings("resources");
    if (rule.resources.empty())
        table.reject("resources",
                     "`resources` is missing: write resources = [\"file:///data/**\"]");
    return rule;
}

}  // namespace writ::cli
