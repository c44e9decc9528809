#include "ledger/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include "base/limits.h"
#include "base/log.h"
#include "ledger/file.h"
#include "ledger/note.h"
#include "ledger/open_with_disk.h"
#include "ledger/publisher.h"
#include "ledger/tile.h"
#include "ledger/tree.h"
#include "ledger/wal.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// What one commit takes at most: enough to keep the disk busy, short enough that nobody waits long
// behind it.
constexpr std::size_t kBatchEntries_max = 4096;
constexpr std::size_t kBatchBytes_max = 4 << 20;
// Durable entries that are not in tiles yet. Beyond it the committer waits: memory stays bounded
// when the disk cannot keep up.
constexpr std::size_t kUnpublishedBytes_max = 64 << 20;
// How often the open segment is looked for under its name.
constexpr milliseconds kInPlaceEvery{500};

struct Pending {
    std::string entry;
    AppendDone done;
};

struct Durable {
    std::string entry;
    Sha256 leaf{};
};

class DiskLedger final : public Ledger {
  public:
    DiskLedger(Options options, crypto::Ed25519Key key)
        : options_(std::move(options)), key_(std::move(key)) {}
    ~DiskLedger() override;

    Status open(Disk& disk);

    void append(std::string entry, AppendDone done) override;
    Result<Appended> append_sync(std::string entry) override;
    Status flush() override;
    Health health() const override;
    std::string vkey() const override { return make_vkey(options_.origin, key_.public_key()); }
    Status read(std::uint64_t from,
                const std::function<bool(std::uint64_t, std::string_view)>& each) const override;

  private:
    fs::path wal_dir() const { return options_.dir / "wal"; }
    void commit_loop();
    void publish_loop();
    std::vector<Pending> take_batch(std::unique_lock<std::mutex>& lock);
    void commit(std::vector<Pending> batch);
    Status write(const std::vector<Pending>& batch);
    void publish(std::deque<Durable> entries);
    void stop_writing(const Error& why);

    Options options_;
    const crypto::Ed25519Key key_;
    File lock_;               // flock on <dir>/lock for the ledger's life
    std::optional<Wal> wal_;  // the committer's, after open()
    Disk* disk_ = nullptr;
    std::optional<Publisher> publisher_;  // the publisher's, after open()

    // Guards everything below; held for hand-overs only, never across I/O.
    mutable std::mutex mutex_;
    std::condition_variable arrived_;    // committer: something pending, or room, or stopping
    std::condition_variable durable_;    // publisher: something durable, a flush, or stopping
    std::condition_variable published_;  // flush(): a checkpoint was written
    std::deque<Pending> pending_;
    std::deque<Durable> unpublished_;
    std::size_t unpublished_bytes_ = 0;
    std::uint64_t durable_size_ = 0, published_size_ = 0;
    std::uint64_t flushes_ = 0;  // flush() calls waiting: publish at once
    std::optional<Error> failed_;
    bool committing_ = false;  // a batch is on its way to the disk
    bool stopping_ = false, drained_ = false;
    std::thread committer_, integrator_;
};

Status DiskLedger::open(Disk& disk) {
    disk_ = &disk;
    std::error_code error;
    fs::create_directories(options_.dir, error);
    if (error)
        return fail(ErrorCode::kIo,
                    fmt::format("cannot make `{}`: {}", options_.dir.string(), error.message()));
    auto lock = File::open(options_.dir / "lock", O_RDWR | O_CREAT);
    if (!lock) return fail(lock.error());
    if (::flock(lock->fd(), LOCK_EX | LOCK_NB) != 0)
        return fail(ErrorCode::kConflict,
                    fmt::format("another process uses the log in `{}`: stop it first",
                                options_.dir.string()));
    lock_ = std::move(*lock);
    const fs::path log_dir = options_.dir / "log" / options_.tenant / options_.node;
    const fs::path state =
        options_.dir / "state" / (options_.tenant + "-" + options_.node + ".signed");
    auto publisher = Publisher::open(log_dir, state, options_.origin, key_);
    if (!publisher) return fail(publisher.error());
    publisher_ = std::move(*publisher);
    const std::uint64_t signed_size = publisher_->signed_size();
    Status replayed;
    auto wal = Wal::open(wal_dir(), options_.segment_bytes, disk, signed_size,
                         [&](std::uint64_t, std::string_view entry) {
                             replayed = publisher_->append(entry, leaf_hash(as_bytes(entry)));
                             return replayed.has_value();
                         });
    if (!wal) return fail(wal.error());
    if (!replayed) return replayed;
    if (wal->end() < signed_size)
        return fail(
            ErrorCode::kCorrupt,
            fmt::format("the write-ahead log ends at entry {} but {} were signed: entries were "
                        "lost or removed; restore `{}`, nothing is signed until then",
                        wal->end(), signed_size, wal_dir().string()));
    wal_ = std::move(*wal);
    durable_size_ = wal_->end();
    if (auto done = publisher_->publish(); !done) return done;
    published_size_ = durable_size_;
    committer_ = std::thread([this] { commit_loop(); });
    integrator_ = std::thread([this] { publish_loop(); });
    return {};
}

DiskLedger::~DiskLedger() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    arrived_.notify_all();
    durable_.notify_all();
    if (committer_.joinable()) committer_.join();
    {
        const std::lock_guard lock(mutex_);
        drained_ = true;
    }
    durable_.notify_all();
    if (integrator_.joinable()) integrator_.join();
}

void DiskLedger::append(std::string entry, AppendDone done) {
    std::optional<Error> refused;
    {
        const std::lock_guard lock(mutex_);
        if (failed_)
            refused = Error{ErrorCode::kUnavailable,
                            "the evidence log cannot be written: " + failed_->detail,
                            {}};
        else if (stopping_)
            refused = Error{ErrorCode::kUnavailable, "the evidence log is closing", {}};
        else if (entry.empty() || entry.size() > kMaxEntryBytes)
            refused = Error{ErrorCode::kTooLarge,
                            fmt::format("an entry has 1 to {} bytes", kMaxEntryBytes),
                            {}};
        else if (pending_.size() >= kMaxPendingAppends)
            refused = Error{ErrorCode::kExhausted, "too many events wait for the disk", {}};
        else
            pending_.push_back({std::move(entry), std::move(done)});
    }
    if (refused)
        done(fail(std::move(*refused)));
    else
        arrived_.notify_one();
}

Result<Appended> DiskLedger::append_sync(std::string entry) {
    std::promise<Result<Appended>> promise;
    auto future = promise.get_future();
    append(std::move(entry),
           [&promise](Result<Appended> result) { promise.set_value(std::move(result)); });
    return future.get();
}

std::vector<Pending> DiskLedger::take_batch(std::unique_lock<std::mutex>& lock) {
    // Looks for the segment now and then even when nobody writes.
    arrived_.wait_for(lock, kInPlaceEvery, [&] {
        return stopping_ || (!pending_.empty() && unpublished_bytes_ < kUnpublishedBytes_max);
    });
    std::vector<Pending> batch;
    if (unpublished_bytes_ >= kUnpublishedBytes_max && !stopping_) return batch;
    std::size_t bytes = 0;
    while (!pending_.empty() && batch.size() < kBatchEntries_max && bytes < kBatchBytes_max) {
        bytes += pending_.front().entry.size();
        batch.push_back(std::move(pending_.front()));
        pending_.pop_front();
    }
    committing_ = !batch.empty();
    return batch;
}

void DiskLedger::commit_loop() {
    auto looked = std::chrono::steady_clock::now();
    while (true) {
        std::vector<Pending> batch;
        {
            std::unique_lock lock(mutex_);
            batch = take_batch(lock);
            if (batch.empty() && stopping_ && pending_.empty()) return;
        }
        const auto now = std::chrono::steady_clock::now();
        if (now - looked >= kInPlaceEvery) {
            looked = now;
            if (!wal_->in_place())
                stop_writing(
                    {ErrorCode::kCorrupt, "its segment was removed or replaced under it", {}});
        }
        if (!batch.empty()) commit(std::move(batch));
    }
}

Status DiskLedger::write(const std::vector<Pending>& batch) {
    {
        const std::lock_guard lock(mutex_);
        if (failed_)
            return fail(ErrorCode::kUnavailable,
                        "the evidence log cannot be written: " + failed_->detail);
    }
    for (const auto& item : batch)
        if (auto added = wal_->add(item.entry); !added) return added;
    return wal_->commit();
}

void DiskLedger::commit(std::vector<Pending> batch) {
    const std::uint64_t first = wal_->end();
    const Status written = write(batch);
    if (!written) {
        stop_writing(written.error());
        const Error error{ErrorCode::kUnavailable,
                          "the evidence log cannot be written: " + written.error().detail,
                          {}};
        for (auto& item : batch) item.done(fail(error));
        return;
    }
    std::vector<Sha256> leaves;
    leaves.reserve(batch.size());
    for (const auto& item : batch) leaves.push_back(leaf_hash(as_bytes(item.entry)));
    std::vector<AppendDone> waiting;
    waiting.reserve(batch.size());
    {
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < batch.size(); ++i) {
            unpublished_bytes_ += batch[i].entry.size();
            waiting.push_back(std::move(batch[i].done));
            unpublished_.push_back({std::move(batch[i].entry), leaves[i]});
        }
        durable_size_ = first + batch.size();
        committing_ = false;
    }
    durable_.notify_one();
    for (std::size_t i = 0; i < waiting.size(); ++i) waiting[i](Appended{first + i, leaves[i]});
}

void DiskLedger::stop_writing(const Error& why) {
    {
        const std::lock_guard lock(mutex_);
        committing_ = false;
        if (failed_) return;
        failed_ = why;
    }
    log::error("ledger", "stopped writing for good: {}; restart once it is repaired",
               why.message());
    published_.notify_all();
}

void DiskLedger::publish_loop() {
    const milliseconds cadence(options_.checkpoint_every_ms);
    const milliseconds heartbeat(options_.heartbeat_s * 1'000);
    auto last = std::chrono::steady_clock::now();
    while (true) {
        std::deque<Durable> entries;
        bool finish = false;
        {
            std::unique_lock lock(mutex_);
            durable_.wait_until(lock, last + cadence, [&] { return flushes_ > 0 || drained_; });
            const bool full = unpublished_bytes_ >= kUnpublishedBytes_max / 2;
            const bool due = std::chrono::steady_clock::now() >= last + cadence;
            if (!due && !full && flushes_ == 0 && !drained_) continue;
            finish = drained_;
            entries = std::exchange(unpublished_, {});
            unpublished_bytes_ = 0;
            if (failed_ && entries.empty() && finish) return;
        }
        arrived_.notify_one();
        const auto now = std::chrono::steady_clock::now();
        bool wanted = false;
        {
            const std::lock_guard lock(mutex_);
            wanted = flushes_ > 0;
        }
        if (!entries.empty() || wanted || finish || now - last >= heartbeat) {
            publish(std::move(entries));
            last = std::chrono::steady_clock::now();
        } else if (now >= last + cadence) {
            if (const auto spare =
                    Wal::make_spare(wal_dir(), options_.segment_bytes, *disk_, "spare.ahead");
                !spare)
                log::warn("ledger", "no next segment: {}", spare.error().message());
            // Idle: look again after a cadence without moving the heartbeat.
            std::unique_lock lock(mutex_);
            durable_.wait_for(lock, cadence,
                              [&] { return flushes_ > 0 || drained_ || !unpublished_.empty(); });
        }
        if (finish) return;
    }
}

void DiskLedger::publish(std::deque<Durable> entries) {
    Status done;
    for (const auto& item : entries)
        if (done) done = publisher_->append(item.entry, item.leaf);
    if (done) done = publisher_->publish();
    if (!done) {
        stop_writing(done.error().in("the tiles cannot be written"));
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        published_size_ = publisher_->signed_size();
    }
    published_.notify_all();
}

Status DiskLedger::flush() {
    std::unique_lock lock(mutex_);
    ++flushes_;
    durable_.notify_all();
    published_.wait(lock, [&] {
        return failed_.has_value() || drained_ ||
               (pending_.empty() && !committing_ && published_size_ == durable_size_);
    });
    --flushes_;
    if (failed_) return fail(ErrorCode::kUnavailable, failed_->detail);
    return {};
}

Health DiskLedger::health() const {
    const std::lock_guard lock(mutex_);
    return Health{!failed_.has_value(), failed_ ? failed_->message() : "", durable_size_,
                  published_size_};
}

Status DiskLedger::read(std::uint64_t from,
                        const std::function<bool(std::uint64_t, std::string_view)>& each) const {
    std::uint64_t to = 0;
    {
        const std::lock_guard lock(mutex_);
        to = durable_size_;
    }
    return Wal::read(wal_dir(), from, to, each);
}

}  // namespace

Result<std::unique_ptr<Ledger>> open_with_disk(Options options, crypto::Ed25519Key key,
                                               Disk& disk) {
    auto ledger = std::make_unique<DiskLedger>(std::move(options), std::move(key));
    if (auto done = ledger->open(disk); !done) return fail(done.error());
    return std::unique_ptr<Ledger>(std::move(ledger));
}

Result<std::unique_ptr<Ledger>> Ledger::open(Options options, crypto::Ed25519Key key,
                                             const Clock&) {
    return open_with_disk(std::move(options), std::move(key), system_disk());
}

}  // namespace writ::ledger
