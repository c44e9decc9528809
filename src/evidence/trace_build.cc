// Two passes: the first keeps ids and edges only, the second reads the chosen leaves whole.
//
// Chosen are the events that `id` names (those of a task's whole tree, of a session, of a call, or
// the one event), everything they led to, and everything that led to any of these.
#include "evidence/trace_build.h"

#include <algorithm>
#include <unordered_map>

#include "base/ids.h"
#include "evidence/leaf.h"

namespace writ::evidence {

namespace {

struct Row {
    std::uint64_t index = 0;
    Uuid id, task, session, call;
    std::vector<std::uint32_t> causes;  // rows, all earlier
};

Uuid uuid_or_nil(std::string_view text) {
    return Uuid::parse(text).value_or(Uuid{});
}

class Graph {
  public:
    bool feed(std::uint64_t index, std::string_view bytes) {
        const auto leaf = read_leaf(bytes);
        if (!leaf) return true;  // the check reports it
        Row row{.index = index,
                .id = uuid_or_nil(leaf->id),
                .task = uuid_or_nil(leaf->task),
                .session = uuid_or_nil(leaf->session),
                .call = uuid_or_nil(leaf->call),
                .causes = {}};
        for (const auto& cause : leaf->causes) {
            const auto it = by_id_.find(uuid_or_nil(cause.id));
            if (it != by_id_.end()) row.causes.push_back(it->second);
        }
        if (leaf->type == "task.started") {
            const Uuid root = uuid_or_nil(leaf->text("root"));
            roots_[row.task] = root.is_nil() ? row.task : root;
        }
        by_id_.emplace(row.id, static_cast<std::uint32_t>(rows_.size()));
        rows_.push_back(std::move(row));
        return true;
    }

    // Rows in order; empty if nothing has that name.
    std::vector<std::uint32_t> choose(const Uuid& id) const {
        std::vector<bool> in = named(id);
        if (std::ranges::find(in, true) == in.end()) return {};
        // Causes point backwards, so one pass each way is enough.
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            if (std::ranges::any_of(rows_[i].causes, [&](std::uint32_t c) { return in[c]; })) {
                in[i] = true;
            }
        }
        for (std::size_t i = rows_.size(); i-- > 0;) {
            if (!in[i]) continue;
            for (const auto cause : rows_[i].causes) in[cause] = true;
        }
        std::vector<std::uint32_t> out;
        for (std::uint32_t i = 0; i < rows_.size(); ++i) {
            if (in[i]) out.push_back(i);
        }
        return out;
    }

    const Row& row(std::uint32_t at) const { return rows_[at]; }

  private:
    Uuid root_of(const Uuid& task) const {
        const auto it = roots_.find(task);
        return it == roots_.end() ? task : it->second;
    }

    // The first of task, session, call and event that has this id.
    std::vector<bool> named(const Uuid& id) const {
        std::vector<bool> in(rows_.size());
        const Uuid root = root_of(id);
        const std::function<bool(const Row&)> ways[] = {
            [&](const Row& r) { return !r.task.is_nil() && root_of(r.task) == root; },
            [&](const Row& r) { return r.session == id; },
            [&](const Row& r) { return r.call == id; },
            [&](const Row& r) { return r.id == id; },
        };
        for (const auto& way : ways) {
            for (std::size_t i = 0; i < rows_.size(); ++i) in[i] = way(rows_[i]);
            if (std::ranges::find(in, true) != in.end()) break;
        }
        return in;
    }

    std::vector<Row> rows_;
    std::unordered_map<Uuid, std::uint32_t, UuidHash> by_id_;
    std::unordered_map<Uuid, Uuid, UuidHash> roots_;  // of tasks
};

Result<TrailEvent> read_event(const LeafSource& log, std::uint64_t index) {
    auto bytes = log.entry(index);
    if (!bytes) return fail(bytes.error());
    TrailEvent event;
    event.index = index;
    event.json = std::move(*bytes);
    const auto leaf = read_leaf(event.json);
    if (!leaf) return fail(leaf.error());
    event.id = leaf->id;
    event.type = leaf->type;
    event.session = leaf->session;
    event.task = leaf->task;
    event.call = leaf->call;
    event.t_us = leaf->t_us;
    for (const auto& cause : leaf->causes) event.causes.emplace_back(cause.id);
    return event;
}

// Positions in the list of chosen rows: who hangs under whom.
struct Forest {
    std::vector<std::size_t> roots;
    std::vector<std::vector<std::size_t>> children;
};

Forest arrange(const Graph& graph, const std::vector<std::uint32_t>& chosen) {
    std::unordered_map<std::uint32_t, std::size_t> at;
    for (std::size_t i = 0; i < chosen.size(); ++i) at.emplace(chosen[i], i);
    Forest forest;
    forest.children.resize(chosen.size());
    std::vector<std::size_t> parent(chosen.size()), depth(chosen.size());
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        const auto& causes = graph.row(chosen[i]).causes;
        if (causes.empty()) {
            forest.roots.push_back(i);
            continue;
        }
        std::size_t above = at.at(causes.front());
        if (depth[above] + 1 >= kMaxTraceDepth) above = parent[above];
        parent[i] = above;
        depth[i] = depth[above] + 1;
        forest.children[above].push_back(i);
    }
    return forest;
}

TraceNode assemble(const Forest& forest, std::vector<TrailEvent>& events, std::size_t at) {
    TraceNode node;
    node.event = std::move(events[at]);
    node.effects.reserve(forest.children[at].size());
    for (const std::size_t child : forest.children[at]) {
        node.effects.push_back(assemble(forest, events, child));
    }
    return node;
}

}  // namespace

Result<Trace_> build_trace(const LeafSource& log, std::string_view id) {
    const auto wanted = Uuid::parse(id);
    if (!wanted) {
        return fail(ErrorCode::kNotFound, "`" + std::string(id) +
                                              "` is not an id of an event, "
                                              "call, session or task");
    }
    Graph graph;
    auto read = log.entries(
        [&graph](std::uint64_t index, std::string_view bytes) { return graph.feed(index, bytes); });
    if (!read) return fail(read.error());
    const auto chosen = graph.choose(*wanted);
    if (chosen.empty()) {
        return fail(ErrorCode::kNotFound,
                    "nothing in this log has the id `" + std::string(id) + "`");
    }
    std::vector<TrailEvent> events;
    for (const auto row : chosen) {
        auto event = read_event(log, graph.row(row).index);
        if (!event) return fail(event.error());
        events.push_back(std::move(*event));
    }
    const Forest forest = arrange(graph, chosen);
    Trace_ out;
    out.events = events.size();
    for (const std::size_t root : forest.roots) {
        out.roots.push_back(assemble(forest, events, root));
    }
    return out;
}

}  // namespace writ::evidence
