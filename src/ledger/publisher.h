// Makes of durable entries what readers get: bundles, tiles and signed checkpoints
// (c2sp.org/tlog-tiles). Everything it writes is a function of the entries, so it can stop anywhere
// and be made again. Order: bundles and tiles, synced; then the signed size and root, synced; then
// the checkpoint. Never the reverse. Inner header of the room; one thread uses it.
//
// state/<tenant>-<node>.signed, replaced whole:
//   writ-ledger-signed/1 \n origin \n size \n base64(root) \n then one base64(peak) a line, left to
//   right
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "crypto/sign.h"
#include "ledger/file.h"
#include "ledger/release.h"
#include "ledger/tree.h"

namespace writ::ledger {

struct PublisherOptions {
    std::filesystem::path log_dir;
    std::string origin;
    // Outlive the publisher. `release` gets every checkpoint.
    KeptFile* state = nullptr;
    KeptFile* vkey = nullptr;
    Release* release = nullptr;
};

class Publisher {
  public:
    // Takes up where the last signed state left off: from the last whole bundle below it, or from
    // the first entry when there is no state or the tiles above do not fit it. Errors: kCorrupt
    // (the state, its key or the checkpoint contradict each other; says what to restore), kIo.
    static Result<Publisher> open(PublisherOptions options, const crypto::Ed25519Key& key,
                                  Disk& disk);

    // The largest size known to be signed: fewer entries must never be signed again.
    std::uint64_t signed_size() const;
    // The entry that append() takes next. Below signed_size() until what was signed has been
    // appended, and thereby checked, again.
    std::uint64_t size() const { return tree_.size(); }
    // Adds entry size(). Full tiles and bundles are written when they are complete. Errors:
    // kCorrupt (the entries do not give a root that was signed), kUnavailable, kIo: make a new one.
    Status append(std::string_view entry, const Sha256& leaf);
    // Writes what is partial and signs. With nothing new it renews the checkpoint file. Errors: as
    // append().
    Status publish();

  private:
    struct Signed {
        std::uint64_t size = 0;
        Sha256 root{};
    };
    Publisher(PublisherOptions options, const crypto::Ed25519Key& key, Disk& disk)
        : options_(std::move(options)), key_(&key), disk_(&disk) {}
    Status check_key();
    Status load(std::string_view state);
    Status load_checkpoint();
    bool load_rows(const CompactTree& tree);
    Status check_signed() const;
    Status write_file(const std::string& path, std::string_view bytes);
    Status write_bytes(int fd, std::string_view bytes);
    Status write_partials();
    Status sync_written();

    PublisherOptions options_;
    const crypto::Ed25519Key* key_;
    Disk* disk_;
    File log_dir_;                // open from before the first write: its sync tells every error
    std::vector<Signed> signed_;  // what earlier runs signed: by the state, by the checkpoint
    CompactTree tree_;
    std::vector<std::string> rows_;  // per level: the hashes of its unfinished tile
    PageBuffer bundle_;              // the unfinished bundle
    std::vector<File> unsynced_;     // written, not synced; few, else sync_all_
    std::set<std::filesystem::path> unsynced_dirs_;
    bool sync_all_ = false;
    std::vector<std::string> filled_;  // tiles and bundles that became full since the last sync
    Status failed_;                    // a write inside a callback that failed
};

}  // namespace writ::ledger
