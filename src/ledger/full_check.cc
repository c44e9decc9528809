#include "ledger/full_check.h"

#include <fmt/format.h>

#include <bit>

#include "ledger/prover.h"
#include "ledger/segment.h"
#include "ledger/tile.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

constexpr std::size_t kNamedTiles_max = 16;
constexpr std::uint64_t kLookEvery = 256;  // entries between two looks at the stop flag

}  // namespace

struct FullCheck::Pass {
    bool repair = false;
    CompactTree tree;
    std::vector<std::string> rows;
    std::string bundle;
    std::vector<std::string> differ;
    std::uint64_t differences = 0;
    Status failed;

    void compare(const FullCheck& job, const std::string& path, const std::string& bytes,
                 std::size_t bytes_max) {
        const auto file = job.log_dir / path;
        const auto there = read_file(file, bytes_max);
        if (there && *there == bytes) return;
        if (differ.size() < kNamedTiles_max) differ.push_back(path);
        ++differences;
        if (!repair || !failed) return;
        if (auto made = make_dirs(job.disk, file.parent_path()); !made) failed = made;
        if (failed) failed = replace_file(job.disk, file, bytes);
    }

    void add(const FullCheck& job, std::string_view entry) {
        const std::uint64_t index = tree.size();
        append_entry(bundle, entry);
        if (index % kTileWidth == kTileWidth - 1) {
            compare(job, bundle_path(index / kTileWidth, kTileWidth), bundle, kMaxBundleBytes);
            bundle.clear();
        }
        tree.append(leaf_hash(as_bytes(entry)),
                    [&](unsigned level, std::uint64_t n, const Sha256& hash) {
                        if (rows.size() <= level) rows.resize(level + 1);
                        rows[level].append(reinterpret_cast<const char*>(hash.data()), hash.size());
                        if (n % kTileWidth != kTileWidth - 1) return;
                        // A row that began below the minimum index is not whole here.
                        if (rows[level].size() == kTileWidth * 32)
                            compare(job, tile_path(level, n / kTileWidth, kTileWidth), rows[level],
                                    kTileWidth * 32);
                        rows[level].clear();
                    });
    }
};

Status FullCheck::pass(Pass& pass) const {
    const std::uint64_t from = std::min(minimum_index, target.size / kTileWidth * kTileWidth);
    if (from > 0) {
        Prover prover(
            [this](unsigned level, std::uint64_t n, unsigned width) {
                auto bytes = read_file(log_dir / tile_path(level, n, width), kTileWidth * 32);
                if (!bytes && width < kTileWidth)
                    bytes = read_file(log_dir / tile_path(level, n, kTileWidth), kTileWidth * 32);
                return bytes;
            },
            64);
        std::vector<Sha256> peaks;
        std::uint64_t at = 0;
        for (std::uint64_t rest = from; rest > 0; rest -= std::bit_floor(rest)) {
            const auto height = static_cast<unsigned>(std::bit_width(rest) - 1);
            const auto peak = prover.subtree(height, at >> height, target.size);
            if (!peak) return fail(peak.error());
            peaks.push_back(*peak);
            at += std::bit_floor(rest);
        }
        pass.tree = CompactTree(from, std::move(peaks));
    }
    bool stopped = false;
    auto read = WalReader(wal_dir, from)
                    .read(target.size, [&](std::uint64_t index, std::string_view entry) {
                        pass.add(*this, entry);
                        checked.store(index + 1, std::memory_order_relaxed);
                        stopped = index % kLookEvery == 0 && stop.load(std::memory_order_relaxed);
                        return !stopped && pass.failed.has_value();
                    });
    if (stopped) return fail(ErrorCode::kCancelled, "the log is closing");
    if (!pass.failed) return pass.failed;
    if (!read) return read;
    if (pass.tree.root() != target.root)
        return fail(ErrorCode::kCorrupt,
                    fmt::format("the write-ahead log does not give the root that was signed for {} "
                                "entries: entries were changed",
                                target.size));
    return {};
}

Result<std::vector<std::string>> FullCheck::run() const {
    Pass first;
    if (auto done = pass(first); !done) return fail(done.error());
    if (first.differ.empty()) return std::vector<std::string>();
    Pass second;
    second.repair = true;
    if (auto done = pass(second); !done) return fail(done.error());
    if (first.differences > kNamedTiles_max)
        first.differ.back() = fmt::format("and {} more", first.differences - kNamedTiles_max + 1);
    return std::move(first.differ);
}

}  // namespace writ::ledger
