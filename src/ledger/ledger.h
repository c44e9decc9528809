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
// (reads back what is durable; tiles, checkpoint every checkpoint_every_ms while dirty, heartbeat
// when idle), one that zero-fills the next segment. append() may be called from any thread and
// never blocks on the disk. A failed write or fdatasync, a segment removed, replaced or cut under
// it, or entries that do not give a signed root stop the writer for good: every append then fails
// with kUnavailable and health() says why. A full disk refuses append() once the segment made ahead
// is full, while append_kept() goes on in space kept for it; tiles that cannot be written delay
// checkpoints. Both pass when there is room again.
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

// Runs once: on the committer thread after fdatasync (or its failure), or on the caller's before
// append() returns when it is refused at once. It must not block: hand over and return. An append
// that failed may still be found in the log after a restart: only success is a promise.
using AppendDone = std::function<void(Result<Appended>)>;

struct Health {
    bool writable = true;         // by append()
    bool kept = true;             // by append_kept()
    std::string reason;           // why not; or what is wrong although it is writable
    std::uint64_t durable = 0;    // entries acknowledged
    std::uint64_t published = 0;  // size of the newest checkpoint
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
    // The same for a narrowing act (revoke, end, suspend, seal) or a gap event, and for nothing
    // else: it has room of its own in the queue, and when the disk is full it goes into space that
    // was zero-filled and kept for it (kReserveBytes; some 2,500 events). Errors: as append(), once
    // that space is full too.
    virtual void append_kept(std::string entry, AppendDone done) {
        append(std::move(entry), std::move(done));
    }
    // The same as append(), waiting. For tests and tools; never on an I/O thread.
    virtual Result<Appended> append_sync(std::string entry) = 0;
    // Waits until everything appended before is answered, in tiles and under a signed checkpoint.
    // Errors: kUnavailable (stopped, or it cannot be published now).
    virtual Status flush() = 0;
    virtual Health health() const = 0;
    virtual std::string vkey() const = 0;
    // Entries [from, from+count) that are durable, in order, for start-up replay. Calls
    // `each(index, bytes)`; stops when it returns false. Errors: kCorrupt (damaged before the end),
    // kNotFound, kIo.
    virtual Status read(std::uint64_t from,
                        const std::function<bool(std::uint64_t, std::string_view)>& each) const = 0;
};

}  // namespace writ::ledger
