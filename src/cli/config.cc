#include "cli/config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>
#include <thread>

#include "base/inert.h"
#include "base/limits.h"
#include "cli/toml_reader.h"
#include "crypto/hash.h"
#include "net/http_url.h"
#include "policy/policy.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

// Limits that [[servers]] may set. An instance's own memory ends before a thousand calls do.
constexpr std::int64_t kMaxServerInFlight = 1'024;
constexpr std::int64_t kMaxServerCalls_per_s = 100'000;
// Below kAdmissionDeadline_s, so that the outcome is recorded as what it was.
constexpr std::int64_t kMaxServerTimeout_s = 110;

std::string env_or(const char* name, std::string fallback) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? std::string(value) : std::move(fallback);
}

fs::path from_file(const fs::path& file, std::string text) {
    if (text.starts_with("~/")) text = env_or("HOME", "") + text.substr(1);
    const fs::path path(text);
    return path.is_absolute() ? path : fs::absolute(file.parent_path() / path).lexically_normal();
}

bool is_name(std::string_view text, std::size_t max) {
    const auto ok = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    return !text.empty() && text.size() <= max && ok(text.front()) &&
           std::all_of(text.begin(), text.end(),
                       [&](char c) { return ok(c) || c == '-' || c == '.' || c == '_'; });
}

std::string name_key(TomlTable& table, std::string_view key, std::optional<std::string> fallback,
                     std::size_t max = 63) {
    std::string value = table.string(key, std::move(fallback));
    if (!value.empty() && !is_name(value, max))
        table.reject(key, fmt::format("`{}` is not a name: use a-z 0-9 . _ -, starting with a "
                                      "letter or digit, at most {} characters",
                                      value, max));
    return value;
}

std::optional<identity::Role> role_from(std::string_view name) {
    using identity::Role;
    constexpr std::pair<std::string_view, Role> roles[] = {
        {"viewer", Role::kViewer}, {"auditor", Role::kAuditor},   {"approver", Role::kApprover},
        {"author", Role::kAuthor}, {"operator", Role::kOperator}, {"launcher", Role::kLauncher}};
    for (const auto& [text, role] : roles)
        if (text == name) return role;
    return std::nullopt;
}

identity::Agent read_agent(TomlTable table, const std::string& trust_domain) {
    identity::Agent agent;
    agent.name = name_key(table, "name", std::nullopt);
    agent.owner = table.string("owner");
    agent.groups = table.strings("groups");
    agent.charter = table.string("charter", "");
    if (!agent.charter.empty() && !digest_from_text(agent.charter))
        table.reject("charter", "`charter` must be a digest: sha256: and 64 hex digits");
    agent.spiffe_id = "spiffe://" + trust_domain + "/agent/" + agent.name;
    return agent;
}

identity::Person read_person(TomlTable table) {
    identity::Person person;
    person.login = table.string("login");
    if (table.has("uid")) {
        const std::int64_t uid = table.integer("uid");
        if (uid > UINT32_MAX) table.reject("uid", "`uid` is not a user id");
        person.uid = static_cast<std::uint32_t>(uid);
    }
    for (const auto& text : table.strings("roles")) {
        const auto role = role_from(text);
        if (!role)
            table.reject("roles", fmt::format("unknown role `{}`: use viewer, auditor, approver, "
                                              "author, operator or launcher",
                                              text));
        else
            person.roles.push_back(*role);
    }
    return person;
}

bool is_variable(std::string_view text) {
    const auto ok = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
    };
    return !text.empty() && text.size() <= 128 && !(text.front() >= '0' && text.front() <= '9') &&
           std::all_of(text.begin(), text.end(), ok);
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
    const std::string ca_file = table.string("ca_file", "");
    if (!ca_file.empty()) {
        if (url && !url->tls) table.reject("ca_file", "`ca_file` is for https urls");
        spec.ca_file = from_file(file, ca_file).string();
    }
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

catalog::ServerSpec read_server(TomlTable table, const fs::path& file) {
    catalog::ServerSpec spec;
    spec.name = name_key(table, "name", std::nullopt, 31);
    spec.command = table.strings("command");
    if (spec.command.empty() == !table.has("url"))
        table.reject(spec.command.empty() ? "command" : "url",
                     "`command` is missing: write command = [\"program\", \"arg\"] or url = "
                     "\"http://127.0.0.1:PORT/mcp\", and only one of them");
    if (table.has("url")) {
        read_http_server(table, file, spec);
    } else {
        spec.env = table.strings("env");
        spec.set = table.string_map("set");
        spec.cwd = from_file(file, table.string("cwd", ".")).string();
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

std::string own_login() {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(16'384);
    if (getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
        return found->pw_name;
    return fmt::format("uid-{}", getuid());
}

// Until writ.toml names people, the uid that runs `writ up` has every role.
identity::Person myself() {
    using identity::Role;
    return {own_login(),
            static_cast<std::uint32_t>(getuid()),
            {Role::kViewer, Role::kAuditor, Role::kApprover, Role::kAuthor, Role::kOperator,
             Role::kLauncher}};
}

void read_listen(TomlTable listen, const fs::path& file, Config& config) {
    const fs::path runtime = default_runtime_dir();
    config.agents_listen = listen.string("agents", "127.0.0.1:7420");
    config.agents_socket =
        from_file(file, listen.string("agents_socket", (runtime / "agents.sock").string()));
    config.operators_socket =
        from_file(file, listen.string("operators_socket", (runtime / "operators.sock").string()));
    config.bearer = listen.boolean("bearer", false);
    config.readers_listen = listen.string("readers", "");
    config.metrics = listen.boolean("metrics", false);
    if (config.metrics && config.readers_listen.empty())
        listen.reject("metrics", "`metrics` is served by the readers' listener: set `readers`");
}

void read_log(TomlTable log, const fs::path& file, Config& config) {
    using ledger::OnMissingQuorum;
    if (const auto path = log.string("policy", ""); !path.empty())
        config.log.policy = from_file(file, path);
    if (const auto path = log.string("witness_ca_file", ""); !path.empty())
        config.log.witness_ca_file = from_file(file, path);
    if (const auto path = log.string("mirror", ""); !path.empty())
        config.log.mirror = from_file(file, path);
    const std::string missing = log.string("on_missing_quorum", "");
    if (config.log.policy.empty() != missing.empty())
        log.reject(missing.empty() ? "policy" : "on_missing_quorum",
                   "`policy` and `on_missing_quorum` belong together: say what happens while the "
                   "witnesses' quorum is missing, \"publish\", \"hold\" or \"refuse\"");
    else if (missing == "hold")
        config.log.on_missing_quorum = OnMissingQuorum::kHold;
    else if (missing == "refuse")
        config.log.on_missing_quorum = OnMissingQuorum::kRefuse;
    else if (!missing.empty() && missing != "publish")
        log.reject("on_missing_quorum",
                   fmt::format("unknown choice `{}`: use publish, hold or refuse", missing));
    config.log.witness_every_s = log.seconds("witness_every", 1);
    config.log.quorum_grace_s = log.seconds("quorum_grace", 10);
    config.log.heartbeat_s = log.seconds("heartbeat", 60);
    const std::int64_t keep = log.integer("keep_entries", 0);
    if (keep < 0 || (keep > 0 && keep < 100'000))
        log.reject("keep_entries",
                   "`keep_entries` must be 0 (all) or at least 100000: sessions that are open need "
                   "their events");
    config.log.keep_entries = static_cast<std::uint64_t>(std::max<std::int64_t>(keep, 0));
    for (const auto& [key, value] : {std::pair{"witness_every", config.log.witness_every_s},
                                     {"quorum_grace", config.log.quorum_grace_s},
                                     {"heartbeat", config.log.heartbeat_s}})
        if (value < 1 || value > 86'400)
            log.reject(key, fmt::format("`{}` must be between 1s and 1d", key));
}

Result<Config> read_config(TomlTable root, const fs::path& file) {
    Config config;
    config.file = file;
    config.trust_domain = name_key(root, "trust_domain", "writ.local", 253);
    config.tenant = name_key(root, "tenant", "default");
    config.node = name_key(root, "node", "gw-1");
    config.data = from_file(file, root.string("data", default_data_dir().string()));
    config.policies = from_file(file, root.string("policies", "policies"));
    config.reactors = static_cast<std::size_t>(root.integer("reactors", 1));
    if (config.reactors < 1 || config.reactors > 64)
        root.reject("reactors", "`reactors` must be between 1 and 64");
    config.resume_grace_s = root.seconds("resume_grace", 60);
    config.stop_grace_s = root.seconds("stop_grace", 10);
    read_listen(root.table("listen"), file, config);
    read_log(root.table("log"), file, config);
    for (auto& table : root.tables("agents"))
        config.agents.push_back(read_agent(table, config.trust_domain));
    for (auto& table : root.tables("people")) config.people.push_back(read_person(table));
    if (config.people.empty()) config.people.push_back(myself());
    for (auto& table : root.tables("servers")) config.servers.push_back(read_server(table, file));
    for (auto& table : root.tables("domains")) config.domains.push_back(read_domain(table));
    config.evidence = read_evidence(root, file);
    if (config.agents.empty())
        root.reject("agents", "no agent is registered: add [[agents]] with name and owner");
    if (auto done = root.finish(); !done) return fail(done.error());
    return config;
}

}  // namespace

fs::path default_config_file() {
    return env_or("WRIT_CONFIG", "writ.toml");
}

fs::path default_data_dir() {
    return fs::path(env_or("XDG_STATE_HOME", env_or("HOME", "/") + "/.local/state")) / "writ";
}

fs::path default_runtime_dir() {
    const std::string base = env_or("XDG_RUNTIME_DIR", "");
    return base.empty() ? fs::path(fmt::format("/tmp/writ-{}", getuid())) : fs::path(base) / "writ";
}

Result<Config> load_config(const fs::path& file) {
    const auto text = read_toml(file);
    if (!text) {
        if (text.error().code == ErrorCode::kNotFound)
            return fail(ErrorCode::kNotFound,
                        fmt::format("cannot read the configuration `{}`: name one with --config, "
                                    "or start from examples/quickstart/writ.toml",
                                    file.string()));
        return fail(text.error());
    }
    return parse_config(*text, file.string());
}

Result<Config> parse_config(std::string_view text, std::string name) {
    auto root = TomlTable::parse(text, name);
    if (!root) return fail(root.error());
    auto config = read_config(std::move(*root), fs::path(name));
    if (config) config->digest = crypto::sha256(text);
    return config;
}

namespace {

// Policy files of one folder, and their bytes together.
constexpr std::size_t kMaxPolicyFiles = 10'000;
constexpr std::size_t kMaxPolicyBytes = 64 << 20;

// Opened without waiting (a pipe that nobody writes to), looked at before it is read, and never
// read beyond what it may have.
Result<std::string> read_policy(const fs::path& file) {
    const auto refuse = [&](ErrorCode code, std::string_view why) {
        return fail(code, fmt::format("cannot use this policy file: {}", why),
                    {file.string(), 0, 0});
    };
    const int fd = open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return refuse(ErrorCode::kIo, std::generic_category().message(errno));
    const std::unique_ptr<const int, void (*)(const int*)> closing(
        &fd, [](const int* open_fd) { close(*open_fd); });
    struct stat about{};
    if (fstat(fd, &about) != 0)
        return refuse(ErrorCode::kIo, std::generic_category().message(errno));
    if (!S_ISREG(about.st_mode))
        return refuse(ErrorCode::kInvalid, "it is no regular file: move it out of the folder");
    if (static_cast<std::uint64_t>(about.st_size) > kMaxPolicyFileBytes)
        return refuse(ErrorCode::kTooLarge,
                      "it is larger than 8 MiB: put its policies into several files");
    std::string text(static_cast<std::size_t>(about.st_size) + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = read(fd, text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return refuse(ErrorCode::kIo, std::generic_category().message(errno));
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size == text.size()) return refuse(ErrorCode::kIo, "it grows while it is read");
    text.resize(size);
    if (const auto nul = text.find('\0'); nul != std::string::npos) {
        const std::string_view before = std::string_view(text).substr(0, nul);
        const auto line = std::count(before.begin(), before.end(), '\n') + 1;
        const std::size_t column = nul - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
        return fail(
            ErrorCode::kInvalid,
            "cannot use this policy file: there is a NUL byte in it, so it is no text: "
            "move it out of the folder, or save it again as UTF-8",
            {file.string(), static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(column)});
    }
    return text;
}

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> load_policies(const fs::path& dir) {
    std::error_code error;
    fs::directory_iterator entries(dir, error);
    if (error)
        return fail(ErrorCode::kNotFound,
                    fmt::format("cannot read the policy folder `{}`: {}: make it, and put *.cedar "
                                "files into it",
                                dir.string(), error.message()));
    std::vector<fs::path> files;
    for (; !error && entries != fs::directory_iterator(); entries.increment(error))
        if (entries->path().extension() == ".cedar") files.push_back(entries->path());
    if (error)
        return fail(ErrorCode::kIo, fmt::format("cannot read the policy folder `{}`: {}",
                                                dir.string(), error.message()));
    if (files.size() > kMaxPolicyFiles)
        return fail(ErrorCode::kTooLarge, fmt::format("`{}` has more than {} policy files",
                                                      dir.string(), kMaxPolicyFiles));
    std::sort(files.begin(), files.end());
    std::vector<std::pair<std::string, std::string>> out;
    std::size_t bytes = 0;
    for (const auto& file : files) {
        auto text = read_policy(file);
        if (!text) return fail(text.error());
        bytes += text->size();
        if (bytes > kMaxPolicyBytes)
            return fail(ErrorCode::kTooLarge,
                        fmt::format("the policy files of `{}` are larger than {} MiB together",
                                    dir.string(), kMaxPolicyBytes >> 20));
        out.emplace_back(file.string(), std::move(*text));
    }
    return out;
}

Result<identity::TaskSpec> load_task(const fs::path& file) {
    auto loaded = TomlTable::load(file);
    if (!loaded) return fail(loaded.error());
    TomlTable root = std::move(*loaded);
    identity::TaskSpec spec;
    spec.agent = root.string("agent");
    spec.subject = root.string("subject", "person:" + own_login());
    spec.purpose = root.string("purpose");
    spec.prompt = root.string("prompt");
    spec.deadline_s = root.seconds("deadline", 0);
    spec.depth_max = root.integer("depth_max", 0);
    TomlTable budget = root.table("budget");
    spec.budget.calls = budget.integer("calls", 0);
    for (auto& table : root.tables("grants")) {
        identity::Grant grant;
        grant.tools = table.strings("tools");
        if (grant.tools.empty())
            table.reject("tools", "`tools` is missing: write tools = [\"server/tool\"]");
        grant.domains = table.strings("domains");
        grant.when = table.string("when", "");
        grant.expires_s = table.integer("expires", 0);
        if (!grant.when.empty()) {
            if (const auto checked = policy::check_condition(grant.when); !checked)
                table.reject("when",
                             "`when` is not a Cedar expression: " + checked.error().message());
        }
        spec.grants.push_back(std::move(grant));
    }
    if (spec.grants.empty())
        root.reject("grants", "no grant: add [[grants]] with tools = [\"server/tool\"]");
    if (auto done = root.finish(); !done) return fail(done.error());
    return spec;
}

}  // namespace writ::cli
