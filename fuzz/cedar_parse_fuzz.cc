// The Cedar parser: any bytes are parsed or refused with a place. What is parsed has policies whose
// own text parses alone to the same policy, and can be asked.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cedar/cedar.h"

namespace cedar = writ::cedar;

namespace {

void check_alone(const cedar::PolicyInfo& policy) {
    const auto alone = cedar::PolicySet::parse(policy.text);
    WRIT_CHECK(alone.has_value() && alone->size() == 1);
    const auto again = alone->list()[0];
    WRIT_CHECK(again.effect == policy.effect && again.is_template == policy.is_template);
    WRIT_CHECK(again.annotations == policy.annotations && again.text == policy.text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto policies = cedar::PolicySet::parse(text);
    if (!policies) {
        WRIT_CHECK(!policies.error().detail.empty());
        return 0;
    }
    const auto list = policies->list();
    WRIT_CHECK(list.size() == policies->size());
    for (const auto& policy : list) check_alone(policy);
    const cedar::Request request{
        {"User", "a"}, {"Action", "x"}, {"R", "r"}, cedar::Value::record({})};
    cedar::authorize(request, *policies, cedar::Entities());
    return 0;
}
