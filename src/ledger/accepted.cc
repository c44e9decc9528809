#include "ledger/accepted.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/secret.h"
#include "ledger/file.h"
#include "ledger/tile.h"

namespace writ::ledger {
namespace {

constexpr std::uint32_t kAreas = 2;
constexpr std::size_t kFileBytes = kAreas * Accepted::kAreaBytes;

std::size_t padded(std::size_t bytes) {
    return (bytes + 7) / 8 * 8;
}

}  // namespace

// An area's beginning. Its entries are those, one behind the other, that bear its generation.
struct Accepted::Area {
    std::uint64_t generation;  // 0: of no run
    std::array<char, kRunBytes> run;
};

// Before an entry's bytes. The generation is stored last: with it the entry is there.
struct Accepted::Head {
    std::uint64_t generation;
    std::uint64_t from;
    std::uint32_t size;
    std::uint32_t open;  // its fate is not known
};

Result<Accepted> Accepted::open(std::filesystem::path path) {
    auto file = File::open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!file) return fail(file.error());
    struct statfs system{};
    struct stat info{};
    if (::fstatfs(file->fd(), &system) != 0 || ::fstat(file->fd(), &info) != 0)
        return fail(io_error("cannot look at `" + path.string() + "`", errno));
    if (system.f_type != TMPFS_MAGIC)
        return fail(ErrorCode::kUnsupported, fmt::format("`{}` is not on tmpfs", path.string()));
    if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || info.st_nlink != 1 ||
        (info.st_mode & 077) != 0)
        return fail(ErrorCode::kCorrupt,
                    fmt::format("`{}` is not a file of this user's alone", path.string()));
    // All of it now: a page that is missing later would end the process.
    if (::ftruncate(file->fd(), kFileBytes) != 0 || ::fallocate(file->fd(), 0, 0, kFileBytes) != 0)
        return fail(disk_error("cannot make `" + path.string() + "`", errno));
    void* memory = ::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd(), 0);
    if (memory == MAP_FAILED) return fail(io_error("cannot map `" + path.string() + "`", errno));
    return Accepted(std::move(path), static_cast<char*>(memory));
}

Accepted::Accepted(Accepted&& other) noexcept
    : path_(std::move(other.path_)),
      memory_(std::exchange(other.memory_, nullptr)),
      generation_(other.generation_),
      current_(other.current_),
      used_(other.used_),
      unsettled_(other.unsettled_),
      holes_(other.holes_) {}

Accepted::~Accepted() {
    if (memory_ != nullptr) ::munmap(memory_, kFileBytes);
}

Accepted::Area& Accepted::area(std::uint32_t number) const {
    return *reinterpret_cast<Area*>(memory_ + number * kAreaBytes);
}

Accepted::Head& Accepted::head(const Slot& slot) const {
    return *reinterpret_cast<Head*>(memory_ + slot.area * kAreaBytes + slot.offset);
}

std::string Accepted::run() const {
    const Area& newest = area(area(0).generation > area(1).generation ? 0 : 1);
    return {newest.run.data(), ::strnlen(newest.run.data(), kRunBytes)};
}

std::vector<Accepted::Left> Accepted::left() const {
    std::vector<Left> out;
    const std::uint32_t older = area(0).generation < area(1).generation ? 0 : 1;
    for (const std::uint32_t number : {older, 1 - older}) {
        const std::uint64_t generation = area(number).generation;
        std::size_t at = sizeof(Area);
        while (generation != 0 && at + sizeof(Head) < kAreaBytes) {
            const Slot slot{number, static_cast<std::uint32_t>(at)};
            const Head& entry = head(slot);
            if (entry.generation != generation || entry.size > kMaxEntryBytes ||
                at + sizeof(Head) + entry.size > kAreaBytes)
                break;
            const char* bytes = memory_ + number * kAreaBytes + at + sizeof(Head);
            if (entry.open != 0) out.push_back({entry.from, std::string(bytes, entry.size)});
            at += sizeof(Head) + padded(entry.size);
        }
    }
    return out;
}

void Accepted::begin(std::string_view run) {
    WRIT_CHECK(run.size() <= kRunBytes && unsettled_[0] + unsettled_[1] == 0);
    for (std::uint32_t number = 0; number < kAreas; ++number) {
        Area& empty = area(number);
        std::atomic_ref(empty.generation).store(0, std::memory_order_release);
        empty.run.fill('\0');
        std::copy(run.begin(), run.end(), empty.run.begin());
    }
    // A number that no entry from before bears, so that their memory need not be cleared.
    std::array<std::uint8_t, sizeof generation_> random;
    fill_for_names(random);
    std::memcpy(&generation_, random.data(), sizeof generation_);
    generation_ >>= 2;
    current_ = 1;
    used_ = kAreaBytes;
}

Accepted::Slot Accepted::keep(std::uint64_t from, std::string_view entry) {
    const std::size_t bytes = sizeof(Head) + padded(entry.size());
    bool fits = used_ + bytes <= kAreaBytes;
    if (!fits && unsettled_[1 - current_] == 0 && sizeof(Area) + bytes <= kAreaBytes) {
        current_ = 1 - current_;
        used_ = sizeof(Area);
        std::atomic_ref(area(current_).generation).store(++generation_, std::memory_order_release);
        fits = true;
    }
    if (!fits || holes_ > 0) {
        ++holes_;
        return {};
    }
    const Slot slot{current_, static_cast<std::uint32_t>(used_)};
    Head& to = head(slot);
    std::memcpy(&to + 1, entry.data(), entry.size());
    to.from = from;
    to.size = static_cast<std::uint32_t>(entry.size());
    to.open = 1;
    std::atomic_ref(to.generation).store(generation_, std::memory_order_release);
    used_ += bytes;
    ++unsettled_[current_];
    return slot;
}

void Accepted::settle(const Slot& slot) {
    if (!slot.kept()) {
        --holes_;
        return;
    }
    head(slot).open = 0;
    --unsettled_[slot.area];
}

void Accepted::remove() {
    ::unlink(path_.c_str());
}

}  // namespace writ::ledger
