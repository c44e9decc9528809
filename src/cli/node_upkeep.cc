// What the gateway does without being asked.
#include "base/log.h"
#include "cli/node_parts.h"

namespace writ::cli {

// What time alone brings about: deadlines pass, launchers do not come back, the instances of dead
// tasks are let go, and what must outlive the process is written down.
net::Task<void> Node::Impl::upkeep() {
    upkeep_runs = true;
    while (!stopping) {
        co_await reactors.front()->sleep(net::Millis(1'000));
        if (stopping) break;
        auto sweeping = gate->sweep();
        if (const Status swept = co_await std::move(sweeping); !swept)
            log::error("up", "expiry was not recorded: {}", swept.error().message());
        watch_log();
        auto giving_up = give_up_awaited();
        co_await std::move(giving_up);
        release_dead();
        auto storing = store_late_pins();
        co_await std::move(storing);
        if (!save_is_due()) continue;
        auto saving = save_standing();
        const Status saved = co_await std::move(saving);
        // Said once a trouble; the log alone suffices for a start, only slower.
        if (!saved && save_works)
            log::error("up", "what is open was not stored, a restart will read more of the log: {}",
                       saved.error().message());
        save_works = saved.has_value();
    }
    upkeep_runs = false;
}

// Notes, not records: the log's own trouble must not stop what is done about it.
void Node::Impl::watch_log() {
    for (auto& draft : log_watch.look(ledger->health(), clock.now_us())) {
        draft.actor = self();
        if (draft.type == "evidence.degraded")
            log::warn("log", "{}: {}", draft.type, draft.data.dump());
        recorders.front()->note(std::move(draft));
    }
}

// Remembers only what the directory still knows, so that the set stays bounded.
void Node::Impl::release_dead() {
    std::unordered_set<TaskId> dead;
    for (const auto& task : directory->tasks()) {
        if (task->live(clock.boot_us())) continue;
        if (!released.contains(task->id)) upstreams->release(task->id, mcp::parting_of(*task));
        dead.insert(task->id);
    }
    released = std::move(dead);
}

}  // namespace writ::cli
