#include "ledger/wal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kClearBytes = 1 << 20;

}  // namespace

Result<Wal> Wal::open(fs::path dir, std::size_t segment_bytes, Disk& disk, std::uint64_t from) {
    if (auto done = make_dirs(disk, dir); !done) return fail(done.error());
    Wal wal;
    wal.dir_ = std::move(dir);
    wal.segment_bytes_ = std::max(segment_bytes, kMinSegmentBytes);
    wal.disk_ = &disk;
    const auto segments = segments_of(wal.dir_);
    if (!segments) return fail(segments.error());
    if (segments->empty()) return wal;
    wal.known_->segments = *segments;
    // Older segments may be pruned, but what is read must be there.
    if (segments->front() > from)
        return fail(ErrorCode::kCorrupt,
                    fmt::format("`{}` is missing", segment_path(wal.dir_, from).string()));
    // A segment named beyond everything that was written shows as a gap below.
    auto it = std::prev(std::upper_bound(segments->begin(), segments->end(), from));
    for (; it != segments->end(); ++it) {
        wal.segment_path_ = segment_path(wal.dir_, *it);
        auto scan = FrameScan::open(wal.segment_path_, *it);
        if (!scan) return fail(scan.error());
        while (true) {
            const auto more = scan->next();
            if (!more) return fail(more.error());
            if (!*more) break;
        }
        wal.end_ = scan->next_index();
        wal.offset_ = scan->offset();
        if (std::next(it) != segments->end() && wal.end_ != *std::next(it))
            return fail(ErrorCode::kCorrupt, fmt::format("`{}` is damaged at entry {}",
                                                         wal.segment_path_.string(), wal.end_));
    }
    // A killed writer may have left frames that only the system's memory holds: they are found
    // again and signed, so they must be durable first.
    const auto last = File::open(wal.segment_path_, O_RDONLY);
    if (!last) return fail(last.error());
    if (disk.fdatasync(last->fd()) != 0) return fail(io_error("cannot sync the log", errno));
    return wal;
}

Status Wal::start() {
    std::size_t next = std::min(segment_bytes_, kFirstSegmentBytes);
    const bool first = segment_path_.empty();
    if (!first) {
        auto opened = File::open(segment_path_, O_RDWR);
        if (!opened) return fail(opened.error());
        if (auto done = clear_tail(*opened); !done) return done;
        const std::uint64_t page = offset_ / kPageBytes * kPageBytes;
        const auto before = read_at(opened->fd(), static_cast<std::size_t>(offset_ - page), page);
        if (!before) return fail(before.error());
        if (auto done = use(std::move(*opened), segment_path_, *before); !done) return done;
        next = std::clamp<std::size_t>(capacity_ * 2, next, segment_bytes_);
    }
    spare_ = std::make_unique<Spare>(dir_, next, segment_bytes_, *disk_, first);
    return first ? rotate() : Status();
}

// Goes on in `file` at offset_, which follows `before`, the bytes from its page on.
Status Wal::use(File file, fs::path path, std::string_view before) {
    struct stat info{};
    if (::fstat(file.fd(), &info) != 0) return fail(io_error("cannot look at a segment", errno));
    segment_ = std::move(file);
    segment_path_ = std::move(path);
    capacity_ = static_cast<std::uint64_t>(info.st_size);
    batch_.keep_last(0);
    batch_.append(before);
    write_past_cache(segment_.fd());
    return {};
}

// A torn write can leave later frames of a batch whole behind an earlier one that is not: without
// this they could come back to life when the gap is filled by a frame of the same length.
Status Wal::clear_tail(const File& file) {
    const std::string zeros(kClearBytes, '\0');
    bool dirty = false;
    for (std::uint64_t at = offset_;; at += kClearBytes) {
        const auto bytes = read_at(file.fd(), kClearBytes, at);
        if (!bytes) return fail(bytes.error());
        if (bytes->find_first_not_of('\0') != std::string::npos) {
            dirty = true;
            const auto clear = std::string_view(zeros).substr(0, bytes->size());
            if (auto done = write_at(*disk_, file.fd(), clear, at); !done) return done;
        }
        if (bytes->size() < kClearBytes) break;
    }
    if (dirty && disk_->fdatasync(file.fd()) != 0)
        return fail(io_error("cannot sync the log", errno));
    // OPTIMIZATION: commits go past the cache, and would have to drop each of these pages.
    ::posix_fadvise(file.fd(), static_cast<off_t>(offset_), 0, POSIX_FADV_DONTNEED);
    return {};
}

bool Wal::add(std::string_view entry) {
    const std::uint64_t page = offset_ / kPageBytes * kPageBytes;
    if (page + batch_.size() + kFrameBytes + entry.size() > capacity_) return false;
    append_frame(batch_, end_, entry);
    ++end_;
    return true;
}

// The batch begins in the middle of a page and its writing goes past the system's cache, so the
// page's bytes from before are written again, as they would be on the way through the cache. They
// are acknowledged already, and stay safe when the power fails meanwhile: what they are replaced by
// is equal to them, and of a write that is torn each sector is the old or the new one, which in
// these bytes are the same. A disk that destroys a sector while it overwrites it breaks both ways.
// The zeros after the batch are those that stand there.
Status Wal::commit() {
    if (batch_is_empty()) return {};
    const std::uint64_t page = offset_ / kPageBytes * kPageBytes;
    const auto pages = batch_.pages().substr(0, static_cast<std::size_t>(capacity_ - page));
    if (auto done = write_at(*disk_, segment_.fd(), pages, page); !done) return done;
    // A failed sync may have dropped what was written: trying again would report success for data
    // that is gone.
    if (disk_->fdatasync(segment_.fd()) != 0) return fail(io_error("cannot sync the log", errno));
    offset_ = page + batch_.size();
    batch_.keep_last(static_cast<std::size_t>(offset_ % kPageBytes));
    return {};
}

Status Wal::rotate() {
    WRIT_CHECK(batch_is_empty());
    if (auto ready = spare_->wait(); !ready) {
        Error later = ready.error();
        later.code = ErrorCode::kUnavailable;
        return fail(std::move(later));
    }
    auto done = go_on_in(spare_->path());
    if (done || done.error().code == ErrorCode::kNotFound) spare_->taken();
    if (done) in_reserve_ = false;
    if (!done && done.error().code == ErrorCode::kNotFound)  // somebody removed it
        return fail(ErrorCode::kUnavailable, done.error().detail);
    return done;
}

Status Wal::enter_reserve() {
    WRIT_CHECK(batch_is_empty());
    if (in_reserve_) return fail(ErrorCode::kUnavailable, "the space kept is full");
    auto done = go_on_in(spare_->reserve_path());
    if (done || done.error().code == ErrorCode::kNotFound) spare_->reserve_taken();
    if (done) in_reserve_ = true;
    if (!done && done.error().code == ErrorCode::kNotFound)
        return fail(ErrorCode::kUnavailable, "no space could be kept: " + done.error().detail);
    return done;
}

// Makes the zero-filled file `ready` the open segment. Errors: kNotFound, kUnavailable (both leave
// the log as it was), others.
Status Wal::go_on_in(const fs::path& ready) {
    auto file = File::open(ready, O_RDWR | O_NOFOLLOW);
    if (!file) {
        Error later = file.error();
        if (later.code != ErrorCode::kNotFound) later.code = ErrorCode::kUnavailable;
        return fail(std::move(later));
    }
    const std::string header = segment_header(end_);
    PageBuffer head;
    head.append(header);
    write_past_cache(file->fd());
    if (auto done = write_at(*disk_, file->fd(), head.pages(), 0); !done)
        return fail(ErrorCode::kUnavailable, done.error().detail);
    if (disk_->fdatasync(file->fd()) != 0) return fail(io_error("cannot sync a segment", errno));
    const fs::path path = segment_path(dir_, end_);
    // From here on the new name may stand on the disk, so that nothing may go to the old segment.
    if (::rename(ready.c_str(), path.c_str()) != 0)
        return fail(io_error("cannot name a segment", errno));
    if (auto done = sync_dir(*disk_, dir_); !done) return fail(ErrorCode::kIo, done.error().detail);
    {
        // An open segment without an entry has the same name, and was replaced.
        const std::lock_guard lock(known_->mutex);
        if (known_->segments.empty() || known_->segments.back() != end_)
            known_->segments.push_back(end_);
    }
    offset_ = kSegmentHeaderBytes;
    return use(std::move(*file), path, header);
}

bool Wal::in_place() const {
    struct stat open_file{};
    struct stat named{};
    return fstat(segment_.fd(), &open_file) == 0 && ::stat(segment_path_.c_str(), &named) == 0 &&
           open_file.st_nlink > 0 && open_file.st_ino == named.st_ino &&
           open_file.st_dev == named.st_dev &&
           static_cast<std::uint64_t>(open_file.st_size) >= capacity_;
}

}  // namespace writ::ledger
