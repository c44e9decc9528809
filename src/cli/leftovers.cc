#include "cli/leftovers.h"

#include <map>
#include <utility>
#include <vector>

#include "evidence/resume.h"
#include "json/node.h"
#include "json/value.h"

namespace writ::cli {
namespace {

// More tasks than a node keeps alive, by far.
constexpr std::size_t kMaxStoredTasks = 1'000'000;

evidence::Actor writ_itself() {
    evidence::Actor actor;
    actor.op = "writ";
    return actor;
}

struct Began {
    TaskId task;
    EventId event;  // its session.started
};

// Which task each session ran in, so that its seal stands in that task's trace.
Result<std::map<std::string, Began, std::less<>>> sessions_of(const ledger::Ledger& ledger) {
    std::map<std::string, Began, std::less<>> out;
    const auto read = ledger.read(0, [&](std::uint64_t, std::string_view leaf) {
        const auto event = json::parse(leaf);
        if (!event || event->root().string("type") != "session.started") return true;
        const auto task = TaskId::parse(event->root().string("task").value_or(""));
        const auto id = EventId::parse(event->root().string("id").value_or(""));
        if (task && id)
            out.emplace(event->root().string("session").value_or(""), Began{*task, *id});
        return true;
    });
    if (!read) return fail(read.error());
    return out;
}

net::Task<Status> seal_sessions(LeftoverParts parts) {
    const auto chains = evidence::open_chains(parts.ledger);
    if (!chains) co_return fail(chains.error());
    const auto began = sessions_of(parts.ledger);
    if (!began) co_return fail(began.error());
    for (const auto& chain : *chains) {
        parts.recorder.adopt(chain.session, chain.end);
        evidence::Draft draft;
        draft.type = "session.sealed";
        draft.session = chain.session;
        draft.actor = writ_itself();
        if (const auto found = began->find(chain.session.text()); found != began->end()) {
            draft.task = found->second.task;
            draft.cause.push_back(
                {"requested_by", found->second.event, evidence::Basis::kObserved});
        }
        const SessionId session = chain.session;
        std::string reason = "crashed";
        const auto sealed =
            co_await parts.recorder.seal(session, std::move(reason), std::move(draft));
        if (!sealed) co_return fail(sealed.error());
    }
    co_return Status();
}

net::Task<Status> end_task(LeftoverParts parts, store::Record record) {
    const auto id = TaskId::parse(record.key.id);
    if (!id)
        co_return fail(ErrorCode::kCorrupt, "a stored task has the id `" + record.key.id + "`");
    evidence::Draft draft;
    draft.type = "task.ended";
    draft.task = *id;
    draft.actor = writ_itself();
    draft.data["state"] = "ended";
    draft.data["reason"] = "the gateway was stopped without warning";
    const auto recorded = co_await parts.recorder.record(std::move(draft));
    if (!recorded) co_return fail(recorded.error());
    const auto body = json::parse(record.value);
    json::Node changed = json::Node::from(body->root());
    changed["state"] = "ended";
    const std::vector<store::Change> changes = {{record.key, changed.dump(), std::nullopt}};
    co_return parts.store.apply(parts.tenant, changes);
}

}  // namespace

net::Task<Status> close_leftovers(LeftoverParts parts) {
    const auto stored = parts.store.list(parts.tenant, "task", "", kMaxStoredTasks);
    if (!stored) co_return fail(stored.error());
    std::vector<store::Record> live;
    for (const auto& record : *stored) {
        const auto body = json::parse(record.value);
        if (body && body->root().string("state") == "live") live.push_back(record);
    }
    if (live.empty()) co_return Status();
    if (auto sealed = co_await seal_sessions(parts); !sealed) co_return fail(sealed.error());
    for (auto& record : live)
        if (auto ended = co_await end_task(parts, std::move(record)); !ended)
            co_return fail(ended.error());
    co_return Status();
}

}  // namespace writ::cli
