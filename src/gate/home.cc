#include "gate/home.h"

#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "gate/events.h"
#include "gate/overlap.h"

namespace writ::gate {

net::Reactor* Shared::here() const {
    for (net::Reactor* reactor : reactors) {
        if (reactor->on_this_thread()) return reactor;
    }
    return nullptr;
}

evidence::Behalf Shared::behalf(std::string_view subject) const {
    constexpr std::string_view kPerson = "person:";
    constexpr std::string_view kAgent = "agent:";
    if (subject.starts_with(kPerson)) {
        return {"human", pseudonym ? pseudonym(subject) : std::string("ps:none")};
    }
    if (subject.starts_with(kAgent)) {
        const auto agent = directory.agent(subject.substr(kAgent.size()));
        if (agent) return {"agent", agent->spiffe_id};
    }
    return {"service", "unknown"};
}

HomeState::HomeState(Home home, std::shared_ptr<Shared> shared)
    : home_(home),
      shared_(std::move(shared)),
      strangers_written_boot_us_(shared_->clock.boot_us() - kStrangersEvery_us) {
    WRIT_CHECK(home_.reactor != nullptr && home_.recorder != nullptr);
}

const EngineAt& HomeState::engine() {
    shared_->engines.refresh(engine_);
    return engine_;
}

Tree& HomeState::tree(const TaskId& root) {
    const auto it = trees_.find(root);
    if (it != trees_.end()) return it->second;
    if (trees_.size() >= kMaxTasks) {
        const std::int64_t now = shared_->clock.boot_us();
        std::erase_if(trees_, [now](const auto& t) { return t.second.forgettable(t.first, now); });
    }
    return trees_[root];
}

Tree* HomeState::find_tree(const TaskId& root) {
    const auto it = trees_.find(root);
    return it == trees_.end() ? nullptr : &it->second;
}

bool HomeState::overlaps(const std::shared_ptr<const catalog::Tool>& tool) {
    const auto known = overlaps_.find(tool);
    if (known != overlaps_.end()) return known->second;
    if (overlaps_.size() >= kMaxJudgedTools) overlaps_.clear();
    return overlaps_.emplace(tool, may_overlap(*tool)).first->second;
}

evidence::ActorRef HomeState::actor(const identity::SessionPtr& session) {
    Tree& own = tree(session->task->root);
    Tree::Chain* chain = own.chain(session->id);
    if (chain == nullptr) {
        own.know(session->task);
        evidence::Behalf subject = shared_->behalf(session->task->spec.subject);
        chain = &own.open_chain(session, events::actor_of(*session, std::move(subject)));
    }
    const std::int64_t expires = session->expires_us.load() / 1'000'000;
    if (chain->actor->credential->exp != expires) {  // it was renewed
        evidence::Actor renewed = *chain->actor;
        renewed.credential->exp = expires;
        chain->actor = std::move(renewed);
    }
    return chain->actor;
}

evidence::ActorRef HomeState::actor_or_writ(const SessionId& session) {
    const identity::SessionPtr found = shared_->directory.session(session);
    const Tree* own = found ? find_tree(found->task->root) : nullptr;
    return own != nullptr && own->chain(session) != nullptr ? actor(found) : events::by_writ();
}

void HomeState::enlist(const PassagePtr& passage) {
    passage->deadline_boot_us = shared_->clock.boot_us() + kAdmissionDeadline_s * 1'000'000;
    passage->place = open_.insert(open_.end(), passage);
    ++tree(passage->task().root).live;
    start_ticking();
}

bool HomeState::finish(Passage& passage) {
    if (passage.closed.exchange(true)) return false;
    if (passage.place) {
        const auto place = *std::exchange(passage.place, std::nullopt);
        open_.erase(place);
        --tree(passage.task().root).live;
    }
    return true;
}

void HomeState::close(const PassagePtr& passage, Status_ status, std::string error) {
    if (is_stopping() || !finish(*passage) || passage->unrecorded.load()) return;
    const std::int64_t now = shared_->clock.boot_us();
    counts_.count_end(static_cast<std::size_t>(status), now - passage->began_us);
    evidence::ActorRef by = actor(passage->call.session);
    Outcome outcome{.status = status, .error = std::move(error), .output = {}};
    recorder().note(events::call_ended(*passage, std::move(by), std::move(outcome), now, {}));
}

void HomeState::close_all(const std::unordered_set<SessionId>& sessions, const std::string& why) {
    std::vector<PassagePtr> found;
    for (const PassagePtr& passage : open_) {
        if (sessions.contains(passage->session().id)) found.push_back(passage);
    }
    for (const PassagePtr& passage : found) {
        close(passage, passage->departed.load() ? Status_::kUnknown : Status_::kBlocked, why);
    }
}

void HomeState::abandon_all(const std::string& why) {
    while (!open_.empty() && !is_stopping()) {
        const PassagePtr passage = open_.front();
        close(passage, Status_::kUnknown, why);
    }
}

void HomeState::sweep() {
    const std::int64_t now = shared_->clock.boot_us();
    while (!open_.empty() && open_.front()->deadline_boot_us <= now && !is_stopping()) {
        const PassagePtr passage = open_.front();
        close(passage, Status_::kUnknown, "not closed in time");
    }
    if (now - strangers_written_boot_us_ >= kStrangersEvery_us) write_strangers();
    tell_owed_end();
}

Ticket HomeState::submit(evidence::Draft draft) {
    Ticket ticket(reactor());
    recorder().record(std::move(draft), [ticket](Result<evidence::Receipt> receipt) {
        ticket.set(std::move(receipt));
    });
    return ticket;
}

namespace {
net::Task<void> seal_one(evidence::Recorder* recorder, SessionId session, std::string word,
                         evidence::Draft draft, Ticket ticket) {
    auto sealing = recorder->seal(session, std::move(word), std::move(draft));
    Result<evidence::Receipt> receipt = co_await std::move(sealing);
    ticket.set(std::move(receipt));
}

net::Task<void> record_one(evidence::Recorder* recorder, evidence::Draft draft, Ticket ticket) {
    auto recording = recorder->record(std::move(draft));
    Result<evidence::Receipt> receipt = co_await std::move(recording);
    ticket.set(std::move(receipt));
}
}  // namespace

Ticket HomeState::submit_later(evidence::Draft draft) {
    Ticket ticket(reactor());
    reactor().spawn(record_one(home_.recorder, std::move(draft), ticket));
    return ticket;
}

Ticket HomeState::submit_seal(SessionId session, std::string word, evidence::Draft draft) {
    Ticket ticket(reactor());
    reactor().spawn(seal_one(home_.recorder, session, std::move(word), std::move(draft), ticket));
    return ticket;
}

void HomeState::stranger(std::string_view code) {
    const std::int64_t now = shared_->clock.boot_us();
    if (strangers_.empty()) strangers_since_us_ = shared_->clock.now_us();
    ++strangers_[std::string(code)];
    if (now - strangers_written_boot_us_ >= kStrangersEvery_us) {
        write_strangers();
    } else {
        start_ticking();
    }
}

void HomeState::write_strangers() {
    if (strangers_.empty() || is_stopping()) return;
    recorder().note(events::strangers(strangers_, strangers_since_us_));
    strangers_.clear();
    strangers_written_boot_us_ = shared_->clock.boot_us();
}

void HomeState::start_ticking() {
    if (ticking_) return;
    ticking_ = true;
    reactor().spawn(tick(shared_from_this()));
}

net::Task<void> HomeState::tick(std::shared_ptr<HomeState> self) {
    while (!self->is_stopping() &&
           (!self->open_.empty() || !self->strangers_.empty() || !self->owed_ends_.empty())) {
        co_await self->reactor().sleep(kSweepEvery);
        if (!self->is_stopping()) self->sweep();
    }
    self->ticking_ = false;
}

}  // namespace writ::gate
