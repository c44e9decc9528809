// Turns drafts into events of the ledger. One Recorder per reactor = one emitter: it owns the
// emitter's sequence numbers and the hash chains of the sessions whose home it is, so nothing here
// locks. What is asked for in one turn of the reactor's loop is written at its end, in its order;
// what narrows authority is written at once, behind what was asked for before it.
//
// Three independent links (docs/spec/evidence/README.md): typed causes, W3C trace, and chain +
// emitter sequence.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "evidence/event.h"
#include "evidence/redact.h"
#include "evidence/vault.h"
#include "ledger/ledger.h"
#include "net/reactor.h"
#include "net/task.h"

namespace writ::evidence {

struct CallEnd;  // sequence.h

struct ChainEnd;  // sequence.h
struct Settled;

struct RecorderOptions {
    std::string tenant;
    std::string emitter;  // spiffe://<trust domain>/writ/<node>/<reactor number>
    BootId boot;
    std::string origin;  // of the log, for receipts
    // No event is dated before this: the newest event's time in the log, from newest_us() of
    // resume.h, so that a clock set back shows as `clock.step` and nothing else.
    std::int64_t not_before_us = 0;
    // What is cut out of payloads before they are sealed; null: nothing.
    std::shared_ptr<const Redactor> redactor = {};
};

class Recorder {
  public:
    // Everything referred to must outlive it. Use on `reactor` only.
    Recorder(RecorderOptions options, net::Reactor& reactor, ledger::Ledger& ledger, Vault& vault,
             IdSource& ids, const Clock& clock);
    ~Recorder();

    // Class A: asks at once, and resumes when the event is durable. Errors: kUnavailable (cannot be
    // recorded: refuse the act), kTooLarge.
    net::Task<Result<Receipt>> record(Draft draft);
    // The same with a callback on the reactor, for acts that must not wait for a coroutine turn
    // (revocation).
    void record(Draft draft, std::function<void(Result<Receipt>)> done);
    // The end of something whose decision is durable: resumes as soon as the event outlives this
    // process (ledger::Options::accepted), before the disk has it; where the log cannot say that,
    // when it is durable. One that is lost with the machine's power leaves a decision without an
    // end, which the next start ends as `unknown`. Errors: as record(), where the log refuses at
    // once; what it refuses later shows as an `evidence.gap` event.
    net::Task<Status> record_end(Draft draft);
    // Class B: queued for the same log, not awaited. What cannot be queued is counted and shows as
    // an `evidence.gap` event.
    void note(Draft draft);

    // Ends a session's chain: writes session.sealed {reason, events, calls, denied} and forgets the
    // chain; counts in `draft` are replaced by the chain's. `reason` is one of the schema's words
    // (completed timeout revoked crashed superseded), `ended` and `expired` stand for the first
    // two; anything else becomes `other` with the text in `detail`. Errors: as record(), kNotFound
    // (no open chain here).
    net::Task<Result<Receipt>> seal(SessionId session, std::string reason, Draft draft);

    // Has `tell` called, on the reactor, with every end of a call that the log did not take, also
    // where whoever recorded it was told earlier that it outlives the process.
    void on_lost_end(std::function<void(const CallEnd&)> tell);

    // Continues the chain of a session that an earlier run of the gateway left open (open_chains()
    // of resume.h). Without it the events of such a session stand in the emitter's own chain.
    void adopt(const SessionId& session, const ChainEnd& end);

    // Where this emitter stands in the log: its name and boot, what the log has answered, and the
    // index from which a replay finds everything later. Nothing while refused events wait for their
    // fate.
    struct Standing;
    std::optional<Standing> standing() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;  // shared with the answers that the ledger still owes
};

}  // namespace writ::evidence
