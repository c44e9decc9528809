// The write-ahead log's writer: the truth from which everything else can be made again. The format
// is in segment.h. Inner header of the room; one thread uses it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ledger/file.h"
#include "ledger/segment.h"
#include "ledger/spare.h"

namespace writ::ledger {

class Wal {
  public:
    // Finds the end of the log in `dir` (made if it is missing), reading from the segment that
    // holds entry `from` on, and changes nothing (what is there
    // is synced): what must not be lost is compared with end()
    // before start(). Errors: kIo, kCorrupt (a damaged header, a gap between segments, a damaged
    // frame before the last segment, no segment that holds `from`).
    static Result<Wal> open(std::filesystem::path dir, std::size_t segment_bytes, Disk& disk,
                            std::uint64_t from);
    // Makes it writable: creates the first segment, or zeroes what a torn write left behind the
    // last whole frame. Errors: kUnavailable (no room), kIo.
    Status start();

    // Index of the next entry.
    std::uint64_t end() const { return end_; }
    // Adds the frame of entry end() to the batch. False: the segment has no room for it; commit(),
    // then rotate().
    bool add(std::string_view entry);
    // Writes and syncs the batch. After an error the log must not be used again.
    Status commit();
    // Goes on in the next segment. The batch must be empty. Errors: kUnavailable (there is none yet
    // and the log stays as it is: try again), others: the log must not be used again.
    Status rotate();
    // Goes on in the space kept for narrowing acts, when rotate() finds no room. The batch must be
    // empty. Errors: as rotate().
    Status enter_reserve();
    // Only narrowing acts may be added: the open segment is the reserve, or there is no other
    // reserve and no room to make one. rotate() ends the first, room the second.
    bool narrowing_only() const { return in_reserve_ || (spare_ && !spare_->has_reserve()); }

    // Whether the open segment is still the file that its name says, in its full length.
    bool in_place() const;
    // First indexes of the segments that are known to be there, rising; the last is the open one.
    // Thread: any.
    std::vector<std::uint64_t> segments() const {
        const std::lock_guard lock(known_->mutex);
        return known_->segments;
    }
    // Has spare and reserve made again if somebody removed them.
    void look_after_spares() { spare_->look(); }
    // Why the next segment cannot be made, or empty. Thread: any.
    std::string trouble() const { return spare_ ? spare_->trouble() : ""; }

  private:
    Wal() = default;
    Status use(File file, std::filesystem::path path, std::string_view before);
    bool batch_is_empty() const { return batch_.size() == offset_ % kPageBytes; }
    Status go_on_in(const std::filesystem::path& ready);
    Status clear_tail(const File& file);

    struct Known {
        std::mutex mutex;  // guards segments
        std::vector<std::uint64_t> segments;
    };

    std::unique_ptr<Known> known_ = std::make_unique<Known>();
    std::filesystem::path dir_;
    std::size_t segment_bytes_ = 0;  // of new segments
    Disk* disk_ = nullptr;
    std::unique_ptr<Spare> spare_;
    File segment_;
    std::filesystem::path segment_path_;
    std::uint64_t capacity_ = 0;  // bytes of the open segment
    std::uint64_t offset_ = 0;    // where the batch begins in the segment
    std::uint64_t end_ = 0;       // index of the next entry
    PageBuffer batch_;            // from the page on that offset_ lies in
    bool in_reserve_ = false;
};

}  // namespace writ::ledger
