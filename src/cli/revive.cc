#include "cli/revive.h"

#include <algorithm>
#include <utility>

#include "base/inert.h"
#include "base/log.h"

namespace writ::cli {
namespace {

using identity::TaskState;

void lose(gate::Revival& revival, gate::TaskStanding standing, TaskState how, std::string reason) {
    log::warn("up", "task {} does not go on: {}", standing.id.text(), inert(reason, 200));
    revival.lost_tasks.push_back({std::move(standing), how, std::move(reason)});
}

void revive_task(gate::Revival& revival, const Kept& kept, gate::TaskStanding standing,
                 identity::Directory& directory) {
    const auto row = kept.tasks.find(standing.id);
    if (standing.state != TaskState::kLive) {
        const TaskState how = standing.state;
        return lose(revival, std::move(standing), how,
                    "the gateway stopped before its end was recorded");
    }
    if (row == kept.tasks.end())
        return lose(revival, std::move(standing), TaskState::kEnded,
                    "the gateway stopped before it was stored");
    const KeptTask& task = row->second;
    const identity::TaskPtr parent = task.parent ? directory.task(*task.parent) : nullptr;
    if (task.parent && !parent)
        return lose(revival, std::move(standing), TaskState::kEnded, "its parent has ended");
    auto restored =
        directory.restore(task.id, task.spec, task.started_event, parent, task.started_us,
                          task.deadline_us, TaskState::kLive, task.deadline_boot_us);
    if (!restored)
        return lose(revival, std::move(standing), TaskState::kEnded,
                    "after a restart: " + restored.error().message());
    revival.tasks.push_back({std::move(*restored), std::move(standing)});
}

void revive_session(gate::Revival& revival, gate::SessionStanding standing,
                    identity::Directory& directory) {
    const identity::TaskPtr task = directory.task(standing.task);
    identity::Directory::StoredSession stored{
        standing.id,        standing.writ,          standing.binding,
        standing.bound_to,  standing.started_event, standing.issued_us,
        standing.expires_us};
    auto restored = directory.restore_session(task, std::move(stored));
    if (restored) {
        revival.sessions.push_back({std::move(*restored), std::move(standing)});
        return;
    }
    const bool expired = restored.error().detail == "the writ has expired";
    revival.lost_sessions.push_back({std::move(standing), expired ? "timeout" : "crashed",
                                     "after a restart: " + restored.error().message()});
}

}  // namespace

Result<Past> look_back(Keeper& keeper, const ledger::Ledger& ledger) {
    Past out;
    auto kept = keeper.load();
    if (!kept) return fail(kept.error());
    out.kept = std::move(*kept);
    gate::Replay replay(std::move(out.kept.standings));
    if (const auto pruned = ledger.health().minimum_index; replay.from() < pruned)
        log::warn("up",
                  "entries {} to {} are pruned and the store does not say what they began: tasks "
                  "from then are forgotten, their writs are refused",
                  replay.from(), pruned - 1);
    const auto each = [&replay, &out](std::uint64_t, std::string_view leaf) {
        replay.take(leaf);
        ++out.replayed;
        return true;
    };
    if (auto read = ledger.read(replay.from(), each); !read) return fail(read.error());
    out.truth = std::move(replay).finish();
    return out;
}

gate::Revival decide_revival(Past past, identity::Directory& directory) {
    gate::Revival out;
    for (auto& task : past.truth.tasks) revive_task(out, past.kept, std::move(task), directory);
    for (auto& session : past.truth.sessions) revive_session(out, std::move(session), directory);
    out.calls = std::move(past.truth.calls);
    std::reverse(out.lost_tasks.begin(), out.lost_tasks.end());  // children first
    return out;
}

}  // namespace writ::cli
