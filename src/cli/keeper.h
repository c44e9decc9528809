// What a node keeps in its store so that tasks outlive the process: a row for each task that may be
// alive (the log names people by pseudonyms only, and holds no prompt) and the standing of each
// home. Ended tasks have no row: the log is the truth of what happened.
//
//   task/<id> {"spec","started_us","deadline_us","deadline_boot_us","boot","event","parent"}
//   standing/<number>  gate::Standing
//   inside/<session> {"agent":[pid,start],"launcher":[pid,start],"boot"}  processes that are inside
//     a task, whatever became of it (desks/launch/inside.h)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "desks/launch/inside.h"
#include "gate/standing.h"
#include "identity/types.h"
#include "net/reactor.h"
#include "store/store.h"

namespace writ::cli {

// A task as its row has it.
struct KeptTask {
    TaskId id;
    std::optional<TaskId> parent;
    identity::TaskSpec spec;
    EventId started_event;
    std::int64_t started_us = 0, deadline_us = 0;
    std::optional<std::int64_t> deadline_boot_us;  // if the machine has not booted since
};

struct Kept {
    std::vector<gate::Standing> standings;  // empty: the log has to be read from its beginning
    std::map<TaskId, KeptTask> tasks;
    std::map<SessionId, launch::Kin> inside;  // of this boot of the machine
};

// Everything referred to must outlive it. keep() and save() are for `reactor`.
class Keeper {
  public:
    Keeper(store::Store& store, std::string tenant, net::Reactor& reactor);

    // Blocks. A standing that cannot be read is none: all of them are then given up, with a
    // warning. Errors: kIo, kCorrupt (a task's row, naming it).
    Result<Kept> load();
    // Stores a task; durable when it returns. Errors: kIo.
    net::Task<Status> keep(identity::TaskPtr task);
    // Stores the processes of a session; durable when it returns. Errors: kIo.
    net::Task<Status> keep_inside(SessionId session, launch::Kin kin);
    // Removes them. What cannot be removed names processes that are gone: it harms nobody.
    net::Task<void> forget_inside(SessionId session);
    // Stores the standings by number and removes the rows of tasks that are in none and for which
    // `dead` is true. Rows of homes beyond them, of an earlier configuration, go. Errors: kIo.
    net::Task<Status> save(std::vector<gate::Standing> standings,
                           std::function<bool(const TaskId&)> dead);

  private:
    Status load_inside(Kept& out);
    net::Task<Status> apply(std::vector<store::Change> changes,
                            std::optional<std::uint64_t> applied);

    store::Store& store_;
    const std::string tenant_;
    net::Reactor& reactor_;
    const std::string boot_;  // of the machine
    std::set<TaskId> rows_;
    std::set<std::string> standing_rows_;
};

}  // namespace writ::cli
