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
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "crypto/sign.h"
#include "ledger/tree.h"

namespace writ::ledger {

class Publisher {
  public:
    // Takes up where the last signed state left off (an empty log if there is none). Errors:
    // kCorrupt (the state or a partial tile does not fit the signed root; says what to restore),
    // kIo.
    static Result<Publisher> open(std::filesystem::path log_dir, std::filesystem::path state_file,
                                  std::string origin, const crypto::Ed25519Key& key);

    std::uint64_t signed_size() const { return signed_size_; }
    std::uint64_t size() const { return tree_.size(); }
    // Adds entry size(). Full tiles and bundles are written when they are complete.
    Status append(std::string_view entry, const Sha256& leaf);
    // Writes what is partial and signs. With nothing new it renews the checkpoint file.
    Status publish();

  private:
    explicit Publisher(const crypto::Ed25519Key& key) : key_(&key) {}
    Status load(std::string_view state);
    Status load_partial_rows();
    Status write_file(const std::string& path, std::string_view bytes);
    Status write_partials();
    Status sync_written();

    std::filesystem::path log_dir_, state_file_;
    std::string origin_;
    const crypto::Ed25519Key* key_;
    CompactTree tree_;
    std::uint64_t signed_size_ = 0;
    std::vector<std::string> rows_;  // per level: the hashes of its unfinished tile
    std::string bundle_;             // the unfinished bundle
    std::vector<std::filesystem::path> unsynced_;
    Status failed_;  // a write inside a callback that failed
};

}  // namespace writ::ledger
