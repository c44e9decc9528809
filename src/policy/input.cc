// Arguments as the record that policies see: every value exactly as its shape says, or refused with
// the argument's path. Nothing is rounded, guessed or skipped.
#include "policy/input.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/inert.h"
#include "json/node.h"
#include "policy/policy.h"
#include "policy/scalars.h"

namespace writ::policy {
namespace {

using cedar::Value;
using Members = std::vector<std::pair<std::string, Value>>;

Result<std::optional<Value>> convert(const json::Value& value, const Shape& shape,
                                     const std::string& path);

tl::unexpected<Error> refused(const std::string& path, std::string_view what) {
    return fail(ErrorCode::kInvalid, fmt::format("`{}` {}", inert(path, 200), what));
}

std::string_view kind_name(json::Kind kind) {
    constexpr std::string_view names[] = {"null",     "a boolean", "a number",
                                          "a string", "an array",  "an object"};
    return names[static_cast<std::size_t>(kind)];
}

std::string child(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : path + "." + std::string(name);
}

Result<Value> json_text(const json::Value& value, const std::string& path) {
    const auto text = json::canonicalize(value);
    if (!text) return refused(path, "has no canonical form: " + text.error().detail);
    return Value::string(*text);
}

// Writ::Any: the canonical text, and the value where it is a scalar.
Result<std::optional<Value>> any_value(const json::Value& value, const std::string& path) {
    auto text = json_text(value, path);
    if (!text) return fail(text.error());
    Members members = {{"json", std::move(*text)}};
    if (value.is_bool()) members.emplace_back("boolean", Value::boolean(*value.as_bool()));
    if (value.is_string()) members.emplace_back("string", Value::string(*value.as_string()));
    if (value.is_number())
        if (const auto integer = exact_integer(value.raw()))
            members.emplace_back("integer", Value::integer(*integer));
    return std::optional<Value>(Value::record(std::move(members)));
}

Result<Value> number_value(const json::Value& value, Shape::Number number,
                           const std::string& path) {
    if (number == Shape::Number::kLong) {
        if (const auto integer = exact_integer(value.raw())) return Value::integer(*integer);
        return refused(path, fmt::format("is `{}`: only whole numbers within 64 bits can be "
                                         "decided on",
                                         inert(value.raw(), 40)));
    }
    const auto scaled = exact_decimal(value.raw());
    if (!scaled)
        return refused(path, fmt::format("is `{}`: only numbers with at most four decimals, below "
                                         "10^15, can be decided on",
                                         inert(value.raw(), 40)));
    const auto magnitude =
        *scaled < 0 ? 0 - static_cast<std::uint64_t>(*scaled) : static_cast<std::uint64_t>(*scaled);
    return Value::extension("decimal", fmt::format("{}{}.{:04}", *scaled < 0 ? "-" : "",
                                                   magnitude / 10'000, magnitude % 10'000));
}

Result<Value> text_value(const json::Value& value, Shape::Text text, const std::string& path) {
    const std::string_view raw = *value.as_string();
    switch (text) {
        case Shape::Text::kDatetime:
            if (const auto ms = datetime_ms(raw)) return Value::datetime_ms(*ms);
            return refused(path, "is not a date or date-time of RFC 3339");
        case Shape::Text::kDuration:
            if (const auto ms = duration_ms(raw))
                return Value::extension("duration", fmt::format("{}ms", *ms));
            return refused(path, "is not a duration of ISO 8601");
        case Shape::Text::kIp:
            if (auto ip = Value::extension("ip", raw)) return ip;
            return refused(path, "is not an IP address");
        default:
            return Value::string(raw);
    }
}

Result<Value> tuple_value(const json::Value& value, const ArrayShape& array,
                          const std::string& path) {
    const auto elements = value.elements();
    if (elements.size() > array.at.size())
        return refused(path, fmt::format("has {} elements; the tool takes {}", elements.size(),
                                         array.at.size()));
    Members members;
    for (std::size_t i = 0; i < array.at.size(); ++i) {
        const std::string place = fmt::format("{}[{}]", path, i);
        if (i >= elements.size()) {
            if (array.at[i].required) return refused(place, "is missing");
            continue;
        }
        auto converted = convert(elements[i], *array.at[i].shape, place);
        if (!converted) return fail(converted.error());
        if (*converted) members.emplace_back(fmt::format("_{}", i), std::move(**converted));
    }
    return Value::record(std::move(members));
}

Result<Value> array_value(const json::Value& value, const ArrayShape& array,
                          const std::string& path) {
    if (!array.element) return tuple_value(value, array, path);
    std::vector<Value> elements;
    std::size_t at = 0;
    for (const json::Value& element : value.elements()) {
        auto converted = convert(element, *array.element, fmt::format("{}[{}]", path, at++));
        if (!converted) return fail(converted.error());
        if (*converted) elements.push_back(std::move(**converted));
    }
    return Value::set(std::move(elements));
}

// `"*"`: the names of the members that the schema does not name, and their canonical JSON.
Result<Value> others_value(const std::vector<json::Member>& others, const ObjectShape& object,
                           const std::string& path) {
    std::string text = "{";
    std::vector<Value> names, values;
    for (const json::Member& member : others) {
        if (text.size() > 1) text += ',';
        json::append_string(text, member.key);
        text += ':';
        text += member.value.raw();
        names.push_back(Value::string(member.key));
        if (!object.extra || (object.extra->kinds() == 0 && !object.extra->any)) continue;
        auto converted = convert(member.value, *object.extra, child(path, member.key));
        if (!converted) return fail(converted.error());
        if (*converted) values.push_back(std::move(**converted));
    }
    text += '}';
    const auto parsed = json::parse(text, {.bytes_max = text.size() + 1});
    if (!parsed) return refused(path, parsed.error().detail);
    auto canonical = json_text(parsed->root(), path);
    if (!canonical) return fail(canonical.error());
    Members members = {{"json", std::move(*canonical)}, {"names", Value::set(std::move(names))}};
    if (object.extra && (object.extra->any || object.extra->kinds() > 0))
        members.emplace_back("values", Value::set(std::move(values)));
    return Value::record(std::move(members));
}

Result<Value> object_value(const json::Value& value, const ObjectShape& object,
                           const std::string& path) {
    Members members;
    std::vector<json::Member> others;
    std::size_t required = 0;
    for (const json::Member& member : value.members()) {
        const auto found = object.members.find(member.key);
        if (found == object.members.end()) {
            if (!object.open)
                return refused(child(path, member.key), "is not an argument of this tool");
            others.push_back(member);
            continue;
        }
        if (found->second.required) ++required;
        auto converted = convert(member.value, *found->second.shape, child(path, member.key));
        if (!converted) return fail(converted.error());
        if (*converted) members.emplace_back(std::string(member.key), std::move(**converted));
    }
    const auto needed = std::count_if(object.members.begin(), object.members.end(),
                                      [](const auto& m) { return m.second.required; });
    if (static_cast<std::ptrdiff_t>(required) < needed)
        for (const auto& [name, member] : object.members)
            if (member.required && !value.find(name))
                return refused(child(path, name), "is missing: the tool's schema requires it");
    if (!others.empty() && !object.members.contains("*")) {
        auto rest = others_value(others, object, path);
        if (!rest) return rest;
        members.emplace_back("*", std::move(*rest));
    }
    return Value::record(std::move(members));
}

Result<Value> of_kind(const json::Value& value, const Shape& shape, const std::string& path) {
    switch (value.kind()) {
        case json::Kind::kBool:
            if (shape.boolean) return Value::boolean(*value.as_bool());
            break;
        case json::Kind::kNumber:
            if (shape.number != Shape::Number::kNone)
                return number_value(value, shape.number, path);
            break;
        case json::Kind::kString:
            if (shape.text != Shape::Text::kNone) return text_value(value, shape.text, path);
            break;
        case json::Kind::kArray:
            if (shape.array) return array_value(value, *shape.array, path);
            break;
        case json::Kind::kObject:
            if (shape.object) return object_value(value, *shape.object, path);
            break;
        case json::Kind::kNull:
            return refused(path, "is null: leave it out instead");
    }
    return refused(path, fmt::format("is {}, which the tool's schema does not allow there",
                                     kind_name(value.kind())));
}

std::string_view choice_name(json::Kind kind, const Shape& shape) {
    switch (kind) {
        case json::Kind::kBool:
            return "boolean";
        case json::Kind::kNumber:
            return shape.number == Shape::Number::kLong ? "integer" : "number";
        case json::Kind::kString:
            return "string";
        case json::Kind::kArray:
            return "array";
        default:
            return "object";
    }
}

// Nothing where the value is a null that the schema allows.
Result<std::optional<Value>> convert(const json::Value& value, const Shape& shape,
                                     const std::string& path) {
    if (shape.any) return any_value(value, path);
    if (value.is_null() && shape.null) return std::optional<Value>();
    auto out = of_kind(value, shape, path);
    if (!out) return fail(out.error());
    if (shape.kinds() == 1) return std::optional<Value>(std::move(*out));
    return std::optional<Value>(
        Value::record({{std::string(choice_name(value.kind(), shape)), std::move(*out)}}));
}

}  // namespace

Result<cedar::Value> input_value(const json::Value& arguments, const Shape& shape) {
    if (!arguments.is_object()) return fail(ErrorCode::kInvalid, "the arguments must be an object");
    return object_value(arguments, *shape.object, "");
}

Result<cedar::Value> input_value(const json::Value& arguments, const catalog::Tool& tool) {
    return input_value(arguments, *read_shape(std::string_view(tool.input_schema)).root);
}

}  // namespace writ::policy
