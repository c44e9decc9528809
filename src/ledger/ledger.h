// A Merkle log on local disk: entries are durable when acknowledged, provable shortly after, and
// readable by anyone's tlog-tiles client. It knows nothing of what the entries mean.
//
// On disk, under `dir`:
//   wal/NNNNNNNNNNNNNNNN.seg   the truth: pre-zeroed segments of frames (docs/spec/ledger.md),
//   group commit, fdatasync log/<tenant>/<node>/       what readers get: checkpoint, log.vkey,
//   tile/…, tile/entries/… (C2SP tlog-tiles) state/                     last signed size and root
//   (never signed twice differently), peaks for a quick start
//
// Threads: one committer (batches whatever arrived during the last sync; no timer), one integrator
// (tiles, checkpoint every kCheckpointEvery while dirty, heartbeat when idle). append() may be
// called from any thread and never blocks on the disk. A failed fdatasync, a write-ahead log
// shorter than the signed size or a root that differs stops the writer for good: every append then
// fails with kUnavailable and health() says why.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "crypto/sign.h"

namespace writ::ledger {

struct Options {
    std::filesystem::path dir;
    std::string tenant = "default";
    std::string node = "node";
    std::string origin;  // scheme-less URL prefix = key name, e.g. `writ.local/log/default/gw-1`
    std::size_t segment_bytes = 64 << 20;
    std::int64_t checkpoint_every_ms = 200;
    std::int64_t heartbeat_s = 60;
};

// What an acknowledged append got. `leaf` is the RFC 6962 leaf hash.
struct Appended {
    std::uint64_t index = 0;
    Sha256 leaf{};
};

// Runs on the committer thread, once, after fdatasync (or on failure). It must not block: hand over
// and return.
using AppendDone = std::function<void(Result<Appended>)>;

struct Health {
    bool writable = true;
    std::string reason;           // why not
    std::uint64_t durable = 0;    // entries acknowledged
    std::uint64_t published = 0;  // size of the newest checkpoint
};

class Ledger {
  public:
    // Opens or creates the log: replays the write-ahead log past the persisted peaks, cuts a torn
    // tail, refuses to sign when the recomputed root at the last signed size differs. The signing
    // key is `key`. Takes an exclusive lock on `dir`. Errors: kConflict (another process holds it),
    // kIo, kCorrupt, kInvalid.
    static Result<std::unique_ptr<Ledger>> open(Options options, crypto::Ed25519Key key,
                                                const Clock& clock);
    virtual ~Ledger() =
        default;  // drains what was appended, publishes a last checkpoint, stops the threads

    // Queues `entry` (1..65,535 bytes). `done` is called exactly once. Errors come through `done`:
    // kTooLarge, kExhausted (kMaxPendingAppends waiting), kUnavailable.
    virtual void append(std::string entry, AppendDone done) = 0;
    // The same, waiting. For tests and tools; never on an I/O thread.
    virtual Result<Appended> append_sync(std::string entry) = 0;
    // Waits until everything acknowledged is in tiles and under a signed checkpoint.
    virtual Status flush() = 0;
    virtual Health health() const = 0;
    virtual std::string vkey() const = 0;
    // Entries [from, from+count) that are durable, in order, for start-up replay. Calls
    // `each(index, bytes)`; stops when it returns false.
    virtual Status read(std::uint64_t from,
                        const std::function<bool(std::uint64_t, std::string_view)>& each) const = 0;
};

}  // namespace writ::ledger
