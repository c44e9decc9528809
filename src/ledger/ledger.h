// A Merkle log on local disk: entries are durable when acknowledged, provable shortly after, and
// readable by anyone's tlog-tiles client. It knows nothing of what the entries mean.
//
// On disk, under `dir` (docs/spec/ledger.md has the bytes):
//   wal/<first index>.seg   the truth: pre-zeroed segments of frames, group commit, fdatasync
//   log/<tenant>/<node>/    what readers get: checkpoint, log.vkey, tile/…, tile/entries/…
//   state/                  last signed size and root (never signed twice differently), peaks for a
//                           quick start
//
// Threads: one committer (batches whatever arrived during the last sync; no timer), one publisher
// (bundles and tiles of what is durable, checkpoint every checkpoint_every_ms while dirty,
// heartbeat when idle), one that zero-fills the next segment. append() may be called from any
// thread and never blocks on the disk. A failed write or fdatasync, a segment removed, replaced or
// cut under it, or entries that do not give a signed root stop the writer for good: every append
// then fails with kUnavailable and health() says why. A full disk refuses append() once the segment
// made ahead is full, while append_kept() goes on in space kept for it; tiles that cannot be
// written delay checkpoints. Both pass when there is room again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/metrics.h"
#include "crypto/sign.h"

namespace writ::ledger {

class TrustPolicy;

// What a witness answered, and the way to it: HTTP belongs to the rooms above.
struct WitnessReply {
    int status = 0;
    std::string body;
};
class WitnessClient {
  public:
    virtual ~WitnessClient() = default;
    // Blocks until the answer or a deadline of its own (a second or so). Thread: any, several at
    // the same time. Errors: kUnavailable, kTimeout, kInvalid.
    virtual Result<WitnessReply> post(const std::string& url, std::string body) = 0;
    virtual Result<WitnessReply> get(const std::string& url) = 0;
};

// What happens while the witnesses' quorum is missing for longer than the grace.
enum class OnMissingQuorum : std::uint8_t {
    kPublish,  // readers get checkpoints without it
    kHold,     // readers keep the last one that has it; the log goes on
    kRefuse,   // as kHold, and append() refuses; append_kept() goes on
};

struct Witnessing {
    std::shared_ptr<const TrustPolicy> policy;  // the witnesses that have a URL are asked
    std::shared_ptr<WitnessClient> client;
    OnMissingQuorum on_missing = OnMissingQuorum::kPublish;
    std::int64_t every_ms = 1'000;  // between two rounds while there is something new
    std::int64_t grace_ms = 10'000;
};

struct Options {
    std::filesystem::path dir;
    std::string tenant = "default";
    std::string node = "node";
    std::string origin;  // scheme-less URL prefix = key name, e.g. `writ.local/log/default/gw-1`
    std::size_t segment_bytes = 64 << 20;
    std::int64_t checkpoint_every_ms = 200;
    std::int64_t heartbeat_s = 60;
    std::optional<Witnessing> witnessing;
    // Retention: the newest entries that are kept when older ones are pruned; 0 keeps all. More are
    // kept while they are needed (needed_from()).
    std::uint64_t keep_entries = 0;
    // A second folder that keeps a verified copy of what readers get; empty: none.
    std::filesystem::path mirror;
    // Appends come from few threads that have more to come when they wake the writer, as an event
    // loop does: on a busy CPU it lets them go on first, so that more entries share a sync. Costs
    // where many threads append and wait.
    bool appenders_gather = false;
    // A file on tmpfs for what is accepted and not on disk yet, so that a killed process loses none
    // of it: the next open() writes it down first. Empty, or not to be had: there is none.
    std::filesystem::path accepted;
    // How long what outlives the process waits for another entry to share its sync.
    std::int64_t company_wait_ms = 2;
};

// What an acknowledged append got. `leaf` is the RFC 6962 leaf hash.
struct Appended {
    std::uint64_t index = 0;
    Sha256 leaf{};
};

// Runs once: on the committer thread after fdatasync (or its failure), or on the caller's before
// append() returns when it is refused at once. It must not block: hand over and return. An append
// that failed may still be found in the log after a restart: only success is a promise.
using AppendDone = std::function<void(Result<Appended>)>;

struct WitnessHealth {
    std::string name, url;
    std::uint64_t size = 0;  // of the last checkpoint it cosigned in this run
    std::string trouble;     // why its last answer was no cosignature
};

enum class CheckState : std::uint8_t { kRunning, kGood, kBad };

struct Health {
    bool writable = true;         // by append()
    bool kept = true;             // by append_kept()
    std::string reason;           // why not; or what is wrong although it is writable
    std::uint64_t durable = 0;    // entries acknowledged
    std::uint64_t published = 0;  // size of the newest checkpoint that readers get
    std::uint64_t witnessed = 0;  // size of the newest that the quorum has cosigned
    bool quorum = true;           // not missing for longer than the grace
    std::vector<WitnessHealth> witnesses;
    // The check of the whole log that runs beside after every start.
    CheckState check = CheckState::kRunning;
    std::uint64_t checked = 0;  // entries
    // What was changed under the log and could be made good, newest last; at most 16.
    std::vector<std::string> tampered;
    std::uint64_t minimum_index = 0;  // entries below it are pruned
    std::uint64_t mirrored = 0;       // entries in the second copy
    std::string mirror_trouble;
};

// What was done since the start. Thread: any.
struct Meters {
    metrics::Counter entries, bytes, batches;  // made durable
    metrics::Counter refused;                  // appends not taken, or not written
    metrics::Histogram commit;                 // writing and syncing one batch
};

class Ledger {
  public:
    // Opens or creates the log: replays the write-ahead log past the persisted peaks, refuses when
    // it does not give the root that was signed last (by the state or by a newer checkpoint), and
    // only then cuts a torn tail. The signing key is `key`. Takes an exclusive lock on `dir`.
    // `clock` must outlive it. Errors: kConflict (another process holds it), kInvalid (names),
    // kCorrupt (says what to restore; nothing was changed), kUnavailable (no room), kIo.
    static Result<std::unique_ptr<Ledger>> open(Options options, crypto::Ed25519Key key,
                                                const Clock& clock);
    virtual ~Ledger() =
        default;  // drains what was appended, publishes a last checkpoint, stops the threads

    // Queues `entry` (1..65,535 bytes). `done` is called exactly once. Errors come through `done`:
    // kTooLarge, kExhausted (kMaxPendingAppends or 64 MiB waiting), kUnavailable.
    virtual void append(std::string entry, AppendDone done) = 0;
    // The same for a caller who knows the entry's leaf hash already: it must be RFC 6962's, since
    // `Appended::leaf` repeats it and it is signed; the next start hashes anew from the disk.
    virtual void append_hashed(std::string entry, const Sha256& /*leaf*/, AppendDone done) {
        append(std::move(entry), std::move(done));
    }
    // The same for an entry whose `done` nobody waits for if it outlives this process from now on
    // (Options::accepted), which is returned. Such an entry wants no sync of its own: it shares the
    // next one, and waits for it for Options::company_wait_ms at most. Until `done` it can still be
    // lost with the machine's power, or be refused when the disk fails.
    virtual bool append_outliving(std::string entry, const Sha256& leaf, AppendDone done) {
        append_hashed(std::move(entry), leaf, std::move(done));
        return false;
    }
    // The same as append() for a narrowing act (revoke, end, suspend, seal) or a gap event, and for
    // nothing else: it has room of its own in the queue, and when the disk is full it goes into
    // space that was zero-filled and kept for it (kReserveBytes; some 2,500 events). Errors: as
    // append(), once that space is full too.
    virtual void append_kept(std::string entry, AppendDone done) {
        append(std::move(entry), std::move(done));
    }
    // The same as append(), waiting. For tests and tools; never on an I/O thread.
    virtual Result<Appended> append_sync(std::string entry) = 0;
    // Waits until everything appended before is answered, in tiles and under a signed checkpoint.
    // Errors: kUnavailable (stopped, or it cannot be published now).
    virtual Status flush() = 0;
    virtual Health health() const = 0;
    // Null for ledgers that count nothing.
    virtual const Meters* meters() const { return nullptr; }
    virtual std::string vkey() const = 0;
    // Gives up the entries below `index`, rounded down to whole bundles and segments: their bytes
    // leave the disk, their hashes stay, so that every proof still verifies. Readers find the bound
    // in `minimum-index`. Blocks on the disk. Errors: kInvalid (beyond what is published), kIo.
    virtual Result<std::uint64_t> prune(std::uint64_t /*index*/) {
        return fail(ErrorCode::kUnsupported, "this log does not prune");
    }
    // Whoever starts next reads from entry `index` on: Options::keep_entries gives up nothing at or
    // behind it, and nothing at all before this is called. Thread: any.
    virtual void needed_from(std::uint64_t /*index*/) {}
    // Entries [from, from+count) that are durable, in order, for start-up replay. Calls
    // `each(index, bytes)`; stops when it returns false. Errors: kCorrupt (damaged before the end),
    // kNotFound, kIo.
    virtual Status read(std::uint64_t from,
                        const std::function<bool(std::uint64_t, std::string_view)>& each) const = 0;
};

}  // namespace writ::ledger
