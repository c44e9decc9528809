// The life of tasks and sessions with their evidence. Beginning: the id of the event first, then
// memory, then the record; what cannot be recorded is taken back. Ending: memory first, whatever
// happens after; then, at home, the open calls of the sessions that died are closed, their chains
// sealed, and the tasks recorded as ended.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/inert.h"
#include "base/log.h"
#include "gate/core.h"
#include "gate/events.h"

namespace writ::gate {

namespace {

// The schema's word for why a session was sealed.
std::string seal_word(identity::TaskState how) {
    switch (how) {
        case identity::TaskState::kRevoked:
            return "revoked";
        case identity::TaskState::kExpired:
            return "timeout";
        case identity::TaskState::kLive:
        case identity::TaskState::kEnded:
            break;
    }
    return "completed";
}

// The same from a reason in words: one of the schema's own, else `completed`.
std::string seal_word(std::string_view reason) {
    for (const std::string_view word : {"timeout", "revoked", "crashed", "superseded"}) {
        if (reason == word) return std::string(word);
    }
    return "completed";
}

Error unrecorded(std::string_view what, const Error& why) {
    const ErrorCode code =
        why.code == ErrorCode::kTooLarge ? ErrorCode::kTooLarge : ErrorCode::kUnavailable;
    return Error{code, why.detail, why.at}.in(what);
}

}  // namespace

net::Task<Status> all_of(std::vector<Ticket> tickets) {
    Status out;
    for (const Ticket& ticket : tickets) {
        Result<evidence::Receipt> receipt = co_await ticket.wait();
        if (!receipt && out) {
            out = fail(ErrorCode::kUnavailable, receipt.error().detail);
        }
    }
    co_return out;
}

TaskId Core::root_of(const TaskId& task) const {
    const identity::TaskPtr found = shared_->directory.task(task);
    return found ? found->root : task;
}

net::Task<Spent> Core::spent(TaskId task) {
    net::Reactor* back = shared_->here();
    const TaskId root = root_of(task);
    HomeState& home = state(root);
    co_await home.reactor().hop();
    Spent out;
    if (const Tree* tree = home.find_tree(root)) {
        if (const Tree::Link* link = tree->find(task)) out = link->spent;
    }
    if (back != nullptr) co_await back->hop();
    co_return out;
}

net::Task<void> Core::restore(TaskId task, Spent spent) {
    net::Reactor* back = shared_->here();
    const identity::TaskPtr found = shared_->directory.task(task);
    const TaskId root = found ? found->root : task;
    HomeState& home = state(root);
    co_await home.reactor().hop();
    Tree& tree = home.tree(root);
    if (found) tree.know(found);
    tree.link(task).spent = spent;
    if (back != nullptr) co_await back->hop();
}

net::Task<Result<identity::TaskPtr>> Core::start_task(identity::TaskSpec spec, evidence::Actor by,
                                                      identity::TaskPtr parent) {
    net::Reactor* back = shared_->here();
    if (const Status fits = shared_->engines.get().engine->check_grants(spec.grants); !fits)
        co_return fail(fits.error());
    const EventId event = shared_->ids.mint<EventId>();
    Result<identity::TaskPtr> started =
        shared_->directory.start(std::move(spec), event, std::move(parent));
    if (!started) co_return started;
    const identity::TaskPtr task = *started;
    HomeState& home = state(task->root);
    co_await home.reactor().hop();
    home.tree(task->root).know(task);
    std::string subject = shared_->behalf(task->spec.subject).sub;
    evidence::Draft draft = events::task_started(*task, std::move(by), std::move(subject));
    auto recording = home.recorder().record(std::move(draft));
    Result<evidence::Receipt> receipt = co_await std::move(recording);
    if (!receipt) {
        // Nothing of it is in the ledger, so its end is not recorded either.
        Tree::Link& link = home.tree(task->root).link(task->id);
        link.ended = link.end_recorded = true;
        static_cast<void>(shared_->directory.end(task->id, identity::TaskState::kEnded));
        started = fail(unrecorded("the task was not started", receipt.error()));
    } else {
        home.tree(task->root).link(task->id).start_recorded = true;
    }
    if (started && keep_) {
        auto keeping = keep_(task);
        if (const Status kept = co_await std::move(keeping); !kept) {
            co_await home.reactor().hop();
            static_cast<void>(shared_->directory.end(task->id, identity::TaskState::kEnded));
            auto burying = bury(home, task->id, task, identity::TaskState::kEnded,
                                events::by_writ(), "it could not be stored");
            const Status buried = co_await std::move(burying);
            static_cast<void>(buried);  // bury() has logged it; the task is dead either way
            started = fail(unrecorded("the task was not started", kept.error()));
        }
    }
    if (back != nullptr) co_await back->hop();
    co_return started;
}

net::Task<Result<identity::SessionPtr>> Core::open_session(identity::TaskPtr task,
                                                           identity::Binding binding,
                                                           std::string bound_to) {
    net::Reactor* back = shared_->here();
    HomeState& home = state(task->root);
    co_await home.reactor().hop();
    const EventId event = shared_->ids.mint<EventId>();
    Result<identity::SessionPtr> opened =
        shared_->directory.open(task, binding, std::move(bound_to), event);
    if (opened) {
        const identity::SessionPtr session = *opened;
        const evidence::ActorRef actor = home.actor(session);
        // Both at once: a seal that comes meanwhile must stand behind both.
        std::vector<Ticket> tickets;
        tickets.push_back(home.submit(events::session_started(*session, actor)));
        tickets.push_back(home.submit(events::identity_issued(*session, actor)));
        auto waiting = all_of(std::move(tickets));
        const Status recorded = co_await std::move(waiting);
        const std::string_view dead = death(*session, shared_->clock.boot_us());
        if (!recorded) {
            shared_->directory.end_session(session);
            auto sealing = seal(home, session, "crashed", "could not be recorded");
            const Status sealed = co_await std::move(sealing);
            static_cast<void>(sealed);  // the ledger fails already
            opened = fail(unrecorded("the session was not opened", recorded.error()));
        } else if (!dead.empty()) {
            opened = fail(ErrorCode::kUnauthenticated, "the task is " + std::string(dead));
        }
    }
    if (back != nullptr) co_await back->hop();
    co_return opened;
}

net::Task<Status> Core::end_session(identity::SessionPtr session, std::string reason) {
    shared_->directory.end_session(session);
    net::Reactor* back = shared_->here();
    HomeState& home = state(session->task->root);
    co_await home.reactor().hop();
    std::string word = seal_word(std::string_view(reason));
    auto sealing = seal(home, std::move(session), std::move(word), std::move(reason));
    Status status = co_await std::move(sealing);
    if (back != nullptr) co_await back->hop();
    co_return status;
}

net::Task<Status> Core::end_task(TaskId id, identity::TaskState how, evidence::Actor by,
                                 std::string reason) {
    // Asked before it dies: then the directory may forget it for tasks that other threads start.
    identity::TaskPtr task = shared_->directory.task(id);
    const auto died = shared_->directory.end(id, how);
    if (!died) co_return fail(died.error());
    net::Reactor* back = shared_->here();
    HomeState& home = state(task ? task->root : id);
    co_await home.reactor().hop();
    auto burying = bury(home, id, std::move(task), how, std::move(by), std::move(reason));
    Status status = co_await std::move(burying);
    if (back != nullptr) co_await back->hop();
    co_return status;
}

net::Task<Status> Core::sweep() {
    net::Reactor* back = shared_->here();
    identity::Directory::Expired expired = shared_->directory.sweep();
    Status out;
    for (identity::SessionPtr& session : expired.sessions) {
        HomeState& home = state(session->task->root);
        co_await home.reactor().hop();
        auto sealing = seal(home, std::move(session), "timeout", "its time has passed");
        const Status sealed = co_await std::move(sealing);
        if (!sealed && sealed.error().code != ErrorCode::kConflict) out = sealed;
    }
    for (const identity::TaskPtr& task : expired.tasks) {
        HomeState& home = state(task->root);
        co_await home.reactor().hop();
        auto burying = bury(home, task->id, task, identity::TaskState::kExpired, events::by_writ(),
                            "its deadline has passed");
        const Status buried = co_await std::move(burying);
        if (!buried) out = buried;
    }
    for (const auto& home : homes_) {
        co_await home->reactor().hop();
        home->sweep();
    }
    if (back != nullptr) co_await back->hop();
    co_return out;
}

void Core::queue_seals(HomeState& home, const std::vector<identity::SessionPtr>& sessions,
                       const std::string& word, const std::string& reason,
                       std::vector<Ticket>& tickets) {
    std::unordered_set<SessionId> dead;
    for (const auto& session : sessions) dead.insert(session->id);
    home.close_all(dead, word);
    for (const auto& session : sessions) {
        evidence::ActorRef actor = home.actor(session);
        const auto chain = home.tree(session->task->root).seal(session->id);
        evidence::Draft draft =
            events::session_sealed(*session, std::move(actor), reason, chain->spent);
        tickets.push_back(home.submit_seal(session->id, word, std::move(draft)));
    }
}

net::Task<Status> Core::seal(HomeState& home, identity::SessionPtr session, std::string word,
                             std::string reason) {
    Tree* tree = home.find_tree(session->task->root);
    if (tree == nullptr || tree->chain(session->id) == nullptr) {
        co_return fail(ErrorCode::kConflict, "the session is sealed already");
    }
    std::vector<Ticket> tickets;
    const std::vector<identity::SessionPtr> one{std::move(session)};
    queue_seals(home, one, word, reason, tickets);
    auto waiting = all_of(std::move(tickets));
    Status status = co_await std::move(waiting);
    if (!status) status = fail(status.error().in("the session is dead, but that is not recorded"));
    co_return status;
}

net::Task<Status> Core::bury(HomeState& home, TaskId id, identity::TaskPtr task,
                             identity::TaskState how, evidence::Actor by, std::string reason) {
    const TaskId root = task ? task->root : id;
    Tree& tree = home.tree(root);
    if (task) tree.know(task);
    std::vector<Ticket> tickets;
    std::vector<TaskId> ended;
    const std::vector<identity::SessionPtr> sessions = tree.chains_below(id);
    queue_seals(home, sessions, seal_word(how), reason, tickets);
    for (const identity::TaskPtr& each : tree.unended_below(id)) {
        Tree::Link& link = tree.link(each->id);
        link.ended = true;
        ended.push_back(each->id);
        const identity::TaskState own = each->state.load();
        const identity::TaskState state = own == identity::TaskState::kLive ? how : own;
        tickets.push_back(
            home.submit_later(events::task_ended(*each, state, by, reason, link.spent)));
    }
    auto waiting = all_of(std::move(tickets));
    Status status = co_await std::move(waiting);
    if (Tree* after = home.find_tree(root); status && after != nullptr) {
        for (const TaskId& each : ended) after->link(each).end_recorded = true;
    }
    if (!status) {
        log::error("gate", "task {} ({}) is dead, but that is not recorded: {}", id.text(),
                   inert(reason, 200), status.error().detail);
        status = fail(status.error().in("the task is dead, but that is not recorded"));
    }
    co_return status;
}

}  // namespace writ::gate
