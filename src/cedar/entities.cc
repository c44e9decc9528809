#include "cedar/entities.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

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

// Builds one layer: first all entities, then their ancestors.
class Builder {
  public:
    explicit Builder(std::shared_ptr<const Layer> base) : layer_(std::make_shared<Layer>()) {
        layer_->base = std::move(base);
    }

    Result<std::shared_ptr<const Layer>> build(std::vector<EntityData> data) {
        layer_->index.reserve(data.size());
        for (EntityData& each : data)
            if (auto status = add(std::move(each)); !status) return fail(status.error());
        for (std::size_t i = 0; i < building_.size(); ++i)
            if (auto status = close(*building_[i]); !status) return fail(status.error());
        for (auto& entity : building_) {
            const bool bridge = layer_->base && layer_->base->mentions(entity->uid.ref());
            if (bridge) layer_->bridges.push_back(entity.get());
            layer_->entities.push_back(std::move(entity));
        }
        for (const auto& entity : layer_->entities)
            for (const UidRef& ancestor : entity->ancestors)
                layer_->index.try_emplace(ancestor, nullptr);
        return layer_;
    }

  private:
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
        building_.push_back(std::move(entity));
        return {};
    }

    // Walks up from the entity. What is closed already is taken whole.
    Status close(Entity& entity) {
        std::unordered_set<UidRef, UidRefHash> seen;
        std::vector<UidRef> pending;
        for (const Uid& parent : entity.parents) pending.push_back(parent.ref());
        while (!pending.empty()) {
            const UidRef uid = pending.back();
            pending.pop_back();
            if (!seen.insert(uid).second) continue;
            if (uid == entity.uid.ref())
                return fail(ErrorCode::kInvalid,
                            fmt::format("input graph has a cycle containing vertex `{}`",
                                        entity.uid.uid.text()));
            if (total_ + seen.size() > kAncestorsMax)
                return fail(
                    ErrorCode::kTooLarge,
                    fmt::format("entities have more than {} ancestors in all", kAncestorsMax));
            step(uid, pending);
        }
        total_ += seen.size();
        entity.ancestors.assign(seen.begin(), seen.end());
        std::sort(entity.ancestors.begin(), entity.ancestors.end());
        return {};
    }

    void step(const UidRef& uid, std::vector<UidRef>& pending) const {
        const auto own = layer_->index.find(uid);
        if (own != layer_->index.end()) {
            for (const Uid& parent : own->second->parents) pending.push_back(parent.ref());
        } else if (layer_->base) {
            layer_->base->ancestors(uid, pending);
        }
    }

    std::shared_ptr<Layer> layer_;
    std::vector<std::unique_ptr<Entity>> building_;
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
