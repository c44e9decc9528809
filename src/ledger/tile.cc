#include "ledger/tile.h"

#include <fmt/format.h>

#include <algorithm>

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

std::uint64_t TilePath::end_index() const {
    const unsigned shift = entries ? 8 : 8 * (level + 1);
    return shift > 63 || n >= (std::uint64_t{1} << (64 - shift)) - 1 ? ~std::uint64_t{0}
                                                                     : (n + 1) << shift;
}

std::optional<TilePath> parse_tile_path(std::string_view path) {
    constexpr std::size_t kMaxPath = 64;
    constexpr std::uint64_t kMaxN = std::uint64_t{1} << 56;
    if (path.size() > kMaxPath || !path.starts_with("tile/")) return std::nullopt;
    const auto is_digits = [](std::string_view text) {
        return !text.empty() &&
               std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    };
    std::string_view rest = path.substr(5);
    TilePath out;
    const std::string_view level = rest.substr(0, rest.find('/'));
    if (level.size() == rest.size()) return std::nullopt;
    rest.remove_prefix(level.size() + 1);
    out.entries = level == "entries";
    if (!out.entries) {
        if (!is_digits(level) || level.size() > 2) return std::nullopt;
        for (const char c : level) out.level = out.level * 10 + static_cast<unsigned>(c - '0');
    }
    if (const auto partial = rest.find(".p/"); partial != std::string_view::npos) {
        const std::string_view width = rest.substr(partial + 3);
        if (!is_digits(width) || width.size() > 3) return std::nullopt;
        out.width = 0;
        for (const char c : width) out.width = out.width * 10 + static_cast<unsigned>(c - '0');
        if (out.width == 0 || out.width >= kTileWidth) return std::nullopt;
        rest = rest.substr(0, partial);
    }
    while (!rest.empty()) {
        std::string_view group = rest.substr(0, rest.find('/'));
        rest.remove_prefix(std::min(rest.size(), group.size() + 1));
        if (group.starts_with('x') != !rest.empty()) return std::nullopt;
        if (group.starts_with('x')) group.remove_prefix(1);
        if (group.size() != 3 || !is_digits(group) || out.n > kMaxN) return std::nullopt;
        for (const char c : group) out.n = out.n * 10 + static_cast<std::uint64_t>(c - '0');
    }
    // Only one text names a tile: no leading zeros, no empty groups.
    const std::string again =
        out.entries ? bundle_path(out.n, out.width) : tile_path(out.level, out.n, out.width);
    if (out.level > 63 || again != path) return std::nullopt;
    return out;
}

Status split_bundle(std::string_view bundle, std::size_t count,
                    std::vector<std::string_view>& out) {
    out.clear();
    while (out.size() < count) {
        if (bundle.size() < 2) return fail(ErrorCode::kCorrupt, "the entry bundle is truncated");
        const std::size_t length = static_cast<std::size_t>(static_cast<std::uint8_t>(bundle[0]))
                                       << 8 |
                                   static_cast<std::uint8_t>(bundle[1]);
        if (bundle.size() < 2 + length)
            return fail(ErrorCode::kCorrupt, "the entry bundle is truncated");
        out.push_back(bundle.substr(2, length));
        bundle.remove_prefix(2 + length);
    }
    return {};
}

Result<std::vector<std::string>> split_bundle(std::string_view bundle, std::size_t count) {
    std::vector<std::string_view> views;
    if (auto done = split_bundle(bundle, count, views); !done) return fail(done.error());
    return std::vector<std::string>(views.begin(), views.end());
}

}  // namespace writ::ledger
