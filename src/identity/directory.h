// The tasks and sessions that are alive on this node, and the writs that name them. It decides
// issuance (narrowing, limits, roles are the desks' business), keeps the kill switch, and is the
// only place that mints credentials.
//
// Narrowing acts in memory first: after end(), revoke() or end_session() return, no Session of that
// tree is live() on any thread. Recording and storing follow, by the caller. Thread: any; readers
// on the request path use only the atomics of Task and Session (connection-bound callers) or one
// shared lock (bearer).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "crypto/sign.h"
#include "identity/types.h"
#include "jose/jws.h"

namespace writ::identity {

struct DirectoryOptions {
    std::string trust_domain;
    std::string issuer;    // iss of writs, e.g. http://127.0.0.1:7420
    std::string audience;  // aud, e.g. http://127.0.0.1:7420/mcp
};

class Directory {
  public:
    Directory(DirectoryOptions options, crypto::Es256Key key, std::vector<Agent> agents,
              std::vector<Person> people, IdSource& ids, const Clock& clock);
    ~Directory();

    std::shared_ptr<const Agent> agent(std::string_view name) const;
    std::vector<std::shared_ptr<const Agent>> agents() const;
    // Other agents and people from now on. Tasks go on with the agent they were started as; those
    // of an agent that is gone are the caller's to end.
    void set_registry(std::vector<Agent> agents, std::vector<Person> people);
    // Who a uid on the operators' socket is; nullptr if nobody.
    std::shared_ptr<const Person> person(std::uint32_t uid) const;

    // Starts a root task, or a child of `parent` whose authority must be within the parent's
    // (tools, domains, expiry, budget, depth; `when` is conjoined, not compared). Errors: kNotFound
    // (agent), kInvalid, kForbidden (widening; detail names the link and the grant), kExhausted
    // (kMaxTasks), kUnauthenticated (parent dead).
    Result<TaskPtr> start(TaskSpec spec, EventId started_event, TaskPtr parent = nullptr);
    TaskPtr task(const TaskId& id) const;
    std::vector<TaskPtr> tasks() const;  // newest first, dead ones kept until kMaxTasks
    // The task and all below it become dead. Returns the sessions that died. Errors: kNotFound,
    // kConflict (already dead).
    Result<std::vector<SessionPtr>> end(const TaskId& id, TaskState how);

    // Mints a session in `task` bound as given. Errors: kUnauthenticated (task dead), kExhausted.
    Result<SessionPtr> open(TaskPtr task, Binding binding, std::string bound_to,
                            EventId started_event);
    // Extends a live session by kWritLifetime_s, never past its task. Errors: kUnauthenticated.
    Status renew(const SessionPtr& session);
    void end_session(const SessionPtr& session);
    SessionPtr session(const SessionId& id) const;
    // Whether one of the task's own sessions is live.
    bool has_live_session(const TaskId& task) const;

    // How many sessions are live now.
    std::size_t live_sessions() const;

    // The writ of a session as a JWT (typ at+jwt, ES256; claims of RFC 9068 plus `task`, `act`,
    // `authorization_details`; docs/spec/writ.md). Only bearer sessions need it.
    std::string writ(const Session& session) const;
    // Verifies a presented writ: signature, typ, iss, aud, exp/nbf against the clock, session known
    // and live, not bound otherwise. Errors: kUnauthenticated with a detail for evidence that never
    // holds the token.
    Result<SessionPtr> authenticate(std::string_view token) const;
    // The issuer's public keys (RFC 7517 set).
    json::Node jwks() const;

    // Sessions and tasks whose time has passed since the last call become expired; returns them for
    // recording.
    struct Expired {
        std::vector<TaskPtr> tasks;
        std::vector<SessionPtr> sessions;
    };
    Expired sweep();

    // For restart: puts a stored task back. Where the machine has not booted since,
    // `deadline_boot_us` is its deadline on the boot clock, which no clock step moves; otherwise
    // the wall clock counts, and gives no more time than the task was started with. Errors:
    // kNotFound (its agent is not registered any more), kInvalid, kForbidden (wider than its
    // parent), kConflict (there already), kExhausted.
    Result<TaskPtr> restore(TaskId id, TaskSpec spec, EventId started_event, TaskPtr parent,
                            std::int64_t started_us, std::int64_t deadline_us, TaskState state,
                            std::optional<std::int64_t> deadline_boot_us = std::nullopt);
    // The same for a session of a restored task. A bearer's writ keeps its expiry; a unix session
    // may be resumed for kWritLifetime_s. Errors: kUnauthenticated (the task is dead, the writ has
    // expired), kConflict, kExhausted.
    struct StoredSession {
        SessionId id;
        WritId writ;
        Binding binding = Binding::kUnixPeer;
        std::string bound_to;
        EventId started_event;
        std::int64_t issued_us = 0, expires_us = 0;
    };
    Result<SessionPtr> restore_session(TaskPtr task, StoredSession stored);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace writ::identity
