// Notices what is done to a log's files behind its back. Inner header of the room; one thread uses
// it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "ledger/file.h"

namespace writ::ledger {

// The closed segments of the write-ahead log: any change to one of them is a change to the truth.
class SegmentWatch {
  public:
    explicit SegmentWatch(std::filesystem::path dir) : dir_(std::move(dir)) {}
    // What is wrong with the segments that begin at `firsts`, of which the last is still written,
    // or empty. Those that hold only entries below `minimum` may be gone. Cost: one stat a segment;
    // no descriptor, so that a process without any is no damage.
    std::string look(const std::vector<std::uint64_t>& firsts, std::uint64_t minimum);

  private:
    struct Identity {
        std::uint64_t device = 0, inode = 0, size = 0;
        std::int64_t changed_ns = 0;
        bool operator==(const Identity&) const = default;
    };
    std::filesystem::path dir_;
    std::map<std::uint64_t, Identity> closed_;
};

// The full tiles and bundles: inotify on every folder below `tile`, but for those of partial ones,
// which come and go. The publisher only adds files, by renaming `*.new`; whatever is removed, or
// written under its own name, was somebody else. Cost: a watch for every thousand tiles.
class TileWatch {
  public:
    TileWatch() = default;
    // Errors: kIo (no inotify, or its limit: then nothing is watched).
    static Result<TileWatch> open(const std::filesystem::path& log_dir);
    // Paths below the log's folder that were removed or changed since the last look, at most 16.
    std::vector<std::string> look();

  private:
    Status add(const std::filesystem::path& dir);
    File inotify_;
    std::filesystem::path log_dir_;
    std::unordered_map<int, std::filesystem::path> dirs_;
    // Cookies of our own renames whose second half is still to come; others may stand between.
    std::vector<std::uint32_t> renaming_;
};

}  // namespace writ::ledger
