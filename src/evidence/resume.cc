// Replays the ledger for the ends of the session chains.
#include "evidence/resume.h"

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

}  // namespace writ::evidence
