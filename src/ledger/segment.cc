#include "ledger/segment.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "crypto/hash.h"
#include "ledger/tile.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little);
constexpr std::string_view kMagic = "WRITWAL1";
constexpr std::size_t kWindowBytes = 1 << 20;  // what a scan holds at once
static_assert(kWindowBytes >= kFrameBytes + kMaxEntryBytes);
constexpr std::size_t kNameDigits = 20;

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
    std::uint8_t head[sizeof index];
    std::memcpy(head, &index, sizeof index);
    return crypto::crc32c(as_bytes(entry), crypto::crc32c(ByteView(head)));
}

}  // namespace

fs::path segment_path(const fs::path& dir, std::uint64_t first) {
    return dir / fmt::format("{:020}.seg", first);
}

Result<std::vector<std::uint64_t>> segments_of(const fs::path& dir) {
    std::vector<std::uint64_t> out;
    std::error_code error;
    fs::directory_iterator it(dir, error);
    for (; !error && it != fs::directory_iterator(); it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (name.size() != kNameDigits + 4 || !name.ends_with(".seg")) continue;
        std::uint64_t first = 0;
        const char* end = name.data() + kNameDigits;
        const auto parsed = std::from_chars(name.data(), end, first);
        if (parsed.ec == std::errc() && parsed.ptr == end) out.push_back(first);
    }
    if (error)
        return fail(ErrorCode::kIo, "cannot read `" + dir.string() + "`: " + error.message());
    std::sort(out.begin(), out.end());
    return out;
}

std::string segment_header(std::uint64_t first) {
    std::string out(kMagic);
    append_number(out, first);
    append_number(out, crypto::crc32c(as_bytes(out)));
    out.resize(kSegmentHeaderBytes, '\0');
    return out;
}

FrameHead frame_head(std::uint64_t index, std::string_view entry) {
    WRIT_CHECK(!entry.empty() && entry.size() <= kMaxEntryBytes);
    const auto length = static_cast<std::uint32_t>(entry.size());
    const std::uint32_t crc = frame_crc(index, entry);
    FrameHead out;
    std::memcpy(out.data(), &length, sizeof length);
    std::memcpy(out.data() + 4, &crc, sizeof crc);
    std::memcpy(out.data() + 8, &index, sizeof index);
    return out;
}

Result<FrameScan> FrameScan::open(const fs::path& path, std::uint64_t first) {
    auto file = File::open(path, O_RDONLY);
    if (!file) return fail(file.error());
    const auto header = read_at(file->fd(), kSegmentHeaderBytes, 0);
    if (!header) return fail(header.error());
    if (*header != segment_header(first))
        return fail(ErrorCode::kCorrupt, "the header of `" + path.string() + "` is damaged");
    FrameScan scan;
    scan.file_ = std::move(*file);
    scan.index_ = first;
    scan.offset_ = kSegmentHeaderBytes;
    return scan;
}

// Makes `bytes` bytes from offset_ available in the window, or fewer at the end of the file.
Status FrameScan::fill(std::size_t bytes) {
    if (available() >= bytes) return {};
    // OPTIMIZATION: not a string, which would be filled with zeros first: a megabyte each time the
    // publisher looks.
    if (!window_) window_ = std::make_unique_for_overwrite<char[]>(kWindowBytes);
    const auto read = read_at(file_.fd(), std::span(window_.get(), kWindowBytes), offset_);
    if (!read) return fail(read.error());
    held_ = *read;
    at_ = 0;
    return {};
}

Result<bool> FrameScan::next() {
    if (auto done = fill(kFrameBytes); !done) return fail(done.error());
    if (available() < kFrameBytes) return false;
    const auto length = number_at<std::uint32_t>(window(), at_);
    if (length == 0 || length > kMaxEntryBytes) return false;
    if (auto done = fill(kFrameBytes + length); !done) return fail(done.error());
    if (available() < kFrameBytes + length) return false;
    const std::string_view entry = window().substr(at_ + kFrameBytes, length);
    if (number_at<std::uint64_t>(window(), at_ + 8) != index_ ||
        number_at<std::uint32_t>(window(), at_ + 4) != frame_crc(index_, entry))
        return false;
    entry_ = entry;
    ++index_;
    offset_ += kFrameBytes + length;
    at_ += kFrameBytes + length;
    return true;
}

// Opens the segment that holds next_ and goes there.
Status WalReader::enter_segment() {
    const auto segments = segments_of(dir_);
    if (!segments) return fail(segments.error());
    const auto it = std::upper_bound(segments->begin(), segments->end(), next_);
    if (it == segments->begin())
        return fail(
            ErrorCode::kNotFound,
            fmt::format("entry {} is not in `{}`: its segment is missing", next_, dir_.string()));
    const std::uint64_t first = *std::prev(it);
    const fs::path path = segment_path(dir_, first);
    const auto cut = [&] {
        return fail(ErrorCode::kCorrupt, fmt::format("`{}` is damaged or was cut before entry {}",
                                                     path.string(), next_));
    };
    if (scan_ && segment_ == first) return cut();  // it was just read to its end
    auto scan = FrameScan::open(path, first);
    if (!scan) return fail(scan.error());
    while (scan->next_index() < next_) {
        const auto more = scan->next();
        if (!more) return fail(more.error());
        if (!*more) return cut();
    }
    scan_ = std::move(*scan);
    segment_ = first;
    return {};
}

Status WalReader::read(std::uint64_t to, const EachEntry& each) {
    if (scan_) scan_->refresh();
    while (next_ < to) {
        if (!scan_) {
            if (auto done = enter_segment(); !done) return done;
        }
        const auto more = scan_->next();
        if (!more) return fail(more.error());
        if (!*more) {
            if (auto done = enter_segment(); !done) return done;
            continue;
        }
        if (scan_->next_index() <= next_) continue;  // passed over by go_to()
        ++next_;
        if (!each(next_ - 1, scan_->entry())) return {};
    }
    return {};
}

}  // namespace writ::ledger
