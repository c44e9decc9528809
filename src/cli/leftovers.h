// What a gateway that was killed left open: sessions without a seal, tasks that the store calls
// live.
#pragma once

#include <string>

#include "base/error.h"
#include "evidence/recorder.h"
#include "ledger/ledger.h"
#include "net/task.h"
#include "store/store.h"

namespace writ::cli {

// Everything must outlive the Task.
struct LeftoverParts {
    store::Store& store;
    ledger::Ledger& ledger;
    evidence::Recorder& recorder;
    std::string tenant;
};

// Seals those sessions (`crashed`) and ends those tasks, on the record; nothing of them is revived.
// To be awaited before anything is served: after a kill it reads the log from its beginning, and it
// blocks. Errors: kIo, kUnavailable.
net::Task<Status> close_leftovers(LeftoverParts parts);

}  // namespace writ::cli
