// Standings out of the memory of the homes, and back into it.
#include "gate/survival.h"

#include <algorithm>
#include <utility>

#include "gate/core.h"
#include "gate/events.h"

namespace writ::gate {

namespace {

SessionStanding standing_of(const identity::Session& session) {
    SessionStanding out;
    out.id = session.id;
    out.writ = session.writ;
    out.task = session.task->id;
    out.binding = session.binding;
    out.bound_to = session.bound_to;
    out.started_event = session.started_event;
    out.issued_us = session.issued_us;
    out.expires_us = session.expires_us.load();
    return out;
}

CallStanding standing_of(const evidence::CallEnd& call) {
    return {call.call, call.session, call.task, call.decision, call.attempt};
}

}  // namespace

// The end of a call that the log would not take. What the call did is known to whoever waited for
// it, and will be to nobody else: `unknown` is recorded once the log works again.
void HomeState::owe_end(const evidence::CallEnd& call) {
    const auto same = [&](const evidence::CallEnd& each) { return each.call == call.call; };
    telling_end_ = telling_end_ && !same(owed_ends_.front());
    if (std::ranges::any_of(owed_ends_, same)) return;
    if (owed_ends_.size() >= kMaxOwedEnds) return;  // evidence.gap says that something is missing
    owed_ends_.push_back(call);
    start_ticking();
}

void HomeState::tell_owed_end() {
    if (owed_ends_.empty() || telling_end_ || is_stopping()) return;
    telling_end_ = true;
    const evidence::CallEnd call = owed_ends_.front();
    evidence::Draft draft = events::call_lost(standing_of(call), actor_or_writ(call.session),
                                              "how it ended could not be recorded in time");
    const auto done = [self = shared_from_this()](const Result<evidence::Receipt>& receipt) {
        self->telling_end_ = false;  // where it was refused, the next sweep tries again
        if (!receipt) return;
        self->owed_ends_.pop_front();
        self->tell_owed_end();
    };
    recorder().record(std::move(draft), done);
}

void HomeState::describe(const evidence::Settled& settled, Standing& out) const {
    for (const auto& [root, tree] : trees_) tree.describe(out.tasks);
    for (const auto& [id, end] : settled.sessions) {
        const identity::SessionPtr session = shared_->directory.session(id);
        if (!session) continue;
        SessionStanding standing = standing_of(*session);
        standing.end = end;
        const auto tree = trees_.find(session->task->root);
        const Tree::Chain* chain = tree == trees_.end() ? nullptr : tree->second.chain(id);
        standing.counted = chain == nullptr;
        if (chain != nullptr) {
            standing.spent = chain->spent;
            if (const auto flying = settled.in_flight.find(id); flying != settled.in_flight.end()) {
                standing.spent.calls -= flying->second.permitted;
                standing.spent.denied -= flying->second.refused;
                standing.spent.excused -= flying->second.excused;
            }
        }
        out.sessions.push_back(std::move(standing));
    }
    for (const PassagePtr& passage : open_) {
        if (passage->receipt.leaf == Sha256{}) continue;  // its decision is not in the log yet
        out.calls.push_back({passage->id, passage->session().id, passage->task().id,
                             passage->decision, std::max<std::int64_t>(passage->call.attempt, 1)});
    }
    for (const evidence::CallEnd& call : settled.ending) out.calls.push_back(standing_of(call));
    for (const evidence::CallEnd& call : owed_ends_) {
        const bool under_way = std::ranges::any_of(
            settled.ending, [&](const evidence::CallEnd& each) { return each.call == call.call; });
        if (!under_way) out.calls.push_back(standing_of(call));
    }
}

net::Task<std::optional<Standing>> Core::standing(std::size_t home) {
    net::Reactor* back = shared_->here();
    HomeState& state = *homes_.at(home);
    co_await state.reactor().hop();
    std::optional<Standing> out;
    if (const auto recorder = state.recorder().standing()) {
        out.emplace();
        out->emitter = recorder->emitter;
        out->boot = recorder->boot;
        out->seq = recorder->settled.next_seq;
        out->from = recorder->from;
        out->t_us = shared_->clock.now_us();
        state.describe(recorder->settled, *out);
    }
    if (back != nullptr) co_await back->hop();
    co_return out;
}

net::Task<Status> Core::revive(Revival revival) {
    net::Reactor* back = shared_->here();
    // By the home of the root where the task is known; what is lost is told by the first home.
    const auto home_of = [this](const TaskId& task) -> HomeState& {
        const identity::TaskPtr found = shared_->directory.task(task);
        return found ? state(found->root) : *homes_.front();
    };
    for (Revival::LiveTask& each : revival.tasks) {
        HomeState& home = state(each.task->root);
        co_await home.reactor().hop();
        Tree& tree = home.tree(each.task->root);
        tree.know(each.task);
        Tree::Link& link = tree.link(each.task->id);
        link.start_recorded = true;
        link.spent = each.standing.spent;
        link.own_denied = each.standing.own_denied;
    }
    for (Revival::LiveSession& each : revival.sessions) {
        HomeState& home = state(each.session->task->root);
        co_await home.reactor().hop();
        home.recorder().adopt(each.session->id, each.standing.end);
        evidence::ActorRef actor = home.actor(each.session);  // opens its chain
        static_cast<void>(actor);
        home.tree(each.session->task->root).chain(each.session->id)->spent = each.standing.spent;
    }
    std::vector<std::pair<HomeState*, Ticket>> tickets;
    for (Revival::LostSession& each : revival.lost_sessions) {
        HomeState& home = home_of(each.standing.task);
        co_await home.reactor().hop();
        home.recorder().adopt(each.standing.id, each.standing.end);
    }
    for (const CallStanding& each : revival.calls) {
        HomeState& home = home_of(each.task);
        co_await home.reactor().hop();
        evidence::Draft draft = events::call_lost(each, home.actor_or_writ(each.session),
                                                  "the gateway stopped during the call");
        tickets.emplace_back(&home, home.submit(std::move(draft)));
    }
    for (Revival::LostSession& each : revival.lost_sessions) {
        HomeState& home = home_of(each.standing.task);
        co_await home.reactor().hop();
        evidence::Draft draft = events::session_lost(each.standing, each.reason);
        tickets.emplace_back(&home,
                             home.submit_seal(each.standing.id, each.word, std::move(draft)));
    }
    for (Revival::LostTask& each : revival.lost_tasks) {
        HomeState& home = home_of(each.standing.id);
        co_await home.reactor().hop();
        evidence::Draft draft = events::task_lost(each.standing, each.how, each.reason);
        tickets.emplace_back(&home, home.submit_later(std::move(draft)));
    }
    Status out;
    for (auto& [home, ticket] : tickets) {
        co_await home->reactor().hop();  // a ticket is awaited where it was made
        const Result<evidence::Receipt> receipt = co_await ticket.wait();
        if (!receipt && out) out = fail(ErrorCode::kUnavailable, receipt.error().detail);
    }
    if (back != nullptr) co_await back->hop();
    co_return out;
}

net::Task<Status> Core::resume_session(identity::SessionPtr session) {
    net::Reactor* back = shared_->here();
    Status out = shared_->directory.renew(session);
    if (out) {
        HomeState& home = state(session->task->root);
        co_await home.reactor().hop();
        const Tree* tree = home.find_tree(session->task->root);
        if (tree == nullptr || tree->chain(session->id) == nullptr) {
            out = fail(ErrorCode::kUnauthenticated, "the session was sealed meanwhile");
        } else {
            evidence::Draft draft = events::identity_issued(*session, home.actor(session));
            draft.type = "identity.renewed";
            auto recording = home.recorder().record(std::move(draft));
            const Result<evidence::Receipt> receipt = co_await std::move(recording);
            if (!receipt) out = fail(ErrorCode::kUnavailable, receipt.error().detail);
        }
    }
    if (back != nullptr) co_await back->hop();
    co_return out;
}

net::Task<std::size_t> Core::open_calls() {
    net::Reactor* back = shared_->here();
    std::size_t out = 0;
    for (const auto& home : homes_) {
        co_await home->reactor().hop();
        out += home->open_calls();
    }
    if (back != nullptr) co_await back->hop();
    co_return out;
}

net::Task<void> Core::abandon_calls(std::string why) {
    net::Reactor* back = shared_->here();
    for (const auto& home : homes_) {
        co_await home->reactor().hop();
        home->abandon_all(why);
    }
    if (back != nullptr) co_await back->hop();
}

}  // namespace writ::gate
