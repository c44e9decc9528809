// The store of entities. Each entity knows all its ancestors, as a sorted array of borrowed uids:
// `in` is one lookup and a binary search.
//
// An overlay holds a few entities above a base store that it keeps alive. Where an overlay defines
// an entity that the base only mentions as somebody's parent (a bridge), the base's descendants of
// it inherit its ancestors at the time of asking.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cedar/cedar.h"
#include "cedar/uid.h"
#include "cedar/value.h"

namespace writ::cedar {

// Ancestors of all entities of one store together: what bounds its memory. A chain of n parents
// has n * n / 2.
inline constexpr std::size_t kAncestorsMax = 4'000'000;

struct Entity {
    Uid uid;
    Value attributes, tags;         // records
    std::vector<Uid> parents;       // sorted, unique
    std::vector<UidRef> ancestors;  // sorted, unique, never itself
};

struct Entities::Impl {
    // The entity, or null: unknown, or only mentioned.
    const Entity* find(const UidRef& uid) const;
    // Whether `uid` has the ancestor. Not reflexive.
    bool has_ancestor(const UidRef& uid, const UidRef& ancestor) const;
    // Appends every ancestor of `uid`; some may come twice where there are bridges.
    void ancestors(const UidRef& uid, std::vector<UidRef>& out) const;
    // Whether it is an entity here or somebody's ancestor.
    bool mentions(const UidRef& uid) const;

    std::shared_ptr<const Impl> base;                     // null: none
    std::vector<std::unique_ptr<const Entity>> entities;  // of this layer
    // All uids of this layer; null for those that are only mentioned.
    std::unordered_map<UidRef, const Entity*, UidRefHash> index;
    std::vector<const Entity*> bridges;
};

}  // namespace writ::cedar
