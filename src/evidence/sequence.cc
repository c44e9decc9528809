// Numbering optimistically, and taking numbers back from the newest end.
#include "evidence/sequence.h"

#include <algorithm>

#include "base/check.h"

namespace writ::evidence {

Sequence::Slot Sequence::next(std::string_view type,
                              const std::optional<SessionId>& session) const {
    if (session) {
        const auto it = sessions_.find(*session);
        if (it != sessions_.end()) return {next_seq_, session, it->second};
        if (type == "session.started") return {next_seq_, session, {}};
    }
    return {next_seq_, std::nullopt, own_};
}

void Sequence::handed_over(const Slot& slot, const Sha256& leaf, Kind kind) {
    WRIT_CHECK(slot.seq == next_seq_);
    Flight flight{.seq = slot.seq, .session = slot.session, .before = slot.end};
    flight.call = kind.call;
    flight.permitted = kind.permitted;
    flight.excused = kind.excused;
    flight.ended = std::move(kind.ended);
    ChainEnd after = slot.end;
    ++after.next;
    after.prev = leaf;
    after.calls += kind.call ? 1 : 0;
    after.denied += kind.denied ? 1 : 0;
    if (!slot.session) {
        own_ = after;
    } else if (kind.closes) {
        sessions_.erase(*slot.session);
    } else {
        flight.opened = !sessions_.contains(*slot.session);
        sessions_[*slot.session] = after;
    }
    flight_.push_back(std::move(flight));
    ++next_seq_;
}

void Sequence::settle(std::uint64_t seq, bool taken) {
    WRIT_CHECK(!flight_.empty() && seq >= flight_.front().seq && seq <= flight_.back().seq);
    auto& flight = flight_[static_cast<std::size_t>(seq - flight_.front().seq)];
    WRIT_CHECK(flight.state == State::kWaiting);
    flight.state = taken ? State::kTaken : State::kRefused;
    resolve();
}

std::optional<Settled> Sequence::settled() const {
    Settled out{.next_seq = flight_.empty() ? next_seq_ : flight_.front().seq,
                .sessions = sessions_,
                .in_flight = {},
                .ending = {}};
    for (auto flight = flight_.rbegin(); flight != flight_.rend(); ++flight) {
        if (flight->state != State::kWaiting) return std::nullopt;
        if (flight->ended) out.ending.push_back(*flight->ended);
        if (!flight->session) continue;
        if (flight->opened) {
            out.sessions.erase(*flight->session);
        } else {
            out.sessions[*flight->session] = flight->before;
        }
        if (!flight->call) continue;
        auto& waiting = out.in_flight[*flight->session];
        ++(flight->permitted ? waiting.permitted : waiting.refused);
        if (flight->excused) ++waiting.excused;
    }
    return out;
}

void Sequence::resolve() {
    while (!flight_.empty() && flight_.back().state == State::kRefused) take_back_newest();
    while (!flight_.empty() && flight_.front().state != State::kWaiting) {
        if (flight_.front().state == State::kRefused) {
            // Something later got in: then this number is gone for good. Otherwise it may yet be
            // taken back.
            const bool later = std::ranges::any_of(
                flight_, [](const Flight& f) { return f.state == State::kTaken; });
            if (!later) return;
            fates_.push_back({flight_.front().seq, true});
        }
        flight_.pop_front();
    }
}

void Sequence::take_back_newest() {
    const Flight& newest = flight_.back();
    if (!newest.session) {
        own_ = newest.before;
    } else if (newest.opened) {
        sessions_.erase(*newest.session);
    } else {
        sessions_[*newest.session] = newest.before;
    }
    next_seq_ = newest.seq;
    fates_.push_back({newest.seq, false});
    flight_.pop_back();
}

}  // namespace writ::evidence
