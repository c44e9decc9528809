#include "ledger/keeper.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "ledger/full_check.h"
#include "ledger/policy.h"
#include "ledger/prune.h"
#include "ledger/tile.h"

namespace writ::ledger {
namespace {

constexpr std::int64_t kLookEvery_ms = 250;  // "noticed within a second"
constexpr std::int64_t kMirrorEvery_ms = 500;
constexpr std::int64_t kCheckAgain_ms = 5'000;
constexpr std::size_t kTampered_max = 16;

// The check of the whole log gives way to everything else.
void be_nice() {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 19);
}

}  // namespace

Keeper::Keeper(KeeperParts parts) : parts_(std::move(parts)), segments_(parts_.wal_dir) {}

Keeper::~Keeper() {
    stop_threads();
}

void Keeper::stop_threads() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    stopping_.notify_all();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
}

// True: go on.
bool Keeper::wait_ms(std::int64_t ms) {
    std::unique_lock lock(mutex_);
    return !stopping_.wait_for(lock, std::chrono::milliseconds(ms), [&] { return stop_.load(); });
}

void Keeper::start(std::uint64_t minimum_index) {
    minimum_ = minimum_index;
    pruned_ = minimum_index;
    const auto log_dir = parts_.log_dir;
    prover_ = std::make_unique<Prover>([log_dir](unsigned level, std::uint64_t n, unsigned width) {
        auto bytes = read_file(log_dir / tile_path(level, n, width), kTileWidth * 32);
        if (!bytes && width < kTileWidth)
            bytes = read_file(log_dir / tile_path(level, n, kTileWidth), kTileWidth * 32);
        return bytes;
    });
    if (auto watched = TileWatch::open(log_dir))
        tiles_ = std::move(*watched);
    else
        log::warn("ledger", "the tiles are not watched: {}", watched.error().message());
    threads_.emplace_back([this] { watch_loop(); });
    threads_.emplace_back([this] { check(); });
    const auto& witnessing = parts_.options.witnessing;
    if (witnessing) {
        auto key = NoteVerifier::parse(parts_.vkey);
        if (key)
            cosigner_.emplace(*witnessing, std::move(*key),
                              [this](std::uint64_t old_size, std::uint64_t size) {
                                  return prover_->consistency(old_size, size);
                              });
        threads_.emplace_back([this] { witness_loop(); });
    }
    if (!parts_.options.mirror.empty()) threads_.emplace_back([this] { mirror_loop(); });
}

void Keeper::finish() {
    stop_threads();
    finishing_ = true;
    if (cosigner_) ask_witnesses();
    // A copy that is far behind goes on at the next start instead.
    constexpr std::uint64_t kLastCopy_max = 100'000;
    if (replica_ && parts_.release.released_size() - replica_->size() <= kLastCopy_max)
        mirror_once();
}

Result<std::uint64_t> Keeper::prune(std::uint64_t index) {
    const std::lock_guard one(pruning_);
    const std::uint64_t published = parts_.release.released_size();
    if (index > published)
        return fail(ErrorCode::kInvalid,
                    fmt::format("{} entries are published: only what is published can be pruned",
                                published));
    const std::uint64_t bound = std::max(index / kTileWidth * kTileWidth, minimum_.load());
    minimum_ = bound;  // first: what is removed now is no finding
    if (auto done = prune_below(parts_.wal_dir, parts_.log_dir, bound, parts_.disk); !done)
        return fail(done.error());
    pruned_ = bound;
    return bound;
}

// Retention: once a minute what is beyond `keep_entries`, and not needed for a start, is given up.
void Keeper::retain() {
    const std::uint64_t keep = parts_.options.keep_entries;
    const std::uint64_t published = parts_.release.released_size();
    // The check of the start reads from the old bound on.
    if (keep == 0 || check_ == CheckState::kRunning || published < keep) return;
    const std::uint64_t bound = std::min(published - keep, needed_.load());
    if (bound < minimum_ + kTileWidth || Clock::now() - retained_ < std::chrono::seconds(60))
        return;
    retained_ = Clock::now();
    if (const auto done = prune(bound); !done)
        log::warn("ledger", "entries could not be pruned: {}", done.error().message());
}

void Keeper::witness_loop() {
    // Looks more often than it asks, so that a new checkpoint does not wait for a whole round.
    constexpr std::int64_t kTick_ms = 50;
    const auto every = std::chrono::milliseconds(parts_.options.witnessing->every_ms);
    do {
        const auto newest = parts_.release.newest();
        const bool heartbeat =
            Clock::now() - asked_ >= std::chrono::seconds(parts_.options.heartbeat_s);
        if (newest && Clock::now() - asked_ >= every &&
            (newest->text != asked_text_ || heartbeat ||
             parts_.release.witnessed_size() < newest->size))
            ask_witnesses();
        if (auto done = parts_.release.tick(Clock::now()); !done)
            log::warn("ledger", "a checkpoint could not be published: {}", done.error().message());
        const bool overdue = parts_.release.overdue(Clock::now()).count() > 0;
        const bool refuse =
            overdue && parts_.options.witnessing->on_missing == OnMissingQuorum::kRefuse;
        if (refuse != refuses_.exchange(refuse)) {
            if (refuse)
                log::error("ledger", "the witnesses' quorum is missing: entries are refused");
            else
                log::info("ledger", "the witnesses' quorum is back");
        }
    } while (wait_ms(kTick_ms));
}

void Keeper::ask_witnesses() {
    const auto newest = parts_.release.newest();
    if (!newest || !cosigner_) return;
    asked_ = Clock::now();
    asked_text_ = newest->text;
    const auto round = cosigner_->ask(*newest);
    if (round.contradiction) parts_.stop(*round.contradiction);
    const auto done = parts_.release.cosigned(*newest, round.lines, Clock::now());
    if (!done) log::warn("ledger", "cosignatures were not published: {}", done.error().message());
}

void Keeper::check() {
    be_nice();
    const auto target = parts_.release.newest();
    if (!target) return;
    const FullCheck job{parts_.wal_dir, parts_.log_dir, *target, minimum_.load(),
                        parts_.disk,    stop_,          checked_};
    auto done = job.run();
    // A disk or a process that has no room for it now is tried again.
    while (!done &&
           (done.error().code == ErrorCode::kIo || done.error().code == ErrorCode::kUnavailable)) {
        log::warn("ledger", "the check of the whole log begins anew: {}", done.error().message());
        if (!wait_ms(kCheckAgain_ms)) return;
        done = job.run();
    }
    if (!done && done.error().code == ErrorCode::kCancelled) return;
    if (!done) {
        log::error("ledger", "the check of the whole log failed: {}", done.error().message());
        parts_.stop(done.error());
        check_ = CheckState::kBad;
        return;
    }
    // Before the state: whoever sees it good has been told what was found.
    for (const auto& path : *done)
        tampered(fmt::format("`{}` did not fit the entries and was made again", path));
    check_ = CheckState::kGood;
}

void Keeper::tampered(std::string what) {
    log::error("ledger", "{}", what);
    const std::lock_guard lock(mutex_);
    if (tampered_.size() == kTampered_max) tampered_.erase(tampered_.begin());
    tampered_.push_back(std::move(what));
}

void Keeper::watch_loop() {
    do {
        look();
        retain();
    } while (wait_ms(kLookEvery_ms));
}

void Keeper::look() {
    const std::uint64_t minimum = minimum_.load();
    if (const auto wrong = segments_.look(parts_.segments(), minimum); !wrong.empty())
        parts_.stop(
            {ErrorCode::kCorrupt, "its write-ahead log was changed under it: " + wrong, {}});
    struct stat lock{};
    struct stat named{};
    if (::fstat(parts_.lock.fd(), &lock) == 0 &&
        (::stat((parts_.options.dir / "lock").c_str(), &named) != 0 || named.st_ino != lock.st_ino))
        parts_.stop({ErrorCode::kCorrupt,
                     "its `lock` was removed or replaced: another process may write here",
                     {}});
    for (KeptFile* file : parts_.files) {
        const auto same = file->restore();
        if (!same || !*same)
            tampered(fmt::format("`{}` was changed or removed under the log{}",
                                 file->path().string(),
                                 same ? " and was put back" : ": " + same.error().message()));
    }
    if (!tiles_) return;
    for (const auto& path : tiles_->look()) {
        const auto partial = path.find(".p");
        const auto parsed = parse_tile_path(path.substr(0, partial));
        if (parsed && parsed->entries && parsed->end_index() <= minimum) continue;
        tampered(
            fmt::format("`{}` was changed or removed under the log: the next start makes it "
                        "again",
                        (parts_.log_dir / path).string()));
    }
}

void Keeper::mirror_loop() {
    do {
        mirror_once();
    } while (wait_ms(kMirrorEvery_ms));
}

void Keeper::mirror_once() {
    Status done;
    if (!replica_) {
        auto opened = Replica::open(parts_.options.mirror, parts_.vkey);
        if (opened)
            replica_.emplace(std::move(*opened));
        else
            done = fail(opened.error());
    }
    FolderSource source(parts_.log_dir);
    if (done)
        done = replica_->update(
            source, [this](std::uint64_t, std::uint64_t) { return !stop_ || finishing_; });
    if (replica_) mirrored_ = replica_->size();
    if (!done && (done.error().code == ErrorCode::kCancelled)) return;
    const std::lock_guard lock(mutex_);
    if (!done && mirror_trouble_.empty())
        log::warn("ledger", "the second copy falls behind: {}", done.error().message());
    mirror_trouble_ = done ? "" : done.error().message();
}

void Keeper::fill(Health& health) const {
    health.published = parts_.release.released_size();
    health.witnessed = parts_.release.witnessed_size();
    health.quorum = parts_.release.overdue(Clock::now()).count() == 0;
    if (cosigner_) health.witnesses = cosigner_->health();
    health.check = check_;
    health.checked = checked_;
    health.minimum_index = pruned_;
    health.mirrored = mirrored_;
    const std::lock_guard lock(mutex_);
    health.tampered = tampered_;
    health.mirror_trouble = mirror_trouble_;
}

}  // namespace writ::ledger
