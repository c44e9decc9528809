// The few system calls the log writes with, behind an interface so that tests can make them fail.
// Inner header of the room.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace writ::ledger {

// What a test may replace. Return values and errno as the system calls'.
class Disk {
  public:
    virtual ~Disk() = default;
    virtual ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset);
    virtual int fdatasync(int fd);
    virtual int fsync(int fd);
};
Disk& system_disk();

// A descriptor that closes itself.
class File {
  public:
    File() = default;
    explicit File(int fd) : fd_(fd) {}
    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;
    ~File();
    int fd() const { return fd_; }
    bool is_open() const { return fd_ >= 0; }

    static Result<File> open(const std::filesystem::path& path, int flags, mode_t mode = 0600);

  private:
    int fd_ = -1;
};

// kIo with the reason; kUnavailable when the disk or a quota is full, which passes when there is
// room again.
Error disk_error(std::string_view what, int errno_value);

// Every byte, through short writes; through the cache what cannot go past it. Errors: kUnavailable
// (no space), kIo.
Status write_at(Disk& disk, int fd, std::string_view bytes, std::uint64_t offset);

// What a page holds, and what a write past the system's cache has to be a multiple of.
inline constexpr std::size_t kPageBytes = 4096;

// Bytes in memory that begins at a page, as writes past the cache need it. Grows, and keeps its
// memory to be filled again.
class PageBuffer {
  public:
    std::size_t size() const { return size_; }
    std::string_view view() const { return {bytes_.get(), size_}; }
    // The same with zeros up to the end of the last page.
    std::string_view pages();
    void append(std::string_view bytes);
    // Drops all but the last `bytes`.
    void keep_last(std::size_t bytes);

  private:
    struct Free {
        void operator()(char* bytes) const;
    };
    std::unique_ptr<char[], Free> bytes_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;  // whole pages
};

// From now on what is written to `fd` goes past the system's cache, where the file system can.
// Where it cannot, and for what does not begin and end at a page in file and memory, write_at()
// gives it up again.
void write_past_cache(int fd);

// write_at() past the system's cache, where the file system can: bulk that nobody reads soon then
// neither costs a page of memory for each of its own nor drives out what is read. `pages` begins at
// a page and has whole pages, as `offset` does. What was written is durable after a sync only.
Status write_pages_at(Disk& disk, int fd, std::string_view pages, std::uint64_t offset);
// Into the caller's memory: how many bytes there were.
Result<std::size_t> read_at(int fd, std::span<char> into, std::uint64_t offset);
Result<std::string> read_at(int fd, std::size_t size,
                            std::uint64_t offset);  // less at the end of the file
// A regular file whole. Errors: kNotFound, kTooLarge, kCorrupt (no regular file: a pipe would never
// end), kIo.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max);
// The same into a buffer that is used again: its memory is neither cleared nor mapped anew.
Status read_file(const std::filesystem::path& path, std::size_t bytes_max, std::string& into);
Status sync_dir(Disk& disk, const std::filesystem::path& dir);
// Creates `dir` and what is missing above it, each durable in its parent.
Status make_dirs(Disk& disk, const std::filesystem::path& dir);
// Written beside its name, synced, renamed, and the folder synced: readers see the old or the new
// file whole.
Status replace_file(Disk& disk, const std::filesystem::path& path, std::string_view bytes,
                    mode_t mode = 0644);

}  // namespace writ::ledger
