#include "cli/node.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <thread>
#include <unordered_set>

#include "base/inert.h"
#include "base/log.h"
#include "cli/keys.h"
#include "cli/leftovers.h"
#include "cli/parts.h"
#include "cli/readers.h"
#include "crypto/hash.h"
#include "evidence/exporter.h"
#include "evidence/resume.h"
#include "evidence/shred.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

// The gateway's memory holds keys: no core dump, no tracer (docs/architecture.md, section 4).
void harden_process() {
    prctl(PR_SET_DUMPABLE, 0);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

// Before the first thread is made, so that all inherit the mask and the signals reach the signalfd
// only.
sigset_t block_stop_signals() {
    sigset_t stop_signals;
    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGINT);
    sigaddset(&stop_signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
    return stop_signals;
}

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
    if (fs::exists(dir)) return {};
    return make_private_dir(dir);
}

Result<net::Listener> listen_on(const std::string& where) {
    const auto endpoint = net::Endpoint::parse(where);
    if (!endpoint) return fail(endpoint.error());
    return net::Listener::bind(*endpoint);
}

}  // namespace

struct Node::Impl {
    explicit Impl(Config c) : config(std::move(c)) {}
    ~Impl();

    Status open_state();
    Status open_catalog();
    Status open_policies();
    void wire();
    Status bind();
    Status run(const std::function<void()>& ready);

    net::Task<void> serve(std::function<void()> ready, int signals);
    net::Task<void> close();
    net::Task<void> housekeeping();
    net::Task<json::Node> server_health();
    Status take_tools(const std::string& server, const json::Value& tools);
    net::Task<void> store_pins(std::vector<catalog::Pin> pins);
    void refresh_policies();
    evidence::Actor self() const;
    json::Node about() const;

    Config config;
    SystemClock clock;
    IdSource ids{clock};
    std::unique_ptr<store::Store> store;
    std::unique_ptr<ledger::Ledger> ledger;
    std::unique_ptr<evidence::Vault> vault;
    std::unique_ptr<catalog::Catalog> catalog;
    std::unique_ptr<identity::Directory> directory;
    std::shared_ptr<const policy::Engine> engine;
    std::vector<std::unique_ptr<net::Reactor>> reactors;
    std::vector<std::unique_ptr<evidence::Recorder>> recorders;
    std::vector<std::unique_ptr<evidence::Exporter>> exporters;
    std::shared_ptr<const evidence::Redactor> redactor;
    std::int64_t newest_us = 0;     // of the log, at start
    evidence::Payload policy_text;  // of `engine`, kept with gateway.started
    std::unique_ptr<gate::Gate> gate;
    std::unique_ptr<mcp::Upstreams> upstreams;
    std::unique_ptr<mcp::Door> door;
    std::unique_ptr<admin::Desk> admin_desk;
    std::unique_ptr<launch::Desk> launch_desk;
    std::unique_ptr<net::HttpServer> operators, agents, readers;
    std::optional<net::Listener> operators_listener, launch_listener, agents_listener;
    std::vector<std::thread> threads;
    std::unordered_set<TaskId> released;  // dead tasks whose instances were let go
    bool stopping = false;
    Status closed;
};

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;

Node::Impl::~Impl() {
    for (auto& reactor : reactors) reactor->stop();
    for (auto& thread : threads) thread.join();
    launch_desk.reset();
    operators.reset();
    agents.reset();
    readers.reset();
    admin_desk.reset();
    door.reset();
    upstreams.reset();
    gate.reset();
    recorders.clear();
    reactors.clear();
}

Result<std::unique_ptr<Node>> Node::open(Config config) {
    harden_process();
    block_stop_signals();
    auto impl = std::make_unique<Impl>(std::move(config));
    for (const auto step :
         {&Impl::bind, &Impl::open_state, &Impl::open_catalog, &Impl::open_policies})
        if (auto done = (impl.get()->*step)(); !done) return fail(done.error());
    impl->wire();
    return std::unique_ptr<Node>(new Node(std::move(impl)));
}

Status Node::run(const std::function<void()>& ready) {
    return impl_->run(ready);
}

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
    auto made = catalog::Catalog::make(config.servers, config.domains, std::move(*pins));
    if (!made) return fail(made.error());
    catalog = std::move(*made);
    return {};
}

Status Node::Impl::open_policies() {
    auto files = load_policies(config.policies);
    if (!files) return fail(files.error());
    policy_text = policy_payload(*files, config.agents);
    policy::EngineOptions names;
    for (const auto& server : config.servers) names.servers.push_back(server.name);
    for (const auto& domain : config.domains) names.domains.push_back(domain.domain);
    auto made =
        policy::Engine::make(std::move(*files), directory->agents(), catalog->snapshot(), names);
    if (!made) return fail(made.error());
    engine = std::move(*made);
    if (const auto wrong = engine->report().error()) return fail(*wrong);
    return {};
}

void Node::Impl::wire() {
    const BootId boot = ids.mint<BootId>();
    std::vector<gate::Home> homes;
    std::vector<net::Reactor*> loops;
    for (std::size_t i = 0; i < config.reactors; ++i) {
        reactors.push_back(std::make_unique<net::Reactor>());
        evidence::RecorderOptions options{
            config.tenant,
            fmt::format("spiffe://{}/writ/{}/{}", config.trust_domain, config.node, i),
            boot,
            config.origin(),
            newest_us,
            redactor};
        recorders.push_back(std::make_unique<evidence::Recorder>(
            std::move(options), *reactors.back(), *ledger, *vault, ids, clock));
        homes.push_back({reactors.back().get(), recorders.back().get()});
        loops.push_back(reactors.back().get());
    }
    const std::string issuer = "writ:" + config.trust_domain;
    auto pseudonym = [this, issuer](std::string_view subject) {
        return evidence::pseudonym(*vault, issuer, subject);
    };
    gate = gate::Gate::make(std::move(homes), *directory, *catalog, engine, ids, clock, pseudonym);
    upstreams = std::make_unique<mcp::Upstreams>(
        std::move(loops), config.servers,
        [this](const std::string& server, const json::Value& tools) {
            return take_tools(server, tools);
        });
    mcp::DoorOptions door_options;
    if (!config.agents_listen.empty()) door_options.public_url = config.public_url();
    door = std::make_unique<mcp::Door>(*gate, *upstreams, clock, std::move(door_options));
}

evidence::Actor Node::Impl::self() const {
    evidence::Actor actor;
    actor.op = "writ";
    return actor;
}

json::Node Node::Impl::about() const {
    json::Node out = json::Node::object();
    out["version"] = "0.1.0";
    out["tenant"] = config.tenant;
    out["node"] = config.node;
    out["origin"] = config.origin();
    out["log"] = config.log_dir().string();
    out["agents"] = config.agents_listen;
    out["agents_socket"] = config.agents_socket.string();
    out["isolation"] = "none";
    return out;
}

void Node::Impl::refresh_policies() {
    auto renewed = gate->engine()->with(catalog->snapshot());
    if (!renewed) return;
    for (const auto& finding : renewed->report().findings)
        if (finding.level == policy::Level::kError)
            log::error("policy", "{}", inert(finding.text(), 2'000));
    gate->set_engine(std::move(renewed));
}

// What a server lists goes into the catalog, the trail and the store. Runs on a reactor.
Status Node::Impl::take_tools(const std::string& server, const json::Value& tools) {
    auto listed = catalog->update(server, tools);
    if (!listed) return fail(listed.error());
    for (const auto& reason : listed->dropped)
        log::warn("catalog", "server {}: {}", server, inert(reason, 300));
    refresh_policies();
    evidence::Draft draft;
    draft.type = "tool.list";
    draft.actor = self();
    draft.data["server"] = server;
    draft.data["tools"] = listed->tools;
    const auto pin_list = [](const std::vector<catalog::Pin>& pins) {
        json::Node list = json::Node::array();
        for (const auto& pin : pins) {
            json::Node entry = json::Node::object();
            entry["tool"] = pin.tool;
            entry["pin"] = digest_text(pin.digest);
            list.push_back(std::move(entry));
        }
        return list;
    };
    draft.data["first_seen"] = pin_list(listed->first_seen);
    draft.data["changed"] = pin_list(listed->changed);
    draft.payloads.push_back({"tool_list", std::string(tools.raw()), "application/json"});
    for (const auto& pin : listed->changed)
        log::warn(
            "catalog",
            "{}/{} changed its definition: refused until read (`writ catalog diff`) and accepted",
            server, inert(pin.tool, 100));
    auto shared = std::make_shared<evidence::Draft>(std::move(draft));
    auto* recorder = recorders.front().get();
    reactors.front()->post([recorder, shared] { recorder->note(std::move(*shared)); });
    std::vector<catalog::Pin> fresh = std::move(listed->first_seen);
    fresh.insert(fresh.end(), listed->kept.begin(), listed->kept.end());
    if (!fresh.empty()) reactors.front()->spawn(store_pins(std::move(fresh)));
    return {};
}

net::Task<void> Node::Impl::store_pins(std::vector<catalog::Pin> pins) {
    std::vector<store::Change> changes = admin::pin_changes(config.tenant, pins);
    store::Store* to = store.get();
    const std::string tenant = config.tenant;
    auto write = [to, tenant, changes = std::move(changes)] { return to->apply(tenant, changes); };
    const Status done = co_await reactors.front()->offload(std::move(write));
    if (!done) log::error("catalog", "pins were not stored: {}", done.error().message());
}

// How the tool servers are, for people.
net::Task<json::Node> Node::Impl::server_health() {
    json::Node out = json::Node::array();
    for (const auto& server : co_await upstreams->health()) {
        json::Node one = json::Node::object();
        one["server"] = server.server;
        one["state"] = mcp::name(server.state);
        if (server.since_us > 0) one["since"] = rfc3339(server.since_us);
        one["restarts"] = server.restarts;
        one["instances"] = server.instances;
        one["in_flight"] = server.in_flight;
        if (!server.last_error.empty()) one["last_error"] = server.last_error;
        if (server.retry_us > 0) one["retry"] = rfc3339(server.retry_us);
        out.push_back(std::move(one));
    }
    co_return out;
}

Status Node::Impl::run(const std::function<void()>& ready) {
    const sigset_t stop_signals = block_stop_signals();
    const net::Fd signals(signalfd(-1, &stop_signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals.valid()) return fail(io_error("signalfd", errno));
    for (std::size_t i = 1; i < reactors.size(); ++i)
        threads.emplace_back([reactor = reactors[i].get()] { reactor->run(); });
    reactors.front()->spawn(serve(ready, signals.get()));
    reactors.front()->run();
    return closed;
}

net::Task<void> Node::Impl::serve(std::function<void()> ready, int signals) {
    net::Reactor& home = *reactors.front();
    auto leftovers = close_leftovers({*store, *ledger, *recorders.front(), config.tenant});
    if (auto done = co_await std::move(leftovers); !done) {
        closed = std::move(done);
        home.stop();
        co_return;
    }
    evidence::Draft started;
    started.type = "gateway.started";
    started.actor = self();
    started.data["version"] = "0.1.0";
    started.data["policy_set"] = digest_text(engine->digest());
    started.data["servers"] = config.servers.size();
    started.data["isolation"] = "none";
    started.payloads.push_back(std::move(policy_text));
    const auto recorded = co_await recorders.front()->record(std::move(started));
    if (!recorded) {
        closed = fail(recorded.error());
        home.stop();
        co_return;
    }
    co_await upstreams->watch();

    launch::Parts launch_parts{
        *gate,
        *directory,
        home,
        clock,
        [this](identity::SessionPtr session, std::string path, std::uint16_t port) {
            return door->for_session(std::move(session), std::move(path), port);
        },
        [this](const net::Peer& peer, const Error& error) {
            evidence::Draft draft;
            draft.type = "launch.refused";
            draft.actor = self();
            draft.data["peer"] = peer.address;
            draft.data["reason"] = error.detail;
            recorders.front()->note(std::move(draft));
        }};
    launch_desk =
        std::make_unique<launch::Desk>(std::move(launch_parts), std::move(*launch_listener));
    admin::Parts admin_parts{*gate,
                             *directory,
                             *catalog,
                             *ledger,
                             *store,
                             *recorders.front(),
                             home,
                             clock,
                             config.tenant,
                             config.bearer,
                             [this](pid_t pid) { return launch_desk->inside_task(pid); },
                             [this](const identity::Person& person) {
                                 return evidence::pseudonym(*vault, "writ:" + config.trust_domain,
                                                            "person:" + person.login);
                             },
                             [this] { return about(); },
                             [this] { refresh_policies(); },
                             [this](evidence::ShredRequest request) {
                                 return evidence::shred(*recorders.front(), *vault,
                                                        *reactors.front(), std::move(request));
                             },
                             [this] { return server_health(); }};
    admin_desk = std::make_unique<admin::Desk>(std::move(admin_parts));
    operators = std::make_unique<net::HttpServer>(home, std::move(*operators_listener),
                                                  admin_desk->handler());
    if (agents_listener) {
        const std::uint16_t port = agents_listener->endpoint().port;
        auto handler = agents_handler(config, *door, *directory, *ledger, port);
        agents = std::make_unique<net::HttpServer>(home, std::move(*agents_listener),
                                                   std::move(handler));
    }
    auto started_readers = start_readers(config, home);
    if (!started_readers) {
        closed = fail(started_readers.error());
        home.stop();
        co_return;
    }
    readers = std::move(*started_readers);
    home.spawn(housekeeping());
    ready();
    while (!co_await net::wait_readable(home, signals, net::Millis(3'600'000))) {
    }
    co_await close();
    home.stop();
}

// What time alone brings about: deadlines pass, and the instances of dead tasks are let go.
net::Task<void> Node::Impl::housekeeping() {
    while (!stopping) {
        co_await reactors.front()->sleep(net::Millis(1'000));
        if (stopping) co_return;
        if (const Status swept = co_await gate->sweep(); !swept)
            log::error("up", "expiry was not recorded: {}", swept.error().message());
        for (const auto& task : directory->tasks())
            if (!task->live(clock.boot_us()) && released.insert(task->id).second)
                upstreams->release(task->id);
    }
}

net::Task<void> Node::Impl::close() {
    log::info("up", "stopping");
    stopping = true;
    operators->close();
    if (agents) agents->close();
    if (readers) readers->close();
    for (const auto& task : directory->tasks()) {
        if (!task->live(clock.boot_us())) continue;
        auto by = self();
        const auto id = task->id;
        std::string why = "the gateway was stopped";
        const Status ended =
            co_await gate->end_task(id, identity::TaskState::kEnded, std::move(by), std::move(why));
        if (!ended && ended.error().code != ErrorCode::kConflict)
            log::error("up", "the end of task {} was not recorded: {}", task->id.text(),
                       ended.error().message());
    }
    launch_desk.reset();
    co_await upstreams->close();
    evidence::Draft stopped;
    stopped.type = "gateway.stopped";
    stopped.actor = self();
    stopped.data["reason"] = "signal";
    const auto recorded = co_await recorders.front()->record(std::move(stopped));
    if (!recorded) closed = fail(recorded.error());
    ledger::Ledger* log = ledger.get();
    evidence::Vault* blobs = vault.get();
    auto flush = [log, blobs] {
        const Status vault_done = blobs->flush();
        const Status log_done = log->flush();
        return log_done ? vault_done : log_done;
    };
    const Status flushed = co_await reactors.front()->offload(std::move(flush));
    if (!flushed && closed) closed = flushed;
}

}  // namespace writ::cli
