// Every bound of the gateway that is not local to one file, with the reason for its number. Names
// end in their unit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace writ {

// One request body. MCP tool arguments are a few KiB; what is larger belongs in a resource.
// (architecture, section 5)
inline constexpr std::size_t kMaxBodyBytes = 1 << 20;
// One response of an upstream held in memory: four times the request, so that file reads pass.
inline constexpr std::size_t kMaxUpstreamMessageBytes = 4 << 20;
// Request line and headers together; nginx and Node use 8 to 16 KiB.
inline constexpr std::size_t kMaxHeaderBytes = 16 << 10;
inline constexpr std::size_t kMaxHeaders = 64;
// Nesting of JSON from outside. Deeper input exists only to exhaust stacks.
inline constexpr std::size_t kMaxJsonDepth = 64;
// One evidence event; tlog-tiles allows 65,535, and search tools choke far below it.
inline constexpr std::size_t kMaxEventBytes = 16 << 10;
// Appends waiting for the log writer. Beyond it callers are refused rather than queued without end.
inline constexpr std::size_t kMaxPendingAppends = 16 << 10;
// Sessions and tasks alive on one node.
inline constexpr std::size_t kMaxSessions = 20'000;
inline constexpr std::size_t kMaxTasks = 20'000;
// Length of a delegation chain, and of a task tree's depth.
inline constexpr std::size_t kMaxChainDepth = 16;
// Life of one writ, and the cap that no configuration exceeds.
inline constexpr std::int64_t kWritLifetime_s = 300;
inline constexpr std::int64_t kMaxWritLifetime_s = 3'600;
// Life of a task when its file names no deadline, and at most.
inline constexpr std::int64_t kDefaultTaskLifetime_s = 3'600;
inline constexpr std::int64_t kMaxTaskLifetime_s = 7 * 86'400;
// An admission nobody closed is recorded as `unknown` after this long.
inline constexpr std::int64_t kAdmissionDeadline_s = 120;
// Of a foreign name in an error.
inline constexpr std::size_t kShownNameBytes = 64;
// Tools one server may list.
inline constexpr std::size_t kMaxToolsPerServer = 512;
// A policy file, and a file of configuration or a task.
inline constexpr std::size_t kMaxPolicyFileBytes = 8 << 20;
inline constexpr std::size_t kMaxConfigFileBytes = 1 << 20;

}  // namespace writ
