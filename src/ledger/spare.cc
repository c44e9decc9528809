#include "ledger/spare.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/thread.h"

namespace writ::ledger {
namespace {

constexpr std::chrono::seconds kSpareRetryEvery{1};
constexpr std::size_t kPieceBytes = 1 << 20;
// Zeros are synced this often, so that no commit waits behind a whole segment of them.
constexpr std::size_t kSyncEveryBytes = 4 << 20;

bool is_segment_file(const std::filesystem::path& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
           static_cast<std::uint64_t>(info.st_size) >= kMinSegmentBytes;
}

}  // namespace

Spare::Spare(std::filesystem::path dir, std::size_t bytes, std::size_t bytes_max, Disk& disk,
             bool first)
    : dir_(std::move(dir)), bytes_max_(bytes_max), disk_(disk), bytes_(bytes), first_(first) {
    ready_ = is_segment_file(path());
    reserve_ready_ = is_segment_file(reserve_path());
    if (!first && !reserve_ready_) {
        made_ = make(reserve_path(), std::min(kReserveBytes, bytes_max_));
        reserve_ready_ = made_.has_value();
    }
    thread_ = std::thread([this] {
        name_this_thread("writ-spare");
        run();
    });
}

Spare::~Spare() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void Spare::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (ready_ && reserve_ready_)
            changed_.wait(lock);
        else
            make_one(lock);
    }
}

void Spare::make_one(std::unique_lock<std::mutex>& lock) {
    const bool reserve = !reserve_ready_ && !(first_ && !ready_);
    const std::size_t bytes = reserve ? std::min(kReserveBytes, bytes_max_) : bytes_;
    lock.unlock();
    Status made = make(reserve ? reserve_path() : path(), bytes);
    lock.lock();
    made_ = std::move(made);
    if (!made_) {
        changed_.notify_all();
        changed_.wait_for(lock, kSpareRetryEvery, [&] { return stopping_; });
    } else if (reserve) {
        reserve_ready_ = true;
    } else {
        ready_ = true;
        first_ = false;
        bytes_ = std::min(bytes_ * 2, bytes_max_);
    }
    changed_.notify_all();
}

Status Spare::make(const std::filesystem::path& path, std::size_t bytes) {
    const std::filesystem::path temp = dir_ / "spare.new";
    const auto file = File::open(temp, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW);
    if (!file) return fail(file.error());
    PageBuffer zeros;
    zeros.append(std::string(kPieceBytes, '\0'));
    for (std::size_t at = 0; at < bytes; at += kPieceBytes) {
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) return fail(ErrorCode::kCancelled, "the log is closing");
        }
        const auto piece = zeros.view().substr(0, std::min(kPieceBytes, bytes - at));
        const bool pages = piece.size() % kPageBytes == 0;
        if (auto done = pages ? write_pages_at(disk_, file->fd(), piece, at)
                              : write_at(disk_, file->fd(), piece, at);
            !done) {
            ::unlink(temp.c_str());  // gives its blocks back
            return done;
        }
        const bool sync = (at + piece.size()) % kSyncEveryBytes == 0;
        if (sync && disk_.fsync(file->fd()) != 0)
            return fail(disk_error("cannot sync a segment", errno));
    }
    if (disk_.fsync(file->fd()) != 0) return fail(disk_error("cannot sync a segment", errno));
    if (::rename(temp.c_str(), path.c_str()) != 0)
        return fail(disk_error("cannot name a segment", errno));
    return {};
}

Status Spare::wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ready_ || !made_ || stopping_; });
    if (ready_) return {};
    return made_ ? fail(ErrorCode::kCancelled, "the log is closing") : made_;
}

void Spare::taken() {
    {
        const std::lock_guard lock(mutex_);
        ready_ = false;
        made_ = {};
    }
    changed_.notify_all();
}

void Spare::reserve_taken() {
    {
        const std::lock_guard lock(mutex_);
        reserve_ready_ = false;
    }
    changed_.notify_all();
}

bool Spare::has_reserve() const {
    const std::lock_guard lock(mutex_);
    return reserve_ready_ || made_;
}

void Spare::look() {
    const bool spare = is_segment_file(path());
    const bool reserve = is_segment_file(reserve_path());
    {
        const std::lock_guard lock(mutex_);
        ready_ = ready_ && spare;
        reserve_ready_ = reserve_ready_ && reserve;
    }
    changed_.notify_all();
}

std::string Spare::trouble() const {
    const std::lock_guard lock(mutex_);
    return made_ ? "" : made_.error().detail;
}

}  // namespace writ::ledger
