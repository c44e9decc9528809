// What single change would turn a verdict: one argument, one grant, one policy. Found by trying,
// and every one that is told was decided again with the change in place.
#pragma once

#include "json/node.h"
#include "policy/scenario.h"

namespace writ::policy {

// Changes tried for one question, and told of each kind.
inline constexpr std::size_t kMaxFlipTries = 400;
inline constexpr std::size_t kMaxFlipsTold = 8;

// An array of {"kind": "argument" | "grant" | "policy", "change": text, "verdict", "code"}, the
// smallest first; empty if no single change does. For an engine of another kind: empty.
json::Node single_changes(const Posed& posed, const Engine& engine);

}  // namespace writ::policy
