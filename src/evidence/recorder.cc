// The Recorder: seals an event's payloads, numbers it, hands the leaf to the ledger, and tells the
// caller when it is durable. What one turn of the loop records is written together at its end. The
// ledger answers on its own thread; answers are gathered and cross to the reactor in one post,
// however many a sync acknowledged.
#include "evidence/recorder.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "evidence/draft_reading.h"
#include "evidence/encode.h"
#include "evidence/recorder_impl.h"
#include "evidence/resume.h"

namespace writ::evidence {

namespace {

// Narrowing acts have room of their own behind it.
constexpr std::size_t kMaxNarrowingInFlight = kMaxEventsInFlight + kMaxEventsInFlight / 4;
// Events written together: many enough that code and keys stay in the processor's cache, few enough
// that the log does not wait.
constexpr std::size_t kMaxTogether = 16;
// A clock may be slewed; more than this is a step.
constexpr std::int64_t kClockSlack_us = 1'000'000;

// The end of a call that `draft` is, if it is one.
std::optional<CallEnd> end_of(const Draft& draft) {
    if (draft.type != "call.ended" || !draft.call || !draft.task || !draft.session ||
        draft.cause.empty())
        return std::nullopt;
    return CallEnd{*draft.call, *draft.task, *draft.session, draft.cause.front().id, draft.attempt};
}

}  // namespace

// Redacts and seals the payloads of all that is not refused.
void Recorder::Impl::store(std::span<Asked> batch, std::int64_t t_us) {
    puts.clear();
    for (Asked& each : batch) {
        if (each.refused) continue;
        const std::size_t n = std::min(each.draft.payloads.size(), kMaxPayloads);
        each.payloads.reserve(n);
        for (Payload& payload : std::span(each.draft.payloads).first(n)) {
            StoredPayload stored{payload.role, payload.media_type, "stored", {}};
            if (options.redactor) stored.redactions = options.redactor->redact(payload.bytes);
            if (stored.redactions > 0) {
                stored.state = "redacted";
                stored.redaction_profile = options.redactor->profile();
            }
            puts.push_back({payload.bytes, {owner_of(each.draft, payload), t_us}});
            each.payloads.push_back(std::move(stored));
        }
    }
    if (puts.empty()) return;
    vault.put_each(puts);
    auto put = puts.begin();
    for (Asked& each : batch) {
        for (StoredPayload& stored : each.payloads) {
            if (put->ref) {
                stored.ref = std::move(*put->ref);
            } else {
                // The event still commits to what it cannot keep.
                const bool large = put->ref.error().code == ErrorCode::kTooLarge;
                stored.state = large ? "too_large" : "unavailable";
                stored.ref = vault.commit_only(put->plain, put->owner);
            }
            ++put;
        }
    }
}

// The leaf and its place; `receipt` gets what is known before the log answers.
Result<std::pair<Sequence::Slot, std::string>> Recorder::Impl::write(
    Draft& draft, std::span<const StoredPayload> payloads, std::int64_t t_us, Receipt& receipt) {
    if (draft.call && (!draft.trace || !draft.trace->valid())) {
        std::string peer = draft.trace ? std::move(draft.trace->peer) : std::string();
        draft.trace = Trace::start();
        draft.trace->peer = std::move(peer);
    }
    Sequence::Slot slot = sequence.next(draft.type, draft.session);
    if (draft.type == "session.sealed") {
        draft.data["events"] = slot.end.next + 1;
        draft.data["calls"] = slot.end.calls;
        draft.data["denied"] = slot.end.denied;
    }
    receipt.event = draft.id ? *draft.id : ids.mint<EventId>();
    receipt.origin = options.origin;
    receipt.t_us = t_us;
    std::array<char, Uuid::kTextBytes> session;
    std::string_view chain = sequence.own_chain();
    if (slot.session)
        chain = std::string_view(session.data(), slot.session->write_text(session.data()));
    const Place place{.id = receipt.event,
                      .t_us = receipt.t_us,
                      .tenant = options.tenant,
                      .emitter = options.emitter,
                      .boot = boot,
                      .seq = slot.seq,
                      .chain = chain,
                      .chain_seq = slot.end.next,
                      .prev = slot.end.next > 0 ? &slot.end.prev : nullptr};
    auto leaf = encode(draft, place, payloads);
    if (!leaf) return fail(leaf.error());
    receipt.leaf = draft.actor.leaf_hash(*leaf);
    return std::pair(std::move(slot), std::move(*leaf));
}

// The clock, but never before an event that is there already. A clock set back is said once it
// matters: by more than kClockSlack_us.
std::int64_t Recorder::Impl::now() {
    const std::int64_t clock_us = clock.now_us();
    const std::int64_t back = newest_us - clock_us;
    if (back > kClockSlack_us && !behind) {
        stepped = back;
        behind = true;
    } else if (back <= 0) {
        behind = false;
    }
    newest_us = std::max(newest_us, clock_us);
    return newest_us;
}

void Recorder::Impl::say_clock_step() {
    const std::int64_t back = std::exchange(stepped, 0);
    Draft draft;
    draft.type = "clock.step";
    draft.data["step_us"] = -back;
    draft.data["held_us"] = newest_us;
    write_own(std::move(draft), std::nullopt);
}

// An event of the Recorder's own: of bounded size, and nobody waits for it.
void Recorder::Impl::write_own(Draft draft, std::optional<Gap> gap) {
    Waiting entry{{}, {}, std::move(gap), {}};
    auto written = write(draft, {}, now(), entry.receipt);
    WRIT_CHECK(written.has_value());
    hand_over(draft, written->first, std::move(written->second), std::move(entry));
}

// What narrows is written at once, behind what was asked for before it.
void Recorder::Impl::submit(Draft&& draft, std::size_t limit, Done done, bool soon) {
    const bool narrowing = narrows(draft.type);
    if (narrowing) limit = kMaxNarrowingInFlight;
    asked.push_back({std::move(draft), limit, std::move(done), {}, false, soon});
    if (narrowing || asked.size() >= kMaxTogether) {
        write_asked();
    } else if (asked.size() == 1) {
        reactor.post([self = shared_from_this()] { self->write_asked(); });
    }
}

// OPTIMIZATION: step by step for all, so that each step finds its code and tables in the
// processor's cache: a whole call in between would drive them out.
void Recorder::Impl::write_asked() {
    if (asked.empty()) return;
    std::vector<Asked> batch;
    batch.reserve(asked.size());
    batch.swap(asked);
    say_gaps();
    const std::int64_t t_us = now();
    std::size_t ahead = sequence.in_flight();
    for (Asked& each : batch) {
        each.refused = ahead >= each.limit;
        if (!each.refused) ++ahead;
    }
    store(batch, t_us);
    for (Asked& each : batch) write_one(each, t_us);
    if (!early.empty()) reactor.post([self = shared_from_this()] { self->tell_early(); });
}

void Recorder::Impl::tell_early() {
    for (auto& [done, receipt] : std::exchange(early, {})) {
        if (!gone) done(std::move(receipt));
    }
}

void Recorder::Impl::write_one(Asked& one, std::int64_t t_us) {
    if (one.refused) {
        overflow.add(sequence.next_seq(), "too many events wait for the log");
        if (const auto end = end_of(one.draft)) lose(*end);
        refuse(std::move(one.done), {ErrorCode::kUnavailable, "too many events wait for the log"});
        return;
    }
    Waiting entry{{}, std::move(one.done), {}, {}};
    auto written = write(one.draft, one.payloads, t_us, entry.receipt);
    if (!written) {
        untaken.add(sequence.next_seq(), written.error().detail);
        if (const auto end = end_of(one.draft)) lose(*end);
        refuse(std::move(entry.done), written.error());
        return;
    }
    const std::uint64_t seq = written->first.seq;
    if (!hand_over(one.draft, written->first, std::move(written->second), std::move(entry),
                   one.soon))
        return;
    Waiting& waits = waiting.at(seq);
    early.emplace_back(std::exchange(waits.done, {}), waits.receipt);
}

// Whether the event outlives the process, if it is to be answered soon: it still waits for its
// answer then.
bool Recorder::Impl::hand_over(const Draft& draft, const Sequence::Slot& slot, std::string leaf,
                               Waiting entry, bool soon) {
    const bool call = draft.type == "call.decided";
    Sequence::Kind kind{.closes = draft.type == "session.sealed",
                        .call = call,
                        .denied = call && verdict_is(draft, "forbid"),
                        .permitted = call && verdict_is(draft, "permit"),
                        .excused = draft.excused};
    kind.ended = end_of(draft);
    entry.end = kind.ended;
    sequence.handed_over(slot, entry.receipt.leaf, std::move(kind));
    const std::uint64_t seq = slot.seq;
    const Sha256 hash = entry.receipt.leaf;
    waiting.emplace(seq, std::move(entry));
    const bool outer = std::exchange(submitting, true);
    auto done = [self = shared_from_this(), seq](Result<ledger::Appended> answer) {
        self->answered(seq, std::move(answer));
    };
    bool outlives = false;
    if (narrows(draft.type)) {
        ledger.append_kept(std::move(leaf), std::move(done));
    } else if (!soon) {
        ledger.append_hashed(std::move(leaf), hash, std::move(done));
    } else {
        outlives = ledger.append_outliving(std::move(leaf), hash, std::move(done));
    }
    submitting = outer;
    return outlives;
}

Recorder::Recorder(RecorderOptions options, net::Reactor& reactor, ledger::Ledger& ledger,
                   Vault& vault, IdSource& ids, const Clock& clock)
    : impl_(std::make_shared<Impl>(std::move(options), reactor, ledger, vault, ids, clock)) {}

Recorder::~Recorder() {
    impl_->write_asked();
    impl_->gone = true;
}

void Recorder::record(Draft draft, std::function<void(Result<Receipt>)> done) {
    impl_->submit(std::move(draft), kMaxEventsInFlight, std::move(done));
}

void Recorder::note(Draft draft) {
    impl_->submit(std::move(draft), kMaxNotesInFlight, {});
}

namespace {

template <class T>
net::Task<T> answer(net::Promise<T> promise) {
    co_return co_await promise.wait();
}

}  // namespace

net::Task<Result<Receipt>> Recorder::record(Draft draft) {
    net::Promise<Result<Receipt>> promise(impl_->reactor);
    impl_->submit(std::move(draft), kMaxEventsInFlight,
                  [promise](Result<Receipt> outcome) { promise.set_here(std::move(outcome)); });
    return answer(std::move(promise));
}

net::Task<Status> Recorder::record_end(Draft draft) {
    net::Promise<Status> promise(impl_->reactor);
    const auto done = [promise](const Result<Receipt>& outcome) {
        promise.set_here(outcome ? Status() : fail(outcome.error()));
    };
    impl_->submit(std::move(draft), kMaxEventsInFlight, done, true);
    return answer(std::move(promise));
}

net::Task<Result<Receipt>> Recorder::seal(SessionId session, std::string reason, Draft draft) {
    impl_->write_asked();
    if (!impl_->sequence.open(session)) {
        co_return fail(ErrorCode::kNotFound, "the session has no open chain here");
    }
    draft.type = "session.sealed";
    draft.session = session;
    const std::string_view word = seal_word(reason);
    draft.data["reason"] = word;
    if (word == "other") {
        json::Node& detail = draft.data["detail"];
        if (detail.is_null()) detail = std::move(reason);
    }
    auto recording = record(std::move(draft));
    co_return co_await std::move(recording);
}

void Recorder::on_lost_end(std::function<void(const CallEnd&)> tell) {
    impl_->on_lost_end = std::move(tell);
}

void Recorder::adopt(const SessionId& session, const ChainEnd& end) {
    impl_->write_asked();
    impl_->sequence.adopt(session, end);
}

std::optional<Recorder::Standing> Recorder::standing() const {
    impl_->write_asked();  // so that all that was asked for is numbered, and counted as in flight
    auto settled = impl_->sequence.settled();
    if (!settled) return std::nullopt;
    // All that was handed over is answered: what comes next stands behind what the log has now,
    // whoever wrote that.
    if (impl_->sequence.in_flight() == 0)
        impl_->from = std::max(impl_->from, impl_->ledger.health().durable);
    return Standing{impl_->options.emitter, impl_->boot, impl_->from, std::move(*settled)};
}

}  // namespace writ::evidence
