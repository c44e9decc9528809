// Opens a ledger over a chosen Disk, so that tests can make the disk fail. Inner header of the
// room.
#pragma once

#include <memory>

#include "ledger/file.h"
#include "ledger/ledger.h"

namespace writ::ledger {

Result<std::unique_ptr<Ledger>> open_with_disk(Options options, crypto::Ed25519Key key,
                                               const Clock& clock, Disk& disk);

}  // namespace writ::ledger
