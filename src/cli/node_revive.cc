// What outlives the process: brought back at start, written down while it runs.
#include <algorithm>

#include "base/log.h"
#include "cli/node_parts.h"
#include "cli/revive.h"

namespace writ::cli {

namespace {

// A start replays at most this many events, give or take what a second brings.
constexpr std::uint64_t kMaxTailEntries = 8'192;
// And where little happens, what happened in this time.
constexpr std::int64_t kSaveEvery_us = 5'000'000;

// The store may be lost, or of a version that kept no processes: then the log says who the agents
// are.
void add_agent(std::map<SessionId, launch::Kin>& inside, const SessionId& session,
               identity::Binding binding, const std::string& bound_to) {
    if (binding != identity::Binding::kUnixPeer) return;
    if (const auto kin = launch::Kin::from_binding(bound_to)) inside.emplace(session, *kin);
}

}  // namespace

// Before anything is served.
net::Task<Status> Node::Impl::come_back() {
    auto look = [this] { return look_back(*keeper, *ledger); };
    auto looking = reactors.front()->offload(std::move(look));
    auto past = co_await std::move(looking);
    if (!past) co_return fail(past.error());
    clock.not_before(past->truth.newest_us);
    inside = std::move(past->kept.inside);
    gate::Revival revival = decide_revival(std::move(*past), *directory);
    for (const auto& each : revival.sessions) {
        if (each.session->binding == identity::Binding::kUnixPeer) awaited.push_back(each.session);
        add_agent(inside, each.session->id, each.session->binding, each.session->bound_to);
    }
    for (const auto& each : revival.lost_sessions)
        add_agent(inside, each.standing.id, each.standing.binding, each.standing.bound_to);
    if (!revival.tasks.empty())
        log::info("up", "{} tasks and {} sessions go on; {} calls were in flight",
                  revival.tasks.size(), revival.sessions.size(), revival.calls.size());
    auto reviving = gate->survival()->revive(std::move(revival));
    if (const Status revived = co_await std::move(reviving); !revived) co_return revived;
    auto saving = save_standing();
    co_return co_await std::move(saving);
}

// The standing of every home, in one change of the store. Where one cannot be told now, nothing is
// saved: the next start reads a little more of the log.
net::Task<Status> Node::Impl::save_standing() {
    const std::uint64_t durable = ledger->health().durable;
    std::vector<gate::Standing> standings;
    std::uint64_t from = durable;  // from there on a start reads the log
    for (std::size_t i = 0; i < gate->survival()->homes(); ++i) {
        auto asking = gate->survival()->standing(i);
        auto standing = co_await std::move(asking);
        if (!standing) co_return Status();
        from = std::min(from, standing->from);
        standings.push_back(std::move(*standing));
    }
    std::function<bool(const TaskId&)> dead = [this](const TaskId& id) {
        const auto task = directory->task(id);
        return !task || task->state.load() != identity::TaskState::kLive;
    };
    auto saving = keeper->save(std::move(standings), std::move(dead));
    const Status saved = co_await std::move(saving);
    if (saved) {
        saved_entries = durable;
        ledger->needed_from(from);
    }
    saved_boot_us = clock.boot_us();
    co_return saved;
}

bool Node::Impl::save_is_due() const {
    const std::uint64_t durable = ledger->health().durable;
    if (durable == saved_entries) return false;
    return durable - saved_entries >= kMaxTailEntries ||
           clock.boot_us() - saved_boot_us >= kSaveEvery_us;
}

// Sessions whose launcher did not come back in time, and tasks that only lived by them.
net::Task<void> Node::Impl::give_up_awaited() {
    if (awaited.empty() || clock.boot_us() < awaited_until_boot_us) co_return;
    for (const auto& session : std::exchange(awaited, {})) {
        if (launch_desk->serves(session->id) || !session->live(clock.boot_us())) continue;
        log::warn("up", "nobody came back for session {}", session->id.text());
        auto ending = gate->end_session(session, "crashed");
        const Status ended = co_await std::move(ending);
        if (!ended && ended.error().code != ErrorCode::kConflict)
            log::error("up", "the end of session {} was not recorded: {}", session->id.text(),
                       ended.error().message());
        const auto& task = session->task;
        if (directory->has_live_session(task->id) || !task->live(clock.boot_us())) continue;
        const TaskId id = task->id;
        auto by = self();
        std::string why = "nobody came back for its session after a restart of the gateway";
        auto burying =
            gate->end_task(id, identity::TaskState::kEnded, std::move(by), std::move(why));
        const Status buried = co_await std::move(burying);
        if (!buried && buried.error().code != ErrorCode::kConflict)
            log::error("up", "the end of task {} was not recorded: {}", id.text(),
                       buried.error().message());
    }
}

}  // namespace writ::cli
