#include "cedar/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cedar/schema_model.h"

namespace writ::cedar {
namespace {

constexpr std::size_t kTypeShownMax = 200;  // bytes of a type in an error

// Appends until `out` is full; false then.
bool append_type(const Schema::Impl& schema, const TypeTable& types, TypeId type,
                 std::string& out) {
    static constexpr std::array<std::string_view, kFixedTypes> kNames = {
        "False", "True", "Bool", "Long", "String", "decimal", "ipaddr", "datetime", "duration"};
    if (out.size() > kTypeShownMax) return false;
    if (type < kFixedTypes) {
        out += kNames[type];
        return true;
    }
    const TypeNode& node = types.node(type);
    if (node.kind == TypeKind::kEntity) {
        out += schema.entity_types[node.data].name;
        return true;
    }
    if (node.kind == TypeKind::kSet) {
        out += "Set<";
        if (!append_type(schema, types, node.data, out)) return false;
        out += ">";
        return true;
    }
    out += "{";
    for (const TypeField& field : types.fields(type)) {
        out += fmt::format("{}{}: ", field.name, field.required ? "" : "?");
        if (!append_type(schema, types, field.type, out)) return false;
        out += ",";
    }
    out += "}";
    return true;
}

}  // namespace

bool IndexSet::unite(const IndexSet& other) {
    bool changed = false;
    if (words_.size() < other.words_.size()) words_.resize(other.words_.size());
    for (std::size_t i = 0; i < other.words_.size(); ++i) {
        changed = changed || (other.words_[i] & ~words_[i]) != 0;
        words_[i] |= other.words_[i];
    }
    return changed;
}

bool EntityTypeDef::has_id(std::string_view id) const {
    return std::binary_search(ids.begin(), ids.end(), id);
}

const EntityTypeDef* Schema::Impl::entity_type(std::string_view name) const {
    const auto at = entity_index.find(name);
    return at == entity_index.end() ? nullptr : &entity_types[at->second];
}

const ActionDef* Schema::Impl::action(const UidRef& uid) const {
    const auto at = action_index.find(uid);
    return at == action_index.end() ? nullptr : &actions[at->second];
}

bool Schema::Impl::action_type_below(std::uint32_t type, std::uint32_t ancestor) const {
    for (const ActionDef& def : actions) {
        if (def.entity_type != type) continue;
        bool below = false;
        def.ancestors.each(
            [&](std::size_t above) { below = below || actions[above].entity_type == ancestor; });
        if (below) return true;
    }
    return false;
}

std::string type_text(const Schema::Impl& schema, const TypeTable& types, TypeId type) {
    std::string out;
    if (!append_type(schema, types, type, out)) out += "…";
    return out;
}

Schema::Schema() {
    static const auto empty = std::make_shared<const Impl>();
    impl_ = empty;
}

Result<Schema> Schema::parse(std::string_view text, const SchemaOptions& options) {
    const std::array<SchemaText, 1> texts = {{{text, options.file, SchemaSyntax::kCedar}}};
    return parse_all(texts, options);
}

Result<Schema> Schema::parse_json(std::string_view text, const SchemaOptions& options) {
    const std::array<SchemaText, 1> texts = {{{text, options.file, SchemaSyntax::kJson}}};
    return parse_all(texts, options);
}

Result<Schema> Schema::parse_all(std::span<const SchemaText> texts, const SchemaOptions& options) {
    auto impl = std::make_shared<Impl>();
    impl->limits = options.limits;
    SchemaBudget budget(options.limits);
    SchemaErrors errors;
    for (const SchemaText& text : texts) {
        if (auto status = check_source(text.text, text.file, "schema", options.limits.bytes_max);
            !status)
            return fail(status.error());
        auto source = std::make_shared<const Source>(text.file, text.text);
        impl->trees.push_back(text.syntax == SchemaSyntax::kCedar
                                  ? parse_schema(std::move(source), budget, errors)
                                  : parse_schema_json(std::move(source), budget, errors));
    }
    if (errors.empty()) resolve_schema(*impl, errors);
    if (!errors.empty()) return fail(errors.join());
    return Schema(std::move(impl));
}

Result<std::string> Schema::to_cedar() const {
    return print_schema(impl_->trees, impl_->limits.output_bytes_max);
}

Result<std::string> Schema::to_json() const {
    return print_schema_json(impl_->trees, impl_->limits.output_bytes_max);
}

std::vector<Error> Schema::warnings() const {
    return impl_->warnings;
}

std::vector<ActionInfo> Schema::actions() const {
    std::vector<ActionInfo> out;
    for (const ActionDef& def : impl_->actions) {
        ActionInfo info;
        info.uid = def.uid.uid;
        for (const std::uint32_t i : def.principals)
            info.principals.push_back(impl_->entity_types[i].name);
        for (const std::uint32_t i : def.resources)
            info.resources.push_back(impl_->entity_types[i].name);
        for (const std::uint32_t i : def.parents) info.parents.push_back(impl_->actions[i].uid.uid);
        info.annotations = *def.annotations;
        out.push_back(std::move(info));
    }
    return out;
}

std::vector<EntityTypeInfo> Schema::entity_types() const {
    std::vector<EntityTypeInfo> out;
    for (const EntityTypeDef& def : impl_->entity_types) {
        if (def.is_action) continue;
        EntityTypeInfo info;
        info.name = def.name;
        for (const std::uint32_t i : def.parents)
            info.parents.push_back(impl_->entity_types[i].name);
        info.ids = def.ids;
        info.annotations = *def.annotations;
        out.push_back(std::move(info));
    }
    return out;
}

bool Schema::has_action(const EntityUid& uid) const {
    return impl_->action({hash_uid(uid), &uid}) != nullptr;
}

bool Schema::has_entity_type(std::string_view name) const {
    const EntityTypeDef* def = impl_->entity_type(name);
    return def != nullptr && !def->is_action;
}

std::vector<EntityData> Schema::action_entities() const {
    std::vector<EntityData> out;
    for (const ActionDef& def : impl_->actions) {
        EntityData data;
        data.uid = def.uid.uid;
        for (const std::uint32_t i : def.parents) data.parents.push_back(impl_->actions[i].uid.uid);
        out.push_back(std::move(data));
    }
    return out;
}

}  // namespace writ::cedar
