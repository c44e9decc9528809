#include "cedar/conformance.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "cedar/escape.h"
#include "cedar/names.h"

namespace writ::cedar {
namespace {

constexpr std::size_t kValueShownMax = 200;  // bytes of a value in an error

tl::unexpected<Error> invalid(std::string message) {
    return fail(ErrorCode::kInvalid, std::move(message));
}

std::string shown(const Value& value) {
    std::string text = value.text();
    if (text.size() <= kValueShownMax) return text;
    std::size_t end = kValueShownMax;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return text.substr(0, end) + "…";
}

// The type as the messages about data name it.
std::string wanted(const Schema::Impl& schema, TypeId type) {
    if (is_bool(type)) return "bool";
    if (type == kLongType) return "long";
    if (type == kStringType) return "string";
    return "`" + type_text(schema, schema.types, type) + "`";
}

Type data_type(TypeId type) {
    switch (type) {
        case kLongType:
            return Type::kLong;
        case kStringType:
            return Type::kString;
        case kDecimalType:
            return Type::kDecimal;
        case kIpType:
            return Type::kIp;
        case kDatetimeType:
            return Type::kDatetime;
        case kDurationType:
            return Type::kDuration;
        default:
            return Type::kBool;
    }
}

std::string wrong_type(const Schema::Impl& schema, TypeId type, const Cell& value) {
    return fmt::format(
        "type mismatch: value was expected to have type {}, but it actually has "
        "type {}: `{}`",
        wanted(schema, type), type_name(value), shown(value.to_value()));
}

std::optional<std::string> record_mismatch(const Schema::Impl& schema, TypeId type,
                                           const RecordView& record) {
    for (const TypeField& field : schema.types.fields(type)) {
        Cell member;
        if (!record.find(field.name, member)) {
            if (!field.required) continue;
            return fmt::format("expected the record to have attribute `{}`, but it does not",
                               field.name);
        }
        if (auto wrong = mismatch(schema, field.type, member))
            return fmt::format("in attribute `{}`, {}", field.name, *wrong);
    }
    for (std::size_t i = 0; i < record.size(); ++i)
        if (schema.types.field(type, record.key(i)) == nullptr)
            return fmt::format("record attribute `{}` should not exist according to the schema",
                               record.key(i));
    return std::nullopt;
}

using Members = std::vector<std::pair<std::string, Value>>;

Status check_attributes(const Schema::Impl& schema, const EntityTypeDef& def,
                        const EntityData& entity) {
    const auto value_of = [&](std::string_view name) -> const Value* {
        const auto at = std::find_if(entity.attributes.begin(), entity.attributes.end(),
                                     [&](const auto& member) { return member.first == name; });
        return at == entity.attributes.end() ? nullptr : &at->second;
    };
    for (const TypeField& field : schema.types.fields(def.shape))
        if (field.required && value_of(field.name) == nullptr)
            return invalid(
                fmt::format("expected entity `{}` to have attribute `{}`, but it does "
                            "not",
                            entity.uid.text(), field.name));
    for (const auto& [key, value] : entity.attributes) {
        const TypeField* field = schema.types.field(def.shape, key);
        if (field == nullptr)
            return invalid(
                fmt::format("attribute `{}` on `{}` should not exist according to the "
                            "schema",
                            key, entity.uid.text()));
        const Cell cell = Cell::of(value);
        auto wrong = mismatch(schema, field->type, cell);
        if (!wrong) wrong = bad_uid(schema, cell);
        if (wrong)
            return invalid(
                fmt::format("in attribute `{}` on `{}`, {}", key, entity.uid.text(), *wrong));
    }
    return {};
}

Status check_tags(const Schema::Impl& schema, const EntityTypeDef& def, const EntityData& entity) {
    for (const auto& [key, value] : entity.tags) {
        if (def.tags == kNoType)
            return invalid(
                fmt::format("found a tag `{}` on `{}`, but no tags should exist on `{}` "
                            "according to the schema",
                            key, entity.uid.text(), entity.uid.text()));
        const Cell cell = Cell::of(value);
        auto wrong = mismatch(schema, def.tags, cell);
        if (!wrong) wrong = bad_uid(schema, cell);
        if (wrong)
            return invalid(fmt::format("in tag `{}` on `{}`, {}", key, entity.uid.text(), *wrong));
    }
    return {};
}

Status check_entity(const Schema::Impl& schema, const EntityData& entity) {
    const EntityTypeDef* def = schema.entity_type(entity.uid.type);
    if (def == nullptr)
        return invalid(fmt::format("entity `{}` has type `{}` which is not declared in the schema",
                                   entity.uid.text(), entity.uid.type));
    if (const auto bad = bad_uid(schema, entity.uid)) return invalid(*bad);
    if (auto status = check_attributes(schema, *def, entity); !status) return status;
    for (const EntityUid& parent : entity.parents) {
        const EntityTypeDef* above = schema.entity_type(parent.type);
        if (above == nullptr || !def->ancestors.contains(schema.index_of(*above)))
            return invalid(
                fmt::format("`{}` is not allowed to have an ancestor of type `{}` "
                            "according to the schema",
                            entity.uid.text(), parent.type));
        if (const auto bad = bad_uid(schema, parent)) return invalid(*bad);
    }
    return check_tags(schema, *def, entity);
}

using GivenActions = std::unordered_map<UidRef, const EntityData*, UidRefHash>;

// An action must be what the schema says: without attributes and tags, and with the same ancestors,
// as they follow from the parents of all actions that are given.
Status check_action(const Schema::Impl& schema, const GivenActions& given,
                    const EntityData& entity) {
    const ActionDef* action = schema.action({hash_uid(entity.uid), &entity.uid});
    if (action == nullptr)
        return invalid(
            fmt::format("found action entity `{}`, but it was not declared as an action "
                        "in the schema",
                        entity.uid.text()));
    IndexSet found(schema.actions.size());
    bool same = entity.attributes.empty() && entity.tags.empty();
    std::vector<const EntityData*> open = {&entity};
    while (same && !open.empty()) {
        const EntityData* below = open.back();
        open.pop_back();
        for (const EntityUid& parent : below->parents) {
            const UidRef ref{hash_uid(parent), &parent};
            const ActionDef* above = schema.action(ref);
            same = above != nullptr && action->ancestors.contains(schema.index_of(*above));
            if (!same) break;
            if (found.contains(schema.index_of(*above))) continue;
            found.insert(schema.index_of(*above));
            if (const auto at = given.find(ref); at != given.end()) open.push_back(at->second);
        }
    }
    if (same && !found.unite(action->ancestors)) return {};
    return invalid(
        fmt::format("definition of action `{}` does not match its schema declaration: "
                    "leave actions out of the entities, the schema adds them",
                    entity.uid.text()));
}

Status check_one_of(const Schema::Impl& schema, std::string_view role, const EntityUid& uid,
                    const std::vector<std::uint32_t>& types, const ActionDef& action) {
    const EntityTypeDef* def = schema.entity_type(uid.type);
    if (def != nullptr && std::binary_search(types.begin(), types.end(), schema.index_of(*def)))
        return {};
    std::string names;
    for (const std::uint32_t i : types)
        names += (names.empty() ? "`" : ", `") + schema.entity_types[i].name + "`";
    return invalid(fmt::format("{} type `{}` is not valid for `{}`: valid {} types: {}", role,
                               uid.type, action.uid.uid.text(), role,
                               names.empty() ? "none" : names));
}

}  // namespace

// Recursion: as deep as the type.
std::optional<std::string> mismatch(const Schema::Impl& schema, TypeId type, const Cell& value) {
    switch (schema.types.kind(type)) {
        case TypeKind::kFixed:
            if (value.is(data_type(type))) return std::nullopt;
            break;
        case TypeKind::kEntity:
            if (value.is(Type::kEntity) &&
                value.uid().uid->type == schema.entity_types[schema.types.node(type).data].name)
                return std::nullopt;
            break;
        case TypeKind::kSet:
            if (!value.is(Type::kSet)) break;
            for (std::size_t i = 0; i < value.set().size(); ++i)
                if (auto wrong = mismatch(schema, schema.types.node(type).data, value.set()[i]))
                    return wrong;
            return std::nullopt;
        case TypeKind::kRecord:
            if (!value.is(Type::kRecord)) break;
            return record_mismatch(schema, type, value.record());
    }
    return wrong_type(schema, type, value);
}

std::optional<std::string> bad_uid(const Schema::Impl& schema, const EntityUid& uid) {
    const EntityTypeDef* def = schema.entity_type(uid.type);
    if (def != nullptr && def->enumerated && !def->has_id(uid.id))
        return fmt::format(
            "entity `{}` is of an enumerated entity type, but `{}` is not declared "
            "as a valid eid",
            uid.text(), string_literal(uid.id));
    if (is_action_type(uid.type) && schema.action({hash_uid(uid), &uid}) == nullptr)
        return fmt::format(
            "found action entity `{}`, but it was not declared as an action in the "
            "schema",
            uid.text());
    return std::nullopt;
}

// Recursion: as deep as the value.
std::optional<std::string> bad_uid(const Schema::Impl& schema, const Cell& value) {
    if (value.is(Type::kEntity)) return bad_uid(schema, *value.uid().uid);
    if (value.is(Type::kSet)) {
        for (std::size_t i = 0; i < value.set().size(); ++i)
            if (auto bad = bad_uid(schema, value.set()[i])) return bad;
    } else if (value.is(Type::kRecord)) {
        for (std::size_t i = 0; i < value.record().size(); ++i)
            if (auto bad = bad_uid(schema, value.record().value(i))) return bad;
    }
    return std::nullopt;
}

Status check_entities(const Schema::Impl& schema, const std::vector<EntityData>& entities) {
    GivenActions actions;
    for (const EntityData& entity : entities)
        if (is_action_type(entity.uid.type))
            actions.emplace(UidRef{hash_uid(entity.uid), &entity.uid}, &entity);
    for (const EntityData& entity : entities) {
        const auto status = is_action_type(entity.uid.type) ? check_action(schema, actions, entity)
                                                            : check_entity(schema, entity);
        if (!status) return status;
    }
    return {};
}

Status check_context(const Schema::Impl& schema, const ActionDef& action, const Value& context) {
    const Cell cell = Cell::of(context);
    auto wrong = mismatch(schema, action.context, cell);
    if (!wrong) {
        if (const auto bad = bad_uid(schema, cell)) return invalid(*bad);
        return {};
    }
    return invalid(fmt::format("context `{}` is not valid for `{}`: {}", shown(context),
                               action.uid.uid.text(), *wrong));
}

Status check_request(const Schema::Impl& schema, const Request& request) {
    for (const auto& [role, uid] : {std::pair(std::string_view("principal"), &request.principal),
                                    std::pair(std::string_view("resource"), &request.resource)}) {
        if (schema.entity_type(uid->type) == nullptr)
            return invalid(
                fmt::format("{} type `{}` is not declared in the schema", role, uid->type));
        if (const auto bad = bad_uid(schema, *uid)) return invalid(*bad);
    }
    const ActionDef* action = schema.action({hash_uid(request.action), &request.action});
    if (action == nullptr)
        return invalid(fmt::format("action `{}` does not exist in the supplied schema",
                                   request.action.text()));
    if (auto status =
            check_one_of(schema, "principal", request.principal, action->principals, *action);
        !status)
        return status;
    if (auto status =
            check_one_of(schema, "resource", request.resource, action->resources, *action);
        !status)
        return status;
    return check_context(schema, *action, request.context);
}

}  // namespace writ::cedar
