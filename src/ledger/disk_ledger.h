// The ledger behind ledger.h: one committer, one publisher, and a keeper for what goes on beside
// them. ledger.cc opens and closes it, committer.cc writes. Inner header of the room.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "ledger/accepted.h"
#include "ledger/file.h"
#include "ledger/integrator.h"
#include "ledger/keeper.h"
#include "ledger/kept_file.h"
#include "ledger/ledger.h"
#include "ledger/release.h"
#include "ledger/wal.h"

namespace writ::ledger {

// Which space an append may use: what all share, or also what is kept for narrowing acts.
enum class Room { kShared, kKept };

struct Pending {
    std::string entry;
    AppendDone done;
    Room room = Room::kShared;
    std::optional<Sha256> leaf = {};  // where the caller knows it
    bool patient = false;  // it shares the sync of another, as long as it outlives the process
    Accepted::Slot slot = {};
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
    void append_hashed(std::string entry, const Sha256& leaf, AppendDone done) override {
        queue({std::move(entry), std::move(done), Room::kShared, leaf});
    }
    bool append_outliving(std::string entry, const Sha256& leaf, AppendDone done) override {
        return queue({std::move(entry), std::move(done), Room::kShared, leaf, true});
    }
    void append_kept(std::string entry, AppendDone done) override {
        queue({std::move(entry), std::move(done), Room::kKept});
    }
    Result<std::uint64_t> prune(std::uint64_t index) override { return keeper_->prune(index); }
    void needed_from(std::uint64_t index) override { keeper_->needed_from(index); }
    Result<Appended> append_sync(std::string entry) override;
    Status flush() override;
    Health health() const override;
    const Meters* meters() const override { return &meters_; }
    std::string vkey() const override { return make_vkey(options_.origin, key_.public_key()); }
    Status read(std::uint64_t from,
                const std::function<bool(std::uint64_t, std::string_view)>& each) const override;

  private:
    std::filesystem::path wal_dir() const { return options_.dir / "wal"; }
    std::filesystem::path log_dir() const {
        return options_.dir / "log" / options_.tenant / options_.node;
    }
    Status check_options() const;
    bool queue(Pending item);
    bool wants_sync() const;
    void settle(std::span<const Pending> batch);
    std::filesystem::path run_path() const {
        return options_.dir / "state" / (options_.tenant + "-" + options_.node + ".accepted");
    }
    void take_up_accepted(Disk& disk);
    std::vector<std::string> unwritten(const Accepted& accepted) const;
    std::optional<Error> refusal(const Pending& item) const;
    void commit_loop();
    std::vector<Pending> take_batch();
    void look_after_segment();
    void commit(std::vector<Pending> batch);
    std::vector<Pending> refuse_shared(std::span<Pending> batch);
    bool make_room(std::span<Pending> batch);
    bool has_failed() const;
    bool rotate();
    void meter(std::span<const Pending> batch, std::chrono::nanoseconds took);
    void acknowledge(std::span<Pending> batch, std::uint64_t first);
    void refuse(std::span<Pending> batch);
    void publish_loop();
    bool takes() const;
    enum class Round { kTake, kPublish };
    void publish(Round round, std::uint64_t to, const Fresh& fresh);
    void stop_writing(const Error& why);

    Options options_;
    const crypto::Ed25519Key key_;
    const Clock& clock_;
    File lock_;                             // flock on <dir>/lock for the ledger's life
    std::optional<KeptFile> state_, vkey_;  // with release_ what must stay as it was written
    std::optional<Release> release_;
    std::optional<Wal> wal_;                // the committer's, after open()
    std::optional<Integrator> integrator_;  // the publishing thread's, after open()

    Meters meters_;

    // Guards everything below; held for hand-overs only, never across I/O.
    mutable std::mutex mutex_;
    std::condition_variable arrived_;    // committer: something pending, or stopping
    std::condition_variable durable_;    // publisher: enough to take, a flush or stopping
    std::condition_variable published_;  // flush(): something was settled, published or failed
    std::optional<Accepted> accepted_;   // all that is pending, and what is being written
    std::deque<Pending> pending_;
    std::size_t pending_bytes_ = 0;
    std::size_t impatient_ = 0;  // of what is pending: wants a sync now
    bool asleep_ = false;        // the committer: anything wakes it, not only what wants a sync
    std::uint64_t taken_ = 0, settled_ = 0;  // appends; of them answered
    std::uint64_t durable_size_ = 0, published_size_ = 0;
    Fresh fresh_;                // of what became durable since the publisher took the last
    std::uint64_t flushes_ = 0;  // flush() calls waiting: publish at once
    std::uint64_t attempts_ = 0, failed_attempt_ = 0;  // to publish: begun; the last that failed
    std::optional<Error> failed_;                      // for good
    std::string no_room_;          // why there is no next segment to write to; passes
    bool kept_full_ = false;       // nor space for narrowing acts
    std::string publish_trouble_;  // why checkpoints are late; passes
    bool stopping_ = false, drained_ = false;
    std::thread committer_, publisher_;
    std::unique_ptr<Keeper> keeper_;  // after open()
};

}  // namespace writ::ledger
