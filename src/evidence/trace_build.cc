// The tree of a trace: every event hangs under its first cause.
#include "evidence/trace_build.h"

#include <unordered_map>

namespace writ::evidence {

namespace {

// Positions in the list of events: who hangs under whom.
struct Forest {
    std::vector<std::size_t> roots;
    std::vector<std::vector<std::size_t>> children;
};

Forest arrange(const std::deque<TrailEvent>& events) {
    std::unordered_map<Uuid, std::size_t> at;
    at.reserve(events.size());
    Forest forest;
    forest.children.resize(events.size());
    std::vector<std::size_t> parent(events.size()), depth(events.size());
    for (std::size_t i = 0; i < events.size(); ++i) {
        const auto& causes = events[i].causes;
        const auto it = causes.empty() ? at.end() : at.find(causes.front().id);
        const bool root = it == at.end();
        std::size_t above = root ? 0 : it->second;
        at.try_emplace(events[i].id, i);  // a later event of the same id changes nothing
        if (root) {
            forest.roots.push_back(i);
            continue;
        }
        if (depth[above] + 1 >= kMaxTraceDepth) above = parent[above];
        parent[i] = above;
        depth[i] = depth[above] + 1;
        forest.children[above].push_back(i);
    }
    return forest;
}

TraceNode assemble(const Forest& forest, std::deque<TrailEvent>& events, std::size_t at) {
    TraceNode node;
    node.event = std::move(events[at]);
    node.effects.reserve(forest.children[at].size());
    for (const std::size_t child : forest.children[at]) {
        node.effects.push_back(assemble(forest, events, child));
    }
    return node;
}

}  // namespace

Result<Trace_> trace(LogIndex& index, std::string_view what, Keep keep) {
    auto all = collect_connected(index, what, keep);
    if (!all) return fail(all.error());
    auto& events = all->events;
    const Forest forest = arrange(events);
    Trace_ out;
    out.id = what;
    out.kind = std::move(all->kind);
    out.events = events.size();
    for (const std::size_t root : forest.roots) {
        out.roots.push_back(assemble(forest, events, root));
    }
    return out;
}

Result<Trace_> trace(const ledger::LogReader& log, std::string_view what) {
    auto index = LogIndex::open({}, source_of(log));
    if (!index) return fail(index.error());
    return trace(**index, what);
}

}  // namespace writ::evidence
