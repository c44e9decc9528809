// The write-ahead log: the truth from which everything else can be made again. Inner header of the
// room.
//
// A folder of segments `<first index, 20 digits>.seg`, each filled with zeros before its first use,
// because overwriting blocks that exist syncs in half the time of growing a file. All numbers are
// little-endian.
//
//   offset 0    8   "WRITWAL1"
//          8    8   index of the first frame
//         16    4   CRC-32C of the 16 bytes before
//         20   44   zero
//         64        frames, one after the other:
//                   4  length of the entry (1..65,535)
//                   4  CRC-32C of index and entry
//                   8  index
//                   n  entry
//
// A length of zero ends the segment. A frame never crosses segments. The log ends at the first
// frame that is not whole; what follows it was never acknowledged, and is zeroed before anything is
// appended there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "ledger/file.h"

namespace writ::ledger {

class Wal {
  public:
    using Each = std::function<bool(std::uint64_t index, std::string_view entry)>;

    // Opens or creates `dir`; finds the end by reading frames from the segment that holds `from`
    // on, telling each to `replay`. Errors: kIo, kCorrupt (a damaged header, a gap between
    // segments, a damaged frame before the last segment).
    static Result<Wal> open(std::filesystem::path dir, std::size_t segment_bytes, Disk& disk,
                            std::uint64_t from, const Each& replay);

    // Adds the frame of entry end() to the batch. Errors: kIo (no next segment can be made).
    Status add(std::string_view entry);
    // Writes and syncs the batch. After an error the log must not be used again.
    Status commit();
    // Whether the open segment is still the file that its name says.
    bool in_place() const;
    std::uint64_t end() const { return end_; }
    // Makes the next segment ahead of its use, unless there is one: rotation then costs a rename,
    // and a full disk shows one segment early. Thread: any.
    static Status make_spare(const std::filesystem::path& dir, std::size_t segment_bytes,
                             Disk& disk, std::string_view temp_name);

    // Frames [from, to), read from the files. Thread: any, beside the writer, for to <= what was
    // committed.
    static Status read(const std::filesystem::path& dir, std::uint64_t from, std::uint64_t to,
                       const Each& each);

  private:
    Wal() = default;
    Status create_segment(std::uint64_t first);
    Status clear_tail();

    std::filesystem::path dir_;
    std::size_t segment_bytes_ = 0;
    Disk* disk_ = nullptr;
    File segment_;
    std::filesystem::path segment_path_;
    std::uint64_t offset_ = 0;  // where the batch begins in the segment
    std::uint64_t end_ = 0;     // index of the next entry
    std::string batch_;
};

}  // namespace writ::ledger
