#include "evidence/source.h"

#include <fmt/format.h>

namespace writ::evidence {

namespace {

// Entries that are read together (a tlog-tiles bundle).
constexpr std::uint64_t kBundleEntries = 256;

}  // namespace

Status LeafSource::pick(const std::vector<std::uint64_t>& indexes, const EachLeaf& each) const {
    std::size_t at = 0;
    bool more = true;
    while (more && at < indexes.size()) {
        const std::size_t before = at;
        const auto read = entries(indexes[at], [&](std::uint64_t index, std::string_view leaf) {
            if (index == indexes[at]) {
                more = each(index, leaf);
                ++at;
            }
            return more && at < indexes.size() &&
                   indexes[at] / kBundleEntries <= index / kBundleEntries + 1;
        });
        if (!read) return read;
        if (at == before) {
            return fail(ErrorCode::kNotFound, fmt::format("the log has no entry {}", indexes[at]));
        }
    }
    return {};
}

Result<std::string> LeafSource::entry(std::uint64_t index) const {
    std::string out;
    const auto read = pick({index}, [&out](std::uint64_t, std::string_view leaf) {
        out = leaf;
        return false;
    });
    if (!read) return fail(read.error());
    return out;
}

LeafSource source_of(const ledger::LogReader& log) {
    return {log.checkpoint().origin, log.checkpoint().size,
            [&log](std::uint64_t from, const EachLeaf& each) { return log.entries(from, each); }};
}

}  // namespace writ::evidence
