// The Cedar evaluator over policies, entities and context of the input's choice, each after a line
// `---`. The indexed lookup answers as trying every policy does, evaluate() tells the same story as
// authorize(), and every value's text reads back as the value.
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/check.h"
#include "cedar/policy_set.h"
#include "json/value.h"

namespace cedar = writ::cedar;
namespace json = writ::json;

namespace {

// What stands before the next line `---`; the rest is left in `text`.
std::string_view part(std::string_view& text) {
    constexpr std::string_view kLine = "\n---\n";
    const std::size_t at = text.find(kLine);
    const std::string_view out = text.substr(0, at);
    text = at == std::string_view::npos ? "" : text.substr(at + kLine.size());
    return out;
}

cedar::Value read_context(std::string_view text) {
    const auto document = json::parse(text);
    if (!document) return cedar::Value::record({});
    auto value = cedar::Value::from_json(document->root());
    return value ? *value : cedar::Value::record({});
}

void check_reads_back(const cedar::Request& request) {
    const auto policies = cedar::PolicySet::parse(
        "permit(principal, action, resource) when { context == " + request.context.text() + " };");
    if (!policies) return;  // nested deeper than an expression may be
    WRIT_CHECK(cedar::authorize(request, *policies, cedar::Entities()).decision ==
               cedar::Decision::kAllow);
}

void check_same_story(const cedar::Response& response,
                      const std::vector<cedar::PolicyOutcome>& outcomes) {
    std::set<std::string> permits, forbids, errors, reported;
    for (const auto& outcome : outcomes) {
        if (outcome.outcome == cedar::Outcome::kError) errors.insert(outcome.policy);
        if (outcome.outcome == cedar::Outcome::kSatisfied)
            (outcome.effect == cedar::Effect::kPermit ? permits : forbids).insert(outcome.policy);
    }
    for (const auto& error : response.errors) reported.insert(error.policy);
    const bool allow = forbids.empty() && !permits.empty();
    WRIT_CHECK(allow == (response.decision == cedar::Decision::kAllow));
    WRIT_CHECK(reported == errors);
    const std::set<std::string> reason(response.reason.begin(), response.reason.end());
    WRIT_CHECK(reason == (allow ? permits : forbids));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto policies = cedar::PolicySet::parse(part(text));
    if (!policies) return 0;
    auto entities = cedar::Entities::parse_json(part(text));
    const cedar::Entities store = entities ? std::move(*entities) : cedar::Entities();
    const cedar::Request request{
        {"User", "a"}, {"Action", "x"}, {"R", "r"}, read_context(part(text))};
    check_reads_back(request);
    const auto indexed = cedar::authorize(request, *policies, store);
    const auto scanned = cedar::authorize_with(cedar::Lookup::kScan, request, *policies, store);
    WRIT_CHECK(indexed.decision == scanned.decision && indexed.reason == scanned.reason);
    WRIT_CHECK(indexed.errors.size() == scanned.errors.size());
    check_same_story(indexed, cedar::evaluate(request, *policies, store));
    check_same_story(indexed, cedar::evaluate(request, *policies, store, true));
    return 0;
}
