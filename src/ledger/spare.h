// Keeps the next segment of the write-ahead log ready: a zero-filled file `spare`, made ahead of
// its use by a thread of its own, so that rotation costs a rename and a full disk shows one segment
// early. Inner header of the room.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

#include "base/error.h"
#include "ledger/file.h"

namespace writ::ledger {

// The smallest segment: its header and one frame of any size.
inline constexpr std::size_t kMinSegmentBytes = 128 << 10;
// The first one of a log; later ones double up to the configured size, so that a small log stays
// small and starts at once.
inline constexpr std::size_t kFirstSegmentBytes = 4 << 20;

class Spare {
  public:
    // `dir` must exist. `bytes` is the size of the next spare, `bytes_max` that of later ones.
    Spare(std::filesystem::path dir, std::size_t bytes, std::size_t bytes_max, Disk& disk);
    ~Spare();
    // Waits until the file is there. Errors: what its last making failed with; it is tried again
    // every second.
    Status wait();
    std::filesystem::path path() const { return dir_ / "spare"; }
    // The file was renamed away: makes the next.
    void taken();
    // Why there is no spare, empty when there is or will be. Thread: any.
    std::string trouble() const;

  private:
    void run();
    Status make(std::size_t bytes);

    const std::filesystem::path dir_;
    const std::size_t bytes_max_;
    Disk& disk_;
    mutable std::mutex mutex_;  // guards everything below; not held while the file is made
    std::condition_variable changed_;
    std::size_t bytes_;
    bool ready_ = false;
    bool stopping_ = false;
    Status made_;  // the last attempt
    std::thread thread_;
};

}  // namespace writ::ledger
