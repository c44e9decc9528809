// How the operators and the methods of sets and entities are written; the same words in policy text
// and in its JSON. The methods of extensions are in extension.h.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "cedar/ast.h"

namespace writ::cedar {

struct OperatorInfo {
    Op op;
    std::string_view text;
    bool method = false;        // `a.text(b)`, else `a text b`
    std::size_t arguments = 1;  // beside the receiver or the left operand
};

inline constexpr std::array<OperatorInfo, 18> kOperators = {{
    {Op::kAnd, "&&"},
    {Op::kOr, "||"},
    {Op::kEqual, "=="},
    {Op::kNotEqual, "!="},
    {Op::kLess, "<"},
    {Op::kLessEqual, "<="},
    {Op::kGreater, ">"},
    {Op::kGreaterEqual, ">="},
    {Op::kIn, "in"},
    {Op::kAdd, "+"},
    {Op::kSubtract, "-"},
    {Op::kMultiply, "*"},
    {Op::kContains, "contains", true},
    {Op::kContainsAll, "containsAll", true},
    {Op::kContainsAny, "containsAny", true},
    {Op::kGetTag, "getTag", true},
    {Op::kHasTag, "hasTag", true},
    {Op::kIsEmpty, "isEmpty", true, 0},
}};

// Null for what is written otherwise: literals, `!`, `has`, `like`, `is`, calls ….
constexpr const OperatorInfo* operator_info(Op op) {
    for (const OperatorInfo& info : kOperators)
        if (info.op == op) return &info;
    return nullptr;
}

// Null if there is no such method of sets and entities.
constexpr const OperatorInfo* method_named(std::string_view name) {
    for (const OperatorInfo& info : kOperators)
        if (info.method && info.text == name) return &info;
    return nullptr;
}

}  // namespace writ::cedar
