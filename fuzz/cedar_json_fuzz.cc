// Cedar's JSON of entities and, after a line `---`, of a context: read with and without a schema.
// What a schema's reader accepts is valid by that schema, and a value's text reads back as the
// value.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "cedar/policy_set.h"
#include "cedar/validator.h"
#include "json/value.h"

namespace cedar = writ::cedar;
namespace json = writ::json;

namespace {

constexpr std::string_view kSchema = R"(
entity G in G;
entity E enum ["x", "y"];
entity User in G {
    n?: Long, b?: Bool, s?: String, e?: E, u?: User, set?: Set<Long>, users?: Set<User>,
    r?: {a: Long, b?: {c: String}}, d?: decimal, ip?: ipaddr, t?: datetime, du?: duration
} tags Set<String>;
action all;
action view in all appliesTo {
    principal: User, resource: [User, E],
    context: {n?: Long, u?: User, e?: E, ip?: ipaddr, t?: datetime, du?: duration, d?: decimal,
              set?: Set<ipaddr>, r?: {a: Bool, "b c"?: Set<{k: E}>}}
};
)";

const cedar::Validator& validator() {
    static const cedar::Validator of(cedar::Schema::parse(kSchema).value());
    return of;
}

void check_reads_back(const cedar::Value& value) {
    const auto policies = cedar::PolicySet::parse(
        "permit(principal, action, resource) when { context == " + value.text() + " };");
    if (!policies) return;  // nested deeper than an expression may be
    const cedar::Request request{{"User", "a"}, {"Action", "view"}, {"E", "x"}, value};
    WRIT_CHECK(cedar::authorize(request, *policies, cedar::Entities()).decision ==
               cedar::Decision::kAllow);
}

void read_context(std::string_view text) {
    const auto document = json::parse(text);
    if (!document) return;
    if (const auto plain = cedar::Value::from_json(document->root());
        plain && document->root().is_object())
        check_reads_back(*plain);
    const cedar::EntityUid view{"Action", "view"};
    const auto typed = validator().read_context(document->root(), view);
    if (!typed) {
        WRIT_CHECK(!typed.error().detail.empty());
        return;
    }
    WRIT_CHECK(validator().validate_context(*typed, view).has_value());
    check_reads_back(*typed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::string_view kLine = "\n---\n";
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t at = text.find(kLine);
    const std::string_view entities = text.substr(0, at);
    const auto plain = cedar::Entities::parse_json(entities);
    const auto typed = validator().read_entities(entities);
    if (!plain) WRIT_CHECK(!plain.error().detail.empty());
    if (!typed) WRIT_CHECK(!typed.error().detail.empty());
    read_context(at == std::string_view::npos ? text : text.substr(at + kLine.size()));
    return 0;
}
