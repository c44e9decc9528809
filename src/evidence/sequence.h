// The numbers of one emitter: its own sequence, the chain of each open session, and its own chain
// for everything else. Events are numbered when they are handed to the log, many before the first
// is durable; when the log refuses one, its numbers are taken back as long as nothing later got in,
// so that no chain ever forks.
//
// A session's chain opens with its session.started and closes with its session.sealed; an event of
// a session that has no open chain here stands in the emitter's chain.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"

namespace writ::evidence {

// The end of a chain: what its next event needs to know, and what a seal counts.
struct ChainEnd {
    std::uint64_t next = 0;  // number of the next event = events so far
    Sha256 prev{};           // leaf hash of the newest event, if next > 0
    std::uint64_t calls = 0, denied = 0;
};

// A call whose end is on its way to the log.
struct CallEnd {
    CallId call;
    TaskId task;
    SessionId session;
    EventId decision;
    std::int64_t attempt = 1;
};

// Where an emitter stood when all events before number `next_seq` had been answered by the log:
// what a later run needs, to go on from the log alone.
struct Settled {
    std::uint64_t next_seq = 0;
    std::unordered_map<SessionId, ChainEnd> sessions;  // with an open chain
    // What is handed over and not answered: not counted in `sessions`, and perhaps never logged.
    struct InFlight {
        std::int64_t permitted = 0, refused = 0;  // decisions of calls
        std::int64_t excused = 0;                 // of the refused
    };
    std::unordered_map<SessionId, InFlight> in_flight;
    std::vector<CallEnd> ending;
};

class Sequence {
  public:
    explicit Sequence(std::string own_chain) : own_uid_(std::move(own_chain)) {}

    // Where the next event would stand.
    struct Slot {
        std::uint64_t seq = 0;
        std::optional<SessionId> session;  // whose chain; none: the emitter's
        ChainEnd end;
    };
    Slot next(std::string_view type, const std::optional<SessionId>& session) const;
    // Whether the session has an open chain here.
    bool open(const SessionId& session) const { return sessions_.contains(session); }
    void adopt(const SessionId& session, const ChainEnd& end) { sessions_[session] = end; }

    // The event of `slot` was handed to the log as `leaf`. What it adds to the counts of its chain
    // is the caller's word.
    struct Kind {
        bool closes = false;  // session.sealed
        bool call = false, denied = false;
        bool permitted = false;          // a call.decided that permits
        bool excused = false;            // one that does not, as Draft::excused
        std::optional<CallEnd> ended{};  // a call.ended
    };
    void handed_over(const Slot& slot, const Sha256& leaf, Kind kind);

    // What the log said about sequence number `seq`.
    void settle(std::uint64_t seq, bool taken);

    // What is settled. Nothing while refused events wait for their fate; ask again later.
    std::optional<Settled> settled() const;

    const std::string& own_chain() const { return own_uid_; }
    std::uint64_t next_seq() const { return next_seq_; }
    std::size_t in_flight() const { return flight_.size(); }

    // What became of the numbers of refused events; hands each out once. Lost: later numbers are in
    // the log, so this one never will be. Otherwise it was taken back and is given anew.
    struct Fate {
        std::uint64_t seq = 0;
        bool lost = false;
    };
    std::vector<Fate> take_fates() { return std::exchange(fates_, {}); }

  private:
    enum class State : std::uint8_t { kWaiting, kTaken, kRefused };
    struct Flight {
        std::uint64_t seq = 0;
        State state = State::kWaiting;
        std::optional<SessionId> session;
        ChainEnd before;
        bool opened = false;
        bool call = false, permitted = false, excused = false;
        std::optional<CallEnd> ended{};
    };
    void take_back_newest();
    void resolve();

    const std::string own_uid_;
    ChainEnd own_;
    std::unordered_map<SessionId, ChainEnd> sessions_;
    std::uint64_t next_seq_ = 0;
    std::deque<Flight> flight_;  // consecutive numbers, oldest first
    std::vector<Fate> fates_;
};

}  // namespace writ::evidence
