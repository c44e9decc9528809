// Trust policies: the log's reader and the separate verifier's accept the same and count the same
// witnesses.
#include <cstdint>
#include <string>

#include "apps/writ-verify/note.h"
#include "base/check.h"
#include "ledger/policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto policy = writ::ledger::TrustPolicy::parse(text, "policy");
    std::string why;
    const auto other = writ::verify::parse_policy(text, why);
    if (!policy) return 0;  // the verifier is milder about control characters and the last newline
    WRIT_CHECK(other.has_value());
    WRIT_CHECK(other->logs.size() == policy->logs().size());
    WRIT_CHECK(other->quorum == policy->quorum());
    const auto verdict = policy->judge("text\n", {});
    WRIT_CHECK(verdict.has_value());
    WRIT_CHECK(verdict->quorum == writ::verify::quorum_of({}, *other).met);
    return 0;
}
