// Which events belong to a trace, and what hangs under what. Works on any source of leaves, so that
// it can be tried without a log.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "evidence/trail.h"

namespace writ::evidence {

// Deeper causes are shown at this depth: a long chain of causes must not exhaust the stack.
inline constexpr std::size_t kMaxTraceDepth = 64;

struct LeafSource {
    using Each = std::function<bool(std::uint64_t, std::string_view)>;
    std::function<Status(const Each&)> entries;               // all, in order
    std::function<Result<std::string>(std::uint64_t)> entry;  // one
};

// As trace() of trail.h.
Result<Trace_> build_trace(const LeafSource& log, std::string_view id);

}  // namespace writ::evidence
