// Inclusion and consistency paths from tiles (RFC 6962 sections 2.1.1 and 2.1.2). The 255 nodes
// above the hashes of a tile are kept with it, so a proof from tiles in memory is some thirty
// loads: without them each proof would fold up to 255 nodes in every tile on the way.
//
// Nothing here is verified: a path is checked by whoever uses it, against a signed root.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace writ::ledger {

// Tiles kept: 16 KiB each, 64 MiB in all; the tiles of a million neighbouring entries.
inline constexpr std::size_t kProverTiles_max = 4096;

class Prover {
  public:
    // Gives the first `width` hashes of tile `n` of `level`, 32 bytes each.
    using ReadTile =
        std::function<Result<std::string>(unsigned level, std::uint64_t n, unsigned width)>;
    explicit Prover(ReadTile read, std::size_t tiles_max = kProverTiles_max)
        : read_(std::move(read)), tiles_max_(tiles_max) {}

    // The path of entry `index` in the tree of the first `size` entries. Errors: kNotFound (index
    // not below size), those of ReadTile. Thread: any. Cost: 1 to 3 us from tiles in memory.
    Result<std::vector<Sha256>> inclusion(std::uint64_t index, std::uint64_t size);
    // The path from `old_size` to `size`; empty for an old size of 0 or of `size`. Errors: kInvalid
    // (old size larger), those of ReadTile.
    Result<std::vector<Sha256>> consistency(std::uint64_t old_size, std::uint64_t size);
    // MTH(D[0:size]); SHA-256("") for none.
    Result<Sha256> root(std::uint64_t size);
    // The hash of the complete subtree of 2^height entries that begins at entry index * 2^height.
    Result<Sha256> subtree(unsigned height, std::uint64_t index, std::uint64_t size);

  private:
    struct Tile {
        unsigned width = 0;
        std::vector<Sha256> nodes;  // 256 hashes, then 128 of the row above, … , 1
        std::list<std::uint64_t>::iterator used;
    };
    struct Edge {  // of one size: hashes of the entries from each peak to the end
        std::uint64_t size = 0;
        std::vector<Sha256> peaks, suffix;
    };

    Result<Sha256> node(unsigned height, std::uint64_t index, std::uint64_t size);
    Result<const Tile*> tile(unsigned level, std::uint64_t n, unsigned width);
    Status load_edge(std::uint64_t size);
    Result<Sha256> range(std::uint64_t from, std::uint64_t to, std::uint64_t size);
    Status subproof(std::uint64_t m, std::uint64_t from, std::uint64_t to, bool whole,
                    std::uint64_t size, std::vector<Sha256>& out);

    const ReadTile read_;
    const std::size_t tiles_max_;
    std::mutex mutex_;  // guards everything below; held while a tile is read
    std::unordered_map<std::uint64_t, Tile> tiles_;
    std::list<std::uint64_t> order_;  // most recently used first
    Edge edge_;
};

}  // namespace writ::ledger
