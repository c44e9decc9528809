#include "ledger/prover.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "crypto/hash.h"
#include "ledger/tile.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

constexpr unsigned kTileHeight = 8;
constexpr std::size_t kTileNodes = 2 * kTileWidth - 1;

// Where the row of height `r` above a tile's hashes begins in Tile::nodes.
constexpr std::size_t row_at(unsigned r) {
    return 2 * kTileWidth - (2 * kTileWidth >> r);
}

constexpr std::uint64_t key_of(unsigned level, std::uint64_t n) {
    return std::uint64_t{level} << 56 | n;
}

}  // namespace

// The tile's hashes with the complete nodes above them. Under mutex_.
Result<const Prover::Tile*> Prover::tile(unsigned level, std::uint64_t n, unsigned width) {
    const std::uint64_t key = key_of(level, n);
    auto it = tiles_.find(key);
    if (it != tiles_.end() && it->second.width >= width) {
        if (it->second.used != order_.begin())
            order_.splice(order_.begin(), order_, it->second.used);
        return &it->second;
    }
    const auto bytes = read_(level, n, width);
    if (!bytes) return fail(bytes.error());
    if (bytes->size() < std::size_t{width} * 32)
        return fail(ErrorCode::kCorrupt,
                    fmt::format("`{}` is truncated", tile_path(level, n, width)));
    if (it == tiles_.end()) {
        if (tiles_.size() >= tiles_max_) {
            tiles_.erase(order_.back());
            order_.pop_back();
        }
        order_.push_front(key);
        it = tiles_.emplace(key, Tile{0, std::vector<Sha256>(kTileNodes), order_.begin()}).first;
    }
    Tile& tile = it->second;
    tile.width = width;
    for (unsigned i = 0; i < width; ++i)
        std::copy_n(reinterpret_cast<const std::uint8_t*>(bytes->data()) + std::size_t{i} * 32, 32,
                    tile.nodes[i].begin());
    for (unsigned r = 1; r <= kTileHeight; ++r)
        for (unsigned i = 0; i < width >> r; ++i)
            tile.nodes[row_at(r) + i] =
                crypto::merkle_node(tile.nodes[row_at(r - 1) + std::size_t{2} * i],
                                    tile.nodes[row_at(r - 1) + std::size_t{2} * i + 1]);
    return &tile;
}

// The hash of the complete subtree of 2^height entries that begins at entry index * 2^height.
Result<Sha256> Prover::node(unsigned height, std::uint64_t index, std::uint64_t size) {
    const unsigned level = height / kTileHeight;
    const unsigned r = height % kTileHeight;
    const std::uint64_t at = index << r;  // of its first hash in the level's row
    const std::uint64_t n = at / kTileWidth;
    const std::uint64_t in_row = (size >> (kTileHeight * level)) - n * kTileWidth;
    const auto found = tile(level, n, static_cast<unsigned>(std::min(in_row, kTileWidth)));
    if (!found) return fail(found.error());
    return (*found)->nodes[row_at(r) + ((at % kTileWidth) >> r)];
}

Status Prover::load_edge(std::uint64_t size) {
    if (edge_.size == size && size > 0) return {};
    Edge edge;
    std::uint64_t from = 0;
    for (std::uint64_t rest = size; rest > 0;) {
        const auto height = static_cast<unsigned>(std::bit_width(rest) - 1);
        const auto peak = node(height, from >> height, size);
        if (!peak) return fail(peak.error());
        edge.peaks.push_back(*peak);
        from += std::uint64_t{1} << height;
        rest -= std::uint64_t{1} << height;
    }
    edge.suffix = edge.peaks;
    for (std::size_t i = edge.suffix.size(); i-- > 1;)
        edge.suffix[i - 1] = crypto::merkle_node(edge.peaks[i - 1], edge.suffix[i]);
    edge.size = size;
    edge_ = std::move(edge);
    return {};
}

Result<Sha256> Prover::root(std::uint64_t size) {
    if (size == 0) return empty_root();
    const std::lock_guard lock(mutex_);
    if (auto done = load_edge(size); !done) return fail(done.error());
    return edge_.suffix.front();
}

Result<Sha256> Prover::subtree(unsigned height, std::uint64_t index, std::uint64_t size) {
    const std::lock_guard lock(mutex_);
    return node(height, index, size);
}

// PATH(m, D[n]): the siblings inside the peak that holds the entry, then everything right of that
// peak as one hash, then the peaks left of it from the nearest on.
Result<std::vector<Sha256>> Prover::inclusion(std::uint64_t index, std::uint64_t size) {
    if (index >= size)
        return fail(ErrorCode::kNotFound, fmt::format("the tree has {} entries", size));
    const std::lock_guard lock(mutex_);
    if (auto done = load_edge(size); !done) return fail(done.error());
    std::size_t peak = 0;
    std::uint64_t rest = size;
    std::uint64_t offset = index;
    while (offset >= std::bit_floor(rest)) {
        offset -= std::bit_floor(rest);
        rest -= std::bit_floor(rest);
        ++peak;
    }
    const auto height = static_cast<unsigned>(std::bit_width(rest) - 1);
    std::vector<Sha256> out;
    out.reserve(height + edge_.peaks.size());
    for (unsigned h = 0; h < height; ++h) {
        const auto sibling = node(h, (index >> h) ^ 1, size);
        if (!sibling) return fail(sibling.error());
        out.push_back(*sibling);
    }
    if (peak + 1 < edge_.peaks.size()) out.push_back(edge_.suffix[peak + 1]);
    while (peak-- > 0) out.push_back(edge_.peaks[peak]);
    return out;
}

// MTH(D[from:to]) for the ranges that a proof needs: a complete subtree, or the end of the tree.
Result<Sha256> Prover::range(std::uint64_t from, std::uint64_t to, std::uint64_t size) {
    const std::uint64_t count = to - from;
    if (std::has_single_bit(count)) {
        const auto height = static_cast<unsigned>(std::countr_zero(count));
        return node(height, from >> height, size);
    }
    const std::uint64_t k = std::bit_floor(count - 1);
    const auto left = range(from, from + k, size);
    if (!left) return left;
    const auto right = range(from + k, to, size);
    if (!right) return right;
    return crypto::merkle_node(*left, *right);
}

// SUBPROOF(m, D[from:to], b) of RFC 6962 section 2.1.2.
Status Prover::subproof(std::uint64_t m, std::uint64_t from, std::uint64_t to, bool whole,
                        std::uint64_t size, std::vector<Sha256>& out) {
    const auto add = [&](std::uint64_t begin, std::uint64_t end) -> Status {
        const auto hash = range(begin, end, size);
        if (!hash) return fail(hash.error());
        out.push_back(*hash);
        return {};
    };
    const std::uint64_t n = to - from;
    if (m == n) return whole ? Status() : add(from, to);
    const std::uint64_t k = std::bit_floor(n - 1);
    if (m <= k) {
        if (auto done = subproof(m, from, from + k, whole, size, out); !done) return done;
        return add(from + k, to);
    }
    if (auto done = subproof(m - k, from + k, to, false, size, out); !done) return done;
    return add(from, from + k);
}

Result<std::vector<Sha256>> Prover::consistency(std::uint64_t old_size, std::uint64_t size) {
    if (old_size > size)
        return fail(ErrorCode::kInvalid,
                    fmt::format("the old size {} is larger than {}", old_size, size));
    std::vector<Sha256> out;
    if (old_size == 0 || old_size == size) return out;
    const std::lock_guard lock(mutex_);
    if (auto done = subproof(old_size, 0, size, true, size, out); !done) return fail(done.error());
    return out;
}

}  // namespace writ::ledger
