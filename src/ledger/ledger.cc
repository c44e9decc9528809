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
#include <optional>
#include <span>
#include <thread>

#include "base/limits.h"
#include "base/log.h"
#include "ledger/file.h"
#include "ledger/integrator.h"
#include "ledger/note.h"
#include "ledger/open_with_disk.h"
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
// Appends waiting for the disk, in bytes: kMaxPendingAppends of the largest would be a gigabyte.
constexpr std::size_t kPendingBytes_max = 64 << 20;
// What narrowing acts have beyond both: a flood of calls must not keep a revocation out.
constexpr std::size_t kKeptAppends_max = 4096;
constexpr std::size_t kKeptBytes_max = 8 << 20;
// After tiles could not be written, as on a full disk, the next attempt comes this much later.
constexpr milliseconds kRetryEvery{1'000};
// How often the open segment is looked for under its name.
constexpr milliseconds kInPlaceEvery{500};

enum class Room { kShared, kKept };

struct Pending {
    std::string entry;
    AppendDone done;
    Room room = Room::kShared;
};

class DiskLedger final : public Ledger {
  public:
    DiskLedger(Options options, crypto::Ed25519Key key, const Clock& clock)
        : options_(std::move(options)), key_(std::move(key)), clock_(clock) {}
    ~DiskLedger() override;

    Status open(Disk& disk);

    void append(std::string entry, AppendDone done) override {
        queue({std::move(entry), std::move(done), Room::kShared});
    }
    void append_kept(std::string entry, AppendDone done) override {
        queue({std::move(entry), std::move(done), Room::kKept});
    }
    Result<Appended> append_sync(std::string entry) override;
    Status flush() override;
    Health health() const override;
    std::string vkey() const override { return make_vkey(options_.origin, key_.public_key()); }
    Status read(std::uint64_t from,
                const std::function<bool(std::uint64_t, std::string_view)>& each) const override;

  private:
    fs::path wal_dir() const { return options_.dir / "wal"; }
    Status check_options() const;
    void queue(Pending item);
    std::optional<Error> refusal(const Pending& item) const;
    void commit_loop();
    std::vector<Pending> take_batch();
    void look_after_segment();
    void commit(std::vector<Pending> batch);
    std::vector<Pending> refuse_shared(std::span<Pending> batch);
    bool make_room(std::span<Pending> batch);
    bool rotate();
    void acknowledge(std::span<Pending> batch, std::uint64_t first);
    void refuse(std::span<Pending> batch);
    void publish_loop();
    void publish(std::uint64_t to);
    void stop_writing(const Error& why);

    Options options_;
    const crypto::Ed25519Key key_;
    const Clock& clock_;
    File lock_;                             // flock on <dir>/lock for the ledger's life
    std::optional<Wal> wal_;                // the committer's, after open()
    std::optional<Integrator> integrator_;  // the publishing thread's, after open()

    // Guards everything below; held for hand-overs only, never across I/O.
    mutable std::mutex mutex_;
    std::condition_variable arrived_;    // committer: something pending, or stopping
    std::condition_variable durable_;    // publisher: a flush or stopping
    std::condition_variable published_;  // flush(): something was settled, published or failed
    std::deque<Pending> pending_;
    std::size_t pending_bytes_ = 0;
    std::uint64_t accepted_ = 0, settled_ = 0;  // appends taken; of them answered
    std::uint64_t durable_size_ = 0, published_size_ = 0;
    std::uint64_t flushes_ = 0;                        // flush() calls waiting: publish at once
    std::uint64_t attempts_ = 0, failed_attempt_ = 0;  // to publish: begun; the last that failed
    std::optional<Error> failed_;                      // for good
    std::string no_room_;          // why there is no next segment to write to; passes
    bool kept_full_ = false;       // nor space for narrowing acts
    std::string publish_trouble_;  // why checkpoints are late; passes
    bool stopping_ = false, drained_ = false;
    std::thread committer_, publisher_;
};

Status DiskLedger::check_options() const {
    const auto invalid = [](std::string what) {
        return fail(ErrorCode::kInvalid, std::move(what));
    };
    if (!is_plain_name(options_.tenant) || !is_plain_name(options_.node))
        return invalid("a log's tenant and node are letters, digits, `-`, `_` and `.`");
    if (!is_key_name(options_.origin))
        return invalid(
            "a log's origin is printable, without space and `+`, e.g. "
            "`writ.local/log/default/gw-1`");
    if (options_.checkpoint_every_ms < 1 || options_.heartbeat_s < 1)
        return invalid("the log's checkpoint and heartbeat intervals must be positive");
    return {};
}

Status DiskLedger::open(Disk& disk) {
    if (auto done = check_options(); !done) return done;
    if (auto done = make_dirs(disk, options_.dir); !done) return done;
    auto lock = File::open(options_.dir / "lock", O_RDWR | O_CREAT);
    if (!lock) return fail(lock.error());
    if (::flock(lock->fd(), LOCK_EX | LOCK_NB) != 0)
        return fail(ErrorCode::kConflict,
                    fmt::format("another process uses the log in `{}`: stop it first",
                                options_.dir.string()));
    lock_ = std::move(*lock);
    PublisherOptions published;
    published.log_dir = options_.dir / "log" / options_.tenant / options_.node;
    published.state_file =
        options_.dir / "state" / (options_.tenant + "-" + options_.node + ".signed");
    published.origin = options_.origin;
    integrator_.emplace(std::move(published), wal_dir(), key_, disk);
    if (auto done = integrator_->resume(); !done) return done;
    const std::uint64_t signed_size = integrator_->signed_size();
    auto wal = Wal::open(wal_dir(), options_.segment_bytes, disk, integrator_->reads_from());
    if (!wal) return fail(wal.error());
    if (wal->end() < signed_size)
        return fail(
            ErrorCode::kCorrupt,
            fmt::format("the write-ahead log ends at entry {} but {} were signed: entries were "
                        "lost or removed; restore `{}`, nothing is signed until then",
                        wal->end(), signed_size, wal_dir().string()));
    wal_ = std::move(*wal);
    // Everything that was signed is compared with its root here, before anything is changed.
    durable_size_ = wal_->end();
    if (auto done = integrator_->publish(durable_size_); !done) return done;
    published_size_ = durable_size_;
    if (auto done = wal_->start(); !done) return done;
    committer_ = std::thread([this] { commit_loop(); });
    publisher_ = std::thread([this] { publish_loop(); });
    return {};
}

DiskLedger::~DiskLedger() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    arrived_.notify_all();
    if (committer_.joinable()) committer_.join();
    {
        const std::lock_guard lock(mutex_);
        drained_ = true;
    }
    durable_.notify_all();
    published_.notify_all();
    if (publisher_.joinable()) publisher_.join();
}

// Under mutex_.
std::optional<Error> DiskLedger::refusal(const Pending& item) const {
    if (failed_)
        return Error{
            ErrorCode::kUnavailable, "the evidence log cannot be written: " + failed_->detail, {}};
    if (stopping_) return Error{ErrorCode::kUnavailable, "the evidence log is closing", {}};
    if (item.entry.empty() || item.entry.size() > kMaxEntryBytes)
        return Error{
            ErrorCode::kTooLarge, fmt::format("an entry has 1 to {} bytes", kMaxEntryBytes), {}};
    const bool kept = item.room == Room::kKept;
    if (pending_.size() >= kMaxPendingAppends + (kept ? kKeptAppends_max : 0) ||
        pending_bytes_ >= kPendingBytes_max + (kept ? kKeptBytes_max : 0))
        return Error{ErrorCode::kExhausted, "too many events wait for the disk", {}};
    return std::nullopt;
}

void DiskLedger::queue(Pending item) {
    std::optional<Error> refused;
    {
        const std::lock_guard lock(mutex_);
        refused = refusal(item);
        if (!refused) {
            pending_bytes_ += item.entry.size();
            ++accepted_;
            pending_.push_back(std::move(item));
        }
    }
    if (refused)
        item.done(fail(std::move(*refused)));
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

std::vector<Pending> DiskLedger::take_batch() {
    std::unique_lock lock(mutex_);
    // Looks for the segment now and then even when nobody writes.
    arrived_.wait_for(lock, kInPlaceEvery, [&] { return stopping_ || !pending_.empty(); });
    std::vector<Pending> batch;
    std::size_t bytes = 0;
    while (!pending_.empty() && batch.size() < kBatchEntries_max && bytes < kBatchBytes_max) {
        bytes += pending_.front().entry.size();
        batch.push_back(std::move(pending_.front()));
        pending_.pop_front();
    }
    pending_bytes_ -= bytes;
    return batch;
}

void DiskLedger::commit_loop() {
    auto looked = std::chrono::steady_clock::now();
    while (true) {
        std::vector<Pending> batch = take_batch();
        if (batch.empty()) {
            const std::lock_guard lock(mutex_);
            if (stopping_ && pending_.empty()) return;
        }
        const auto now = std::chrono::steady_clock::now();
        if (now - looked >= kInPlaceEvery) {
            looked = now;
            look_after_segment();
        }
        if (!batch.empty()) commit(std::move(batch));
    }
}

void DiskLedger::look_after_segment() {
    if (!wal_->in_place())
        stop_writing(
            {ErrorCode::kCorrupt, "its segment was removed, replaced or cut under it", {}});
    wal_->look_after_spares();
    bool retry = false;
    {
        const std::lock_guard lock(mutex_);
        retry = !no_room_.empty() && !failed_;
    }
    if (retry) rotate();  // there may be room again
}

// Whether the log can be written on.
bool DiskLedger::rotate() {
    const auto rotated = wal_->rotate();
    if (!rotated && rotated.error().code != ErrorCode::kUnavailable) {
        stop_writing(rotated.error());
        return false;
    }
    const std::lock_guard lock(mutex_);
    no_room_ = rotated ? "" : rotated.error().detail;
    if (rotated) kept_full_ = false;
    return rotated.has_value();
}

// The open segment is full: goes on in the next, or for narrowing acts in the space kept for them.
bool DiskLedger::make_room(std::span<Pending> batch) {
    if (rotate()) return true;
    const bool wanted = std::any_of(batch.begin(), batch.end(),
                                    [](const Pending& item) { return item.room == Room::kKept; });
    {
        const std::lock_guard lock(mutex_);
        if (!wanted || failed_) return false;
    }
    const auto entered = wal_->enter_reserve();
    if (entered) {
        log::warn("ledger", "the disk is full: only narrowing acts are recorded");
        return true;
    }
    if (entered.error().code != ErrorCode::kUnavailable) stop_writing(entered.error());
    const std::lock_guard lock(mutex_);
    kept_full_ = true;
    return false;
}

// Refuses what may not use the space kept, and returns the others in their order.
std::vector<Pending> DiskLedger::refuse_shared(std::span<Pending> batch) {
    std::vector<Pending> kept, shared;
    for (Pending& item : batch)
        (item.room == Room::kKept ? kept : shared).push_back(std::move(item));
    refuse(shared);
    return kept;
}

void DiskLedger::commit(std::vector<Pending> batch) {
    std::span<Pending> rest(batch);
    bool stopped = false;
    while (!stopped && !rest.empty()) {
        bool full = wal_->narrowing_only();
        {
            const std::lock_guard lock(mutex_);
            if (failed_) break;
            full = full || !no_room_.empty();
        }
        if (full && !rotate()) {
            batch = refuse_shared(rest);
            rest = batch;
        }
        const std::uint64_t first = wal_->end();
        std::size_t taken = 0;
        while (taken < rest.size() && wal_->add(rest[taken].entry)) ++taken;
        if (taken == 0) {
            stopped = rest.empty() || !make_room(rest);
            continue;
        }
        if (const auto written = wal_->commit(); !written) {
            stop_writing(written.error());
            break;
        }
        acknowledge(rest.first(taken), first);
        rest = rest.subspan(taken);
    }
    refuse(rest);
}

void DiskLedger::acknowledge(std::span<Pending> batch, std::uint64_t first) {
    std::vector<Sha256> leaves;
    leaves.reserve(batch.size());
    for (const auto& item : batch) leaves.push_back(leaf_hash(as_bytes(item.entry)));
    {
        const std::lock_guard lock(mutex_);
        durable_size_ = first + batch.size();
    }
    for (std::size_t i = 0; i < batch.size(); ++i) batch[i].done(Appended{first + i, leaves[i]});
    {
        const std::lock_guard lock(mutex_);
        settled_ += batch.size();
        if (flushes_ == 0) return;
    }
    durable_.notify_one();
    published_.notify_all();
}

void DiskLedger::refuse(std::span<Pending> batch) {
    if (batch.empty()) return;
    Error error{ErrorCode::kUnavailable, "the evidence log cannot be written: ", {}};
    {
        const std::lock_guard lock(mutex_);
        error.detail += failed_ ? failed_->detail : no_room_;
    }
    for (auto& item : batch) item.done(fail(error));
    {
        const std::lock_guard lock(mutex_);
        settled_ += batch.size();
    }
    published_.notify_all();
}

void DiskLedger::stop_writing(const Error& why) {
    {
        const std::lock_guard lock(mutex_);
        if (failed_) return;
        failed_ = why;
    }
    log::error("ledger", "stopped writing for good: {}; restart once it is repaired",
               why.message());
    published_.notify_all();
}

void DiskLedger::publish_loop() {
    const milliseconds cadence(options_.checkpoint_every_ms);
    const std::int64_t heartbeat_us = options_.heartbeat_s * 1'000'000;
    auto last = std::chrono::steady_clock::now();
    std::int64_t last_us = clock_.boot_us();
    while (true) {
        bool finish = false;
        std::uint64_t to = 0;
        {
            std::unique_lock lock(mutex_);
            const auto wanted = [&] {
                return drained_ || (flushes_ > 0 && published_size_ < durable_size_);
            };
            durable_.wait_for(lock, cadence, wanted);
            const auto pause = publish_trouble_.empty() ? cadence : std::max(cadence, kRetryEvery);
            const bool due = std::chrono::steady_clock::now() >= last + pause;
            const bool dirty = published_size_ < durable_size_;
            const bool idle = clock_.boot_us() - last_us >= heartbeat_us;
            finish = drained_;
            to = durable_size_;
            if (finish && !dirty) return;
            if (!finish && !(dirty && (due || flushes_ > 0)) && !(due && idle)) continue;
            ++attempts_;
        }
        last_us = clock_.boot_us();
        publish(to);
        last = std::chrono::steady_clock::now();
        if (finish) return;
    }
}

void DiskLedger::publish(std::uint64_t to) {
    const auto done = integrator_->publish(to);
    if (!done && done.error().code == ErrorCode::kCorrupt) stop_writing(done.error());
    bool news = false;
    {
        const std::lock_guard lock(mutex_);
        news = !done && publish_trouble_.empty();
        publish_trouble_ = done ? "" : "checkpoints are late: " + done.error().detail;
        if (done)
            published_size_ = to;
        else
            failed_attempt_ = attempts_;
    }
    if (news) log::warn("ledger", "the tiles cannot be written: {}", done.error().message());
    published_.notify_all();
}

Status DiskLedger::flush() {
    std::unique_lock lock(mutex_);
    const std::uint64_t accepted = accepted_;
    const std::uint64_t attempts = attempts_;
    ++flushes_;
    published_.wait(lock, [&] { return failed_ || drained_ || settled_ >= accepted; });
    const std::uint64_t durable = durable_size_;
    durable_.notify_all();
    published_.wait(lock, [&] {
        return failed_ || drained_ || published_size_ >= durable || failed_attempt_ > attempts;
    });
    --flushes_;
    if (failed_) return fail(ErrorCode::kUnavailable, failed_->detail);
    if (published_size_ < durable) return fail(ErrorCode::kUnavailable, publish_trouble_);
    return {};
}

Health DiskLedger::health() const {
    const std::string soon = wal_->trouble();
    const std::lock_guard lock(mutex_);
    Health out;
    out.writable = !failed_ && no_room_.empty();
    out.kept = !failed_ && !kept_full_;
    out.durable = durable_size_;
    out.published = published_size_;
    if (failed_)
        out.reason = failed_->message();
    else if (!no_room_.empty())
        out.reason = "there is no room for the next segment: " + no_room_;
    else if (!publish_trouble_.empty())
        out.reason = publish_trouble_;
    else if (!soon.empty())
        out.reason = "the next segment cannot be made yet: " + soon;
    return out;
}

Status DiskLedger::read(std::uint64_t from,
                        const std::function<bool(std::uint64_t, std::string_view)>& each) const {
    std::uint64_t to = 0;
    {
        const std::lock_guard lock(mutex_);
        to = durable_size_;
    }
    return WalReader(wal_dir(), from).read(to, each);
}

}  // namespace

Result<std::unique_ptr<Ledger>> open_with_disk(Options options, crypto::Ed25519Key key,
                                               const Clock& clock, Disk& disk) {
    auto ledger = std::make_unique<DiskLedger>(std::move(options), std::move(key), clock);
    if (auto done = ledger->open(disk); !done) return fail(done.error());
    return std::unique_ptr<Ledger>(std::move(ledger));
}

Result<std::unique_ptr<Ledger>> Ledger::open(Options options, crypto::Ed25519Key key,
                                             const Clock& clock) {
    return open_with_disk(std::move(options), std::move(key), clock, system_disk());
}

}  // namespace writ::ledger
