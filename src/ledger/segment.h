// The format of the write-ahead log and reading it. Inner header of the room; docs/spec/ledger.md
// says the same to other people.
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

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ledger/file.h"

namespace writ::ledger {

inline constexpr std::size_t kSegmentHeaderBytes = 64;
inline constexpr std::size_t kFrameBytes = 16;

// Told each entry in order; false stops.
using EachEntry = std::function<bool(std::uint64_t index, std::string_view entry)>;

std::filesystem::path segment_path(const std::filesystem::path& dir, std::uint64_t first);
// First indexes of the segments in `dir`, rising. Errors: kIo.
Result<std::vector<std::uint64_t>> segments_of(const std::filesystem::path& dir);

std::string segment_header(std::uint64_t first);
// What stands before an entry.
using FrameHead = std::array<char, kFrameBytes>;
FrameHead frame_head(std::uint64_t index, std::string_view entry);

// `Out`: std::string or PageBuffer.
template <class Out>
void append_frame(Out& out, std::uint64_t index, std::string_view entry) {
    const FrameHead head = frame_head(index, entry);
    out.append(std::string_view(head.data(), head.size()));
    out.append(entry);
}

// Reads the frames of one segment, a bounded window at a time.
class FrameScan {
  public:
    // Errors: kCorrupt (the header is not that of `first`), kNotFound, kIo.
    static Result<FrameScan> open(const std::filesystem::path& path, std::uint64_t first);
    // Whether there is another whole frame: then entry() is it, until the next call. Errors: kIo.
    Result<bool> next();
    std::string_view entry() const { return entry_; }
    std::uint64_t next_index() const { return index_; }  // of the frame after entry()
    std::uint64_t offset() const { return offset_; }     // where that frame begins
    // Forgets what was read ahead, because a writer has added to the file since.
    void refresh() {
        held_ = 0;
        at_ = 0;
    }

  private:
    FrameScan() = default;
    Status fill(std::size_t bytes);
    std::string_view window() const { return {window_.get(), held_}; }
    std::size_t available() const { return held_ - at_; }

    File file_;
    std::uint64_t index_ = 0;
    std::uint64_t offset_ = 0;
    std::unique_ptr<char[]> window_;  // of kWindowBytes, made when it is needed first
    std::size_t held_ = 0;            // bytes in it
    std::size_t at_ = 0;              // of the next frame in window_
    std::string_view entry_;
};

// Reads entries across segments and remembers where it is, so that reading on costs only what is
// new. Thread: one at a time, beside the writer.
class WalReader {
  public:
    // The next entry read will be `from`.
    WalReader(std::filesystem::path dir, std::uint64_t from) : dir_(std::move(dir)), next_(from) {}
    // Entries up to `to`, which must be durable, unless `each` stops before. Errors: kNotFound
    // (older than the first segment), kCorrupt (the files end or are damaged before `to`), kIo.
    Status read(std::uint64_t to, const EachEntry& each);
    std::uint64_t next() const { return next_; }
    // The next entry read will be `index`, which is not below next().
    void go_to(std::uint64_t index) { next_ = index; }

  private:
    Status enter_segment();

    std::filesystem::path dir_;
    std::uint64_t next_;
    std::uint64_t segment_ = 0;  // first index of the one that scan_ reads
    std::optional<FrameScan> scan_;
};

}  // namespace writ::ledger
