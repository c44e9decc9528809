// What the parts of the Recorder share. Inner header of the room.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "evidence/gap.h"
#include "evidence/recorder.h"
#include "evidence/sequence.h"

namespace writ::evidence {

// Events of one emitter that wait for the log. Class B stops at half of it, so that notes never
// keep a decision out.
inline constexpr std::size_t kMaxEventsInFlight = kMaxPendingAppends / 4;
inline constexpr std::size_t kMaxNotesInFlight = kMaxEventsInFlight / 2;

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

    using Done = std::function<void(Result<Receipt>)>;
    struct Waiting {
        Receipt receipt;
        Done done;
        std::optional<Gap> gap;      // the event says this
        std::optional<CallEnd> end;  // the event is the end of a call
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
                   Waiting waiting, bool soon = false);
    void answered(std::uint64_t seq, Result<ledger::Appended> answer);
    void settle_all();
    void settle(std::uint64_t seq, Result<ledger::Appended> answer, Told& told);
    void note_fates();
    void say_gaps();
    void say_gap(Gap gap);
    // Behind all that is being settled: who is told records again.
    void lose(const CallEnd& end) {
        if (on_lost_end)
            reactor.post([self = shared_from_this(), end] {
                if (!self->gone) self->on_lost_end(end);
            });
    }
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
    std::uint64_t from;  // where the log's later events of this emitter are, or behind it
    std::map<std::uint64_t, Waiting> waiting;  // by sequence number
    std::map<std::uint64_t, Refused> refused;  // until the fate of the number is known
    // Gaps that no event says yet.
    Gap overflow{.why = "overflow"}, untaken{.why = "refused"};
    std::vector<Gap> lost;
    std::function<void(const CallEnd&)> on_lost_end;
    bool log_works = true;
    bool submitting = false;  // append() is running: its caller is not called back from inside
    bool gone = false;        // the Recorder was destroyed: nobody is called any more

    std::mutex mutex;  // guards answers; held for a push or a swap only
    std::vector<std::pair<std::uint64_t, Result<ledger::Appended>>> answers;
};

}  // namespace writ::evidence
