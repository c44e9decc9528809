#include "gate/admission.h"

#include <utility>

#include "base/check.h"
#include "gate/events.h"

namespace writ::gate {

namespace {

// The obligations were found possible when the call was decided.
Duties duties(const Passage& passage, Patterns& patterns) {
    if (passage.verdict.obligations.empty()) return {};
    auto made = duties_of(passage.verdict.obligations, patterns);
    WRIT_CHECK(made.has_value());
    return std::move(*made);
}

}  // namespace

OpenCall::OpenCall(PassagePtr passage, std::shared_ptr<HomeState> home)
    : passage_(std::move(passage)),
      home_(std::move(home)),
      outflow_(duties(*passage_, home_->shared().patterns), home_->secrets()) {}

OpenCall::~OpenCall() {
    if (passage_->closed.load() || close_asked_) return;
    const auto abandon = [passage = passage_, home = home_] {
        home->close(passage, Status_::kUnknown, "dropped without an end");
    };
    if (home_->reactor().on_this_thread()) {
        abandon();
    } else {
        home_->reactor().post(abandon);
    }
}

Status OpenCall::still_open() const {
    const std::string_view why = death(session(), home_->shared().clock.boot_us());
    if (!why.empty()) {
        return fail(ErrorCode::kUnauthenticated, "the task or session is " + std::string(why));
    }
    if (passage_->unrecorded.load()) {
        return fail(ErrorCode::kUnavailable, "the decision could not be recorded");
    }
    if (passage_->closed.load()) {
        return fail(ErrorCode::kCancelled, "the call was closed before its answer came");
    }
    return {};
}

Status OpenCall::depart() {
    if (Status open = still_open(); !open) return open;
    const Shared& shared = home_->shared();
    if (!shared.engines.is_current(passage_->engine)) {
        const EngineAt now = shared.engines.get();
        const policy::Verdict verdict =
            decide_anew(*passage_, now, shared.clock.now_us(), shared.patterns);
        if (verdict.kind != policy::Kind::kPermit ||
            verdict.obligations != passage_->verdict.obligations) {
            return fail(ErrorCode::kForbidden, "the policies changed and forbid this call now");
        }
    }
    passage_->departed.store(true);
    // A revocation between the check and the mark above must not find a call it takes for blocked
    // while its bytes leave.
    return still_open();
}

net::Task<std::variant<Refusal, std::monostate>> OpenCall::inward(Inward request) {
    using Out = std::variant<Refusal, std::monostate>;
    const PassagePtr passage = passage_;
    const std::shared_ptr<HomeState> home = home_;
    net::Reactor* back = home->shared().here();
    co_await home->reactor().hop();
    policy::Verdict verdict =
        forbid("inward_forbidden", "nothing is permitted from an upstream to the client",
               "the client does not take requests of tool servers here", true);
    Refusal refusal = refusal_of(RefusalKind::kForbidden, verdict);
    refusal.call = passage->id;
    if (passage->closed.load()) {
        refusal.kind = RefusalKind::kUnauthenticated;
    } else if (++passage->inward <= kMaxInward_per_call) {
        evidence::ActorRef by = home->actor(passage->call.session);
        evidence::Draft draft = events::call_inward(*passage, std::move(by), request, verdict);
        auto recording = home->recorder().record(std::move(draft));
        Result<evidence::Receipt> receipt = co_await std::move(recording);
        if (receipt) {
            refusal.receipt = std::move(*receipt);
        } else {
            refusal.kind = RefusalKind::kUnrecordable;
        }
    }
    if (back != nullptr) co_await back->hop();
    co_return Out(std::move(refusal));
}

net::Task<Status> OpenCall::settled() {
    const PassagePtr passage = passage_;
    if (!passage->overlaps) co_return Status();
    const std::shared_ptr<HomeState> home = home_;
    net::Reactor* back = home->shared().here();
    co_await home->reactor().hop();
    if (passage->pending) {
        const auto pending = *passage->pending;
        const Status done = co_await pending.wait();
        passage->pending.reset();
        static_cast<void>(done);  // `unrecorded` says the same, also to those who ask later
    }
    Status out;
    if (passage->unrecorded.load())
        out = fail(ErrorCode::kUnavailable, "the decision could not be recorded");
    if (back != nullptr) co_await back->hop();
    co_return out;
}

net::Task<Result<std::string>> OpenCall::chunk(std::string bytes) {
    auto settling = settled();
    if (const Status durable = co_await std::move(settling); !durable)
        co_return fail(durable.error());
    if (Status open = still_open(); !open) co_return fail(open.error());
    Result<std::string> out = outflow_.pass(std::move(bytes));
    passage_->bytes.store(outflow_.passed(), std::memory_order_relaxed);
    co_return out;
}

net::Task<Result<std::string>> OpenCall::aside(std::string message) {
    auto settling = settled();
    if (const Status durable = co_await std::move(settling); !durable)
        co_return fail(durable.error());
    if (Status open = still_open(); !open) co_return fail(open.error());
    Result<std::string> out = outflow_.aside(std::move(message));
    passage_->bytes.store(outflow_.passed(), std::memory_order_relaxed);
    co_return out;
}

net::Task<Result<std::string>> OpenCall::rest() {
    auto settling = settled();
    if (const Status durable = co_await std::move(settling); !durable)
        co_return fail(durable.error());
    if (Status open = still_open(); !open) co_return fail(open.error());
    co_return outflow_.rest();
}

net::Task<Status> OpenCall::close(Outcome outcome) {
    WRIT_CHECK(!close_asked_);
    close_asked_ = true;
    const PassagePtr passage = passage_;
    const std::shared_ptr<HomeState> home = home_;
    const std::size_t redacted = outflow_.redacted();
    const std::size_t withheld = outflow_.withheld();
    const bool whole = outflow_.is_whole();
    auto settling = settled();
    const Status durable = co_await std::move(settling);
    net::Reactor* back = home->shared().here();
    co_await home->reactor().hop();
    Status closed = fail(ErrorCode::kCancelled, "the call was closed before its answer came");
    if (!durable) {
        closed = durable;
    } else if (home->finish(*passage)) {
        const bool owed = !passage->verdict.obligations.empty() && !outcome.output.empty();
        const events::Seen seen{.redefined = is_redefined(*passage, home->engine()),
                                .unfulfilled = owed && !whole};
        if ((owed && whole) || redacted + withheld > 0) {  // how much was taken out, never what
            home->recorder().note(events::obligation_fulfilled(
                *passage, home->actor(passage->call.session), redacted, withheld));
        }
        evidence::ActorRef by = home->actor(passage->call.session);
        const std::int64_t now = home->shared().clock.boot_us();
        home->counts().count_end(static_cast<std::size_t>(outcome.status), now - passage->began_us);
        evidence::Draft draft =
            events::call_ended(*passage, std::move(by), std::move(outcome), now, seen);
        auto recording = home->recorder().record_end(std::move(draft));
        closed = co_await std::move(recording);
    }
    if (back != nullptr) co_await back->hop();
    co_return closed;
}

}  // namespace writ::gate
