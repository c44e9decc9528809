// Reads and checks a published log directory (tlog-tiles layout) with nothing but its files and the
// log's key. Shares no code path with the writer beyond the hash of a node.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace writ::ledger {

struct Checkpoint {
    std::string origin;
    std::uint64_t size = 0;
    Sha256 root{};
    std::string note;  // the signed text as it is on disk
};

class LogReader {
  public:
    // Reads `dir`/checkpoint and checks its signature under `vkey` (content of log.vkey). Errors:
    // kNotFound, kCorrupt.
    static Result<LogReader> open(std::filesystem::path dir, std::string vkey);
    const Checkpoint& checkpoint() const { return checkpoint_; }
    // Entries below it were pruned: their hashes are there, their bytes are not.
    std::uint64_t minimum_index() const { return minimum_index_; }

    // Entry `index` of the checkpoint's tree, from its bundle. Not verified by itself; see proof().
    // Errors: kNotFound (beyond the checkpoint, or pruned), kCorrupt.
    Result<std::string> entry(std::uint64_t index) const;
    // Calls `each(index, bytes)` for [from, checkpoint size) in order until it returns false; what
    // is pruned is left out.
    Status entries(std::uint64_t from,
                   const std::function<bool(std::uint64_t, std::string_view)>& each) const;
    // RFC 6962 inclusion path of `index` from the tiles, checked against the root. Errors:
    // kNotFound, kCorrupt.
    Result<std::vector<Sha256>> inclusion(std::uint64_t index) const;
    // The same unchecked, for who checks it against the root anyway.
    Result<std::vector<Sha256>> path(std::uint64_t index) const;
    // RFC 6962 consistency path from the first `old_size` entries to the checkpoint, checked
    // against `old_root`. Errors: kInvalid (a larger size), kCorrupt (the log does not contain that
    // root: it was rewritten or is a fork).
    Result<std::vector<Sha256>> consistency(std::uint64_t old_size, const Sha256& old_root) const;
    // A C2SP tlog-proof of one entry (`.tlog-proof`). Errors: as inclusion(), kCorrupt also when
    // the entry is not the one that was logged.
    Result<std::string> proof(std::uint64_t index) const;

    struct Finding {
        std::string what;  // e.g. ``entry 17: leaf hash differs from tile/0/000``
    };
    struct Report {
        std::uint64_t entries = 0;
        std::vector<Finding> findings;  // empty: everything verifies
    };
    // Re-hashes every entry, compares every tile of every level, recomputes the root. At most a
    // hundred findings, then `and more`.
    // `progress(done, total)` now and then. `each` gets every entry that is not pruned in order
    // with its leaf hash, before it is known whether the root is right: what it concludes counts
    // only if there are no findings.
    using EachLeaf =
        std::function<void(std::uint64_t index, std::string_view entry, const Sha256& leaf)>;
    Report verify(const std::function<void(std::uint64_t, std::uint64_t)>& progress = {},
                  const EachLeaf& each = {}) const;

  private:
    struct Tiles;
    class RangeHashes;

    LogReader() = default;
    std::shared_ptr<Tiles> tiles_;  // read lately; a reader is of one checkpoint
    std::filesystem::path dir_;
    std::string vkey_;
    Checkpoint checkpoint_;
    std::uint64_t minimum_index_ = 0;
};

}  // namespace writ::ledger
