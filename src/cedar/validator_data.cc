// Validator: requests, contexts and entities.
#include <fmt/format.h>

#include "cedar/conformance.h"
#include "cedar/data_reader.h"
#include "cedar/entities_json.h"
#include "cedar/schema_model.h"
#include "cedar/validator.h"

namespace writ::cedar {
namespace {

Result<const ActionDef*> declared_action(const Schema::Impl& schema, const EntityUid& uid) {
    const ActionDef* action = schema.action({hash_uid(uid), &uid});
    if (action == nullptr)
        return fail(ErrorCode::kInvalid,
                    fmt::format("action `{}` does not exist in the supplied schema", uid.text()));
    return action;
}

}  // namespace

Status Validator::validate_request(const Request& request) const {
    return check_request(schema_.impl(), request);
}

Status Validator::validate_context(const Value& context, const EntityUid& action) const {
    const auto def = declared_action(schema_.impl(), action);
    if (!def) return fail(def.error());
    return check_context(schema_.impl(), **def, context);
}

Status Validator::validate_entities(const std::vector<EntityData>& entities) const {
    if (auto status = check_entities(schema_.impl(), entities); !status)
        return fail(status.error().in("entity does not conform to the schema"));
    return {};
}

Result<Value> Validator::read_context(const json::Value& value, const EntityUid& action) const {
    const auto def = declared_action(schema_.impl(), action);
    if (!def) return fail(def.error());
    auto context = read_typed_context(schema_.impl(), **def, value);
    if (!context) return context;
    if (auto status = check_context(schema_.impl(), **def, *context); !status)
        return fail(status.error());
    return context;
}

Result<Entities> Validator::read_entities(std::string_view json_text) const {
    json::ParseLimits limits;
    limits.bytes_max = kEntitiesBytesMax;
    limits.depth_max = kValueDepthMax;
    const auto document = json::parse(json_text, limits);
    if (!document) return fail(document.error().in("entities"));
    if (!document->root().is_array())
        return fail(ErrorCode::kInvalid, "entities: expected an array");
    std::vector<EntityData> entities;
    for (const json::Value& element : document->root().elements()) {
        auto entity = read_typed_entity(schema_.impl(), element);
        if (!entity) return fail(entity.error().in("entities"));
        entities.push_back(std::move(*entity));
    }
    if (auto status = validate_entities(entities); !status) return fail(status.error());
    // The schema's actions stand for those that were given, which are the same.
    std::erase_if(entities, [&](const EntityData& entity) {
        return schema_.impl().action({hash_uid(entity.uid), &entity.uid}) != nullptr;
    });
    for (EntityData& action : schema_.action_entities()) entities.push_back(std::move(action));
    return Entities::build(std::move(entities));
}

}  // namespace writ::cedar
