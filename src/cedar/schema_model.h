// A schema with all names resolved: what validation reads. Entity types and actions have indices;
// hierarchies are closed; types are in one TypeTable.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cedar/schema.h"
#include "cedar/schema_syntax.h"
#include "cedar/types.h"
#include "cedar/uid.h"

namespace writ::cedar {

// A set of indices below a fixed number.
class IndexSet {
  public:
    IndexSet() = default;
    explicit IndexSet(std::size_t size) : words_((size + 63) / 64) {}
    void insert(std::size_t i) { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
    bool contains(std::size_t i) const {
        return i / 64 < words_.size() && ((words_[i / 64] >> (i % 64)) & 1) != 0;
    }
    // Adds all of `other`; true if that changed anything.
    bool unite(const IndexSet& other);
    // Calls visit(i) in ascending order.
    template <class Visit>
    void each(const Visit& visit) const {
        for (std::size_t w = 0; w < words_.size(); ++w)
            for (std::uint64_t rest = words_[w]; rest != 0; rest &= rest - 1)
                visit(w * 64 + static_cast<std::size_t>(__builtin_ctzll(rest)));
    }

  private:
    std::vector<std::uint64_t> words_;
};

struct EntityTypeDef {
    std::string name;
    bool is_action = false;  // the type of actions; has no attributes, tags or parents of its own
    bool enumerated = false;
    std::vector<std::string> ids;  // sorted, unique
    TypeId type = kNoType;         // itself
    TypeId shape = kNoType;        // a record
    TypeId tags = kNoType;         // kNoType: none
    std::vector<std::uint32_t> parents;
    IndexSet ancestors, descendants;  // never itself
    const Annotations* annotations = nullptr;

    bool has_id(std::string_view id) const;
};

struct ActionDef {
    Uid uid;
    std::uint32_t entity_type = 0;
    std::vector<std::uint32_t> principals, resources;  // entity types, sorted, unique
    TypeId context = kNoType;                          // a record
    std::vector<std::uint32_t> parents;
    IndexSet ancestors;                      // actions, never itself
    std::vector<std::uint32_t> descendants;  // the same
    const Annotations* annotations = nullptr;

    bool applies() const { return !principals.empty() && !resources.empty(); }
};

struct Schema::Impl {
    std::vector<SchemaTree> trees;
    SchemaLimits limits;
    TypeTable types;
    std::vector<EntityTypeDef> entity_types;
    std::vector<ActionDef> actions;
    std::unordered_map<std::string_view, std::uint32_t> entity_index;  // keys: entity_types' names
    std::unordered_map<UidRef, std::uint32_t, UidRefHash> action_index;
    std::vector<Error> warnings;

    // Null: not declared. A type of actions is one too.
    const EntityTypeDef* entity_type(std::string_view name) const;
    const ActionDef* action(const UidRef& uid) const;
    // An action type of which some action has an ancestor of the other type.
    bool action_type_below(std::uint32_t type, std::uint32_t ancestor) const;
    std::uint32_t index_of(const EntityTypeDef& def) const {
        return static_cast<std::uint32_t>(&def - entity_types.data());
    }
    std::uint32_t index_of(const ActionDef& def) const {
        return static_cast<std::uint32_t>(&def - actions.data());
    }
};

// As errors show a type: `Long`, `Set<User>`, `{a?: Long,b: Bool,}`; cut where it gets long.
std::string type_text(const Schema::Impl& schema, const TypeTable& types, TypeId type);

// Fills in everything but trees and limits. What is wrong goes to `errors`.
void resolve_schema(Schema::Impl& schema, SchemaErrors& errors);

}  // namespace writ::cedar
