// Cedar's JSON: values with their escapes, and the array of entities.
//
//   {"uid": {"type", "id"}, "attrs": {…}, "parents": [uid…], "tags": {…}?}
//
// An object with the single key `__entity` or `__extn` is an entity or a call of an extension,
// evaluated here; every other object is a record.
#include "cedar/entities_json.h"

#include <fmt/format.h>

#include <algorithm>

#include "cedar/extension.h"
#include "cedar/names.h"
#include "cedar/value.h"
#include "json/value.h"

namespace writ::cedar {
namespace {

class ValueReader {
  public:
    Result<Value> read(const json::Value& value, const std::string& path, std::size_t depth) {
        if (depth > kValueDepthMax)
            return invalid_at(path, fmt::format("values may nest at most {} deep", kValueDepthMax));
        switch (value.kind()) {
            case json::Kind::kNull:
                return invalid_at(path, "found a `null`; JSON `null`s are not allowed in Cedar");
            case json::Kind::kBool:
                return Value::boolean(*value.as_bool());
            case json::Kind::kNumber:
                if (const auto number = value.as_i64()) return Value::integer(*number);
                return invalid_at(path,
                                  fmt::format("`{}` is not a 64-bit integer; there is no other "
                                              "number in Cedar (but decimals as extension "
                                              "values)",
                                              value.raw()));
            case json::Kind::kString:
                return Value::string(*value.as_string());
            case json::Kind::kArray:
                return set(value, path, depth);
            case json::Kind::kObject:
                break;
        }
        return object(value, path, depth);
    }

    // The members of a record as they are, without looking for escapes.
    Result<std::vector<std::pair<std::string, Value>>> members(const json::Value& value,
                                                               const std::string& path,
                                                               std::size_t depth) {
        std::vector<std::pair<std::string, Value>> out;
        for (const json::Member& member : value.members()) {
            const std::string key(member.key);
            auto read_member = read(member.value, path.empty() ? key : path + "." + key, depth + 1);
            if (!read_member) return fail(read_member.error());
            out.emplace_back(key, std::move(*read_member));
        }
        return out;
    }

    // {"fn": name, "arg": value} or {"fn": name, "args": [value…]}
    Result<Value> extension(const json::Value& call, const std::string& path, std::size_t depth) {
        const auto name = call.string("fn");
        const auto single = call.find("arg");
        const auto several = call.find("args");
        const bool one_way = single.has_value() != several.has_value() && call.size() == 2;
        if (!name || !one_way || (several && !several->is_array()))
            return invalid_at(path, "an `__extn` escape has a `fn` and an `arg` or `args`");
        const auto function = find_function(*name);
        if (!function || !info(*function).gives_extension)
            return invalid_at(path, fmt::format("`{}` is not a function that gives an extension "
                                                "value",
                                                *name));
        std::vector<json::Value> given;
        if (single)
            given.push_back(*single);
        else
            given = several->elements();
        std::vector<Value> arguments;
        for (const json::Value& argument : given) {
            auto read_argument = read(argument, path, depth + 1);
            if (!read_argument) return fail(read_argument.error());
            arguments.push_back(std::move(*read_argument));
        }
        std::vector<Cell> cells;
        std::transform(arguments.begin(), arguments.end(), std::back_inserter(cells), Cell::of);
        IpNet place;
        const auto result = call_function(*function, cells, place);
        if (!result) return invalid_at(path, result.error());
        return result->to_value();
    }

  private:
    Result<Value> set(const json::Value& value, const std::string& path, std::size_t depth) {
        std::vector<Value> elements;
        for (const json::Value& element : value.elements()) {
            auto read_element =
                read(element, fmt::format("{}[{}]", path, elements.size()), depth + 1);
            if (!read_element) return fail(read_element.error());
            elements.push_back(std::move(*read_element));
        }
        return Value::set(std::move(elements));
    }

    Result<Value> object(const json::Value& value, const std::string& path, std::size_t depth) {
        if (value.size() == 1) {
            if (value.find("__entity")) {
                auto uid = read_uid(value, path);
                if (!uid) return fail(uid.error());
                return Value::entity(std::move(*uid));
            }
            if (const auto call = value.find("__extn")) return extension(*call, path, depth);
            if (value.find("__expr"))
                return invalid_at(path, "the `__expr` escape is no longer supported");
        }
        auto record = members(value, path, depth);
        if (!record) return fail(record.error());
        return Value::record(std::move(*record));
    }
};

Result<json::Value> required(const json::Value& object, std::string_view key, json::Kind kind,
                             std::string_view path) {
    const auto value = object.find(key);
    if (!value) return invalid_at(path, fmt::format("missing field `{}`", key));
    if (value->kind() != kind)
        return invalid_at(path, fmt::format("field `{}` is not an {}", key,
                                            kind == json::Kind::kArray ? "array" : "object"));
    return *value;
}

}  // namespace

tl::unexpected<Error> invalid_at(std::string_view path, std::string message) {
    if (path.empty()) return fail(ErrorCode::kInvalid, std::move(message));
    return fail(ErrorCode::kInvalid, fmt::format("in {}, {}", path, message));
}

Result<EntityUid> read_uid(const json::Value& value, std::string_view path) {
    const auto escaped = value.size() == 1 ? value.find("__entity") : std::nullopt;
    const json::Value& body = escaped ? *escaped : value;
    const auto type = body.string("type");
    const auto id = body.string("id");
    if (!type || !id)
        return invalid_at(path, fmt::format("expected a literal entity reference, but got `{}`: "
                                            "write {{\"type\": …, \"id\": …}}",
                                            value.raw().substr(0, 100)));
    if (!is_normalized_name(*type))
        return invalid_at(path, fmt::format("`{}` is no normalized name of an entity type: "
                                            "identifiers joined by `::`, without spaces",
                                            *type));
    return EntityUid{std::string(*type), std::string(*id)};
}

Result<EntityData> read_entity(const json::Value& value) {
    if (!value.is_object())
        return invalid_at(
            "", fmt::format("expected an entity, but got `{}`", value.raw().substr(0, 100)));
    const auto uid_value = value.find("uid");
    if (!uid_value) return invalid_at("an entity", "missing field `uid`");
    auto uid = read_uid(*uid_value, "uid field of <unknown entity>");
    if (!uid) return fail(uid.error());
    EntityData out;
    out.uid = std::move(*uid);
    const std::string shown = "`" + out.uid.text() + "`";

    ValueReader reader;
    const auto attributes = required(value, "attrs", json::Kind::kObject, shown);
    if (!attributes) return fail(attributes.error());
    auto members = reader.members(*attributes, "", 0);
    if (!members) return fail(members.error().in("attributes of " + shown));
    out.attributes = std::move(*members);

    if (value.find("tags")) {
        const auto tags = required(value, "tags", json::Kind::kObject, shown);
        if (!tags) return fail(tags.error());
        auto read_tags = reader.members(*tags, "", 0);
        if (!read_tags) return fail(read_tags.error().in("tags of " + shown));
        out.tags = std::move(*read_tags);
    }

    const auto parents = required(value, "parents", json::Kind::kArray, shown);
    if (!parents) return fail(parents.error());
    for (const json::Value& parent : parents->elements()) {
        auto read_parent = read_uid(parent, "parents field of " + shown);
        if (!read_parent) return fail(read_parent.error());
        out.parents.push_back(std::move(*read_parent));
    }
    return out;
}

Result<Value> read_value(const json::Value& value, const std::string& path) {
    return ValueReader().read(value, path, 0);
}

Result<Value> read_extension_call(const json::Value& call, const std::string& path) {
    return ValueReader().extension(call, path, 0);
}

Result<Value> Value::from_json(const json::Value& value) {
    return ValueReader().read(value, "", 0);
}

Result<Entities> Entities::parse_json(std::string_view text) {
    json::ParseLimits limits;
    limits.bytes_max = kEntitiesBytesMax;
    limits.depth_max = kValueDepthMax;
    const auto document = json::parse(text, limits);
    if (!document) return fail(document.error().in("entities"));
    const json::Value root = document->root();
    if (!root.is_array()) return fail(ErrorCode::kInvalid, "entities: expected an array");
    if (root.size() > kEntitiesMax)
        return fail(
            ErrorCode::kTooLarge,
            fmt::format("entities: {} of them, a store has at most {}", root.size(), kEntitiesMax));
    std::vector<EntityData> entities;
    for (const json::Value& element : root.elements()) {
        auto entity = read_entity(element);
        if (!entity) return fail(entity.error().in("entities"));
        entities.push_back(std::move(*entity));
    }
    return build(std::move(entities));
}

}  // namespace writ::cedar
