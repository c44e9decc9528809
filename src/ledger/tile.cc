#include "ledger/tile.h"

#include <fmt/format.h>

#include "base/check.h"

namespace writ::ledger {
namespace {

std::string number_path(std::uint64_t n, unsigned width) {
    std::string out = fmt::format("{:03}", n % 1000);
    for (n /= 1000; n > 0; n /= 1000) out = fmt::format("x{:03}/{}", n % 1000, out);
    if (width < kTileWidth) out += fmt::format(".p/{}", width);
    return out;
}

}  // namespace

std::string tile_path(unsigned level, std::uint64_t n, unsigned width) {
    return fmt::format("tile/{}/{}", level, number_path(n, width));
}

std::string bundle_path(std::uint64_t n, unsigned width) {
    return "tile/entries/" + number_path(n, width);
}

void append_entry(std::string& bundle, std::string_view entry) {
    WRIT_CHECK(entry.size() <= kMaxEntryBytes);
    bundle += static_cast<char>(entry.size() >> 8);
    bundle += static_cast<char>(entry.size() & 0xff);
    bundle += entry;
}

Result<std::vector<std::string>> split_bundle(std::string_view bundle, std::size_t count) {
    std::vector<std::string> out;
    while (out.size() < count) {
        if (bundle.size() < 2) return fail(ErrorCode::kCorrupt, "the entry bundle is truncated");
        const std::size_t length = static_cast<std::size_t>(static_cast<std::uint8_t>(bundle[0]))
                                       << 8 |
                                   static_cast<std::uint8_t>(bundle[1]);
        if (bundle.size() < 2 + length)
            return fail(ErrorCode::kCorrupt, "the entry bundle is truncated");
        out.emplace_back(bundle.substr(2, length));
        bundle.remove_prefix(2 + length);
    }
    return out;
}

}  // namespace writ::ledger
