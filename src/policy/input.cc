#include <fmt/format.h>

#include "base/inert.h"
#include "policy/policy.h"

namespace writ::policy {
namespace {

Result<cedar::Value> convert(const json::Value& value, const std::string& path) {
    switch (value.kind()) {
        case json::Kind::kBool:
            return cedar::Value::boolean(*value.as_bool());
        case json::Kind::kString:
            return cedar::Value::string(*value.as_string());
        case json::Kind::kNumber: {
            if (const auto integer = value.as_i64()) return cedar::Value::integer(*integer);
            return fail(
                ErrorCode::kInvalid,
                fmt::format("`{}` is `{}`: only whole numbers within 64 bits can be decided on",
                            inert(path, 200), inert(value.raw(), 40)));
        }
        case json::Kind::kNull:
            return fail(ErrorCode::kInvalid,
                        fmt::format("`{}` is null: leave it out instead", inert(path, 200)));
        case json::Kind::kArray: {
            std::vector<cedar::Value> elements;
            for (const json::Value element : value.elements()) {
                auto converted = convert(element, path + "[]");
                if (!converted) return converted;
                elements.push_back(std::move(*converted));
            }
            return cedar::Value::set(std::move(elements));
        }
        case json::Kind::kObject: {
            std::vector<std::pair<std::string, cedar::Value>> members;
            for (const json::Member& member : value.members()) {
                std::string name(member.key);
                auto converted = convert(member.value, path.empty() ? name : path + "." + name);
                if (!converted) return converted;
                members.emplace_back(std::move(name), std::move(*converted));
            }
            return cedar::Value::record(std::move(members));
        }
    }
    return fail(ErrorCode::kInternal, "a JSON value of no kind");
}

}  // namespace

Result<cedar::Value> input_value(const json::Value& arguments, const catalog::Tool& tool) {
    if (!arguments.is_object())
        return fail(ErrorCode::kInvalid,
                    fmt::format("the arguments of `{}` must be an object", tool.qualified()));
    return convert(arguments, "");
}

}  // namespace writ::policy
