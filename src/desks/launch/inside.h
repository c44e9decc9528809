// Which processes are inside tasks: the agents that were launched and all below them, and what they
// leave behind, which their launchers adopt (`writ run` is a subreaper). None of them may act as a
// person.
//
// A session's processes count from its launch until its launcher has left and its agent has exited,
// whatever becomes of the session itself: a process is no person because its task was revoked. They
// are remembered outside the process, so that a restart of the gateway makes persons of nobody
// either: what is told at a start counts until its launcher has handed over again, or until both
// processes are gone.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "desks/launch/lookout.h"
#include "desks/launch/proc.h"
#include "json/node.h"
#include "json/value.h"
#include "net/reactor.h"
#include "net/socket.h"
#include "net/task.h"

namespace writ::launch {

// The processes of one session.
struct Kin {
    Process agent;
    Process launcher;  // pid 0: not known
    bool operator==(const Kin&) const = default;

    // `{"agent":[pid,start],"launcher":[pid,start]}`. Errors: kCorrupt.
    json::Node to_json() const;
    static Result<Kin> from_json(const json::Value& value);
    // What the binding of a session (`pid:<pid>@<start>;…`) says: the agent alone. Errors:
    // kInvalid.
    static Result<Kin> from_binding(std::string_view bound_to);
};

// Thread: the reactor's.
class Inside {
  public:
    explicit Inside(net::Reactor& reactor);

    // Counts the processes of `session` in, in place of others that were its.
    void add(const SessionId& session, const Kin& kin);
    void remove(const SessionId& session);
    // Null: none are known.
    const Kin* find(const SessionId& session) const;
    const std::map<SessionId, Kin>& all() const { return kin_; }

    // Whether `peer` is an agent, descends from one, or descends from a launcher. Who cannot be
    // vouched for is inside: who has left, or has vanished from /proc, or has more than
    // kMaxAncestors. Errors: kUnavailable (cannot look now).
    net::Task<Result<bool>> holds(net::Peer peer);
    // Those of `sessions` whose processes are all gone.
    net::Task<std::vector<SessionId>> gone(std::vector<SessionId> sessions);

  private:
    bool any_of(const std::vector<Process>& lineage) const;

    net::Reactor& reactor_;
    const std::shared_ptr<Lookout> lookout_;  // shared with the pool, which may finish later
    std::map<SessionId, Kin> kin_;
    std::multiset<Process> agents_, launchers_;  // of kin_
};

}  // namespace writ::launch
