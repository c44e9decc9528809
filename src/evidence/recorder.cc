// The Recorder: seals an event's payloads, numbers it, hands the leaf to the ledger, and tells the
// caller when it is durable. What one turn of the loop records is written together at its end. The
// ledger answers on its own thread; answers are gathered and cross to the reactor in one post,
// however many a sync acknowledged.
#include "evidence/recorder.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <span>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "evidence/draft_reading.h"
#include "evidence/encode.h"
#include "evidence/gap.h"
#include "evidence/resume.h"
#include "evidence/sequence.h"

namespace writ::evidence {

namespace {

// Events of one emitter that wait for the log. Class B stops at half of it, so that notes never
// keep a decision out.
constexpr std::size_t kMaxInFlight = kMaxPendingAppends / 4;
constexpr std::size_t kMaxNotesInFlight = kMaxInFlight / 2;
// Narrowing acts have room of their own behind it.
constexpr std::size_t kMaxNarrowingInFlight = kMaxInFlight + kMaxInFlight / 4;
// Events written together: many enough that code and keys stay in the processor's cache, few enough
// that the log does not wait.
constexpr std::size_t kMaxTogether = 16;
// A clock may be slewed; more than this is a step.
constexpr std::int64_t kClockSlack_us = 1'000'000;

using Done = std::function<void(Result<Receipt>)>;

}  // namespace

// Kept alive by the answers that are still to come.
struct Recorder::Impl : std::enable_shared_from_this<Recorder::Impl> {
    Impl(RecorderOptions o, net::Reactor& r, ledger::Ledger& l, Vault& v, IdSource& i,
         const Clock& c)
        : options(std::move(o)),
          boot(options.boot.text()),
          reactor(r),
          mailbox(r.mailbox()),
          ledger(l),
          vault(v),
          ids(i),
          clock(c),
          newest_us(options.not_before_us),
          sequence(options.emitter + "#" + boot),
          from(l.health().durable) {}

    struct Waiting {
        Receipt receipt;
        Done done;
        std::optional<Gap> gap;  // the event says this
    };
    struct Refused {
        std::string why;
        std::optional<Gap> gap;
    };
    // What is to be recorded once this turn of the loop is over.
    struct Asked {
        Draft draft;
        std::size_t limit = 0;
        Done done;
        std::vector<StoredPayload> payloads = {};  // of the draft's bytes
        bool refused = false;                      // too many events wait
        bool soon = false;                         // `done` need not wait for the disk
    };
    using Told = std::vector<std::pair<Done, Receipt>>;  // who is to be told what

    void submit(Draft&& draft, std::size_t limit, Done done, bool soon = false);
    void write_asked();
    void write_one(Asked& asked, std::int64_t t_us);
    void tell_early();
    Result<std::pair<Sequence::Slot, std::string>> write(Draft& draft,
                                                         std::span<const StoredPayload> payloads,
                                                         std::int64_t t_us, Receipt& receipt);
    void write_own(Draft draft, std::optional<Gap> gap);
    void store(std::span<Asked> batch, std::int64_t t_us);
    std::int64_t now();
    void say_clock_step();
    bool hand_over(const Draft& draft, const Sequence::Slot& slot, std::string leaf,
                   Waiting waiting);
    void answered(std::uint64_t seq, Result<ledger::Appended> answer);
    void settle_all();
    void settle(std::uint64_t seq, Result<ledger::Appended> answer, Told& told);
    void note_fates();
    void say_gaps();
    void say_gap(Gap gap);
    void refuse(Done done, Error error) {
        if (!done) return;
        reactor.post([done = std::move(done), error = std::move(error)] { done(fail(error)); });
    }

    const RecorderOptions options;
    const std::string boot;
    net::Reactor& reactor;
    const std::shared_ptr<net::Mailbox> mailbox;  // the log may answer after the reactor's end
    ledger::Ledger& ledger;
    Vault& vault;
    IdSource& ids;
    const Clock& clock;

    // Everything below is touched on the reactor only, but for `answers`.
    std::int64_t newest_us;        // of this emitter's events; time never goes back
    std::int64_t stepped = 0;      // how far the clock went back, until an event says it
    bool behind = false;           // the clock is before newest_us, and an event says so
    std::vector<Asked> asked;      // in their order
    Told early;                    // who need not wait for the disk, until the loop tells them
    std::vector<Vault::Put> puts;  // while their payloads are sealed; its memory is kept
    Sequence sequence;
    std::uint64_t from;  // behind the newest event that the log has taken from here
    std::map<std::uint64_t, Waiting> waiting;  // by sequence number
    std::map<std::uint64_t, Refused> refused;  // until the fate of the number is known
    // Gaps that no event says yet.
    Gap overflow{.why = "overflow"}, untaken{.why = "refused"};
    std::vector<Gap> lost;
    bool log_works = true;
    bool submitting = false;  // append() is running: its caller is not called back from inside
    bool gone = false;        // the Recorder was destroyed: nobody is called any more

    std::mutex mutex;  // guards answers; held for a push or a swap only
    std::vector<std::pair<std::uint64_t, Result<ledger::Appended>>> answers;
};

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
    Waiting entry{{}, {}, std::move(gap)};
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
        refuse(std::move(one.done), {ErrorCode::kUnavailable, "too many events wait for the log"});
        return;
    }
    Waiting entry{{}, std::move(one.done), {}};
    auto written = write(one.draft, one.payloads, t_us, entry.receipt);
    if (!written) {
        untaken.add(sequence.next_seq(), written.error().detail);
        refuse(std::move(entry.done), written.error());
        return;
    }
    const std::uint64_t seq = written->first.seq;
    if (!hand_over(one.draft, written->first, std::move(written->second), std::move(entry)) ||
        !one.soon)
        return;
    Waiting& waits = waiting.at(seq);
    early.emplace_back(std::exchange(waits.done, {}), waits.receipt);
}

// Whether the event outlives the process; it waits for its answer then.
bool Recorder::Impl::hand_over(const Draft& draft, const Sequence::Slot& slot, std::string leaf,
                               Waiting entry) {
    const bool call = draft.type == "call.decided";
    Sequence::Kind kind{.closes = draft.type == "session.sealed",
                        .call = call,
                        .denied = call && verdict_is(draft, "forbid"),
                        .permitted = call && verdict_is(draft, "permit")};
    if (draft.type == "call.ended" && draft.call && draft.task && draft.session &&
        !draft.cause.empty()) {
        kind.ended = CallEnd{*draft.call, *draft.task, *draft.session, draft.cause.front().id,
                             draft.attempt};
    }
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
    } else {
        outlives = ledger.append_hashed(std::move(leaf), hash, std::move(done));
    }
    submitting = outer;
    return outlives;
}

// Thread: the ledger's, or the reactor's where append() refuses at once. In the second case the
// numbers go back before anything else is numbered.
void Recorder::Impl::answered(std::uint64_t seq, Result<ledger::Appended> answer) {
    bool first = false;
    {
        const std::lock_guard lock(mutex);
        first = answers.empty();
        answers.emplace_back(seq, std::move(answer));
    }
    if (reactor.on_this_thread()) {
        settle_all();
    } else if (first) {
        mailbox->post([self = shared_from_this()] { self->settle_all(); });
    }
}

void Recorder::Impl::settle_all() {
    std::vector<std::pair<std::uint64_t, Result<ledger::Appended>>> batch;
    {
        const std::lock_guard lock(mutex);
        batch.swap(answers);
    }
    // All numbers first: who is told goes on at once, and may record again.
    Told told;
    told.reserve(batch.size());
    for (auto& [seq, answer] : batch) settle(seq, std::move(answer), told);
    say_gaps();
    for (auto& [done, receipt] : told) {
        if (!gone) done(std::move(receipt));
    }
}

void Recorder::Impl::settle(std::uint64_t seq, Result<ledger::Appended> answer, Told& told) {
    auto node = waiting.extract(seq);
    WRIT_CHECK(!node.empty());
    Waiting& entry = node.mapped();
    const bool worked = std::exchange(log_works, answer.has_value());
    if (!answer) {
        // One line a failure, not one an event; evidence.gap counts them.
        if (worked) log::error("evidence", "event not recorded: {}", answer.error().message());
        refused.emplace(seq, Refused{answer.error().detail, std::move(entry.gap)});
    }
    if (answer) from = answer->index + 1;
    sequence.settle(seq, answer.has_value());
    note_fates();
    if (gone || !entry.done) return;
    if (!answer) {
        const bool large = answer.error().code == ErrorCode::kTooLarge;
        refuse(std::move(entry.done), {large ? ErrorCode::kTooLarge : ErrorCode::kUnavailable,
                                       "cannot be recorded: " + answer.error().detail});
        return;
    }
    entry.receipt.index = answer->index;
    if (submitting) {
        reactor.post([done = std::move(entry.done), receipt = std::move(entry.receipt)]() mutable {
            done(std::move(receipt));
        });
    } else {
        told.emplace_back(std::move(entry.done), std::move(entry.receipt));
    }
}

void Recorder::Impl::note_fates() {
    for (const auto& fate : sequence.take_fates()) {
        auto node = refused.extract(fate.seq);
        WRIT_CHECK(!node.empty());
        Refused& what = node.mapped();
        if (what.gap && what.gap->why == "lost") {
            lost.push_back(std::move(*what.gap));
        } else if (what.gap) {
            (what.gap->why == "overflow" ? overflow : untaken).add(*what.gap);
        }
        if (fate.lost) {
            if (lost.empty() || lost.back().to + 1 != fate.seq) lost.push_back({.why = "lost"});
            lost.back().add(fate.seq, what.why);
        } else if (!what.gap) {
            untaken.add(fate.seq, what.why);
        }
    }
}

// Only where the log takes events and the queue is short: a gap must not lengthen a full queue, and
// one event then says all that was missed meanwhile.
void Recorder::Impl::say_gaps() {
    if (!log_works || gone || sequence.in_flight() >= kMaxNotesInFlight / 2) return;
    if (stepped != 0) say_clock_step();
    for (Gap* gap : {&overflow, &untaken}) {
        if (gap->n > 0) say_gap(std::exchange(*gap, Gap{.why = gap->why}));
    }
    for (auto& gap : std::exchange(lost, {})) say_gap(std::move(gap));
}

void Recorder::Impl::say_gap(Gap gap) {
    Draft draft;
    draft.type = "evidence.gap";
    draft.data["from"] = gap.from;
    draft.data["to"] = gap.to;
    draft.data["n"] = gap.n;
    draft.data["why"] = gap.why;
    draft.data["detail"] = gap.detail;
    write_own(std::move(draft), std::move(gap));
}

Recorder::Recorder(RecorderOptions options, net::Reactor& reactor, ledger::Ledger& ledger,
                   Vault& vault, IdSource& ids, const Clock& clock)
    : impl_(std::make_shared<Impl>(std::move(options), reactor, ledger, vault, ids, clock)) {}

Recorder::~Recorder() {
    impl_->write_asked();
    impl_->gone = true;
}

void Recorder::record(Draft draft, std::function<void(Result<Receipt>)> done) {
    impl_->submit(std::move(draft), kMaxInFlight, std::move(done));
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
    impl_->submit(std::move(draft), kMaxInFlight,
                  [promise](Result<Receipt> outcome) { promise.set_here(std::move(outcome)); });
    return answer(std::move(promise));
}

net::Task<Status> Recorder::record_end(Draft draft) {
    net::Promise<Status> promise(impl_->reactor);
    const auto done = [promise](const Result<Receipt>& outcome) {
        promise.set_here(outcome ? Status() : fail(outcome.error()));
    };
    impl_->submit(std::move(draft), kMaxInFlight, done, true);
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

void Recorder::adopt(const SessionId& session, const ChainEnd& end) {
    impl_->write_asked();
    impl_->sequence.adopt(session, end);
}

std::optional<Recorder::Standing> Recorder::standing() const {
    impl_->write_asked();  // so that all that was asked for is numbered, and counted as in flight
    auto settled = impl_->sequence.settled();
    if (!settled) return std::nullopt;
    return Standing{impl_->options.emitter, impl_->boot, impl_->from, std::move(*settled)};
}

}  // namespace writ::evidence
