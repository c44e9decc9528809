// The operators' desk: the admin API on the operators' unix socket. Callers are people, known by
// the kernel's word on their uid; a process inside any task's tree is refused. What they do is
// recorded by the gate as evidence.
//
//   GET  /api/v1/status
//   GET  /api/v1/tasks[/{id}]            POST /api/v1/tasks
//   POST /api/v1/tasks/{id}/end|revoke|writ
//   GET  /api/v1/catalog[/{server}/{tool}[/diff]]
//   POST /api/v1/catalog/{server}/{tool}/pin
//   POST /api/v1/policy/explain          POST /api/v1/reload
//
// Errors are `{"error":{"code":"not_found","message":"…"}}` with the HTTP status of base/error.h.
// docs/guide/admin-api.md.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "catalog/catalog.h"
#include "evidence/recorder.h"
#include "evidence/shred.h"
#include "gate/gate.h"
#include "identity/directory.h"
#include "json/value.h"
#include "ledger/ledger.h"
#include "net/http.h"
#include "store/store.h"

namespace writ::admin {

// What the desk works with. Everything must outlive it.
struct Parts {
    gate::Gate& gate;
    identity::Directory& directory;
    catalog::Catalog& catalog;
    ledger::Ledger& ledger;
    store::Store& store;
    evidence::Recorder& recorder;  // of `reactor`
    net::Reactor& reactor;
    const Clock& clock;
    std::string tenant;
    bool bearer = false;  // whether writs may be handed out as bearer tokens
    // True if the peer is part of some task's tree: it must not act as a person. Errors:
    // kUnavailable (cannot be told now).
    std::function<net::Task<Result<bool>>(net::Peer)> inside_task;
    // A person's name as it stands in events.
    std::function<std::string(const identity::Person&)> pseudonym;
    // Facts about the node for `status`, e.g. sockets and version.
    std::function<json::Node()> about;
    // Called after the catalog changed, so that policies see it.
    std::function<void()> catalog_changed;
    // Shreds a subject's payloads, or says what it would.
    std::function<net::Task<Result<evidence::Shredded>>(evidence::ShredRequest)> shred;
    // How the tool servers are, one object each with `server`; null: not told.
    std::function<net::Task<json::Node>()> server_health;
    // Reads, checks and puts in force the configuration and policies, or only checks them.
    std::function<net::Task<Result<json::Node>>(bool check_only, evidence::Actor by)> reload;
};

class Desk {
  public:
    explicit Desk(Parts parts);
    ~Desk();
    // For an HttpServer on the operators' socket. The Desk must outlive the server.
    net::HttpHandler handler();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace writ::admin
