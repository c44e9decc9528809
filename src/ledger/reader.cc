#include "ledger/reader.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "crypto/hash.h"
#include "ledger/file.h"
#include "ledger/note.h"
#include "ledger/prover.h"
#include "ledger/prune.h"
#include "ledger/tile.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;
// A wholly damaged log is told apart from a flawed one long before this many.
constexpr std::size_t kFindings_max = 100;

// Reads a tile or bundle by its path; a partial one may have been replaced by the full one
// (tlog-tiles allows that).
Status read_either(const fs::path& dir, const std::string& partial, const std::string& full,
                   std::size_t bytes_max, std::string& into) {
    auto done = read_file(dir / partial, bytes_max, into);
    if (!done && done.error().code == ErrorCode::kNotFound && partial != full)
        done = read_file(dir / full, bytes_max, into);
    // The checkpoint promises it: that it is missing is damage, not an answer.
    if (!done) return fail(ErrorCode::kCorrupt, done.error().detail);
    return {};
}

// `width` hashes of tile `n` of `level`.
Result<std::vector<Sha256>> read_tile(const fs::path& dir, unsigned level, std::uint64_t n,
                                      unsigned width) {
    std::string bytes;
    if (auto done = read_either(dir, tile_path(level, n, width), tile_path(level, n, kTileWidth),
                                kTileWidth * 32, bytes);
        !done)
        return fail(done.error());
    if (bytes.size() < width * 32u)
        return fail(ErrorCode::kCorrupt,
                    fmt::format("`{}` is truncated", tile_path(level, n, width)));
    std::vector<Sha256> out(width);
    for (unsigned i = 0; i < width; ++i)
        std::copy_n(reinterpret_cast<const std::uint8_t*>(bytes.data()) + i * 32u, 32,
                    out[i].begin());
    return out;
}

// One entry bundle after another, in memory that is used again.
class BundleEntries {
  public:
    Status read(const fs::path& dir, std::uint64_t n, unsigned width) {
        if (auto done = read_either(dir, bundle_path(n, width), bundle_path(n, kTileWidth),
                                    kMaxBundleBytes, bytes_);
            !done)
            return done;
        if (auto done = split_bundle(bytes_, width, entries_); !done)
            return fail(done.error().in(fmt::format("`{}`", bundle_path(n, width))));
        return {};
    }
    // Valid until the next read().
    const std::vector<std::string_view>& entries() const { return entries_; }

  private:
    std::string bytes_;
    std::vector<std::string_view> entries_;
};

// MTH of RFC 6962 section 2.1 over hashes of complete subtrees of one size, the last of which may
// be smaller. Written from the definition, unlike the writer's incremental tree.
Sha256 mth(const Sha256* hashes, std::size_t count) {
    if (count == 1) return hashes[0];
    const std::size_t k = std::bit_floor(count - 1);
    return crypto::merkle_node(mth(hashes, k), mth(hashes + k, count - k));
}

Sha256 own_leaf_hash(std::string_view entry) {
    constexpr std::uint8_t kLeaf[] = {0x00};
    return crypto::sha256(ByteView(kLeaf), as_bytes(entry));
}

// Re-computes every level from the entries upwards and compares it with the tiles on disk, one tile
// of each level in memory.
class Recount {
  public:
    Recount(const fs::path& dir, std::vector<LogReader::Finding>& findings)
        : dir_(dir), findings_(findings) {}

    void add(unsigned level, const Sha256& hash) {
        if (rows_.size() <= level) rows_.resize(level + 1);
        Row& row = rows_[level];
        row.hashes.push_back(hash);
        if (row.hashes.size() < kTileWidth) return;
        compare(level, row, kTileWidth);
        const Sha256 above = mth(row.hashes.data(), row.hashes.size());
        row.hashes.clear();
        ++row.tile;
        add(level + 1, above);
    }

    // Compares the unfinished tiles and returns the root.
    std::optional<Sha256> finish() {
        std::optional<Sha256> edge;
        for (unsigned level = 0; level < rows_.size(); ++level) {
            Row& row = rows_[level];
            if (!row.hashes.empty()) compare(level, row, static_cast<unsigned>(row.hashes.size()));
            if (edge) row.hashes.push_back(*edge);
            if (!row.hashes.empty()) edge = mth(row.hashes.data(), row.hashes.size());
        }
        return edge;
    }

  private:
    struct Row {
        std::uint64_t tile = 0;
        std::vector<Sha256> hashes;
    };

    void report(std::string what) {
        if (findings_.size() == kFindings_max) what = "and more";
        if (findings_.size() <= kFindings_max) findings_.push_back({std::move(what)});
    }

    void compare(unsigned level, const Row& row, unsigned width) {
        const auto on_disk = read_tile(dir_, level, row.tile, width);
        if (!on_disk) {
            report(on_disk.error().detail);
            return;
        }
        for (unsigned i = 0; i < width; ++i) {
            if ((*on_disk)[i] == row.hashes[i]) continue;
            const std::uint64_t at = row.tile * kTileWidth + i;
            report(level == 0 ? fmt::format("entry {}: its hash differs from {}", at,
                                            tile_path(level, row.tile, width))
                              : fmt::format("{}: hash {} differs from the entries below it",
                                            tile_path(level, row.tile, width), i));
        }
    }

    const fs::path& dir_;
    std::vector<LogReader::Finding>& findings_;
    std::vector<Row> rows_;
};

// The hashes of a tile and of the complete subtrees above them within it: row h has those of
// height h over the tile's hashes.
struct TileTree {
    std::array<std::vector<Sha256>, 9> rows;

    explicit TileTree(std::vector<Sha256> hashes) {
        rows[0] = std::move(hashes);
        for (std::size_t h = 1; h < rows.size(); ++h) {
            const auto& below = rows[h - 1];
            rows[h].reserve(below.size() / 2);
            for (std::size_t i = 0; i + 1 < below.size(); i += 2)
                rows[h].push_back(crypto::merkle_node(below[i], below[i + 1]));
        }
    }
};
using Tile = std::shared_ptr<const TileTree>;

}  // namespace

// OPTIMIZATION: proofs of neighbours need the same tiles, of every level one, and the same hashes
// above those of a tile; a bundle of many events would read and fold each of them hundreds of
// times. What comes from here is checked against the signed root like what comes from the disk.
struct LogReader::Tiles {
    static constexpr std::size_t kMax = 256;  // of 16 KiB

    std::mutex mutex;
    std::map<std::pair<unsigned, std::uint64_t>, Tile> tiles;

    Result<Tile> get(const fs::path& dir, unsigned level, std::uint64_t n, unsigned width) {
        const std::pair place(level, n);
        {
            const std::lock_guard lock(mutex);
            if (const auto found = tiles.find(place); found != tiles.end()) return found->second;
        }
        auto row = read_tile(dir, level, n, width);
        if (!row) return fail(row.error());
        Tile made = std::make_shared<const TileTree>(std::move(*row));
        const std::lock_guard lock(mutex);
        if (tiles.size() >= kMax) tiles.clear();
        tiles[place] = made;
        return made;
    }
};

// Hashes of ranges of the tree, folded from tiles.
class LogReader::RangeHashes {
  public:
    RangeHashes(const fs::path& dir, std::uint64_t size, Tiles& tiles)
        : dir_(dir), size_(size), tiles_(tiles) {}

    Result<Sha256> range(std::uint64_t from, std::uint64_t to) const {
        const std::uint64_t count = to - from;
        if (!std::has_single_bit(count)) {
            const std::uint64_t k = std::bit_floor(count - 1);
            const auto left = range(from, from + k);
            if (!left) return left;
            const auto right = range(from + k, to);
            if (!right) return right;
            return crypto::merkle_node(*left, *right);
        }
        const unsigned height = static_cast<unsigned>(std::countr_zero(count));
        const unsigned level = height / 8;
        const std::uint64_t at = from >> (8 * level);
        const std::uint64_t tile = at / kTileWidth;
        const auto row = tiles_.get(dir_, level, tile, width_at(size_ >> (8 * level), tile));
        if (!row) return fail(row.error());
        return (*row)->rows[height % 8][at % kTileWidth >> (height % 8)];
    }

    // PATH(m, D[from:to]), RFC 6962 section 2.1.1.
    Status path(std::uint64_t index, std::uint64_t from, std::uint64_t to,
                std::vector<Sha256>& out) const {
        if (to - from == 1) return {};
        const std::uint64_t k = std::bit_floor(to - from - 1);
        const bool left = index < from + k;
        if (auto done = left ? path(index, from, from + k, out) : path(index, from + k, to, out);
            !done)
            return done;
        const auto sibling = left ? range(from + k, to) : range(from, from + k);
        if (!sibling) return fail(sibling.error());
        out.push_back(*sibling);
        return {};
    }

  private:
    const fs::path& dir_;
    std::uint64_t size_;
    Tiles& tiles_;
};

Result<LogReader> LogReader::open(fs::path dir, std::string vkey) {
    const auto verifier = NoteVerifier::parse(vkey);
    if (!verifier) return fail(verifier.error());
    auto note = read_file(dir / "checkpoint", kMaxNoteBytes);
    if (!note && note.error().code == ErrorCode::kNotFound)
        return fail(ErrorCode::kNotFound,
                    fmt::format("no log in `{}`: it has no checkpoint", dir.string()));
    if (!note) return fail(note.error());
    const auto text = open_note(*note, *verifier);
    if (!text) return fail(text.error().in("checkpoint"));
    const auto body = parse_checkpoint(*text);
    if (!body) return fail(body.error());
    if (body->origin != verifier->name)
        return fail(ErrorCode::kCorrupt,
                    "the checkpoint's origin is not the name of the log's key");
    LogReader out;
    out.tiles_ = std::make_shared<Tiles>();
    const auto minimum = ledger::minimum_index(dir);
    if (!minimum) return fail(minimum.error());
    out.minimum_index_ = std::min(*minimum, body->size);
    out.dir_ = std::move(dir);
    out.vkey_ = std::move(vkey);
    out.checkpoint_ = {body->origin, body->size, body->root, std::move(*note)};
    return out;
}

Result<std::string> LogReader::entry(std::uint64_t index) const {
    if (index >= checkpoint_.size)
        return fail(ErrorCode::kNotFound, fmt::format("the log has {} entries", checkpoint_.size));
    if (index < minimum_index_)
        return fail(
            ErrorCode::kNotFound,
            fmt::format("entry {} is pruned: entries below {} are gone", index, minimum_index_));
    const std::uint64_t n = index / kTileWidth;
    BundleEntries bundle;
    if (auto done = bundle.read(dir_, n, width_at(checkpoint_.size, n)); !done)
        return fail(done.error());
    return std::string(bundle.entries()[index % kTileWidth]);
}

Status LogReader::entries(std::uint64_t from,
                          const std::function<bool(std::uint64_t, std::string_view)>& each) const {
    from = std::max(from, minimum_index_);
    BundleEntries bundle;
    for (std::uint64_t n = from / kTileWidth; n * kTileWidth < checkpoint_.size; ++n) {
        if (auto done = bundle.read(dir_, n, width_at(checkpoint_.size, n)); !done) return done;
        for (std::size_t i = 0; i < bundle.entries().size(); ++i) {
            const std::uint64_t index = n * kTileWidth + i;
            if (index >= from && !each(index, bundle.entries()[i])) return {};
        }
    }
    return {};
}

Result<std::vector<Sha256>> LogReader::path(std::uint64_t index) const {
    if (index >= checkpoint_.size)
        return fail(ErrorCode::kNotFound, fmt::format("the log has {} entries", checkpoint_.size));
    std::vector<Sha256> out;
    const RangeHashes hashes(dir_, checkpoint_.size, *tiles_);
    if (auto done = hashes.path(index, 0, checkpoint_.size, out); !done) return fail(done.error());
    return out;
}

// The path is checked against the root before it is handed out: with the tiles' leaf hash here,
// with the entry's own in proof().
Result<std::vector<Sha256>> LogReader::inclusion(std::uint64_t index) const {
    auto out = path(index);
    if (!out) return out;
    const RangeHashes hashes(dir_, checkpoint_.size, *tiles_);
    const auto leaf = hashes.range(index, index + 1);
    if (!leaf) return fail(leaf.error());
    if (!check_inclusion(index, checkpoint_.size, *leaf, *out, checkpoint_.root))
        return fail(ErrorCode::kCorrupt,
                    fmt::format("the tiles do not prove entry {}: they were altered", index));
    return out;
}

Result<std::vector<Sha256>> LogReader::consistency(std::uint64_t old_size,
                                                   const Sha256& old_root) const {
    Prover prover([this](unsigned level, std::uint64_t n, unsigned width) -> Result<std::string> {
        std::string out;
        if (auto done = read_either(dir_, tile_path(level, n, width),
                                    tile_path(level, n, kTileWidth), kTileWidth * 32, out);
            !done)
            return fail(done.error());
        return out;
    });
    auto path = prover.consistency(old_size, checkpoint_.size);
    if (!path) return path;
    if (!check_consistency(old_size, checkpoint_.size, *path, old_root, checkpoint_.root))
        return fail(ErrorCode::kCorrupt,
                    fmt::format("the log does not contain the root of {} entries: it was rewritten "
                                "or is a fork",
                                old_size));
    return path;
}

Result<std::string> LogReader::proof(std::uint64_t index) const {
    const auto path = inclusion(index);
    if (!path) return fail(path.error());
    const auto bytes = entry(index);
    if (!bytes) return fail(bytes.error());
    if (!check_inclusion(index, checkpoint_.size, own_leaf_hash(*bytes), *path, checkpoint_.root))
        return fail(ErrorCode::kCorrupt,
                    fmt::format("entry {} is not the one that was logged", index));
    std::string out = fmt::format("c2sp.org/tlog-proof@v1\nindex {}\n", index);
    for (const Sha256& hash : *path) out += to_base64(hash) + "\n";
    return out + "\n" + checkpoint_.note;
}

LogReader::Report LogReader::verify(
    const std::function<void(std::uint64_t, std::uint64_t)>& progress, const EachLeaf& each) const {
    Report report;
    BundleEntries bundle;
    Recount recount(dir_, report.findings);
    std::uint64_t minimum = minimum_index_;
    for (std::uint64_t n = 0; n * kTileWidth < checkpoint_.size; ++n) {
        const auto pruned = [&] { return n * kTileWidth < minimum; };
        Status read;
        if (!pruned()) read = bundle.read(dir_, n, width_at(checkpoint_.size, n));
        if (!read) {
            // A writer that prunes beside us publishes the new bound before it removes anything.
            minimum = std::max(minimum, ledger::minimum_index(dir_).value_or(0));
            if (!pruned()) {
                report.findings.push_back({read.error().detail});
                return report;
            }
        }
        if (pruned()) {  // the hashes stand for the entries
            const auto row = read_tile(dir_, 0, n, kTileWidth);
            if (!row) {
                report.findings.push_back({row.error().detail});
                return report;
            }
            for (const Sha256& hash : *row) recount.add(0, hash);
            continue;
        }
        for (std::size_t i = 0; i < bundle.entries().size(); ++i) {
            const Sha256 leaf = own_leaf_hash(bundle.entries()[i]);
            recount.add(0, leaf);
            if (each) each(n * kTileWidth + i, bundle.entries()[i], leaf);
        }
        report.entries += bundle.entries().size();
        if (progress && (n % 64 == 0 || report.entries == checkpoint_.size))
            progress(report.entries, checkpoint_.size);
    }
    const auto root = recount.finish().value_or(crypto::sha256(std::string_view()));
    if (root != checkpoint_.root)
        report.findings.push_back({"the entries do not give the root that was signed"});
    return report;
}

}  // namespace writ::ledger
