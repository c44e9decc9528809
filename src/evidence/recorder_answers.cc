// What the log answered: who is told, what became of the numbers, and the gaps that are said.
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "evidence/encode.h"
#include "evidence/recorder_impl.h"

namespace writ::evidence {

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
        if (entry.end) lose(*entry.end);
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

}  // namespace writ::evidence
