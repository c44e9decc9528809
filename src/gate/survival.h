// How what a gateway knows outlives the process: a home is asked for its Standing now and then, and
// what a later run found out (Replay) is brought back. The gate's second face, for the one who
// keeps the store (cli); doors never see it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gate/standing.h"

namespace writ::gate {

// What a start has decided about the Truth of the log: which tasks and sessions go on.
struct Revival {
    struct LiveTask {
        identity::TaskPtr task;  // in the directory again
        TaskStanding standing;
    };
    struct LiveSession {
        identity::SessionPtr session;  // in the directory again
        SessionStanding standing;
    };
    struct LostTask {
        TaskStanding standing;
        identity::TaskState how = identity::TaskState::kEnded;
        std::string reason;
    };
    struct LostSession {
        SessionStanding standing;
        std::string word;  // the schema's: crashed, timeout
        std::string reason;
    };
    std::vector<LiveTask> tasks;  // parents first
    std::vector<LiveSession> sessions;
    std::vector<CallStanding> calls;  // in flight when the gateway stopped
    std::vector<LostSession> lost_sessions;
    std::vector<LostTask> lost_tasks;  // children before parents
};

class Survival {
  public:
    // Called for each task that was started and recorded; start_task() succeeds only if it does.
    using Keep = std::function<net::Task<Status>(identity::TaskPtr)>;

    virtual ~Survival() = default;
    virtual void on_started(Keep keep) = 0;  // before the first task; Thread: before the reactors
    virtual std::size_t homes() const = 0;
    // What home number `home` must not forget, as far as the log has it. Nothing where it cannot be
    // told now (refused events wait for their fate); ask again. Hops there and back. Cost: a copy
    // of what is open.
    virtual net::Task<std::optional<Standing>> standing(std::size_t home) = 0;
    // Brings back what goes on and records what does not: every call of `calls` ends `unknown`,
    // lost sessions are sealed `crashed`, lost tasks end. Before anything is served. Errors:
    // kUnavailable (not recorded).
    virtual net::Task<Status> revive(Revival revival) = 0;
    // The holder of a unix session is back: extends the session and records that
    // (identity.renewed). Errors: kUnauthenticated (dead), kUnavailable (not recorded).
    virtual net::Task<Status> resume_session(identity::SessionPtr session) = 0;
    // Calls admitted and not closed, over all homes.
    virtual net::Task<std::size_t> open_calls() = 0;
    // Ends every open call as `unknown`, for a stop that waits no longer.
    virtual net::Task<void> abandon_calls(std::string why) = 0;
};

}  // namespace writ::gate
