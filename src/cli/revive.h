// The start of a gateway that ran before: what the log and the store say was alive goes on, what
// cannot is ended on the record (docs/guide/operations.md).
#pragma once

#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "cli/keeper.h"
#include "gate/survival.h"
#include "identity/directory.h"
#include "ledger/ledger.h"

namespace writ::cli {

// What was true when the gateway stopped.
struct Past {
    Kept kept;
    gate::Replay::Truth truth;
    std::uint64_t replayed = 0;  // events read
};
// Reads the store and the log past the standings. Blocks. Errors: of Keeper::load() and
// Ledger::read().
Result<Past> look_back(Keeper& keeper, const ledger::Ledger& ledger);

// What goes on and what is lost; tasks and sessions that go on are in the directory when it
// returns.
gate::Revival decide_revival(Past past, identity::Directory& directory);

}  // namespace writ::cli
