// What an expression, being true, has shown about others: that an attribute or a tag is there.
// Two expressions are the same if they are written the same, whatever the spacing (digest section
// 8): each gets a number that equal ones share.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cedar/ast.h"

namespace writ::cedar {

// More in one policy are not told apart: it is refused as too large.
inline constexpr std::uint32_t kCapabilitiesMax = 4096;

// A set of capabilities, by their numbers. Most policies have fewer than 64: one word.
class CapabilitySet {
  public:
    bool contains(std::uint32_t i) const;
    void insert(std::uint32_t i);
    void unite(const CapabilitySet& other);
    void intersect(const CapabilitySet& other);
    bool empty() const { return word_ == 0 && more_.empty(); }

  private:
    std::uint64_t word_ = 0;
    std::vector<std::uint64_t> more_;
};

// The capabilities that one policy speaks of. Numbers are given as they are asked for.
class Capabilities {
  public:
    explicit Capabilities(const Ast& ast);

    // Numbers of expressions; equal iff they are written the same.
    std::uint32_t expression(NodeId id);
    std::uint32_t attribute(std::uint32_t of, std::string_view name);

    // Numbers of capabilities: `of` has the attribute; it has the tag that `key` gives.
    std::uint32_t has_attribute(std::uint32_t of, std::string_view name);
    std::uint32_t has_tag(std::uint32_t of, std::uint32_t key);
    // There were more than kCapabilitiesMax: some share a number.
    bool overflowed() const { return overflowed_; }

  private:
    using Key = std::array<std::uint32_t, 3>;

    std::uint32_t make(NodeId id);
    std::uint32_t has(const Node& node);
    std::uint32_t chain(std::uint32_t op, std::span<const NodeId> children);
    std::uint32_t list(std::uint32_t op, std::uint32_t head, std::span<const NodeId> children);
    std::uint32_t intern(std::uint32_t op, std::uint32_t a, std::uint32_t b);
    std::uint32_t text(std::string_view of);
    std::uint32_t capability(const Key& key);

    const Ast& ast_;
    std::vector<std::uint32_t> made_;  // by node
    std::map<Key, std::uint32_t> expressions_;
    std::map<std::string, std::uint32_t, std::less<>> texts_;
    std::map<Key, std::uint32_t> capabilities_;
    bool overflowed_ = false;
};

}  // namespace writ::cedar
