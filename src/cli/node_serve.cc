// Puts desks and doors on the listeners: launchers on the agents' socket, agents on TCP, people on
// the operators' socket.
#include <utility>

#include "base/inert.h"
#include "base/log.h"
#include "cli/node_parts.h"
#include "cli/readers.h"
#include "evidence/shred.h"

namespace writ::cli {

// The first event of a run; without it nothing is served.
net::Task<Status> Node::Impl::say_started() {
    evidence::Draft started;
    started.type = "gateway.started";
    started.actor = self();
    started.data["version"] = "0.1.0";
    started.data["policy_set"] = digest_text(engine->digest());
    started.data["config"] = digest_text(config.digest);
    started.data["servers"] = config.servers.size();
    started.data["isolation"] = "none";
    started.payloads.push_back(std::move(policy_text));
    const auto recorded = co_await recorders.front()->record(std::move(started));
    if (!recorded) co_return fail(recorded.error());
    co_return Status();
}

void Node::Impl::serve_launchers() {
    launch::Parts launch_parts{
        *gate,
        *directory,
        *reactors.front(),
        clock,
        [this](identity::SessionPtr session, std::string path, std::uint16_t port) {
            return door->for_session(std::move(session), std::move(path), port);
        },
        [this](const launch::Refused& refused) {
            log::warn("launch", "{} hand-overs were refused, the first of {}: {}", refused.n,
                      refused.peer, inert(refused.reason, 200));
            evidence::Draft draft;
            draft.type = "launch.refused";
            draft.actor = self();
            draft.data["code"] = refused.code;
            draft.data["peer"] = refused.peer;
            draft.data["reason"] = refused.reason;
            draft.data["n"] = refused.n;
            recorders.front()->note(std::move(draft));
        },
        [this](SessionId session, launch::Kin kin) { return keeper->keep_inside(session, kin); },
        [this](SessionId session) { return keeper->forget_inside(session); },
        std::exchange(inside, {})};
    launch_desk =
        std::make_unique<launch::Desk>(std::move(launch_parts), std::move(*launch_listener));
}

void Node::Impl::serve_operators() {
    admin::Parts admin_parts{
        *gate,
        *directory,
        *catalog,
        *ledger,
        *store,
        *recorders.front(),
        *reactors.front(),
        clock,
        config.tenant,
        config.bearer,
        [this](net::Peer peer) { return launch_desk->inside_task(std::move(peer)); },
        [this](const identity::Person& person) {
            return evidence::pseudonym(*vault, "writ:" + config.trust_domain,
                                       "person:" + person.login);
        },
        [this] { return about(); },
        [this] { refresh_policies(); },
        [this](evidence::ShredRequest request) {
            return evidence::shred(*recorders.front(), *vault, *reactors.front(),
                                   std::move(request));
        },
        [this] { return server_health(); },
        [this](bool check_only, evidence::Actor by) {
            std::string reason = "writ reload";
            return reload(check_only, std::move(by), std::move(reason));
        }};
    admin_desk = std::make_unique<admin::Desk>(std::move(admin_parts));
    operators = std::make_unique<net::HttpServer>(*reactors.front(), std::move(*operators_listener),
                                                  admin_desk->handler());
}

void Node::Impl::serve_agents() {
    if (!agents_listener) return;
    const std::uint16_t port = agents_listener->endpoint().port;
    auto handler = agents_handler(config, *door, *directory, *ledger, port);
    agents =
        std::make_unique<net::HttpServer>(*reactors.front(), std::move(*agents_listener),
                                          std::move(handler), agents_options(config, *directory));
}

// The log for its readers, where the operator opened it.
Status Node::Impl::serve_readers() {
    auto started = start_readers(config, *reactors.front(),
                                 [this](metrics::Format format) { return metrics_page(format); });
    if (!started) return fail(started.error());
    readers = std::move(*started);
    return {};
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
    json::Node exports = json::Node::array();
    for (const auto& exporter : exporters) {
        const auto state = exporter->state();
        json::Node entry = json::Node::object();
        entry["name"] = state.name;
        entry["to"] = state.to;
        entry["next"] = state.next;
        entry["behind"] = state.behind;
        entry["delivered"] = state.delivered;
        entry["delivered_us"] = state.delivered_us;
        entry["failures"] = state.failures;
        entry["retries"] = state.retries;
        entry["error"] = state.error;
        exports.push_back(std::move(entry));
    }
    out["exports"] = std::move(exports);
    json::Node witnesses = json::Node::array();
    const auto health = ledger->health();
    for (const auto& witness : health.witnesses) {
        json::Node entry = json::Node::object();
        entry["name"] = witness.name;
        entry["size"] = witness.size;
        entry["trouble"] = witness.trouble;
        witnesses.push_back(std::move(entry));
    }
    out["witnesses"] = std::move(witnesses);
    out["quorum"] = health.quorum;
    out["witnessed"] = health.witnessed;
    return out;
}

}  // namespace writ::cli
