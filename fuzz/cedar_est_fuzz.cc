// Policies as JSON: any bytes are read or refused. What is read is written, reads back the same,
// and its text is laid out without changing it.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cedar/cedar.h"
#include "cedar/formatter.h"

namespace cedar = writ::cedar;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    cedar::PolicySet policies;
    if (const auto added = policies.add_json("p", text); !added) {
        WRIT_CHECK(!added.error().detail.empty());
        const auto set = cedar::PolicySet::parse_json(text);
        if (!set) return 0;
        const auto json = set->to_json();
        if (!json) return 0;  // a limit
        // `has` of a path is longer and deeper when written, and may pass a limit.
        const auto again = cedar::PolicySet::parse_json(*json);
        WRIT_CHECK(again ? again->to_json().value() == *json
                         : again.error().code == writ::ErrorCode::kTooLarge);
        return 0;
    }
    const auto json = policies.policy_json("p");
    if (!json) return 0;  // a limit
    const auto formatted = cedar::format(policies.info("p")->text);
    WRIT_CHECK(formatted.has_value() && cedar::format(*formatted).value() == *formatted);
    cedar::PolicySet again;
    WRIT_CHECK(again.add("text", *formatted).has_value());
    WRIT_CHECK(again.policy_json("text").value() == *json);
    // Chains nest deeper as JSON than as text, and may pass the limit there.
    if (again.add_json("json", *json)) WRIT_CHECK(again.policy_json("json").value() == *json);
    return 0;
}
