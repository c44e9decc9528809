// Replays the ledger for the ends of the session chains.
#include "evidence/resume.h"

#include <algorithm>
#include <map>

#include "evidence/encode.h"
#include "evidence/leaf.h"

namespace writ::evidence {

Result<std::vector<OpenChain>> open_chains(const ledger::Ledger& ledger, std::uint64_t from) {
    std::map<SessionId, ChainEnd> open;
    const auto each = [&open](std::uint64_t, std::string_view bytes) {
        const auto leaf = read_leaf(bytes);
        if (!leaf || leaf->session.empty() || leaf->chain != leaf->session) return true;
        const auto session = SessionId::parse(leaf->session);
        if (!session) return true;
        if (leaf->type == "session.sealed") {
            open.erase(*session);
            return true;
        }
        // A chain whose beginning was not read cannot be counted, so it is not continued.
        if (!open.contains(*session) && leaf->chain_seq != 0) return true;
        ChainEnd& end = open[*session];
        end.next = leaf->chain_seq + 1;
        end.prev = leaf_hash(bytes);
        const bool call = leaf->type == "call.decided";
        end.calls += call ? 1 : 0;
        end.denied += call && leaf->text("kind") == "forbid" ? 1 : 0;
        return true;
    };
    if (auto read = ledger.read(from, each); !read) return fail(read.error());
    std::vector<OpenChain> out;
    out.reserve(open.size());
    for (const auto& [session, end] : open) out.push_back({session, end});
    return out;
}

Result<std::int64_t> newest_us(const ledger::Ledger& ledger) {
    // Emitters write side by side, so the last entry alone need not be the newest.
    constexpr std::uint64_t kLookedAt = 1024;
    const std::uint64_t size = ledger.health().durable;
    std::int64_t newest = 0;
    const auto each = [&newest](std::uint64_t, std::string_view bytes) {
        if (const auto leaf = read_leaf(bytes)) newest = std::max(newest, leaf->t_us);
        return true;
    };
    const auto read = ledger.read(size > kLookedAt ? size - kLookedAt : 0, each);
    if (!read) return fail(read.error());
    return newest;
}

}  // namespace writ::evidence
