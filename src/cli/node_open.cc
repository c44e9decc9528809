// Opens what a node stands on: sockets first, so that a port in use changes nothing on disk; then
// keys, ledger, store and vault; then what is read from them.
#include <fmt/format.h>
#include <unistd.h>

#include "cli/keys.h"
#include "cli/lent.h"
#include "cli/node_parts.h"
#include "cli/policy_files.h"
#include "cli/readers.h"
#include "cli/socket_trust.h"
#include "evidence/resume.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

Status make_private_dir(const fs::path& dir) {
    std::error_code error;
    fs::create_directories(dir, error);
    if (!error) fs::permissions(dir, fs::perms::owner_all, error);
    if (error)
        return fail(ErrorCode::kIo,
                    fmt::format("cannot use `{}`: {}", dir.string(), error.message()));
    return {};
}

// Socket folders may be shared (a /run folder made for us): made private only if we make them.
Status make_socket_dir(const fs::path& socket) {
    const fs::path dir = socket.parent_path();
    std::error_code ignored;
    if (!fs::exists(dir, ignored))
        if (auto made = make_private_dir(dir); !made) return made;
    return check_socket_dir(dir, getuid());
}

Result<net::Listener> listen_on(const std::string& where) {
    const auto endpoint = net::Endpoint::parse(where);
    if (!endpoint) return fail(endpoint.error());
    return net::Listener::bind(*endpoint);
}

}  // namespace

// First of all: a port in use must change nothing on disk.
Status Node::Impl::bind() {
    for (const auto& socket : {config.operators_socket, config.agents_socket})
        if (auto made = make_socket_dir(socket); !made) return made;
    auto operators_bound = listen_on(config.operators_socket.string());
    if (!operators_bound) return fail(operators_bound.error());
    operators_listener = std::move(*operators_bound);
    auto launch_bound = listen_on(config.agents_socket.string());
    if (!launch_bound) return fail(launch_bound.error());
    launch_listener = std::move(*launch_bound);
    if (config.agents_listen.empty()) return {};
    auto agents_bound = listen_on(config.agents_listen);
    if (!agents_bound) return fail(agents_bound.error());
    config.agents_listen = agents_bound->endpoint().text();
    agents_listener = std::move(*agents_bound);
    return {};
}

Status Node::Impl::open_state() {
    // Before the disk is touched: what cannot be kept back is not lent.
    auto secrets = lent_secrets(config.servers);
    if (!secrets) return fail(secrets.error());
    lent = std::move(*secrets);
    if (auto made = make_private_dir(config.data); !made) return made;
    auto log_key = load_log_key(config.data);
    if (!log_key) return fail(log_key.error());
    auto issuer_key = load_issuer_key(config.data);
    if (!issuer_key) return fail(issuer_key.error());
    auto options = log_options(config);
    if (!options) return fail(options.error());
    auto opened_ledger = ledger::Ledger::open(std::move(*options), std::move(*log_key), clock);
    if (!opened_ledger) return fail(opened_ledger.error());
    ledger = std::move(*opened_ledger);
    auto opened_store = store::open_sqlite(config.data / "state.sqlite");
    if (!opened_store) return fail(opened_store.error());
    store = std::move(*opened_store);
    auto custody = evidence::make_custody(config.evidence.custody);
    if (!custody) return fail(custody.error().in("payload vault"));
    auto opened_vault =
        evidence::Vault::open(config.data / "vault", config.tenant, std::move(*custody));
    if (!opened_vault) return fail(opened_vault.error());
    vault = std::move(*opened_vault);
    auto redacts = evidence::Redactor::make(config.evidence.redaction);
    if (!redacts) return fail(redacts.error());
    redactor = std::move(*redacts);
    const auto newest = evidence::newest_us(*ledger);
    if (!newest) return fail(newest.error());
    newest_us = *newest;
    for (const auto& spec : config.evidence.exports) {
        auto started = evidence::Exporter::start(spec, config.log_dir(), ledger->vkey(),
                                                 config.data / "export" / (spec.name + ".cursor"));
        if (!started) return fail(started.error());
        exporters.push_back(std::move(*started));
    }
    identity::DirectoryOptions identity_options{config.trust_domain, config.public_url(),
                                                config.public_url() + "/mcp"};
    directory =
        std::make_unique<identity::Directory>(std::move(identity_options), std::move(*issuer_key),
                                              config.agents, config.people, ids, clock);
    return {};
}

Status Node::Impl::open_catalog() {
    auto pins = admin::read_pins(*store, config.tenant);
    if (!pins) return fail(pins.error());
    auto made = catalog::Catalog::make(config.servers, config.domains, std::move(*pins),
                                       catalog::Offer::kOnceStored);
    if (!made) return fail(made.error());
    catalog = std::move(*made);
    return {};
}

Status Node::Impl::open_policies() {
    auto files = load_policies(config.policies);
    if (!files) return fail(files.error());
    policy_files = *files;
    policy_text = policy_payload(*files, config.agents);
    policy::EngineOptions names;
    for (const auto& server : config.servers) names.servers.push_back(server.name);
    for (const auto& domain : config.domains) names.domains.push_back(domain.domain);
    auto made =
        policy::Engine::make(std::move(*files), directory->agents(), catalog->expected(), names);
    if (!made) return fail(made.error());
    // What was accepted once may be offered no more: then only the servers' own word counts.
    wait_for_all = (*made)->report().error().has_value();
    engine = (*made)->with(catalog->snapshot());
    if (!engine) return fail(ErrorCode::kInternal, "the policies cannot be made ready");
    if (const auto wrong = engine->report().error()) return fail(*wrong);
    return {};
}

}  // namespace writ::cli
