#include "cedar/data_reader.h"

#include <fmt/format.h>

#include "cedar/entities_json.h"
#include "cedar/names.h"

namespace writ::cedar {
namespace {

std::string_view constructor(TypeId type) {
    switch (type) {
        case kDecimalType:
            return "decimal";
        case kIpType:
            return "ip";
        case kDatetimeType:
            return "datetime";
        default:
            return "duration";
    }
}

class TypedReader {
  public:
    explicit TypedReader(const Schema::Impl& schema) : schema_(schema) {}

    // Recursion: as deep as the type, which the schema bounds.
    Result<Value> read(TypeId type, const json::Value& value, const std::string& path) {
        if (value.is_null()) return read_value(value, path);
        switch (schema_.types.kind(type)) {
            case TypeKind::kEntity: {
                if (!value.is_object()) return read_value(value, path);
                auto uid = read_uid(value, path);
                if (!uid) return fail(uid.error());
                return Value::entity(std::move(*uid));
            }
            case TypeKind::kSet:
                if (value.is_array()) return set(type, value, path);
                break;
            case TypeKind::kRecord:
                if (value.is_object()) return record(type, value, path);
                break;
            case TypeKind::kFixed:
                if (type >= kDecimalType) return extension(type, value, path);
                break;
        }
        return read_value(value, path);
    }

    // The members of an object that must be a record of the type.
    Result<std::vector<std::pair<std::string, Value>>> members(TypeId type,
                                                               const json::Value& value,
                                                               const std::string& path,
                                                               std::string_view what) {
        std::vector<std::pair<std::string, Value>> out;
        for (const json::Member& member : value.members()) {
            const TypeField* field = schema_.types.field(type, member.key);
            if (field == nullptr)
                return invalid_at(
                    path, fmt::format("{} `{}` should not exist according to the schema", what,
                                      member.key));
            auto read_member = read(field->type, member.value,
                                    path.empty() ? fmt::format("attribute `{}`", member.key)
                                                 : fmt::format("{}.{}", path, member.key));
            if (!read_member) return fail(read_member.error());
            out.emplace_back(std::string(member.key), std::move(*read_member));
        }
        return out;
    }

  private:
    Result<Value> set(TypeId type, const json::Value& value, const std::string& path) {
        const TypeId element_type = schema_.types.node(type).data;
        std::vector<Value> elements;
        for (const json::Value& element : value.elements()) {
            auto read_element =
                read(element_type, element, fmt::format("{}[{}]", path, elements.size()));
            if (!read_element) return fail(read_element.error());
            elements.push_back(std::move(*read_element));
        }
        return Value::set(std::move(elements));
    }

    Result<Value> record(TypeId type, const json::Value& value, const std::string& path) {
        auto read_members = members(type, value, path, "record attribute");
        if (!read_members) return fail(read_members.error());
        for (const TypeField& field : schema_.types.fields(type))
            if (field.required && !value.find(field.name))
                return invalid_at(path,
                                  fmt::format("expected the record to have an attribute `{}`, "
                                              "but it does not",
                                              field.name));
        return Value::record(std::move(*read_members));
    }

    // "text", {"fn", "arg" or "args"}, or that in {"__extn": …}
    Result<Value> extension(TypeId type, const json::Value& value, const std::string& path) {
        if (const auto text = value.as_string()) {
            auto made = Value::extension(constructor(type), *text);
            if (!made) return invalid_at(path, made.error().detail);
            return made;
        }
        if (value.is_object() && value.find("fn")) return read_extension_call(value, path);
        return read_value(value, path);
    }

    const Schema::Impl& schema_;
};

}  // namespace

Result<Value> read_typed(const Schema::Impl& schema, TypeId type, const json::Value& value,
                         const std::string& path) {
    return TypedReader(schema).read(type, value, path);
}

Result<Value> read_typed_context(const Schema::Impl& schema, const ActionDef& action,
                                 const json::Value& value) {
    if (!value.is_object())
        return invalid_at("", fmt::format("while parsing context, expected a record, but got `{}`",
                                          value.raw().substr(0, 100)));
    auto read = TypedReader(schema).read(action.context, value, "");
    if (!read) {
        Error error = read.error();
        error.detail = "while parsing context, " + error.detail;
        return fail(std::move(error));
    }
    return read;
}

Result<EntityData> read_typed_entity(const Schema::Impl& schema, const json::Value& value) {
    const auto uid_value = value.is_object() ? value.find("uid") : std::nullopt;
    const auto uid = uid_value ? read_uid(*uid_value, "uid field of <unknown entity>")
                               : Result<EntityUid>(invalid_at("", ""));
    const EntityTypeDef* def = uid ? schema.entity_type(uid->type) : nullptr;
    // What the untyped reader refuses is refused in its words, and actions have no attributes.
    if (def == nullptr || def->is_action) return read_entity(value);
    EntityData out;
    out.uid = *uid;
    const std::string shown = "`" + out.uid.text() + "`";
    TypedReader reader(schema);
    if (const auto attributes = value.find("attrs"); attributes && attributes->is_object()) {
        for (const json::Member& member : attributes->members()) {
            const TypeField* field = schema.types.field(def->shape, member.key);
            if (field == nullptr)
                return invalid_at("",
                                  fmt::format("attribute `{}` on {} should not exist according to "
                                              "the schema",
                                              member.key, shown));
            auto read = reader.read(field->type, member.value,
                                    fmt::format("attribute `{}` on {}", member.key, shown));
            if (!read) return fail(read.error());
            out.attributes.emplace_back(std::string(member.key), std::move(*read));
        }
    } else {
        return read_entity(value);  // which says what is wrong with it
    }
    if (const auto tags = value.find("tags")) {
        if (!tags->is_object()) return read_entity(value);
        for (const json::Member& member : tags->members()) {
            const std::string path = fmt::format("tag `{}` on {}", member.key, shown);
            auto read = def->tags == kNoType ? read_value(member.value, path)
                                             : reader.read(def->tags, member.value, path);
            if (!read) return fail(read.error());
            out.tags.emplace_back(std::string(member.key), std::move(*read));
        }
    }
    const auto parents = value.find("parents");
    if (!parents || !parents->is_array()) return read_entity(value);
    for (const json::Value& parent : parents->elements()) {
        auto read = read_uid(parent, "parents field of " + shown);
        if (!read) return fail(read.error());
        out.parents.push_back(std::move(*read));
    }
    return out;
}

}  // namespace writ::cedar
