#include "cedar/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace writ::cedar {
namespace {

constexpr std::size_t kFindingsMax = 100;   // errors of one policy, and as many warnings
constexpr std::size_t kOffendingMax = 120;  // bytes

// At most kOffendingMax bytes, cut between characters.
std::string shortened(std::string_view text) {
    if (text.size() <= kOffendingMax) return std::string(text);
    std::size_t end = kOffendingMax;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return std::string(text.substr(0, end)) + "…";
}

}  // namespace

std::string_view name(FindingKind kind) {
    static constexpr std::array<std::string_view, 21> kNames = {
        "unknown_entity_type",
        "unknown_action",
        "unknown_enum_id",
        "no_applicable_action",
        "unexpected_type",
        "incompatible_types",
        "unknown_attribute",
        "unsafe_attribute",
        "unsafe_tag",
        "no_tags",
        "empty_set",
        "wrong_arity",
        "non_literal_constructor",
        "bad_extension_literal",
        "level",
        "limit",
        "impossible_policy",
        "always_true",
        "always_false",
        "unreachable",
        "confusing_text",
    };
    return kNames[static_cast<std::size_t>(kind)];
}

std::string Finding::text() const {
    const Error located{ErrorCode::kInvalid, fmt::format("policy `{}`: {}", policy, message), at};
    return located.message() + (help.empty() ? "" : ": " + help);
}

bool Validation::passed() const {
    return std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
        return finding.severity == Severity::kError;
    });
}

bool PolicyFindings::fresh(FindingKind kind, std::uint32_t place, std::uint64_t detail) {
    const bool error = kind < FindingKind::kImpossiblePolicy;
    failed_ = failed_ || error;
    std::size_t& count = error ? errors_seen_ : warnings_seen_;
    if (count >= kFindingsMax || !seen_.emplace(kind, place, detail).second) return false;
    ++count;
    return true;
}

void PolicyFindings::add(Severity severity, FindingKind kind, std::uint32_t begin,
                         std::uint32_t end, std::string message, std::string help) {
    failed_ = failed_ || severity == Severity::kError;
    Finding finding;
    finding.severity = severity;
    finding.kind = kind;
    finding.policy = std::string(id_);
    if (policy_.source != nullptr) {
        finding.at = policy_.source->at(begin);
        finding.offending = shortened(policy_.text(begin, end));
    }
    finding.message = std::move(message);
    finding.help = std::move(help);
    (severity == Severity::kError ? errors_ : warnings_).push_back(std::move(finding));
}

std::vector<Finding> PolicyFindings::take() {
    std::vector<Finding> out = std::move(errors_);
    std::move(warnings_.begin(), warnings_.end(), std::back_inserter(out));
    return out;
}

}  // namespace writ::cedar
