// The names and forms of tlog-tiles (c2sp.org/tlog-tiles). Inner header of the room.
//
//   tile/<L>/<N>[.p/<W>]        W hashes of 32 bytes; a full tile has 256 and no suffix
//   tile/entries/<N>[.p/<W>]    W entries: u16 length (big-endian), bytes
//   <N>                         groups of three digits, all but the last with an x: 1234067 →
//   x001/x234/067
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/error.h"

namespace writ::ledger {

inline constexpr std::uint64_t kTileWidth = 256;
inline constexpr std::size_t kMaxEntryBytes = 65'535;
inline constexpr std::size_t kMaxBundleBytes = kTileWidth * (2 + kMaxEntryBytes);

// How many of `size` entries tile or bundle `n` of their row holds, of which it has some.
inline unsigned width_at(std::uint64_t size, std::uint64_t n) {
    return static_cast<unsigned>(std::min(size - n * kTileWidth, kTileWidth));
}

// What a path below a log's folder names.
struct TilePath {
    bool entries = false;  // a bundle; else a tile of `level`
    unsigned level = 0;
    std::uint64_t n = 0;
    unsigned width = kTileWidth;
    // The first entry that it does not cover: what is pruned to there may be gone.
    std::uint64_t end_index() const;
};
// Exactly the forms that tile_path() and bundle_path() write; nothing for any other text.
std::optional<TilePath> parse_tile_path(std::string_view path);

// Path below the log's folder. `width` 256 is a full tile.
std::string tile_path(unsigned level, std::uint64_t n, unsigned width);
std::string bundle_path(std::uint64_t n, unsigned width);
// `Bundle`: std::string or PageBuffer.
template <class Bundle>
void append_entry(Bundle& bundle, std::string_view entry) {
    WRIT_CHECK(entry.size() <= kMaxEntryBytes);
    const std::array<char, 2> length = {static_cast<char>(entry.size() >> 8),
                                        static_cast<char>(entry.size() & 0xff)};
    bundle.append(std::string_view(length.data(), length.size()));
    bundle.append(entry);
}
// The first `count` entries. Errors: kCorrupt (truncated).
Result<std::vector<std::string>> split_bundle(std::string_view bundle, std::size_t count);
// The same as views into `bundle`.
Status split_bundle(std::string_view bundle, std::size_t count, std::vector<std::string_view>& out);

}  // namespace writ::ledger
