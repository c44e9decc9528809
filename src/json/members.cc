#include "json/members.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/inert.h"
#include "base/limits.h"

namespace writ::json {

namespace {

tl::unexpected<Error> not_a(const std::string& path, std::string_view wanted) {
    const std::string where = path.empty() ? "the text" : "`" + path + "`";
    return fail(ErrorCode::kInvalid, fmt::format("{} must be {}", where, wanted));
}

}  // namespace

Status read_object(const Value& value, const std::string& path, const std::vector<Field>& fields) {
    if (!value.is_object()) return not_a(path, "an object");
    const std::string prefix = path.empty() ? "" : path + ".";
    for (const auto& [key, given] : value.members()) {
        const auto field = std::find_if(fields.begin(), fields.end(),
                                        [&](const Field& f) { return f.name == key; });
        if (field == fields.end()) {
            std::string known;
            for (const Field& f : fields)
                known += (known.empty() ? "`" : ", `") + std::string(f.name) + "`";
            return fail(ErrorCode::kInvalid,
                        fmt::format("unknown member `{}{}`, use one of {}", prefix,
                                    inert(key, kShownNameBytes), known));
        }
        if (auto taken = field->take(given, prefix + std::string(key)); !taken) return taken;
    }
    return {};
}

Status read_text(const Value& value, const std::string& path, std::string& out) {
    const auto text = value.as_string();
    if (!text) return not_a(path, "a string");
    out = *text;
    return {};
}

Status read_boolean(const Value& value, const std::string& path, bool& out) {
    const auto given = value.as_bool();
    if (!given) return not_a(path, "true or false");
    out = *given;
    return {};
}

Status read_integer(const Value& value, const std::string& path, std::int64_t max,
                    std::int64_t& out) {
    const auto number = value.as_i64();
    if (!number || *number < 0 || *number > max)
        return not_a(path, fmt::format("a whole number from 0 to {}", max));
    out = *number;
    return {};
}

Status read_array(const Value& value, const std::string& path, std::string_view of,
                  const std::function<Status(const Value&, const std::string&)>& take) {
    if (!value.is_array()) return not_a(path, fmt::format("an array of {}", of));
    std::size_t i = 0;
    for (const Value& element : value.elements())
        if (auto taken = take(element, fmt::format("{}[{}]", path, i++)); !taken) return taken;
    return {};
}

Status read_texts(const Value& value, const std::string& path, std::vector<std::string>& out) {
    return read_array(value, path, "strings", [&](const Value& element, const std::string& at) {
        return read_text(element, at, out.emplace_back());
    });
}

}  // namespace writ::json
