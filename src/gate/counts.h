// What the gate has done since the start, for metrics. One a home, so that reactors do not share
// cache lines; who asks adds them up. Thread: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/metrics.h"

namespace writ::gate {

// The codes of verdicts that are counted by name, permitted first; anything else is `other`.
inline constexpr std::array<std::string_view, 20> kCountedCodes = {
    "permitted",  "held",         "not_granted",  "condition",    "domain",
    "expired",    "no_permit",    "forbidden",    "policy_error", "policy_invalid",
    "obligation", "bad_argument", "unknown_tool", "tool_changed", "policy_changed",
    "budget",     "busy",         "unavailable",  "no_decision",  "other"};
// Of RefusalKind and Status_, in their order.
inline constexpr std::size_t kRefusalKinds = 5, kEndings = 7;

struct Counts {
    // By code; the verdict of one code is always the same (verdict_of).
    std::array<metrics::Counter, kCountedCodes.size()> decided;
    std::array<metrics::Counter, kRefusalKinds> refused;
    std::array<metrics::Counter, kEndings> ended;
    metrics::Histogram decision;  // from the call's arrival at the gate to its verdict
    metrics::Histogram duration;  // from there to its end; permitted calls

    void count_decision(std::string_view code, std::int64_t latency_us) noexcept {
        std::size_t at = 0;
        while (at + 1 < kCountedCodes.size() && kCountedCodes[at] != code) ++at;
        decided[at].add();
        decision.observe_us(latency_us);
    }
    // `kind` is a RefusalKind.
    template <typename Kind>
    void count_refusal(Kind kind) noexcept {
        refused[static_cast<std::size_t>(kind)].add();
    }
    void count_end(std::size_t status, std::int64_t duration_us) noexcept {
        ended[status].add();
        duration.observe_us(duration_us);
    }
};

// The same at one moment, of all homes.
struct Totals {
    std::array<std::uint64_t, kCountedCodes.size()> decided{};
    std::array<std::uint64_t, kRefusalKinds> refused{};
    std::array<std::uint64_t, kEndings> ended{};
    metrics::Durations decision, duration;

    void add(const Counts& counts) {
        for (std::size_t i = 0; i < decided.size(); ++i) decided[i] += counts.decided[i].value();
        for (std::size_t i = 0; i < refused.size(); ++i) refused[i] += counts.refused[i].value();
        for (std::size_t i = 0; i < ended.size(); ++i) ended[i] += counts.ended[i].value();
        decision += counts.decision.read();
        duration += counts.duration.read();
    }
};

// `permit`, `hold` or `forbid`.
constexpr std::string_view verdict_of(std::string_view code) {
    if (code == "permitted") return "permit";
    return code == "held" ? "hold" : "forbid";
}

}  // namespace writ::gate
