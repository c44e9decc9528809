// Retention: the bytes of old entries leave the disk, the tree stays (c2sp.org/tlog-tiles,
// Pruning). Inner header of the room.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/error.h"
#include "ledger/file.h"

namespace writ::ledger {

// The bound that `log_dir`/minimum-index tells readers; 0 when there is none. Errors: kCorrupt.
Result<std::uint64_t> minimum_index(const std::filesystem::path& log_dir);
// Publishes `index`, a multiple of 256, as the bound, and then removes the bundles below it and the
// segments that hold only entries below it. Tiles stay: old proofs still verify. Idempotent; what a
// stopped run left is removed by the next. Errors: kIo, kUnavailable.
Status prune_below(const std::filesystem::path& wal_dir, const std::filesystem::path& log_dir,
                   std::uint64_t index, Disk& disk);

}  // namespace writ::ledger
