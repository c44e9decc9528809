// The parts of a Node and the order in which they are made, served and taken down. Inner header of
// the verb `up`: node.cc runs the steps, node_open.cc opens what lies on disk, node_wire.cc
// connects the rooms, node_catalog.cc feeds what servers list into the catalog, node_revive.cc
// brings back what outlived a run, node_serve.cc puts desks and doors on the listeners,
// node_upkeep.cc does what time brings about, node_reload.cc puts another configuration in force,
// node_metrics.cc says how it
// goes, node_close.cc stops.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_set>

#include "base/metrics.h"
#include "cli/keeper.h"
#include "cli/node.h"
#include "cli/parts.h"
#include "evidence/exporter.h"
#include "evidence/log_watch.h"

namespace writ::cli {

struct Node::Impl {
    explicit Impl(Config c) : config(std::move(c)), as_read(config) {}
    ~Impl();
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    // node_open.cc, in this order.
    Status bind();
    Status open_state();
    Status open_catalog();
    Status open_policies();
    // node_wire.cc
    void wire();
    // node.cc
    Status run(const std::function<void()>& ready);
    net::Task<void> live(std::function<void()> ready, int signals);
    evidence::Actor self() const;
    // node_catalog.cc
    Status take_tools(const std::string& server, const json::Value& tools);
    void record_list(const std::string& server, const Sha256& digest, const json::Value& tools,
                     const catalog::Catalog::Listed& listed);
    net::Task<void> store_pins(std::vector<catalog::Pin> pins);
    net::Task<void> store_late_pins();
    net::Task<void> settle_pins();
    void refresh_policies();
    // node_serve.cc
    net::Task<Status> say_started();
    void serve_agents();
    void serve_launchers();
    void serve_operators();
    Status serve_readers();
    json::Node about() const;
    net::Task<json::Node> server_health();
    // node_metrics.cc
    net::Task<std::string> metrics_page(metrics::Format format);
    // node_revive.cc
    net::Task<Status> come_back();
    net::Task<Status> save_standing();
    bool save_is_due() const;
    net::Task<void> give_up_awaited();
    // node_reload.cc
    struct Candidate;
    net::Task<Result<json::Node>> reload(bool check_only, evidence::Actor by, std::string reason);
    net::Task<void> reload_by_signal();
    net::Task<Result<json::Node>> reload_in_turn(bool check_only, evidence::Actor by,
                                                 std::string reason);
    Result<std::shared_ptr<Candidate>> prepare_reload() const;
    net::Task<Status> record_reload(std::shared_ptr<const Candidate> next, evidence::Actor by,
                                    std::string reason);
    void put_in_force(Candidate& next);
    std::size_t live_tasks_of(const std::set<std::string>& names) const;
    net::Task<std::size_t> end_gone(std::set<std::string> agents, evidence::Actor by);
    // node_upkeep.cc
    net::Task<void> upkeep();
    void watch_log();
    void release_dead();
    // node_close.cc
    net::Task<bool> drain();
    net::Task<void> close();

    Config config;   // in force; written by a reload, on the first reactor
    Config as_read;  // the same without what listeners made of it
    std::vector<std::pair<std::string, std::string>> policy_files;  // in force
    // Orders the makers of engines: the newest catalog wins. Readers of the engine do not take it.
    std::mutex policies_mutex;
    std::mutex recorded_lists_mutex;               // guards recorded_lists
    std::map<std::string, Sha256> recorded_lists;  // by server, its last one in the trail
    std::atomic<int> storing_pins{0};              // under way
    bool pins_work = true;
    bool reloading = false;
    bool wait_for_all = false;  // servers, before policies can be said to fit
    SystemClock clock;
    IdSource ids{clock};
    std::unique_ptr<store::Store> store;
    std::unique_ptr<ledger::Ledger> ledger;
    std::unique_ptr<evidence::Vault> vault;
    std::unique_ptr<catalog::Catalog> catalog;
    std::unique_ptr<identity::Directory> directory;
    std::shared_ptr<const policy::Engine> engine;
    std::shared_ptr<const gate::Secrets> lent;  // until the gate has it
    std::vector<std::unique_ptr<net::Reactor>> reactors;
    std::vector<std::unique_ptr<evidence::Recorder>> recorders;
    std::vector<std::unique_ptr<evidence::Exporter>> exporters;
    evidence::LogWatch log_watch;
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
    std::unique_ptr<Keeper> keeper;
    std::vector<identity::SessionPtr> awaited;  // of before a restart, until they are resumed
    std::int64_t awaited_until_boot_us = 0;
    std::map<SessionId, launch::Kin> inside;  // of before a restart: processes that are no persons
    std::uint64_t saved_entries = 0;          // of the log, when the standings were saved last
    std::int64_t saved_boot_us = 0;
    bool save_works = true;
    bool upkeep_runs = false;
    bool stopping = false;
    Status closed;
};

}  // namespace writ::cli
