#include "cedar/schema_hierarchy.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace writ::cedar {
namespace {

using Edges = std::vector<std::span<const std::uint32_t>>;  // of each vertex to its parents

// Tarjan's strongly connected components, without recursion: hierarchies may be deep. A component
// comes out after all those above it, which is the order in which ancestors are united.
class Components {
  public:
    explicit Components(const Edges& edges)
        : edges_(edges), order_(edges.size(), 0), low_(edges.size(), 0), open_(edges.size()) {}

    // visit(members): the vertices of one component.
    template <class Visit>
    void each(const Visit& visit) {
        for (std::uint32_t v = 0; v < edges_.size(); ++v)
            if (order_[v] == 0) search(v, visit);
    }

  private:
    struct Frame {
        std::uint32_t vertex;
        std::size_t next;
    };

    void enter(std::uint32_t v) {
        order_[v] = low_[v] = ++count_;
        open_[v] = true;
        stack_.push_back(v);
        frames_.push_back({v, 0});
    }

    template <class Visit>
    void search(std::uint32_t start, const Visit& visit) {
        enter(start);
        while (!frames_.empty()) {
            const std::uint32_t v = frames_.back().vertex;
            if (frames_.back().next < edges_[v].size()) {
                const std::uint32_t above = edges_[v][frames_.back().next++];
                if (order_[above] == 0)
                    enter(above);
                else if (open_[above])
                    low_[v] = std::min(low_[v], order_[above]);
                continue;
            }
            frames_.pop_back();
            if (!frames_.empty()) {
                const std::uint32_t below = frames_.back().vertex;
                low_[below] = std::min(low_[below], low_[v]);
            }
            if (low_[v] == order_[v]) leave(v, visit);
        }
    }

    template <class Visit>
    void leave(std::uint32_t v, const Visit& visit) {
        const auto begin = std::find(stack_.rbegin(), stack_.rend(), v).base() - 1;
        const std::vector<std::uint32_t> members(begin, stack_.end());
        stack_.erase(begin, stack_.end());
        for (const std::uint32_t member : members) open_[member] = false;
        visit(members);
    }

    const Edges& edges_;
    std::vector<std::uint32_t> order_, low_;
    std::vector<bool> open_;
    std::vector<std::uint32_t> stack_;
    std::vector<Frame> frames_;
    std::uint32_t count_ = 0;
};

void close_entity_types(Schema::Impl& schema) {
    auto& defs = schema.entity_types;
    Edges edges;
    bool any = false;
    for (const EntityTypeDef& def : defs) {
        edges.emplace_back(def.parents);
        any = any || !def.parents.empty();
    }
    if (!any) return;
    Components(edges).each([&](const std::vector<std::uint32_t>& members) {
        IndexSet above(defs.size());
        for (const std::uint32_t member : members)
            for (const std::uint32_t parent : defs[member].parents) {
                above.insert(parent);  // a member of a cycle gets into its own ancestors here
                above.unite(defs[parent].ancestors);
            }
        for (const std::uint32_t member : members) defs[member].ancestors = above;
    });
    for (EntityTypeDef& def : defs) def.descendants = IndexSet(defs.size());
    for (std::uint32_t i = 0; i < defs.size(); ++i)
        defs[i].ancestors.each([&](std::size_t above) { defs[above].descendants.insert(i); });
}

}  // namespace

void close_hierarchies(
    Schema::Impl& schema, SchemaErrors& errors,
    const std::function<std::pair<const SchemaTree*, std::uint32_t>(std::uint32_t)>& where) {
    close_entity_types(schema);
    auto& defs = schema.actions;
    Edges edges;
    for (const ActionDef& def : defs) edges.emplace_back(def.parents);
    Components(edges).each([&](const std::vector<std::uint32_t>& members) {
        ActionDef& def = defs[members.back()];
        const auto& parents = def.parents;
        if (members.size() > 1 ||
            std::binary_search(parents.begin(), parents.end(), members.back())) {
            const auto [tree, at] = where(members.back());
            errors.add(
                *tree, at,
                fmt::format("cycle in action hierarchy containing `{}`", def.uid.uid.text()));
            return;
        }
        if (parents.empty()) return;
        def.ancestors = IndexSet(defs.size());
        for (const std::uint32_t parent : parents) {
            def.ancestors.insert(parent);
            def.ancestors.unite(defs[parent].ancestors);
        }
    });
    for (std::uint32_t i = 0; i < defs.size(); ++i)
        defs[i].ancestors.each([&](std::size_t above) { defs[above].descendants.push_back(i); });
}

}  // namespace writ::cedar
