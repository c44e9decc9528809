#include "cedar/entities.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cedar/names.h"

namespace writ::cedar {
namespace {

using Layer = Entities::Impl;

bool contains(const std::vector<UidRef>& sorted, const UidRef& uid) {
    return std::binary_search(sorted.begin(), sorted.end(), uid);
}

std::unique_ptr<Entity> make_entity(EntityData data) {
    std::vector<Uid> parents;
    for (EntityUid& parent : data.parents) parents.emplace_back(std::move(parent));
    const auto less = [](const Uid& a, const Uid& b) { return a.ref() < b.ref(); };
    std::sort(parents.begin(), parents.end(), less);
    parents.erase(std::unique(parents.begin(), parents.end()), parents.end());
    return std::make_unique<Entity>(Entity{Uid(std::move(data.uid)),
                                           Value::record(std::move(data.attributes)),
                                           Value::record(std::move(data.tags)),
                                           std::move(parents),
                                           {}});
}

bool identical(const Entity& a, const Entity& b) {
    return a.uid == b.uid && a.attributes == b.attributes && a.tags == b.tags &&
           a.parents == b.parents;
}

// Builds one layer: first all entities, then their ancestors, from the top down.
class Builder {
  public:
    explicit Builder(std::shared_ptr<const Layer> base) : layer_(std::make_shared<Layer>()) {
        layer_->base = std::move(base);
    }

    Result<std::shared_ptr<const Layer>> build(std::vector<EntityData> data) {
        if (data.size() > kEntitiesMax)
            return fail(ErrorCode::kTooLarge, fmt::format("{} entities: a store has at most {}",
                                                          data.size(), kEntitiesMax));
        layer_->index.reserve(data.size());
        for (EntityData& each : data)
            if (auto status = add(std::move(each)); !status) return fail(status.error());
        states_.resize(building_.size(), State::kNew);
        for (std::size_t i = 0; i < building_.size(); ++i)
            if (auto status = close_from(i); !status) return fail(status.error());
        for (auto& entity : building_) {
            if (layer_->base && layer_->base->mentions(entity->uid.ref()))
                layer_->bridges.push_back(entity.get());
            layer_->entities.push_back(std::move(entity));
        }
        for (const auto& entity : layer_->entities)
            for (const UidRef& ancestor : entity->ancestors)
                layer_->index.try_emplace(ancestor, nullptr);
        return layer_;
    }

  private:
    enum class State : std::uint8_t { kNew, kOpen, kClosed };

    // An entity whose ancestors are being found: all of those above it come first.
    struct Frame {
        std::size_t position;
        std::vector<UidRef> above;  // its parents, and what the base knows above them
        std::size_t next = 0;
    };

    // Duplicates may stand only where they say the same.
    Status add(EntityData data) {
        auto entity = make_entity(std::move(data));
        const EntityUid& uid = entity->uid.uid;
        const Entity* known = layer_->find(entity->uid.ref());
        if (known != nullptr) {
            if (identical(*known, *entity)) return {};
            return fail(ErrorCode::kInvalid,
                        fmt::format("duplicate entity entry `{}`", uid.text()));
        }
        if (is_action_type(uid.type))
            for (const Uid& parent : entity->parents)
                if (!is_action_type(parent.uid.type))
                    return fail(ErrorCode::kInvalid,
                                fmt::format("action `{}` has a non-action parent `{}`", uid.text(),
                                            parent.uid.text()));
        layer_->index.emplace(entity->uid.ref(), entity.get());
        positions_.emplace(entity.get(), building_.size());
        building_.push_back(std::move(entity));
        return {};
    }

    // Depth first, without recursion: chains of parents are as long as the data likes.
    Status close_from(std::size_t start) {
        if (states_[start] == State::kClosed) return {};
        std::vector<Frame> path;
        path.push_back(open(start));
        while (!path.empty()) {
            Frame& frame = path.back();
            if (frame.next == frame.above.size()) {
                if (auto status = close(frame); !status) return status;
                path.pop_back();
                continue;
            }
            const auto own = own_position(frame.above[frame.next++]);
            if (!own || states_[*own] == State::kClosed) continue;
            if (states_[*own] == State::kOpen)
                return fail(ErrorCode::kInvalid,
                            fmt::format("input graph has a cycle containing vertex `{}`",
                                        building_[*own]->uid.uid.text()));
            path.push_back(open(*own));
        }
        return {};
    }

    Frame open(std::size_t position) {
        states_[position] = State::kOpen;
        Frame out{position, {}, 0};
        for (const Uid& parent : building_[position]->parents) {
            out.above.push_back(parent.ref());
            if (layer_->base && !own_position(parent.ref()))
                layer_->base->ancestors(parent.ref(), out.above);
        }
        return out;
    }

    Status close(Frame& frame) {
        std::vector<UidRef> all = std::move(frame.above);
        std::size_t compact_at = 0;
        const std::size_t direct = all.size();
        for (std::size_t i = 0; i < direct; ++i) {
            const auto own = own_position(all[i]);
            if (!own) continue;
            const auto& above = building_[*own]->ancestors;
            further_.insert(further_.end(), above.begin(), above.end());
            if (further_.size() > 2 * compact_at + 4'096) {
                sort_unique(further_);
                compact_at = further_.size();
            }
        }
        all.insert(all.end(), further_.begin(), further_.end());
        further_.clear();
        sort_unique(all);
        total_ += all.size();
        if (total_ > kAncestorsMax)
            return fail(ErrorCode::kTooLarge,
                        fmt::format("entities have more than {} ancestors in all", kAncestorsMax));
        all.shrink_to_fit();
        building_[frame.position]->ancestors = std::move(all);
        states_[frame.position] = State::kClosed;
        return {};
    }

    static void sort_unique(std::vector<UidRef>& uids) {
        if (!std::is_sorted(uids.begin(), uids.end())) std::sort(uids.begin(), uids.end());
        uids.erase(std::unique(uids.begin(), uids.end()), uids.end());
    }

    std::optional<std::size_t> own_position(const UidRef& uid) const {
        const auto own = layer_->index.find(uid);
        if (own == layer_->index.end()) return std::nullopt;
        return positions_.at(own->second);
    }

    std::shared_ptr<Layer> layer_;
    std::vector<std::unique_ptr<Entity>> building_;
    std::unordered_map<const Entity*, std::size_t> positions_;  // in building_
    std::vector<State> states_;                                 // as building_
    std::vector<UidRef> further_;                               // of close(), kept for its memory
    std::size_t total_ = 0;
};

}  // namespace

const Entity* Entities::Impl::find(const UidRef& uid) const {
    for (const Impl* layer = this; layer != nullptr; layer = layer->base.get()) {
        const auto at = layer->index.find(uid);
        if (at != layer->index.end() && at->second != nullptr) return at->second;
    }
    return nullptr;
}

bool Entities::Impl::has_ancestor(const UidRef& uid, const UidRef& ancestor) const {
    const auto own = index.find(uid);
    if (own != index.end() && own->second != nullptr)
        return contains(own->second->ancestors, ancestor);
    if (!base) return false;
    if (base->has_ancestor(uid, ancestor)) return true;
    return std::any_of(bridges.begin(), bridges.end(), [&](const Entity* bridge) {
        return contains(bridge->ancestors, ancestor) && base->has_ancestor(uid, bridge->uid.ref());
    });
}

void Entities::Impl::ancestors(const UidRef& uid, std::vector<UidRef>& out) const {
    const auto own = index.find(uid);
    if (own != index.end() && own->second != nullptr) {
        out.insert(out.end(), own->second->ancestors.begin(), own->second->ancestors.end());
        return;
    }
    if (!base) return;
    base->ancestors(uid, out);
    for (const Entity* bridge : bridges)
        if (base->has_ancestor(uid, bridge->uid.ref()))
            out.insert(out.end(), bridge->ancestors.begin(), bridge->ancestors.end());
}

bool Entities::Impl::mentions(const UidRef& uid) const {
    return index.contains(uid) || (base && base->mentions(uid));
}

Entities::Entities() {
    static const auto empty = std::make_shared<const Impl>();
    impl_ = empty;
}
Entities::~Entities() = default;
Entities::Entities(const Entities&) = default;
Entities& Entities::operator=(const Entities&) = default;
Entities::Entities(Entities&&) noexcept = default;
Entities& Entities::operator=(Entities&&) noexcept = default;

Result<Entities> Entities::build(std::vector<EntityData> entities) {
    auto built = Builder(nullptr).build(std::move(entities));
    if (!built) return fail(built.error());
    Entities out;
    out.impl_ = std::move(*built);
    return out;
}

Result<Entities> Entities::overlay(std::shared_ptr<const Entities> base,
                                   std::vector<EntityData> more) {
    // Only the layer is kept: the Entities object around it holds nothing else.
    auto built = Builder(base ? base->impl_ : nullptr).build(std::move(more));
    if (!built) return fail(built.error());
    Entities out;
    out.impl_ = std::move(*built);
    return out;
}

}  // namespace writ::cedar
