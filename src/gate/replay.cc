// Folding the end of a log into standings. An event that a standing holds already is told by its
// emitter, boot and number; events of a boot that has no standing are all later than the standings,
// because a run writes its own before it serves.
#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "evidence/encode.h"
#include "evidence/leaf.h"
#include "gate/standing.h"

namespace writ::gate {

namespace {

template <class I>
std::optional<I> id_in(const evidence::Leaf& leaf, std::string_view member) {
    return I::parse(leaf.text(member));
}

}  // namespace

Replay::Replay(std::vector<Standing> standings) {
    bool first = true;
    for (Standing& each : standings) {
        from_ = first ? each.from : std::min(from_, each.from);
        first = false;
        newest_us_ = std::max(newest_us_, each.t_us);
        seen_[each.emitter] = {each.boot, each.seq};
        for (auto& task : each.tasks) tasks_.insert_or_assign(task.id, std::move(task));
        for (auto& session : each.sessions)
            sessions_.insert_or_assign(session.id, std::move(session));
        for (auto& call : each.calls) calls_.insert_or_assign(call.id, call);
    }
}

void Replay::take(std::string_view bytes) {
    const auto read = evidence::read_leaf(bytes);
    if (!read) return;
    const evidence::Leaf& leaf = *read;
    newest_us_ = std::max(newest_us_, leaf.t_us);
    const auto seen = seen_.find(leaf.emitter);
    if (seen != seen_.end() && seen->second.boot == leaf.boot && leaf.seq < seen->second.seq)
        return;

    const auto task_id = TaskId::parse(leaf.task);
    const auto session_id = SessionId::parse(leaf.session);
    if (leaf.type == "task.started" && task_id) {
        TaskStanding task;
        task.id = *task_id;
        task.parent = id_in<TaskId>(leaf, "parent");
        tasks_.try_emplace(*task_id, task);
    } else if (leaf.type == "task.ended" && task_id) {
        ended_.insert(*task_id);  // what it spent still counts for its parents
    } else if (leaf.type == "session.started" && session_id && task_id) {
        SessionStanding session;
        session.id = *session_id;
        session.task = *task_id;
        if (leaf.text("binding") == "bearer") session.binding = identity::Binding::kBearer;
        session.bound_to = leaf.text("bound_to");
        if (const auto event = EventId::parse(leaf.id)) session.started_event = *event;
        session.issued_us = leaf.t_us;
        sessions_.try_emplace(*session_id, std::move(session));
    }
    // Also of a session that is sealed: its end may have been owed for longer.
    const auto call = CallId::parse(leaf.call);
    if (leaf.type == "call.ended" && call) calls_.erase(*call);
    const auto found = session_id ? sessions_.find(*session_id) : sessions_.end();
    if (found == sessions_.end()) return;
    SessionStanding& session = found->second;
    if (leaf.chain == leaf.session) {
        session.end.next = leaf.chain_seq + 1;
        session.end.prev = evidence::leaf_hash(bytes);
    }
    if (leaf.type == "identity.issued" || leaf.type == "identity.renewed") {
        if (const auto jti = id_in<WritId>(leaf, "jti")) session.writ = *jti;
        session.expires_us = leaf.number("exp") * kSecond_us;
    } else if (leaf.type == "call.decided" && call) {
        const std::string_view kind = leaf.text("kind");
        ++session.end.calls;
        if (kind == "forbid") ++session.end.denied;
        ++(kind == "permit" ? session.spent.calls : session.spent.denied);
        if (kind != "permit" && leaf.text("code") == kUnavailableCode) ++session.spent.excused;
        const auto decision = EventId::parse(leaf.id);
        if (kind == "permit" && decision)
            calls_[*call] = {*call, session.id, session.task, *decision,
                             std::max<std::int64_t>(leaf.attempt, 1)};
    } else if (leaf.type == "session.sealed") {
        session.end.next = 0;  // marks it: what it spent still counts
    }
}

Replay::Truth Replay::finish() && {
    Truth out;
    out.newest_us = newest_us_;
    for (auto& [id, session] : sessions_) {
        const bool sealed = session.end.next == 0;
        bool own = !session.counted;
        for (auto task = tasks_.find(session.task); !session.counted && task != tasks_.end();
             task = task->second.parent ? tasks_.find(*task->second.parent) : tasks_.end()) {
            task->second.spent.calls += session.spent.calls;
            task->second.spent.denied += session.spent.denied;
            task->second.spent.excused += session.spent.excused;
            if (std::exchange(own, false)) task->second.own_denied += session.spent.strikes();
        }
        if (!sealed) out.sessions.push_back(std::move(session));
    }
    // Ids rise with time, and a parent is older than its children.
    for (auto& [id, task] : tasks_)
        if (!ended_.contains(id)) out.tasks.push_back(std::move(task));
    for (auto& [id, call] : calls_) out.calls.push_back(call);
    return out;
}

}  // namespace writ::gate
