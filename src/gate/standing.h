// What a gateway must not forget when it stops or is killed: which tasks live and what they have
// spent, where the evidence chains of their sessions stand, which calls are open. Not kept event by
// event, but as a Standing of each home now and then (docs/adr/0004): exactly what the log says up
// to a point, so that a start replays only what comes after it (Replay).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "evidence/resume.h"
#include "gate/gate.h"
#include "json/node.h"

namespace writ::gate {

struct TaskStanding {
    TaskId id;
    std::optional<TaskId> parent;
    Spent spent;  // of the whole subtree
    std::int64_t own_denied = 0;
    identity::TaskState state = identity::TaskState::kLive;  // dead: its end is not recorded yet
};

struct SessionStanding {
    SessionId id;
    WritId writ;
    TaskId task;
    identity::Binding binding = identity::Binding::kUnixPeer;
    std::string bound_to;
    EventId started_event;
    std::int64_t issued_us = 0, expires_us = 0;
    evidence::ChainEnd end;
    Spent spent;
    bool counted = false;  // `spent` is in its task's already
};

struct CallStanding {
    CallId id;
    SessionId session;
    TaskId task;
    EventId decision;
    std::int64_t attempt = 1;
};

// Of one home, up to event `seq` of its emitter.
struct Standing {
    std::string emitter, boot;
    std::uint64_t seq = 0;
    std::uint64_t from = 0;  // later events of this emitter are at this index of the log or behind
    std::int64_t t_us = 0;   // when it was taken
    std::vector<TaskStanding> tasks;
    std::vector<SessionStanding> sessions;
    std::vector<CallStanding> calls;

    json::Node to_json() const;
    // Errors: kCorrupt, naming the member.
    static Result<Standing> from_json(const json::Value& value);
};

// Standings and the events after them, folded into what is true at the end of the log. Pure.
class Replay {
  public:
    // Without standings the log has to be read from its beginning.
    explicit Replay(std::vector<Standing> standings);
    // The index to read the log from.
    std::uint64_t from() const { return from_; }
    // One event of the log, in order. What is in a standing already changes nothing; what is not an
    // event is passed over.
    void take(std::string_view leaf);

    struct Truth {
        std::vector<TaskStanding> tasks;  // parents before children
        std::vector<SessionStanding> sessions;
        std::vector<CallStanding> calls;
        std::int64_t newest_us = 0;  // the latest moment that anything speaks of
    };
    Truth finish() &&;

  private:
    struct Seen {
        std::string boot;
        std::uint64_t seq = 0;
    };
    std::map<std::string, Seen, std::less<>> seen_;  // by emitter
    std::uint64_t from_ = 0;
    std::int64_t newest_us_ = 0;
    std::map<TaskId, TaskStanding> tasks_;
    std::set<TaskId> ended_;
    std::map<SessionId, SessionStanding> sessions_;
    std::map<CallId, CallStanding> calls_;
};

}  // namespace writ::gate
