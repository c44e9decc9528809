#include "ledger/prune.h"

#include "base/decimal.h"
#include "ledger/segment.h"
#include "ledger/tile.h"

namespace writ::ledger {
namespace fs = std::filesystem;

Result<std::uint64_t> minimum_index(const fs::path& log_dir) {
    constexpr std::size_t kMaxBytes = 32;
    const auto text = read_file(log_dir / "minimum-index", kMaxBytes);
    if (!text && text.error().code == ErrorCode::kNotFound) return 0;
    if (!text) return fail(text.error());
    const bool line = text->ends_with('\n');
    const auto out = from_decimal<std::uint64_t>({text->data(), text->size() - (line ? 1 : 0)});
    if (!line || !out || *out % kTileWidth != 0)
        return fail(ErrorCode::kCorrupt,
                    "`" + (log_dir / "minimum-index").string() + "` is not a minimum index");
    return *out;
}

Status prune_below(const fs::path& wal_dir, const fs::path& log_dir, std::uint64_t index,
                   Disk& disk) {
    const auto old = minimum_index(log_dir);
    if (!old) return fail(old.error());
    if (index > *old)
        if (auto done = replace_file(disk, log_dir / "minimum-index", std::to_string(index) + "\n");
            !done)
            return done;
    std::error_code error;
    // From the bound down to the first that is gone already.
    for (std::uint64_t n = index / kTileWidth; n-- > 0;) {
        const fs::path bundle = log_dir / bundle_path(n, kTileWidth);
        fs::remove_all(bundle.string() + ".p", error);
        if (!fs::remove(bundle, error) && n * kTileWidth < *old) break;
    }
    const auto segments = segments_of(wal_dir);
    if (!segments) return fail(segments.error());
    for (std::size_t i = 0; i + 1 < segments->size() && (*segments)[i + 1] <= index; ++i)
        fs::remove(segment_path(wal_dir, (*segments)[i]), error);
    if (error) return fail(ErrorCode::kIo, "cannot remove what is pruned: " + error.message());
    return sync_dir(disk, wal_dir);
}

}  // namespace writ::ledger
