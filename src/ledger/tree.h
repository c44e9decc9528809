// The Merkle tree of RFC 6962 section 2.1 (SHA-256), kept as a compact range: one peak per set bit
// of the size, left to right. Appending is O(1) amortised. Inner header of the room.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/bytes.h"

namespace writ::ledger {

// SHA-256("").
Sha256 empty_root();
// SHA-256(0x00 || entry).
Sha256 leaf_hash(ByteView entry);

class CompactTree {
  public:
    // Told every node of a level that is a multiple of 8 as it is completed: these are the hashes
    // of tiles.
    using OnTileHash = std::function<void(unsigned level, std::uint64_t index, const Sha256& hash)>;

    CompactTree() = default;
    // A tree as it was: `peaks` has one hash per set bit of `size`.
    CompactTree(std::uint64_t size, std::vector<Sha256> peaks);

    void append(const Sha256& leaf, const OnTileHash& on_tile_hash = {});
    Sha256 root() const;
    std::uint64_t size() const { return size_; }
    const std::vector<Sha256>& peaks() const { return peaks_; }

  private:
    std::uint64_t size_ = 0;
    std::vector<Sha256> peaks_;
};

// Checks an inclusion path (RFC 9162 section 2.1.3.2).
bool check_inclusion(std::uint64_t index, std::uint64_t size, const Sha256& leaf,
                     const std::vector<Sha256>& path, const Sha256& root);
// Checks a consistency path between two sizes (RFC 9162 section 2.1.4.2).
bool check_consistency(std::uint64_t old_size, std::uint64_t new_size,
                       const std::vector<Sha256>& path, const Sha256& old_root,
                       const Sha256& new_root);

}  // namespace writ::ledger
