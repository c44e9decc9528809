#include "cli/policy_world.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <memory>

#include "base/inert.h"
#include "cli/api.h"
#include "cli/config.h"
#include "cli/policy_files.h"
#include "json/value.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxCatalogBytes = kMaxApiAnswerBytes;

// --config, else the writ.toml of the folder or above it, else the default place.
fs::path config_file(const Context& context, const PolicyOptions& options) {
    if (!context.config.empty()) return context.config;
    if (!options.folder.empty()) {
        std::error_code error;
        fs::path dir = fs::absolute(options.folder, error).lexically_normal();
        for (int up = 0; up < 4 && !error; ++up) {
            if (fs::exists(dir / "writ.toml", error)) return dir / "writ.toml";
            if (!dir.has_parent_path() || dir.parent_path() == dir) break;
            dir = dir.parent_path();
        }
    }
    return default_config_file();
}

Result<std::string> read_file(const fs::path& file, std::size_t bytes_max) {
    std::error_code error;
    if (!fs::is_regular_file(file, error))
        return fail(ErrorCode::kNotFound, fmt::format("no file `{}`", file.string()));
    if (fs::file_size(file, error) > bytes_max)
        return fail(ErrorCode::kTooLarge,
                    fmt::format("`{}` is larger than {} MiB", file.string(), bytes_max >> 20));
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(ErrorCode::kIo, fmt::format("cannot read `{}`", file.string()));
    return std::string(std::istreambuf_iterator<char>(in), {});
}

// writ.catalog/1: {"schema", "servers": {NAME: [tool definitions]}}.
Status take_catalog(const std::string& text, const std::string& from, catalog::Catalog& into) {
    const auto parsed = json::parse(text, {.bytes_max = kMaxCatalogBytes});
    if (!parsed) return fail(parsed.error().in("the catalog `" + from + "` is not JSON"));
    const auto servers = parsed->root().find("servers");
    if (parsed->root().string("schema").value_or("") != "writ.catalog/1" || !servers ||
        !servers->is_object())
        return fail(
            ErrorCode::kInvalid,
            fmt::format("`{}` is no saved catalog: make one with `writ catalog export`", from));
    for (const json::Member& server : servers->members()) {
        const auto listed = into.update(server.key, server.value);
        // A server that is not configured has no policies either.
        if (!listed && listed.error().code != ErrorCode::kNotFound)
            return fail(listed.error().in("the catalog `" + from + "`"));
    }
    return {};
}

Status find_catalog(const Context& context, const PolicyOptions& options, const fs::path& config,
                    catalog::Catalog& into, std::string& from) {
    fs::path file = options.catalog;
    if (file.empty()) file = config.parent_path() / "catalog.json";
    if (!options.catalog.empty() || fs::exists(file)) {
        auto text = read_file(file, kMaxCatalogBytes);
        if (!text) return fail(text.error());
        from = file.string();
        return take_catalog(*text, from, into);
    }
    const auto where = sockets(context);
    std::error_code error;
    if (!where || !fs::exists(where->operators, error)) return {};
    const auto answer = call_api(context, "GET", "catalog/export");
    if (!answer) return {};
    from = "the running gateway";
    return take_catalog(*answer, from, into);
}

}  // namespace

Result<PolicyWorld> open_policy_world(const Context& context, const PolicyOptions& options) {
    PolicyWorld out;
    const fs::path file = config_file(context, options);
    const bool needed = !context.config.empty() || options.folder.empty();
    std::vector<catalog::ServerSpec> servers;
    std::vector<catalog::DomainRule> domains;
    if (needed || fs::exists(file)) {
        auto config = load_config(file);
        if (!config) return fail(config.error());
        out.folder = config->policies;
        servers = config->servers;
        domains = config->domains;
        for (auto& agent : config->agents)
            out.world.agents.push_back(std::make_shared<const identity::Agent>(std::move(agent)));
    }
    if (!options.folder.empty()) out.folder = options.folder;
    for (const auto& server : servers) out.options.servers.push_back(server.name);
    for (const auto& domain : domains) out.options.domains.push_back(domain.domain);
    auto files = load_policies(out.folder);
    if (!files) return fail(files.error());
    out.files = std::move(*files);
    auto catalog = catalog::Catalog::make(std::move(servers), std::move(domains), {});
    if (!catalog) return fail(catalog.error());
    if (auto found = find_catalog(context, options, file, **catalog, out.catalog_from); !found)
        return fail(found.error());
    out.world.catalog = (*catalog)->snapshot();
    return out;
}

Status make_engine(PolicyWorld& world) {
    auto engine =
        policy::Engine::make(world.files, world.world.agents, world.world.catalog, world.options);
    if (!engine) return fail(engine.error());
    world.world.engine = std::move(*engine);
    return {};
}

void add_world_options(Command verb, const std::shared_ptr<PolicyOptions>& options) {
    verb.add_option("folder", options->folder, "of *.cedar files (default: the configuration's)");
    verb.add_option("--catalog", options->catalog,
                    "a saved catalog (default: catalog.json beside the configuration, else the "
                    "running gateway's)");
}

}  // namespace writ::cli
