#include "ledger/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace writ::ledger {

ssize_t Disk::pwrite(int fd, const void* data, std::size_t size, off_t offset) {
    return ::pwrite(fd, data, size, offset);
}

int Disk::fdatasync(int fd) {
    return ::fdatasync(fd);
}

int Disk::fsync(int fd) {
    return ::fsync(fd);
}

Disk& system_disk() {
    static Disk disk;
    return disk;
}

File::File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

File& File::operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

File::~File() {
    if (fd_ >= 0) ::close(fd_);
}

Result<File> File::open(const std::filesystem::path& path, int flags, mode_t mode) {
    File file(::open(path.c_str(), flags | O_CLOEXEC, mode));
    if (!file.is_open()) {
        if (errno == ENOENT || errno == ENOTDIR)
            return fail(ErrorCode::kNotFound, "no file `" + path.string() + "`");
        return fail(disk_error("cannot open `" + path.string() + "`", errno));
    }
    return file;
}

Error disk_error(std::string_view what, int errno_value) {
    Error error = io_error(what, errno_value);
    if (errno_value == ENOSPC || errno_value == EDQUOT) error.code = ErrorCode::kUnavailable;
    return error;
}

void write_past_cache(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags >= 0) ::fcntl(fd, F_SETFL, flags | O_DIRECT);
}

namespace {

// False: it was written through the cache already.
bool write_through_cache(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_DIRECT) != 0 && ::fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

}  // namespace

Status write_at(Disk& disk, int fd, std::string_view bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
        const ssize_t n = disk.pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EINVAL && write_through_cache(fd)) continue;
        if (n <= 0) return fail(disk_error("cannot write the log", n == 0 ? ENOSPC : errno));
        bytes.remove_prefix(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return {};
}

void PageBuffer::Free::operator()(char* bytes) const {
    std::free(bytes);  // NOLINT: of aligned_alloc()
}

void PageBuffer::append(std::string_view bytes) {
    if (size_ + bytes.size() > capacity_) {
        const std::size_t wanted = std::max(size_ + bytes.size(), capacity_ * 2);
        const std::size_t capacity = (wanted + kPageBytes - 1) / kPageBytes * kPageBytes;
        std::unique_ptr<char[], Free> more(
            static_cast<char*>(std::aligned_alloc(kPageBytes, capacity)));
        WRIT_CHECK(more != nullptr);
        std::copy_n(bytes_.get(), size_, more.get());
        bytes_ = std::move(more);
        capacity_ = capacity;
    }
    std::copy_n(bytes.data(), bytes.size(), bytes_.get() + size_);
    size_ += bytes.size();
}

void PageBuffer::keep_last(std::size_t bytes) {
    WRIT_CHECK(bytes <= size_);
    if (bytes > 0) std::memmove(bytes_.get(), bytes_.get() + size_ - bytes, bytes);
    size_ = bytes;
}

std::string_view PageBuffer::pages() {
    const std::size_t end = (size_ + kPageBytes - 1) / kPageBytes * kPageBytes;
    std::fill(bytes_.get() + size_, bytes_.get() + end, '\0');
    return {bytes_.get(), end};
}

Status write_pages_at(Disk& disk, int fd, std::string_view pages, std::uint64_t offset) {
    const int flags = ::fcntl(fd, F_GETFL);
    const bool direct = flags >= 0 && ::fcntl(fd, F_SETFL, flags | O_DIRECT) == 0;
    std::size_t done = 0;
    while (direct && done < pages.size()) {
        const ssize_t n = disk.pwrite(fd, pages.data() + done, pages.size() - done,
                                      static_cast<off_t>(offset + done));
        if (n < 0 && errno == EINTR) continue;
        // Refused (EINVAL), failed, or not whole pages: the way through the cache says why.
        if (n <= 0 || static_cast<std::size_t>(n) % kPageBytes != 0) break;
        done += static_cast<std::size_t>(n);
    }
    if (direct) ::fcntl(fd, F_SETFL, flags);
    return write_at(disk, fd, pages.substr(done), offset + done);
}

Result<std::size_t> read_at(int fd, std::span<char> into, std::uint64_t offset) {
    std::size_t have = 0;
    while (have < into.size()) {
        const ssize_t n =
            ::pread(fd, into.data() + have, into.size() - have, static_cast<off_t>(offset + have));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(io_error("cannot read the log", errno));
        if (n == 0) break;
        have += static_cast<std::size_t>(n);
    }
    return have;
}

Result<std::string> read_at(int fd, std::size_t size, std::uint64_t offset) {
    std::string out(size, '\0');
    const auto have = read_at(fd, std::span(out), offset);
    if (!have) return fail(have.error());
    out.resize(*have);
    return out;
}

Status read_file(const std::filesystem::path& path, std::size_t bytes_max, std::string& into) {
    const auto file = File::open(path, O_RDONLY | O_NONBLOCK);
    if (!file) return fail(file.error());
    struct stat info{};
    if (::fstat(file->fd(), &info) != 0)
        return fail(io_error("cannot look at `" + path.string() + "`", errno));
    if (!S_ISREG(info.st_mode))
        return fail(ErrorCode::kCorrupt, "`" + path.string() + "` is not a regular file");
    if (static_cast<std::uint64_t>(info.st_size) > bytes_max)
        return fail(ErrorCode::kTooLarge, "`" + path.string() + "` is too large");
    into.resize(static_cast<std::size_t>(info.st_size));
    const auto have = read_at(file->fd(), std::span(into), 0);
    if (!have) return fail(have.error());
    into.resize(*have);
    return {};
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
    std::string out;
    if (auto done = read_file(path, bytes_max, out); !done) return fail(done.error());
    return out;
}

Status sync_dir(Disk& disk, const std::filesystem::path& dir) {
    const auto file = File::open(dir.empty() ? "." : dir, O_RDONLY | O_DIRECTORY);
    if (!file) return fail(file.error());
    if (disk.fsync(file->fd()) != 0)
        return fail(disk_error("cannot sync `" + dir.string() + "`", errno));
    return {};
}

Status make_dirs(Disk& disk, const std::filesystem::path& dir) {
    std::error_code ignored;
    if (dir.empty() || std::filesystem::is_directory(dir, ignored)) return {};
    const auto parent = dir.parent_path();
    if (parent == dir) return {};
    if (auto done = make_dirs(disk, parent); !done) return done;
    if (::mkdir(dir.c_str(), 0755) != 0 && errno != EEXIST)
        return fail(disk_error("cannot make `" + dir.string() + "`", errno));
    return sync_dir(disk, parent);
}

Status replace_file(Disk& disk, const std::filesystem::path& path, std::string_view bytes,
                    mode_t mode) {
    const std::filesystem::path temp = path.string() + ".new";
    {
        const auto file = File::open(temp, O_WRONLY | O_CREAT | O_TRUNC, mode);
        if (!file) return fail(file.error());
        if (auto done = write_at(disk, file->fd(), bytes, 0); !done) return done;
        if (disk.fsync(file->fd()) != 0)
            return fail(disk_error("cannot sync `" + temp.string() + "`", errno));
    }
    if (::rename(temp.c_str(), path.c_str()) != 0)
        return fail(disk_error("cannot rename `" + temp.string() + "`", errno));
    return sync_dir(disk, path.parent_path());
}

}  // namespace writ::ledger
