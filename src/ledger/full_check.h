// Reads a whole log again, beside its writer: every entry of the write-ahead log into the tree, the
// root against the one that was signed, every full tile and bundle against what the entries give.
// Tiles and bundles that differ are made again, since they are a function of the entries, but only
// after the root was right. Inner header of the room.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "ledger/file.h"
#include "ledger/release.h"

namespace writ::ledger {

struct FullCheck {
    std::filesystem::path wal_dir, log_dir;
    SignedCheckpoint target;
    std::uint64_t minimum_index = 0;  // entries below are pruned; their hashes come from the tiles
    Disk& disk;
    const std::atomic<bool>& stop;
    std::atomic<std::uint64_t>& checked;

    // The tiles and bundles that were made again, at most 16 by name. Errors: kCorrupt (the entries
    // do not give the root), kCancelled, kIo.
    Result<std::vector<std::string>> run() const;

  private:
    struct Pass;
    Status pass(Pass& pass) const;
};

}  // namespace writ::ledger
