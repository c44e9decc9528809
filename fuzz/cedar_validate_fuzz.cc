// Validation: a schema, a line `----`, then policies, and after another such line the JSON of
// entities and of a context. Whatever is read is validated, printed and asked; nothing may fall
// over, and what passes has no type error when it is evaluated.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "cedar/validator.h"

namespace cedar = writ::cedar;

namespace {

std::vector<std::string_view> parts(std::string_view text) {
    constexpr std::string_view kLine = "\n----\n";
    std::vector<std::string_view> out;
    while (true) {
        const std::size_t at = text.find(kLine);
        out.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return out;
        text.remove_prefix(at + kLine.size());
    }
}

// A policy that passed gives no type error on a request and entities that passed.
void ask(const cedar::Validator& validator, const cedar::PolicySet& policies,
         std::string_view entities_text, std::string_view context_text) {
    const auto entities = validator.read_entities(entities_text);
    const auto context = writ::json::parse(context_text);
    if (!entities || !context) return;
    for (const cedar::ActionInfo& action : validator.schema().actions()) {
        if (action.principals.empty() || action.resources.empty()) continue;
        const auto value = validator.read_context(context->root(), action.uid);
        if (!value) continue;
        const cedar::Request request{
            {action.principals[0], "a"}, action.uid, {action.resources[0], "a"}, *value};
        if (!validator.validate_request(request)) continue;
        for (const auto& error : cedar::authorize(request, policies, *entities).errors)
            WRIT_CHECK(!error.message.starts_with("type error"));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto given = parts({reinterpret_cast<const char*>(data), size});
    const auto schema = cedar::Schema::parse(given[0]);
    if (!schema || given.size() < 2) return 0;
    const auto policies = cedar::PolicySet::parse(given[1]);
    if (!policies) return 0;
    const cedar::Validator validator(*schema);
    cedar::ValidateOptions options;
    options.level = 1;
    options.redundant_parts = true;
    for (const auto& finding : validator.validate(*policies, options).findings)
        WRIT_CHECK(!finding.text().empty());
    if (given.size() < 4 || !validator.validate(*policies).passed()) return 0;
    ask(validator, *policies, given[2], given[3]);
    return 0;
}
