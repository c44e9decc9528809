// The types of expressions and of a schema, each kept once: two types are equal iff their TypeIds
// are, and a type used in many places costs one node. A table may stand on another, whose types it
// shares: the checker's on the schema's, which never changes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace writ::cedar {

using TypeId = std::uint32_t;

// The types that every table has, in this order. True and False are the Bools of which one value
// is known.
enum : TypeId {
    kFalseType,
    kTrueType,
    kBoolType,
    kLongType,
    kStringType,
    kDecimalType,
    kIpType,
    kDatetimeType,
    kDurationType,
    kFixedTypes,  // how many
};
inline constexpr TypeId kNoType = 0xffffffff;

inline bool is_bool(TypeId type) {
    return type <= kBoolType;
}

enum class TypeKind : std::uint8_t { kFixed, kEntity, kSet, kRecord };

struct TypeField {
    std::string_view name;  // owned by the schema or the policy
    TypeId type = kNoType;
    bool required = true;
    bool operator==(const TypeField&) const = default;
};

struct TypeNode {
    TypeKind kind = TypeKind::kFixed;
    std::uint16_t depth = 1;
    std::uint32_t data = 0;              // kEntity: index of the entity type; kSet: element
    std::uint32_t first = 0, count = 0;  // kRecord: fields
};

class TypeTable {
  public:
    // `base` outlives this table and does not grow meanwhile.
    explicit TypeTable(const TypeTable* base = nullptr);

    TypeId entity(std::uint32_t index);
    TypeId set(TypeId element);
    // `fields` sorted by name, names unique.
    TypeId record(std::span<const TypeField> fields);

    const TypeNode& node(TypeId type) const {
        return type < offset_ ? base_->node(type) : nodes_[type - offset_];
    }
    TypeKind kind(TypeId type) const { return node(type).kind; }
    bool is(TypeId type, TypeKind kind) const {
        return type != kNoType && this->kind(type) == kind;
    }
    std::span<const TypeField> fields(TypeId record) const;
    // The field of that name, or null.
    const TypeField* field(TypeId record, std::string_view name) const;

    // The least type that both belong to, if there is one (digest section 8): Bools join, sets and
    // records by their parts, everything else only with itself.
    std::optional<TypeId> join(TypeId a, TypeId b);

    // Types beyond those of the base.
    std::size_t size() const { return nodes_.size(); }

  private:
    template <class Same>
    std::optional<TypeId> known(std::uint64_t hash, const Same& same) const;
    TypeId add(std::uint64_t hash, TypeNode node);
    std::optional<TypeId> join_records(TypeId a, TypeId b);

    const TypeTable* base_;
    TypeId offset_;
    std::vector<TypeNode> nodes_;
    std::vector<TypeField> fields_;
    std::unordered_multimap<std::uint64_t, TypeId> index_;
    std::unordered_map<std::uint64_t, std::optional<TypeId>> joins_;  // of pairs
};

}  // namespace writ::cedar
