// Schemas as JSON: any bytes are read or refused. What is read prints, and reads back the same; as
// Cedar text where that has words for it.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cedar/schema.h"

namespace cedar = writ::cedar;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto schema = cedar::Schema::parse_json({reinterpret_cast<const char*>(data), size});
    if (!schema) {
        WRIT_CHECK(!schema.error().detail.empty());
        return 0;
    }
    const auto json = schema->to_json();
    WRIT_CHECK(json.has_value());
    const auto again = cedar::Schema::parse_json(*json);
    WRIT_CHECK(again.has_value() && again->to_json().value() == *json);
    if (const auto text = schema->to_cedar()) WRIT_CHECK(cedar::Schema::parse(*text).has_value());
    return 0;
}
