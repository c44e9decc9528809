// Schemas in the Cedar syntax: any bytes are read or refused with a place. What is read prints in
// both syntaxes, and both texts read back as the same schema.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cedar/schema.h"

namespace cedar = writ::cedar;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto schema = cedar::Schema::parse({reinterpret_cast<const char*>(data), size});
    if (!schema) {
        WRIT_CHECK(!schema.error().detail.empty() && schema.error().at.line > 0);
        return 0;
    }
    const auto text = schema->to_cedar();
    const auto json = schema->to_json();
    WRIT_CHECK(text.has_value() && json.has_value());
    const auto from_text = cedar::Schema::parse(*text);
    const auto from_json = cedar::Schema::parse_json(*json);
    WRIT_CHECK(from_text.has_value() && from_json.has_value());
    WRIT_CHECK(from_text->to_json().value() == *json && from_json->to_json().value() == *json);
    WRIT_CHECK(from_json->actions().size() == schema->actions().size());
    return 0;
}
