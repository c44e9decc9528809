// What a parsed text is kept as: one flat list of nodes in the order of the text. This room's own;
// others see Value.
//
//   {"a":[1,"x"],"b":null}  =>  object(2) "a" array(2) 1 "x" "b" null
//
// An object's members are pairs of nodes, name then value. `next` is the index after the last node
// of a subtree, so that a sibling is one step away. Strings without escapes are ranges of the text,
// others are ranges of `arena`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.h"

namespace writ::json {

inline constexpr std::uint32_t kInText =
    0xffff'ffff;  // TapeNode::arena_at of a string without escapes
inline constexpr std::uint32_t kNoParent =
    0xffff'ffff;  // TapeNode::next of an open root while parsing

struct TapeNode {
    std::uint32_t begin = 0;  // raw range in the text
    std::uint32_t end = 0;
    std::uint32_t next = 0;   // index after this subtree; while the container is open, its parent
    std::uint32_t count = 0;  // elements, members, or bytes of the unescaped string
    std::uint32_t arena_at = kInText;
    Kind kind = Kind::kNull;
};

struct Tape {
    std::string_view text;  // the caller's
    std::vector<TapeNode> nodes;
    std::string arena;

    // The unescaped text of string node `index`.
    std::string_view string_at(std::uint32_t index) const {
        const TapeNode& node = nodes[index];
        if (node.arena_at == kInText) return text.substr(node.begin + 1, node.count);
        return std::string_view(arena).substr(node.arena_at, node.count);
    }
};

}  // namespace writ::json
