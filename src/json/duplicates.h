// Finds a member name that an object has twice. This room's own.
#pragma once

#include <cstdint>
#include <optional>

#include "json/tape.h"

namespace writ::json {

// The name node of the first member of closed object node `object` whose (unescaped) name came
// before in it. Cost: pairwise for small objects, one keyed hash a name for large ones, so that no
// input makes it quadratic.
std::optional<std::uint32_t> find_duplicate(const Tape& tape, std::uint32_t object);

}  // namespace writ::json
