// Keeps two zero-filled files ready for the write-ahead log, made ahead of their use by a thread of
// its own: `spare`, the next segment, so that rotation costs a rename and a full disk shows one
// segment early; and `reserve`, the space kept for narrowing acts when there is no room for the
// next segment. The reserve comes first: without it no spare is made. Inner header of the room.
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

// The space kept for narrowing acts: some 2,500 events of the usual size.
inline constexpr std::size_t kReserveBytes = 4 << 20;

class Spare {
  public:
    // `dir` must exist. `bytes` is the size of the next spare, `bytes_max` that of later ones. With
    // `first` the first spare is made before the reserve, so that a new log is ready at once;
    // otherwise a missing reserve is made before this returns, if there is room.
    Spare(std::filesystem::path dir, std::size_t bytes, std::size_t bytes_max, Disk& disk,
          bool first);
    ~Spare();
    // Waits until the file is there. Errors: what its last making failed with; it is tried again
    // every second.
    Status wait();
    std::filesystem::path path() const { return dir_ / "spare"; }
    // The file was renamed away: makes the next.
    void taken();
    std::filesystem::path reserve_path() const { return dir_ / "reserve"; }
    // The reserve was renamed away: makes the next when there is room.
    void reserve_taken();
    // Whether the reserve is there, or nothing has kept it from being made yet. Thread: any.
    bool has_reserve() const;
    // Makes again what was removed from outside. Thread: any.
    void look();
    // Why there is no spare, empty when there is or will be. Thread: any.
    std::string trouble() const;

  private:
    void run();
    void make_one(std::unique_lock<std::mutex>& lock);
    Status make(const std::filesystem::path& path, std::size_t bytes);

    const std::filesystem::path dir_;
    const std::size_t bytes_max_;
    Disk& disk_;
    mutable std::mutex mutex_;  // guards everything below; not held while the file is made
    std::condition_variable changed_;
    std::size_t bytes_;
    bool first_;
    bool ready_ = false;
    bool reserve_ready_ = false;
    bool stopping_ = false;
    Status made_;  // the last attempt, of either
    std::thread thread_;
};

}  // namespace writ::ledger
