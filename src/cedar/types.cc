#include "cedar/types.h"

#include <algorithm>

#include "cedar/uid.h"

namespace writ::cedar {
namespace {

constexpr std::uint64_t kEntitySalt = 1, kSetSalt = 2, kRecordSalt = 3;

}  // namespace

TypeTable::TypeTable(const TypeTable* base)
    : base_(base),
      offset_(base == nullptr ? 0 : base->offset_ + static_cast<TypeId>(base->nodes_.size())) {
    if (base == nullptr) nodes_.resize(kFixedTypes);
}

template <class Same>
std::optional<TypeId> TypeTable::known(std::uint64_t hash, const Same& same) const {
    if (base_ != nullptr)
        if (const auto below = base_->known(hash, same)) return below;
    const auto [begin, end] = index_.equal_range(hash);
    for (auto at = begin; at != end; ++at)
        if (same(node(at->second), at->second)) return at->second;
    return std::nullopt;
}

TypeId TypeTable::add(std::uint64_t hash, TypeNode node) {
    const TypeId id = offset_ + static_cast<TypeId>(nodes_.size());
    nodes_.push_back(node);
    index_.emplace(hash, id);
    return id;
}

TypeId TypeTable::entity(std::uint32_t index) {
    const std::uint64_t hash = hash_pair(kEntitySalt, index);
    const auto found = known(hash, [&](const TypeNode& node, TypeId) {
        return node.kind == TypeKind::kEntity && node.data == index;
    });
    return found ? *found : add(hash, {TypeKind::kEntity, 1, index, 0, 0});
}

TypeId TypeTable::set(TypeId element) {
    const std::uint64_t hash = hash_pair(kSetSalt, element);
    const auto found = known(hash, [&](const TypeNode& node, TypeId) {
        return node.kind == TypeKind::kSet && node.data == element;
    });
    if (found) return *found;
    const auto depth = static_cast<std::uint16_t>(node(element).depth + 1);
    return add(hash, {TypeKind::kSet, depth, element, 0, 0});
}

TypeId TypeTable::record(std::span<const TypeField> given) {
    std::uint64_t hash = kRecordSalt;
    std::uint16_t depth = 0;
    for (const TypeField& field : given) {
        hash = hash_pair(hash, hash_text(field.name));
        hash = hash_pair(hash, 2 * std::uint64_t{field.type} + (field.required ? 1 : 0));
        depth = std::max(depth, node(field.type).depth);
    }
    const auto found = known(hash, [&](const TypeNode& node, TypeId id) {
        return node.kind == TypeKind::kRecord && std::ranges::equal(fields(id), given);
    });
    if (found) return *found;
    TypeNode made;
    made.kind = TypeKind::kRecord;
    made.depth = static_cast<std::uint16_t>(depth + 1);
    made.first = static_cast<std::uint32_t>(fields_.size());
    made.count = static_cast<std::uint32_t>(given.size());
    fields_.insert(fields_.end(), given.begin(), given.end());
    return add(hash, made);
}

std::span<const TypeField> TypeTable::fields(TypeId record) const {
    if (record < offset_) return base_->fields(record);
    const TypeNode& of = nodes_[record - offset_];
    return std::span(fields_).subspan(of.first, of.count);
}

const TypeField* TypeTable::field(TypeId record, std::string_view name) const {
    const auto all = fields(record);
    const auto at = std::lower_bound(
        all.begin(), all.end(), name,
        [](const TypeField& field, std::string_view wanted) { return field.name < wanted; });
    return at != all.end() && at->name == name ? &*at : nullptr;
}

// Recursion: as deep as the types. Each pair is joined once, since types may share parts so often
// that walking all paths would not end.
std::optional<TypeId> TypeTable::join(TypeId a, TypeId b) {
    if (a == b) return a;
    if (a == kNoType || b == kNoType) return std::nullopt;
    if (is_bool(a) && is_bool(b)) return kBoolType;
    const TypeNode& x = node(a);
    const TypeNode& y = node(b);
    if (x.kind != y.kind || (x.kind != TypeKind::kSet && x.kind != TypeKind::kRecord))
        return std::nullopt;
    const std::uint64_t pair = (std::uint64_t{a} << 32) | b;
    if (const auto done = joins_.find(pair); done != joins_.end()) return done->second;
    std::optional<TypeId> out;
    if (x.kind == TypeKind::kRecord) {
        out = join_records(a, b);
    } else if (const auto element = join(x.data, y.data)) {
        out = set(*element);
    }
    joins_.emplace(pair, out);
    return out;
}

std::optional<TypeId> TypeTable::join_records(TypeId a, TypeId b) {
    // Copies: joining may add types, which moves the fields.
    const std::vector<TypeField> left(fields(a).begin(), fields(a).end());
    const std::vector<TypeField> right(fields(b).begin(), fields(b).end());
    if (left.size() != right.size()) return std::nullopt;
    std::vector<TypeField> joined;
    joined.reserve(left.size());
    for (std::size_t i = 0; i < left.size(); ++i) {
        if (left[i].name != right[i].name || left[i].required != right[i].required)
            return std::nullopt;
        const auto type = join(left[i].type, right[i].type);
        if (!type) return std::nullopt;
        joined.push_back({left[i].name, *type, left[i].required});
    }
    return record(joined);
}

}  // namespace writ::cedar
