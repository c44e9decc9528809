// What goes on beside a log's writer, each on a thread of its own: the witnesses are asked, the
// whole log is checked once after a start, the files are watched, a second copy is kept. Inner
// header of the room.
#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "ledger/cosigner.h"
#include "ledger/kept_file.h"
#include "ledger/ledger.h"
#include "ledger/prover.h"
#include "ledger/release.h"
#include "ledger/replica.h"
#include "ledger/watch.h"

namespace writ::ledger {

struct KeeperParts {
    const Options& options;
    std::string vkey;
    std::filesystem::path wal_dir, log_dir;
    Release& release;
    std::function<std::vector<std::uint64_t>()> segments;  // Wal::segments()
    std::vector<KeptFile*> files;                          // put back when they were changed
    const File& lock;                                      // must stay the file of its name
    std::function<void(const Error&)> stop;  // the log must not be written or signed any more
    Disk& disk;
};

class Keeper {
  public:
    explicit Keeper(KeeperParts parts);
    ~Keeper();  // stops the threads
    // Begins. The newest checkpoint of the release is what the full check confirms.
    void start(std::uint64_t minimum_index);
    // Stops the threads, then asks the witnesses and copies once more, for the last checkpoint.
    void finish();
    // Ledger::prune(). Thread: any.
    Result<std::uint64_t> prune(std::uint64_t index);
    // Ledger::needed_from(). Thread: any.
    void needed_from(std::uint64_t index) { needed_ = index; }
    // Whether append() must refuse because the quorum is missing. Cost: one load.
    bool refuses() const { return refuses_.load(std::memory_order_relaxed); }
    void fill(Health& health) const;

  private:
    using Clock = std::chrono::steady_clock;

    void witness_loop();
    void ask_witnesses();
    void check();
    void watch_loop();
    void look();
    void retain();
    void tampered(std::string what);
    void mirror_loop();
    void mirror_once();
    bool wait_ms(std::int64_t ms);
    void stop_threads();

    const KeeperParts parts_;
    std::optional<Cosigner> cosigner_;
    std::unique_ptr<Prover> prover_;
    std::string asked_text_;  // the witness thread's: of the last checkpoint asked for
    Clock::time_point asked_{};
    std::mutex pruning_;              // one at a time; orders before mutex_
    Clock::time_point retained_{};    // the watch thread's
    SegmentWatch segments_;           // the watch thread's
    std::optional<TileWatch> tiles_;  // the same
    std::optional<Replica> replica_;  // the mirror thread's
    std::atomic<bool> stop_ = false;
    std::atomic<bool> finishing_ = false;
    std::atomic<bool> refuses_ = false;
    // minimum_: what is missing below it is no finding; pruned_: readers are told so, too.
    std::atomic<std::uint64_t> checked_ = 0, minimum_ = 0, pruned_ = 0, mirrored_ = 0;
    std::atomic<std::uint64_t> needed_ = 0;  // from there on the next start reads
    std::atomic<CheckState> check_ = CheckState::kRunning;
    mutable std::mutex mutex_;  // guards what follows; orders with nothing
    std::condition_variable stopping_;
    std::vector<std::string> tampered_;
    std::string mirror_trouble_;
    std::vector<std::thread> threads_;
};

}  // namespace writ::ledger
