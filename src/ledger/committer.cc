// The committer: batches whatever arrived during the last sync, and finds room for it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <future>

#include "base/limits.h"
#include "base/log.h"
#include "ledger/disk_ledger.h"
#include "ledger/tile.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

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
// How often the open segment is looked for under its name.
constexpr milliseconds kInPlaceEvery{500};

}  // namespace

// Under mutex_.
std::optional<Error> DiskLedger::refusal(const Pending& item) const {
    if (failed_)
        return Error{
            ErrorCode::kUnavailable, "the evidence log cannot be written: " + failed_->detail, {}};
    if (stopping_) return Error{ErrorCode::kUnavailable, "the evidence log is closing", {}};
    if (item.room == Room::kShared && keeper_ && keeper_->refuses())
        return Error{ErrorCode::kUnavailable,
                     "the evidence log waits for its witnesses: their quorum is missing",
                     {}};
    if (item.entry.empty() || item.entry.size() > kMaxEntryBytes)
        return Error{
            ErrorCode::kTooLarge, fmt::format("an entry has 1 to {} bytes", kMaxEntryBytes), {}};
    const bool kept = item.room == Room::kKept;
    if (pending_.size() >= kMaxPendingAppends + (kept ? kKeptAppends_max : 0) ||
        pending_bytes_ >= kPendingBytes_max + (kept ? kKeptBytes_max : 0))
        return Error{ErrorCode::kExhausted, "too many events wait for the disk", {}};
    return std::nullopt;
}

// Whether the entry outlives the process.
bool DiskLedger::queue(Pending item) {
    std::optional<Error> refused;
    bool kept = false, wake = true;
    {
        const std::lock_guard lock(mutex_);
        refused = refusal(item);
        if (!refused) {
            pending_bytes_ += item.entry.size();
            ++taken_;
            if (accepted_) item.slot = accepted_->keep(durable_size_, item.entry);
            kept = item.slot.kept();
            item.patient = item.patient && kept;
            if (!item.patient) ++impatient_;
            wake = asleep_ || !item.patient;
            pending_.push_back(std::move(item));
        }
    }
    if (!refused) {
        if (wake) arrived_.notify_one();
        return kept;
    }
    meters_.refused.add();
    item.done(fail(std::move(*refused)));
    return false;
}

// What is on disk or refused need not outlive the process any more. Under mutex_.
void DiskLedger::settle(std::span<const Pending> batch) {
    if (!accepted_) return;
    for (const Pending& item : batch) accepted_->settle(item.slot);
}

Result<Appended> DiskLedger::append_sync(std::string entry) {
    std::promise<Result<Appended>> promise;
    auto future = promise.get_future();
    append(std::move(entry),
           [&promise](Result<Appended> result) { promise.set_value(std::move(result)); });
    return future.get();
}

// Under mutex_.
bool DiskLedger::wants_sync() const {
    return stopping_ || impatient_ > 0 || (flushes_ > 0 && !pending_.empty());
}

// OPTIMIZATION: outcomes are told before the disk has them, and the next call's decision, which
// waits for it, comes soon on a busy gateway: together they need one sync in place of two, and the
// decision does not wait behind the sync of an outcome. What is patient does not wake a committer
// that has just written; it looks by itself.
std::vector<Pending> DiskLedger::take_batch() {
    std::unique_lock lock(mutex_);
    const auto wanted = [&] { return wants_sync(); };
    const milliseconds company(options_.company_wait_ms);
    if (!arrived_.wait_for(lock, company, wanted) && pending_.empty()) {
        asleep_ = true;
        // Looks for the segment now and then even when nobody writes.
        arrived_.wait_for(lock, kInPlaceEvery, [&] { return wanted() || !pending_.empty(); });
        asleep_ = false;
        if (!pending_.empty()) arrived_.wait_for(lock, company, wanted);
    }
    std::vector<Pending> batch;
    std::size_t bytes = 0;
    while (!pending_.empty() && batch.size() < kBatchEntries_max && bytes < kBatchBytes_max) {
        bytes += pending_.front().entry.size();
        if (!pending_.front().patient) --impatient_;
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

bool DiskLedger::has_failed() const {
    const std::lock_guard lock(mutex_);
    return failed_.has_value();
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
            // The next segment may have its name already: nothing goes to this one any more.
            if (has_failed()) break;
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
        const auto began = std::chrono::steady_clock::now();
        if (const auto written = wal_->commit(); !written) {
            stop_writing(written.error());
            break;
        }
        meter(rest.first(taken), std::chrono::steady_clock::now() - began);
        acknowledge(rest.first(taken), first);
        rest = rest.subspan(taken);
    }
    refuse(rest);
}

void DiskLedger::meter(std::span<const Pending> batch, std::chrono::nanoseconds took) {
    std::size_t bytes = 0;
    for (const Pending& item : batch) bytes += item.entry.size();
    meters_.entries.add(batch.size());
    meters_.bytes.add(bytes);
    meters_.batches.add();
    meters_.commit.observe_us(took.count() / 1'000);
}

void DiskLedger::acknowledge(std::span<Pending> batch, std::uint64_t first) {
    std::vector<Sha256> leaves;
    leaves.reserve(batch.size());
    for (const auto& item : batch)
        leaves.push_back(item.leaf ? *item.leaf : leaf_hash(as_bytes(item.entry)));
    bool take = false;
    {
        const std::lock_guard lock(mutex_);
        durable_size_ = first + batch.size();
        settle(batch);
        const bool enough = takes();
        for (std::size_t i = 0; i < batch.size(); ++i)
            fresh_.add(first + i, std::move(batch[i].entry), leaves[i]);
        take = !enough && takes();
    }
    if (take) durable_.notify_one();
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
        settle(batch);
    }
    meters_.refused.add(batch.size());
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

}  // namespace writ::ledger
