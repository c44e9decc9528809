#include "ledger/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/secret.h"
#include "base/thread.h"
#include "ledger/disk_ledger.h"
#include "ledger/note.h"
#include "ledger/open_with_disk.h"
#include "ledger/policy.h"
#include "ledger/prune.h"
#include "ledger/tile.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// After tiles could not be written, as on a full disk, the next attempt comes this much later.
constexpr milliseconds kTilesRetryEvery{1'000};
// The publisher does not wait for the next checkpoint with this much: entries are still in the
// processor's cache then, and their memory, used again, as well.
constexpr std::size_t kTakeBytes = 32 << 10;

}  // namespace

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
    state_.emplace(options_.dir / "state" / (options_.tenant + "-" + options_.node + ".signed"),
                   0600, disk);
    vkey_.emplace(log_dir() / "log.vkey", 0644, disk);
    release_.emplace(log_dir() / "checkpoint", options_.witnessing, disk);
    PublisherOptions published{log_dir(), options_.origin, &*state_, &*vkey_, &*release_};
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
    const auto minimum = minimum_index(log_dir());
    if (!minimum) return fail(minimum.error());
    keeper_ = std::make_unique<Keeper>(KeeperParts{options_,
                                                   vkey(),
                                                   wal_dir(),
                                                   log_dir(),
                                                   *release_,
                                                   [this] { return wal_->segments(); },
                                                   {&*state_, &*vkey_, &release_->file()},
                                                   lock_,
                                                   [this](const Error& why) { stop_writing(why); },
                                                   disk});
    keeper_->start(*minimum);
    committer_ = std::thread([this] {
        name_this_thread("writ-commit");
        if (options_.appenders_gather) let_work_gather();
        commit_loop();
    });
    publisher_ = std::thread([this] {
        name_this_thread("writ-publish");
        if (options_.appenders_gather) let_work_gather();
        publish_loop();
    });
    take_up_accepted(disk);
    return {};
}

// What `accepted` holds and the log does not.
std::vector<std::string> DiskLedger::unwritten(const Accepted& accepted) const {
    const auto left = accepted.left();
    std::vector<std::string> out;
    if (left.empty()) return out;
    std::set<Sha256> there;
    const Status read_all = read(left.front().from, [&](std::uint64_t, std::string_view entry) {
        there.insert(leaf_hash(as_bytes(entry)));
        return true;
    });
    if (!read_all) {
        log::error("ledger", "what a killed run had accepted cannot be compared with the log: {}",
                   read_all.error().message());
        return out;
    }
    for (const auto& each : left)
        if (!there.contains(leaf_hash(as_bytes(each.entry)))) out.push_back(each.entry);
    return out;
}

// Writes down what a killed run left accepted, then begins a run of its own. Only the newest run's
// is believed: `run_path()` names it, and without the file there is none. Later entries may stand
// behind what an older one left.
void DiskLedger::take_up_accepted(Disk& disk) {
    const auto run = read_file(run_path(), Accepted::kRunBytes);
    std::error_code ignored;
    auto opened = options_.accepted.empty()
                      ? Result<Accepted>(fail(ErrorCode::kUnsupported, "not wanted"))
                      : Accepted::open(options_.accepted);
    if (!opened) {
        if (!options_.accepted.empty())
            log::info("ledger", "outcomes wait for the disk before they are answered: {}",
                      opened.error().detail);
        fs::remove(run_path(), ignored);
        return;
    }
    if (run && !run->empty() && *run == opened->run()) {
        std::size_t written = 0;
        const auto found = unwritten(*opened);
        for (const auto& entry : found) {
            if (!append_sync(entry)) break;
            ++written;
        }
        if (!found.empty())
            log::warn("ledger", "{} of {} entries that a killed run had accepted were written now",
                      written, found.size());
        // Not kept for later: this run will record other ends of the same calls.
        if (written < found.size())
            log::error("ledger",
                       "{} accepted entries are lost; calls without an end end as `unknown`",
                       found.size() - written);
    }
    const std::string mine = to_hex(random_bytes(16));
    opened->begin(mine);
    if (auto noted = replace_file(disk, run_path(), mine, 0600); !noted) {
        log::warn("ledger", "outcomes wait for the disk before they are answered: {}",
                  noted.error().detail);
        return;
    }
    const std::lock_guard lock(mutex_);
    accepted_.emplace(std::move(*opened));
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
    if (keeper_) keeper_->finish();
    if (accepted_) accepted_->remove();
}

// Whether the publisher should take what is fresh before the next checkpoint is due. Under mutex_.
bool DiskLedger::takes() const {
    return fresh_.bytes() >= kTakeBytes && publish_trouble_.empty();
}

void DiskLedger::publish_loop() {
    const milliseconds cadence(options_.checkpoint_every_ms);
    const std::int64_t heartbeat_us = options_.heartbeat_s * 1'000'000;
    auto last = std::chrono::steady_clock::now();
    std::int64_t last_us = clock_.boot_us();
    while (true) {
        bool finish = false;
        std::uint64_t to = 0;
        Round round = Round::kPublish;
        Fresh fresh;
        {
            std::unique_lock lock(mutex_);
            const auto wanted = [&] {
                return drained_ || takes() || (flushes_ > 0 && published_size_ < durable_size_);
            };
            const auto now = std::chrono::steady_clock::now();
            durable_.wait_until(lock, (last + cadence > now ? last : now) + cadence, wanted);
            const auto pause =
                publish_trouble_.empty() ? cadence : std::max(cadence, kTilesRetryEvery);
            const bool due = std::chrono::steady_clock::now() >= last + pause;
            const bool dirty = published_size_ < durable_size_;
            const bool idle = clock_.boot_us() - last_us >= heartbeat_us;
            finish = drained_;
            to = durable_size_;
            if (finish && !dirty) return;
            const bool sign = finish || (dirty && (due || flushes_ > 0)) || (due && idle);
            if (!sign && !takes()) continue;
            if (!sign) round = Round::kTake;
            ++attempts_;
            fresh = std::exchange(fresh_, {});
        }
        if (round == Round::kPublish) last_us = clock_.boot_us();
        publish(round, to, fresh);
        if (round == Round::kPublish) last = std::chrono::steady_clock::now();
        if (finish) return;
    }
}

void DiskLedger::publish(Round round, std::uint64_t to, const Fresh& fresh) {
    {
        const std::lock_guard lock(mutex_);
        // A log that contradicts what was signed, or lost its files, signs nothing more.
        if (failed_ && failed_->code == ErrorCode::kCorrupt) {
            failed_attempt_ = attempts_;
            return;
        }
    }
    const auto done =
        round == Round::kPublish ? integrator_->publish(to, fresh) : integrator_->take(to, fresh);
    if (!done && done.error().code == ErrorCode::kCorrupt) stop_writing(done.error());
    bool news = false;
    {
        const std::lock_guard lock(mutex_);
        news = !done && publish_trouble_.empty();
        publish_trouble_ = done ? "" : "checkpoints are late: " + done.error().detail;
        if (!done)
            failed_attempt_ = attempts_;
        else if (round == Round::kPublish)
            published_size_ = to;
    }
    if (news) log::warn("ledger", "the tiles cannot be written: {}", done.error().message());
    published_.notify_all();
}

Status DiskLedger::flush() {
    std::unique_lock lock(mutex_);
    const std::uint64_t taken = taken_;
    const std::uint64_t attempts = attempts_;
    ++flushes_;
    arrived_.notify_one();
    published_.wait(lock, [&] { return failed_ || drained_ || settled_ >= taken; });
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
    Health out;
    keeper_->fill(out);
    const std::string soon = wal_->trouble();
    const std::lock_guard lock(mutex_);
    out.writable = !failed_ && no_room_.empty() && !keeper_->refuses();
    out.kept = !failed_ && !kept_full_;
    out.durable = durable_size_;
    if (failed_)
        out.reason = failed_->message();
    else if (!no_room_.empty())
        out.reason = "there is no room for the next segment: " + no_room_;
    else if (!publish_trouble_.empty())
        out.reason = publish_trouble_;
    else if (!out.quorum)
        out.reason = "the witnesses' quorum is missing";
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
    const auto minimum = minimum_index(log_dir());
    if (!minimum) return fail(minimum.error());
    return WalReader(wal_dir(), std::max(from, *minimum)).read(to, each);
}

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
