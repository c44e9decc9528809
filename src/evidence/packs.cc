// Reading and writing the two files of packs.h by offset.
#include "evidence/packs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "crypto/hash.h"

namespace writ::evidence {

namespace {

constexpr std::string_view kPackMagic = "WRITPAK1";
constexpr std::string_view kIndexMagic = "WRITIDX1";
constexpr std::string_view kFrameMagic = "WVB1";
constexpr std::size_t kFrameHeader = 40;
constexpr std::size_t kIndexHeader = 16;
constexpr std::size_t kIndexEntry = 40;

template <class T>
void put_le(Bytes& out, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
}

template <class T>
T get_le(ByteView bytes) {
    T value = 0;
    for (std::size_t i = sizeof(T); i-- > 0;) value = static_cast<T>(value << 8 | bytes[i]);
    return value;
}

void put_text(Bytes& out, std::string_view text) {
    out.insert(out.end(), text.begin(), text.end());
}

struct Frame {
    std::uint32_t length = 0;
    Sha256 cid{};
};

// The frame that starts at `offset`; nothing where none does.
Result<std::optional<Frame>> read_frame(int fd, std::uint64_t offset) {
    std::array<std::uint8_t, kFrameHeader> header{};
    const auto read = read_at(fd, header, offset);
    if (!read) return fail(read.error());
    if (!*read || as_text(ByteView(header).first(4)) != kFrameMagic) return std::optional<Frame>();
    Frame frame;
    frame.length = get_le<std::uint32_t>(ByteView(header).subspan(4, 4));
    if (frame.length > kMaxBlobBytes) return std::optional<Frame>();
    std::copy(header.begin() + 8, header.end(), frame.cid.begin());
    return frame;
}

}  // namespace

std::size_t DigestHash::operator()(const Sha256& digest) const {
    std::size_t out = 0;
    std::memcpy(&out, digest.data(), sizeof out);
    return out;
}

std::filesystem::path Packs::path(std::uint64_t number, std::string_view ending) const {
    return dir_ / fmt::format("{:08}.{}", number, ending);
}

// Newest first: what is asked for is mostly recent.
std::vector<std::uint64_t> Packs::numbers() const {
    std::vector<std::uint64_t> out;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(dir_, error)) {
        if (entry.path().extension() != ".pack") continue;
        const std::string stem = entry.path().stem().string();
        std::uint64_t number = 0;
        const auto [end, bad] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
        if (bad == std::errc() && end == stem.data() + stem.size()) out.push_back(number);
    }
    std::ranges::sort(out, std::greater());
    return out;
}

Status Packs::start() {
    if (auto made = make_private_dir(dir_); !made) return made;
    const auto there = numbers();
    std::uint64_t number = there.empty() ? 1 : there.front() + 1;
    Fd fd;
    // O_EXCL: another process may take the number first.
    for (int tries = 0; tries < 100 && !fd.valid(); ++tries) {
        fd = Fd(::open(path(number, "pack").c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!fd.valid() && errno != EEXIST) break;
        if (!fd.valid()) ++number;
    }
    if (!fd.valid()) return fail(io_error("cannot start a pack in `" + dir_.string() + "`", errno));
    if (auto written = write_at(fd.get(), as_bytes(kPackMagic), 0); !written) {
        ::unlink(path(number, "pack").c_str());
        return written;
    }
    if (auto synced = sync_dir(dir_); !synced) return synced;
    pack_ = std::move(fd);
    number_ = number;
    end_ = kPackMagic.size();
    return {};
}

Status Packs::append(const std::vector<Blob>& blobs) {
    if (!pack_.valid()) {
        if (auto started = start(); !started) return started;
    }
    std::size_t total = 0;
    for (const auto& blob : blobs) total += kFrameHeader + blob.bytes.size();
    Bytes frames;
    frames.reserve(total);
    std::vector<std::pair<Sha256, std::uint64_t>> offsets;
    for (const auto& blob : blobs) {
        offsets.emplace_back(blob.cid, end_ + frames.size());
        put_text(frames, kFrameMagic);
        put_le(frames, static_cast<std::uint32_t>(blob.bytes.size()));
        frames.insert(frames.end(), blob.cid.begin(), blob.cid.end());
        frames.insert(frames.end(), blob.bytes.begin(), blob.bytes.end());
    }
    if (auto written = write_at(pack_.get(), frames, end_); !written) {
        // A half-written batch must not stand before later frames.
        static_cast<void>(::ftruncate(pack_.get(), static_cast<off_t>(end_)) == 0);
        return fail(written.error().in("payload vault"));
    }
    end_ += frames.size();
    index_.insert(offsets.begin(), offsets.end());
    return {};
}

Status Packs::sync() {
    if (pack_.valid() && ::fdatasync(pack_.get()) != 0) {
        return fail(io_error("payload vault: sync", errno));
    }
    return {};
}

Status Packs::close() {
    if (!pack_.valid()) return {};
    if (auto synced = sync(); !synced) return synced;
    std::vector<std::pair<Sha256, std::uint64_t>> sorted(index_.begin(), index_.end());
    std::ranges::sort(sorted);
    Bytes index;
    index.reserve(kIndexHeader + sorted.size() * kIndexEntry);
    put_text(index, kIndexMagic);
    put_le(index, static_cast<std::uint64_t>(sorted.size()));
    for (const auto& [cid, offset] : sorted) {
        index.insert(index.end(), cid.begin(), cid.end());
        put_le(index, offset);
    }
    pack_ = Fd();
    index_.clear();
    return replace_file(path(number_, "idx"), index);
}

Result<Bytes> Packs::find(const Sha256& cid) {
    for (const auto number : numbers()) {
        const auto offset = offset_in(number, cid);
        if (!offset) return fail(offset.error());
        if (!*offset) continue;
        const Fd fd(::open(path(number, "pack").c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd.valid()) return fail(io_error("cannot open a pack", errno));
        const auto frame = read_frame(fd.get(), **offset);
        if (!frame) return fail(frame.error());
        if (!*frame || (*frame)->cid != cid) {
            return fail(ErrorCode::kCorrupt,
                        fmt::format("pack {}: no blob at {}", number, **offset));
        }
        Bytes blob((*frame)->length);
        const auto read = read_at(fd.get(), blob, **offset + kFrameHeader);
        if (!read) return fail(read.error());
        if (!*read || crypto::sha256(ByteView(blob)) != cid) {
            return fail(ErrorCode::kCorrupt,
                        fmt::format("pack {}: the blob at {} was changed", number, **offset));
        }
        return blob;
    }
    return fail(ErrorCode::kNotFound, "payload `" + digest_text(cid) + "` is not in the vault");
}

Result<std::optional<std::uint64_t>> Packs::offset_in(std::uint64_t number, const Sha256& cid) {
    if (pack_.valid() && number == number_) {
        const auto it = index_.find(cid);
        return it == index_.end() ? std::nullopt : std::optional(it->second);
    }
    const Fd fd(::open(path(number, "idx").c_str(), O_RDONLY | O_CLOEXEC));
    struct stat st{};
    if (!fd.valid() || ::fstat(fd.get(), &st) != 0) return scan(number, cid);
    std::array<std::uint8_t, kIndexHeader> header{};
    const auto read = read_at(fd.get(), header, 0);
    const auto count = get_le<std::uint64_t>(ByteView(header).subspan(8));
    const auto size = static_cast<std::uint64_t>(st.st_size);
    const bool sound = read && *read && as_text(ByteView(header).first(8)) == kIndexMagic &&
                       count <= kPackBlobs * 2 && size == kIndexHeader + count * kIndexEntry;
    if (!sound) return scan(number, cid);  // the index is only a shortcut
    std::uint64_t low = 0, high = count;
    while (low < high) {
        const std::uint64_t middle = (low + high) / 2;
        std::array<std::uint8_t, kIndexEntry> entry{};
        const auto got = read_at(fd.get(), entry, kIndexHeader + middle * kIndexEntry);
        if (!got || !*got) return scan(number, cid);
        const int order = std::memcmp(entry.data(), cid.data(), cid.size());
        if (order == 0) return std::optional(get_le<std::uint64_t>(ByteView(entry).subspan(32)));
        (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
    }
    return std::optional<std::uint64_t>();
}

// A pack that is still being written, or whose writer crashed: its frames are read, and remembered.
Result<std::optional<std::uint64_t>> Packs::scan(std::uint64_t number, const Sha256& cid) {
    Scanned& scanned = scanned_[number];
    if (scanned.end == 0) scanned.end = kPackMagic.size();
    const Fd fd(::open(path(number, "pack").c_str(), O_RDONLY | O_CLOEXEC));
    struct stat st{};
    if (!fd.valid() || ::fstat(fd.get(), &st) != 0)
        return fail(io_error("cannot open a pack", errno));
    while (true) {
        const auto frame = read_frame(fd.get(), scanned.end);
        if (!frame) return fail(frame.error());
        if (!*frame) break;
        const std::uint64_t next = scanned.end + kFrameHeader + (*frame)->length;
        if (next > static_cast<std::uint64_t>(st.st_size)) break;  // torn, or not yet whole
        scanned.offsets.emplace((*frame)->cid, scanned.end);
        scanned.end = next;
    }
    const auto it = scanned.offsets.find(cid);
    return it == scanned.offsets.end() ? std::nullopt : std::optional(it->second);
}

}  // namespace writ::evidence
