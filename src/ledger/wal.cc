#include "ledger/wal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <vector>

#include "crypto/hash.h"
#include "ledger/tile.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little);
constexpr std::string_view kMagic = "WRITWAL1";
constexpr std::size_t kHeaderBytes = 64;
constexpr std::size_t kFrameBytes = 16;
constexpr std::size_t kReadBytes = 1 << 20;  // what a scan holds at once; more than one frame

template <class T>
T number_at(std::string_view bytes, std::size_t offset) {
    T out;
    std::memcpy(&out, bytes.data() + offset, sizeof out);
    return out;
}

template <class T>
void append_number(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::uint32_t frame_crc(std::uint64_t index, std::string_view entry) {
    std::string head;
    append_number(head, index);
    return crypto::crc32c(as_bytes(entry), crypto::crc32c(as_bytes(head)));
}

std::string header_of(std::uint64_t first) {
    std::string out(kMagic);
    append_number(out, first);
    append_number(out, crypto::crc32c(as_bytes(out)));
    out.resize(kHeaderBytes, '\0');
    return out;
}

fs::path segment_path(const fs::path& dir, std::uint64_t first) {
    return dir / fmt::format("{:020}.seg", first);
}

// First indexes of the segments, rising.
Result<std::vector<std::uint64_t>> segments_of(const fs::path& dir) {
    std::vector<std::uint64_t> out;
    std::error_code error;
    fs::directory_iterator entries(dir, error);
    if (error)
        return fail(ErrorCode::kIo, "cannot read `" + dir.string() + "`: " + error.message());
    for (const auto& entry : entries) {
        const std::string name = entry.path().filename().string();
        if (name.size() == 24 && name.ends_with(".seg") &&
            name.find_first_not_of("0123456789") == 20)
            out.push_back(std::stoull(name.substr(0, 20)));
    }
    std::sort(out.begin(), out.end());
    return out;
}

// What a scan of one segment found.
struct Scan {
    std::uint64_t next = 0;    // index after the last whole frame
    std::uint64_t offset = 0;  // of the first byte after it
    bool stopped = false;      // `each` said enough
};

Result<Scan> scan_segment(const fs::path& path, std::uint64_t first, const Wal::Each& each) {
    const auto file = File::open(path, O_RDONLY);
    if (!file) return fail(file.error());
    const auto header = read_at(file->fd(), kHeaderBytes, 0);
    if (!header) return fail(header.error());
    if (*header != header_of(first))
        return fail(ErrorCode::kCorrupt, "the header of `" + path.string() + "` is damaged");
    Scan scan{first, kHeaderBytes, false};
    std::string window;
    std::size_t at = 0;  // of the next frame in the window
    const auto available = [&] { return window.size() - at; };
    const auto refill = [&](std::size_t need) -> Status {
        if (available() >= need) return {};
        auto bytes = read_at(file->fd(), std::max(need, kReadBytes), scan.offset);
        if (!bytes) return fail(bytes.error());
        window = std::move(*bytes);
        at = 0;
        return {};
    };
    while (true) {
        if (auto done = refill(kFrameBytes); !done) return fail(done.error());
        if (available() < kFrameBytes) return scan;
        const auto length = number_at<std::uint32_t>(window, at);
        if (length == 0 || length > kMaxEntryBytes) return scan;
        if (auto done = refill(kFrameBytes + length); !done) return fail(done.error());
        if (available() < kFrameBytes + length) return scan;
        const std::string_view entry = std::string_view(window).substr(at + kFrameBytes, length);
        if (number_at<std::uint64_t>(window, at + 8) != scan.next ||
            number_at<std::uint32_t>(window, at + 4) != frame_crc(scan.next, entry))
            return scan;
        if (!each(scan.next, entry)) {
            scan.stopped = true;
            return scan;
        }
        ++scan.next;
        scan.offset += kFrameBytes + length;
        at += kFrameBytes + length;
    }
}

}  // namespace

Result<Wal> Wal::open(fs::path dir, std::size_t segment_bytes, Disk& disk, std::uint64_t from,
                      const Each& replay) {
    std::error_code error;
    fs::create_directories(dir, error);
    if (error)
        return fail(ErrorCode::kIo, "cannot make `" + dir.string() + "`: " + error.message());
    Wal wal;
    wal.dir_ = std::move(dir);
    wal.segment_bytes_ =
        std::max<std::size_t>(segment_bytes, kHeaderBytes + kFrameBytes + kMaxEntryBytes);
    wal.disk_ = &disk;
    const auto segments = segments_of(wal.dir_);
    if (!segments) return fail(segments.error());
    if (segments->empty()) {
        if (auto done = wal.create_segment(0); !done) return fail(done.error());
        return wal;
    }
    auto it = std::upper_bound(segments->begin(), segments->end(), from);
    if (it == segments->begin())
        return fail(ErrorCode::kCorrupt, fmt::format("the log before entry {} is missing from `{}`",
                                                     from, wal.dir_.string()));
    for (--it; it != segments->end(); ++it) {
        const fs::path path = segment_path(wal.dir_, *it);
        const auto scan = scan_segment(path, *it, [&](std::uint64_t index, std::string_view entry) {
            return index < from || replay(index, entry);
        });
        if (!scan) return fail(scan.error());
        if (std::next(it) != segments->end() && scan->next != *std::next(it))
            return fail(ErrorCode::kCorrupt,
                        fmt::format("`{}` is damaged after entry {}", path.string(), scan->next));
        wal.end_ = scan->next;
        wal.offset_ = scan->offset;
        wal.segment_path_ = path;
    }
    auto opened = File::open(wal.segment_path_, O_RDWR);
    if (!opened) return fail(opened.error());
    wal.segment_ = std::move(*opened);
    if (auto done = wal.clear_tail(); !done) return fail(done.error());
    return wal;
}

// A torn write can leave later frames of a batch whole behind an earlier one that is not: without
// this they could come back to life when the gap is filled by a frame of the same length.
Status Wal::clear_tail() {
    const std::string zeros(kReadBytes, '\0');
    bool dirty = false;
    for (std::uint64_t at = offset_;; at += kReadBytes) {
        const auto bytes = read_at(segment_.fd(), kReadBytes, at);
        if (!bytes) return fail(bytes.error());
        if (bytes->find_first_not_of('\0') != std::string::npos) {
            dirty = true;
            const auto clear = std::string_view(zeros).substr(0, bytes->size());
            if (auto done = write_at(*disk_, segment_.fd(), clear, at); !done) return done;
        }
        if (bytes->size() < kReadBytes) break;
    }
    if (dirty && disk_->fdatasync(segment_.fd()) != 0)
        return fail(io_error("cannot sync the log", errno));
    return {};
}

Status Wal::create_segment(std::uint64_t first) {
    const fs::path spare = dir_ / "spare";
    if (auto done = make_spare(dir_, segment_bytes_, *disk_, "spare.inline"); !done) return done;
    auto file = File::open(spare, O_RDWR);
    if (!file) return fail(file.error());
    if (auto done = write_at(*disk_, file->fd(), header_of(first), 0); !done) return done;
    if (disk_->fdatasync(file->fd()) != 0) return fail(io_error("cannot sync a segment", errno));
    const fs::path path = segment_path(dir_, first);
    if (::rename(spare.c_str(), path.c_str()) != 0)
        return fail(io_error("cannot name a segment", errno));
    if (auto done = sync_dir(dir_); !done) return done;
    segment_ = std::move(*file);
    segment_path_ = path;
    offset_ = kHeaderBytes;
    return {};
}

Status Wal::make_spare(const fs::path& dir, std::size_t segment_bytes, Disk& disk,
                       std::string_view temp_name) {
    if (fs::exists(dir / "spare")) return {};
    const fs::path temp = dir / temp_name;
    auto file = File::open(temp, O_RDWR | O_CREAT | O_TRUNC);
    if (!file) return fail(file.error());
    const std::string zeros(kReadBytes, '\0');
    for (std::uint64_t at = 0; at < segment_bytes; at += zeros.size()) {
        const auto piece = std::string_view(zeros).substr(
            0, std::min<std::size_t>(zeros.size(), segment_bytes - at));
        if (auto done = write_at(disk, file->fd(), piece, at); !done) return done;
    }
    if (disk.fdatasync(file->fd()) != 0) return fail(io_error("cannot sync a segment", errno));
    if (::rename(temp.c_str(), (dir / "spare").c_str()) != 0)
        return fail(io_error("cannot name a segment", errno));
    return {};
}

Status Wal::add(std::string_view entry) {
    const std::size_t frame = kFrameBytes + entry.size();
    if (offset_ + batch_.size() + frame > segment_bytes_) {
        if (auto done = commit(); !done) return done;
        if (auto done = create_segment(end_); !done) return done;
    }
    append_number(batch_, static_cast<std::uint32_t>(entry.size()));
    append_number(batch_, frame_crc(end_, entry));
    append_number(batch_, end_);
    batch_ += entry;
    ++end_;
    return {};
}

Status Wal::commit() {
    if (batch_.empty()) return {};
    if (auto done = write_at(*disk_, segment_.fd(), batch_, offset_); !done) return done;
    // A failed sync may have dropped the pages: trying again would report success for data that is
    // gone.
    if (disk_->fdatasync(segment_.fd()) != 0) return fail(io_error("cannot sync the log", errno));
    offset_ += batch_.size();
    batch_.clear();
    return {};
}

bool Wal::in_place() const {
    struct stat open_file{};
    struct stat named{};
    return fstat(segment_.fd(), &open_file) == 0 && ::stat(segment_path_.c_str(), &named) == 0 &&
           open_file.st_nlink > 0 && open_file.st_ino == named.st_ino &&
           open_file.st_dev == named.st_dev;
}

Status Wal::read(const fs::path& dir, std::uint64_t from, std::uint64_t to, const Each& each) {
    if (from >= to) return {};
    const auto segments = segments_of(dir);
    if (!segments) return fail(segments.error());
    auto it = std::upper_bound(segments->begin(), segments->end(), from);
    if (it == segments->begin())
        return fail(ErrorCode::kNotFound, fmt::format("entry {} is not in the log any more", from));
    for (--it; it != segments->end() && *it < to; ++it) {
        const auto scan = scan_segment(
            segment_path(dir, *it), *it, [&](std::uint64_t index, std::string_view entry) {
                return index < to && (index < from || each(index, entry));
            });
        if (!scan) return fail(scan.error());
        if (scan->stopped) return {};
    }
    return {};
}

}  // namespace writ::ledger
