#include "cli/config.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "cli/config_servers.h"
#include "cli/config_values.h"
#include "cli/toml_reader.h"
#include "crypto/hash.h"
#include "policy/policy.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

std::string env_or(const char* name, std::string fallback) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? std::string(value) : std::move(fallback);
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
    if (agent.owner.empty())
        table.reject("owner", "`owner` is empty: say who answers for what the agent does");
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
    if (person.login.empty()) table.reject("login", "`login` is empty: write the person's name");
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
        path_key(listen, "agents_socket", file, (runtime / "agents.sock").string());
    config.operators_socket =
        path_key(listen, "operators_socket", file, (runtime / "operators.sock").string());
    config.bearer = listen.boolean("bearer", false);
    config.readers_listen = listen.string("readers", "");
    config.metrics = listen.boolean("metrics", false);
    if (config.metrics && config.readers_listen.empty())
        listen.reject("metrics", "`metrics` is served by the readers' listener: set `readers`");
}

// By their names; neither need be there.
bool is_below(const fs::path& path, const fs::path& folder) {
    const fs::path relative = path.lexically_relative(folder);
    return !relative.empty() && *relative.begin() != "..";
}

void read_log(TomlTable log, const fs::path& file, Config& config) {
    using ledger::OnMissingQuorum;
    config.log.policy = path_key(log, "policy", file);
    config.log.witness_ca_file = path_key(log, "witness_ca_file", file);
    if (!config.log.witness_ca_file.empty() && config.log.policy.empty())
        log.reject("witness_ca_file", "`witness_ca_file` is for the witnesses of `policy`");
    config.log.mirror = path_key(log, "mirror", file);
    if (!config.log.mirror.empty() && is_below(config.log.mirror, config.data))
        log.reject("mirror",
                   "`mirror` is inside `data`: a second copy is for the day on which that "
                   "is lost, so name a folder elsewhere");
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
    config.data = path_key(root, "data", file, default_data_dir().string());
    config.policies = path_key(root, "policies", file, "policies");
    config.reactors = static_cast<std::size_t>(root.integer("reactors", 1));
    if (config.reactors < 1 || config.reactors > 64)
        root.reject("reactors", "`reactors` must be between 1 and 64");
    config.resume_grace_s = root.seconds("resume_grace", 60);
    config.stop_grace_s = root.seconds("stop_grace", 10);
    read_listen(root.table("listen"), file, config);
    read_log(root.table("log"), file, config);
    for (auto& table : root.tables("agents")) {
        identity::Agent agent = read_agent(table, config.trust_domain);
        if (std::ranges::any_of(config.agents, [&](const auto& a) { return a.name == agent.name; }))
            table.reject("name", fmt::format("two agents are called `{}`", agent.name));
        config.agents.push_back(std::move(agent));
    }
    for (auto& table : root.tables("people")) {
        identity::Person person = read_person(table);
        for (const auto& other : config.people) {
            if (person.uid && other.uid == person.uid)
                table.reject("uid", fmt::format("`{}` has this uid already: write all roles there",
                                                other.login));
        }
        config.people.push_back(std::move(person));
    }
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
