#include "ledger/spare.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace writ::ledger {
namespace {

constexpr std::chrono::seconds kRetryEvery{1};
constexpr std::size_t kPieceBytes = 1 << 20;
// Zeros are synced this often, so that no commit waits behind a whole segment of them.
constexpr std::size_t kSyncEveryBytes = 4 << 20;

}  // namespace

Spare::Spare(std::filesystem::path dir, std::size_t bytes, std::size_t bytes_max, Disk& disk)
    : dir_(std::move(dir)), bytes_max_(bytes_max), disk_(disk), bytes_(bytes) {
    struct stat info{};
    ready_ = ::stat(path().c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
             static_cast<std::uint64_t>(info.st_size) >= kMinSegmentBytes;
    thread_ = std::thread([this] { run(); });
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
        if (ready_) {
            changed_.wait(lock);
            continue;
        }
        const std::size_t bytes = bytes_;
        lock.unlock();
        Status made = make(bytes);
        lock.lock();
        made_ = std::move(made);
        ready_ = made_.has_value();
        if (ready_) bytes_ = std::min(bytes_ * 2, bytes_max_);
        changed_.notify_all();
        if (!ready_) changed_.wait_for(lock, kRetryEvery, [&] { return stopping_; });
    }
}

Status Spare::make(std::size_t bytes) {
    const std::filesystem::path temp = dir_ / "spare.new";
    const auto file = File::open(temp, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW);
    if (!file) return fail(file.error());
    const std::string zeros(kPieceBytes, '\0');
    for (std::size_t at = 0; at < bytes; at += kPieceBytes) {
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) return fail(ErrorCode::kCancelled, "the log is closing");
        }
        const auto piece = std::string_view(zeros).substr(0, std::min(kPieceBytes, bytes - at));
        if (auto done = write_at(disk_, file->fd(), piece, at); !done) {
            ::unlink(temp.c_str());  // gives its blocks back
            return done;
        }
        const bool sync = (at + piece.size()) % kSyncEveryBytes == 0;
        if (sync && disk_.fsync(file->fd()) != 0)
            return fail(disk_error("cannot sync a segment", errno));
    }
    if (disk_.fsync(file->fd()) != 0) return fail(disk_error("cannot sync a segment", errno));
    if (::rename(temp.c_str(), path().c_str()) != 0)
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

std::string Spare::trouble() const {
    const std::lock_guard lock(mutex_);
    return made_ ? "" : made_.error().detail;
}

}  // namespace writ::ledger
