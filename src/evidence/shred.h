// Shredding one person's payloads: the record first, then the keys, so that a key that is gone
// always has an event that says why.
#pragma once

#include <string>

#include "evidence/recorder.h"

namespace writ::evidence {

struct ShredRequest {
    std::string subject;  // as it stands in events: `ps:…` or a SPIFFE id
    std::string before;   // only months before this one, `2026-11`; empty: all
    std::string reason;   // for the record; must not be empty
    bool dry_run = false;
    Actor by;
};

struct Shredded {
    Shredding what;
    std::vector<EventId> events;  // payload.shredded, empty in a dry run or where nothing was there
};

// Runs on `reactor`, the recorder's. Errors: kInvalid, kForbidden (a legal hold), kUnavailable
// (cannot be recorded: nothing was shredded), kIo (recorded, but keys are left: ask again).
net::Task<Result<Shredded>> shred(Recorder& recorder, Vault& vault, net::Reactor& reactor,
                                  ShredRequest request);

}  // namespace writ::evidence
