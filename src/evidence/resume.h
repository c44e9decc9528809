// Where the chains of the sessions stood when the gateway last wrote: so that a session that
// outlives a restart keeps one chain.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "evidence/recorder.h"
#include "evidence/sequence.h"
#include "ledger/ledger.h"

namespace writ::evidence {

struct Recorder::Standing {
    std::string emitter, boot;
    std::uint64_t from =
        0;  // every event of this emitter from `settled.next_seq` on is at or after
    Settled settled;
};

struct OpenChain {
    SessionId session;
    ChainEnd end;
};

// The session chains that start at or after event `from` of the log and have no seal. Blocks.
// Errors: those of Ledger::read; leaves that are not events are passed over.
Result<std::vector<OpenChain>> open_chains(const ledger::Ledger& ledger, std::uint64_t from = 0);

// The time of the newest event of the log, 0 if it is empty. Reads the last entries only. Blocks.
Result<std::int64_t> newest_us(const ledger::Ledger& ledger);

}  // namespace writ::evidence
