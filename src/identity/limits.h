// The bounds of a task's specification, each with the reason for its number. The bounds of the node
// (tasks, sessions, lifetimes) are in base/limits.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "identity/types.h"

namespace writ::identity {

// The subject's own words: some thirty pages. Every origin search reads them.
inline constexpr std::size_t kMaxPromptBytes = 64 << 10;
// One or two sentences; shown in lists.
inline constexpr std::size_t kMaxPurposeBytes = 1 << 10;
// A person must be able to read what a task may do; every call looks at every grant of every link.
inline constexpr std::size_t kMaxGrantsPerTask = 64;
inline constexpr std::size_t kMaxToolsPerGrant = 128;
inline constexpr std::size_t kMaxDomainsPerGrant = 64;
// One Cedar expression.
inline constexpr std::size_t kMaxWhenBytes = 4 << 10;
// `person:` or `agent:` and a login.
inline constexpr std::size_t kMaxSubjectBytes = 256;
// Calls a budget may name; far above what a task of a week can make.
inline constexpr std::int64_t kMaxBudgetCalls = 1'000'000'000;
// Specifications held in memory, dead tasks included; the oldest dead ones give way first.
inline constexpr std::size_t kMaxSpecsBytes = 128 << 20;
// A writ as text. Proxies take 8 KiB of headers, and jose::verify() reads no more.
inline constexpr std::size_t kMaxWritBytes = 8 << 10;
// How far a writ's nbf may lie ahead: NTP slewing between issue and use on one node.
inline constexpr std::int64_t kWritSkew_s = 5;

// What a task's specification takes of kMaxSpecsBytes.
inline std::size_t size_of(const TaskSpec& spec) {
    std::size_t bytes =
        spec.agent.size() + spec.subject.size() + spec.purpose.size() + spec.prompt.size();
    for (const Grant& grant : spec.grants) {
        bytes += sizeof(Grant) + grant.when.size();
        for (const std::string& text : grant.tools) bytes += sizeof(std::string) + text.size();
        for (const std::string& text : grant.domains) bytes += sizeof(std::string) + text.size();
    }
    return bytes;
}

}  // namespace writ::identity
