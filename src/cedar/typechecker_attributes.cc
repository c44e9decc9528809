// Attributes and tags: what is there, and what has been shown to be there.
#include <fmt/format.h>

#include "cedar/escape.h"
#include "cedar/names.h"
#include "cedar/typechecker.h"
#include "cedar/value.h"

namespace writ::cedar {

Checked Typechecker::expect_entity(NodeId id, Prior prior) {
    Checked out = check(id, prior);
    if (out.type == kNoType || types_.kind(out.type) == TypeKind::kEntity) return out;
    unexpected(id, "an entity", out.type);
    out.ok = false;
    out.type = kNoType;
    return out;
}

Checked Typechecker::entity_or_record(NodeId id, Prior prior) {
    Checked out = check(id, prior);
    if (out.type == kNoType || types_.kind(out.type) == TypeKind::kEntity ||
        types_.kind(out.type) == TypeKind::kRecord)
        return out;
    unexpected(id, "an entity, or a record", out.type);
    out.ok = false;
    out.type = kNoType;
    return out;
}

Typechecker::Attribute Typechecker::find_attribute(TypeId of, std::string_view name) const {
    if (types_.kind(of) == TypeKind::kRecord) return {types_.field(of, name), false};
    return {types_.field(schema_.entity_types[entity_type(of)].shape, name), true};
}

Checked Typechecker::attribute(NodeId id, const Node& of, Prior prior) {
    const NodeId base = ast_.children(of)[0];
    Checked out = entity_or_record(base, prior);
    out.proven = {};
    if (out.type == kNoType) return out;
    const std::string& name = data_name(of);
    const TypeId base_type = out.type;
    const Attribute found = find_attribute(base_type, name);
    if (found.field == nullptr) {
        out.type = kNoType;
        out.ok = false;
        // Where the context is asked, the message names the action.
        if (fresh(FindingKind::kUnknownAttribute, id, hash_pair(base_type, environment_.action))) {
            const std::string near = nearest_attribute(base_type, name);
            error(FindingKind::kUnknownAttribute, id,
                  fmt::format("attribute {} not found", access_text(id)),
                  near.empty() ? "" : fmt::format("did you mean `{}`?", near));
        }
        return out;
    }
    out.type = found.field->type;
    if (found.field->required) return out;
    const std::uint32_t capability =
        capabilities_.has_attribute(capabilities_.expression(base), name);
    if (prior.contains(capability)) return out;
    out.ok = false;
    if (fresh(FindingKind::kUnsafeAttribute, id, hash_pair(base_type, environment_.action)))
        error(FindingKind::kUnsafeAttribute, id,
              fmt::format("unable to guarantee safety of access to optional attribute {}",
                          access_text(id)),
              fmt::format("try testing for the attribute's presence with `e has {} && ..`",
                          is_bare_key(name) ? name : string_literal(name)));
    return out;
}

// e has a.b.c is (e has a && e.a has b) && e.a.b has c
Checked Typechecker::has(const Node& of, Prior prior) {
    const NodeId base = ast_.children(of)[0];
    Checked out = entity_or_record(base, prior);
    out.proven = {};
    if (out.type == kNoType) {
        out.type = kBoolType;
        return out;
    }
    std::uint32_t expression = capabilities_.expression(base);
    TypeId type = out.type;
    out.type = kTrueType;
    for (std::uint32_t i = 0; i < of.name_count; ++i) {
        const std::string& name = ast_.names[of.data + i];
        const TypeKind kind = types_.kind(type);
        if (kind != TypeKind::kEntity && kind != TypeKind::kRecord) {
            const auto id = static_cast<NodeId>(&of - ast_.nodes.data());
            unexpected(id, "an entity, or a record", type,
                       fmt::format("`{}` is looked for in it", name));
            out.ok = false;
            return out;
        }
        const Attribute found = find_attribute(type, name);
        if (found.field == nullptr) {
            out.type = kFalseType;
            out.proven = {};
            return out;
        }
        const std::uint32_t capability = capabilities_.has_attribute(expression, name);
        // An entity may be missing from the store, and with it what is required of it.
        const bool certain = (found.field->required && !found.of_entity) ||
                             prior.contains(capability) || out.proven.contains(capability);
        if (!certain) out.type = kBoolType;
        out.proven.insert(capability);
        type = found.field->type;
        if (i + 1 < of.name_count) expression = capabilities_.attribute(expression, name);
    }
    return out;
}

Checked Typechecker::tag(NodeId id, const Node& of, Prior prior) {
    const auto kids = ast_.children(of);
    const Checked base = expect_entity(kids[0], prior);
    const Checked key = expect(kids[1], prior, kStringType);
    const bool has = of.op == Op::kHasTag;
    Checked out;
    out.ok = base.ok && key.ok;
    out.type = has ? kBoolType : kNoType;
    if (base.type == kNoType) return out;
    const EntityTypeDef& def = schema_.entity_types[entity_type(base.type)];
    if (has && def.tags == kNoType) {
        out.type = kFalseType;
        return out;
    }
    const std::uint32_t capability =
        capabilities_.has_tag(capabilities_.expression(kids[0]), capabilities_.expression(kids[1]));
    if (has) {
        if (prior.contains(capability)) out.type = kTrueType;
        out.proven.insert(capability);
        return out;
    }
    out.type = def.tags;
    if (prior.contains(capability)) return out;
    out.ok = false;
    const std::string_view key_text = policy_.source == nullptr
                                          ? std::string_view("…")
                                          : policy_.text(node(kids[1]).begin, node(kids[1]).end);
    if (def.tags == kNoType && fresh(FindingKind::kNoTags, id, base.type)) {
        error(FindingKind::kNoTags, id,
              fmt::format("`.getTag()` is not allowed on entities of `{}` because no `tags` were "
                          "declared on the entity type in the schema",
                          def.name));
    } else if (def.tags != kNoType && fresh(FindingKind::kUnsafeTag, id, base.type)) {
        error(FindingKind::kUnsafeTag, id,
              fmt::format("unable to guarantee safety of access to tag `{}` on entity type `{}`",
                          key_text, def.name),
              fmt::format("try testing for the tag's presence with `.hasTag({}) && ..`", key_text));
    }
    return out;
}

// `rec.a` on entity type `User`; `o` in context for Action::"view"; `x`
std::string Typechecker::access_text(NodeId id) const {
    std::string path;
    while (true) {
        const Node& of = node(id);
        if (of.op != Op::kAttribute) break;
        const std::string& name = data_name(of);
        const std::string step = is_bare_key(name) ? name : "[" + string_literal(name) + "]";
        path = step + (path.empty() || path.starts_with('[') ? "" : ".") + path;
        id = ast_.children(of)[0];
        const TypeId type = types_of_[id];
        if (types_.is(type, TypeKind::kEntity))
            return fmt::format("`{}` on entity type `{}`", path,
                               schema_.entity_types[entity_type(type)].name);
    }
    if (node(id).op == Op::kVariable && node(id).variable == Variable::kContext)
        return fmt::format("`{}` in context for {}", path,
                           schema_.actions[environment_.action].uid.uid.text());
    return fmt::format("`{}`", path);
}

std::string Typechecker::nearest_attribute(TypeId of, std::string_view name) const {
    const TypeId record =
        types_.kind(of) == TypeKind::kRecord ? of : schema_.entity_types[entity_type(of)].shape;
    std::vector<std::string_view> names;
    for (const TypeField& field : types_.fields(record)) names.push_back(field.name);
    return nearest(name, names);
}

}  // namespace writ::cedar
