// Schemas as JSON (digest section 7):
//
//   {namespace or "": {"entityTypes": {name: {"memberOfTypes", "shape", "tags", "annotations"} |
//                                            {"enum": [id…], "annotations"}},
//                      "actions": {name: {"memberOf": [{"id", "type"?}],
//                                         "appliesTo": {"principalTypes", "resourceTypes",
//                                                       "context"}, "annotations"}},
//                      "commonTypes": {name: type + "annotations"}, "annotations"}}
//   type: {"type": "String" | "Long" | "Boolean"} | {"type": "Set", "element": type}
//       | {"type": "Record", "attributes": {name: type + "required", "annotations"}}
//       | {"type": "Entity" | "Extension" | "EntityOrCommon", "name"} | {"type": common type}
//
// Unknown keys are refused.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "cedar/names.h"
#include "cedar/schema_syntax.h"
#include "json/value.h"

namespace writ::cedar {
namespace {

using Keys = std::initializer_list<std::string_view>;

// `A::B` of identifiers; `__cedar` may be one of them.
bool is_path(std::string_view text) {
    while (true) {
        const std::size_t colons = text.find("::");
        const std::string_view part = text.substr(0, colons);
        if (!is_identifier(part) || is_reserved(part)) return false;
        if (colons == std::string_view::npos) return true;
        text.remove_prefix(colons + 2);
    }
}

class JsonReader {
  public:
    JsonReader(SchemaTree& tree, SchemaBudget& budget, SchemaErrors& errors)
        : tree_(tree), budget_(budget), errors_(errors) {}

    void read(const json::Value& root) {
        if (!object(root, "a schema")) return;
        for (const json::Member& member : root.members()) {
            NamespaceDecl& space = tree_.namespaces[std::string(member.key)];
            space.at = at(member.value);
            if (!member.key.empty() && !is_normalized_name(member.key))
                error(member.value,
                      fmt::format("invalid namespace `{}`: identifiers joined by `::`, none of "
                                  "them reserved",
                                  member.key));
            read_namespace(member.value, space, member.key.empty());
        }
    }

    std::uint32_t at(const json::Value& value) const {
        return static_cast<std::uint32_t>(value.raw().data() - tree_.source->text.data());
    }

  private:
    void error(const json::Value& value, std::string message,
               ErrorCode code = ErrorCode::kInvalid) {
        errors_.add(tree_, at(value), std::move(message), code);
    }
    void limit(const json::Value& value, std::string passed) {
        if (!passed.empty()) error(value, std::move(passed), ErrorCode::kTooLarge);
    }

    bool object(const json::Value& value, std::string_view what) {
        if (value.is_object()) return true;
        error(value, fmt::format("expected an object for {}", what));
        return false;
    }
    bool array(const json::Value& value, std::string_view what) {
        if (value.is_array()) return true;
        error(value, fmt::format("expected an array for {}", what));
        return false;
    }
    // An object without other keys than `known`, with all of `required`.
    bool shaped(const json::Value& value, std::string_view what, Keys known, Keys required = {}) {
        if (!object(value, what)) return false;
        for (const json::Member& member : value.members())
            if (std::find(known.begin(), known.end(), member.key) == known.end()) {
                error(member.value,
                      fmt::format("unknown field `{}`, expected {}", member.key, listed(known)));
                return false;
            }
        for (const std::string_view key : required)
            if (!value.find(key)) {
                error(value, fmt::format("missing field `{}` in {}", key, what));
                return false;
            }
        return true;
    }
    static std::string listed(Keys keys) {
        if (keys.size() == 0) return "no field";
        return fmt::format("{}`{}`", keys.size() > 1 ? "one of " : "", fmt::join(keys, "`, `"));
    }

    std::string string(const json::Value& value, std::string_view what) {
        if (const auto text = value.as_string()) return std::string(*text);
        error(value, fmt::format("expected a string for {}", what));
        return {};
    }
    std::string path(const json::Value& value, std::string_view what) {
        std::string out = string(value, what);
        if (value.is_string() && !is_path(out))
            error(value, fmt::format("invalid name `{}` for {}: identifiers joined by `::`, "
                                     "without spaces, none of them reserved",
                                     out, what));
        return out;
    }
    void check_id(const json::Member& member) {
        if (is_bare_key(member.key)) return;
        error(member.value,
              is_reserved(member.key)
                  ? fmt::format("invalid id `{0}`: this identifier is reserved and cannot be "
                                "used: {0}",
                                member.key)
                  : fmt::format("invalid id `{}`: an identifier without `::`, not `__cedar`",
                                member.key));
    }

    Annotations annotations(const json::Value& owner) {
        Annotations out;
        const auto value = owner.find("annotations");
        if (!value || !object(*value, "annotations")) return out;
        for (const json::Member& member : value->members()) {
            if (!is_identifier(member.key))
                error(member.value,
                      fmt::format("`{}` is no name of an annotation: an identifier", member.key));
            out[std::string(member.key)] =
                member.value.is_null() ? "" : string(member.value, "an annotation");
        }
        return out;
    }

    template <class Body>
    void declare(Declarations<Body>& into, const json::Member& member, Body body) {
        limit(member.value, budget_.declare(1));
        into[std::string(member.key)] = {at(member.value),
                                         std::make_shared<const Body>(std::move(body))};
    }

    void read_namespace(const json::Value& value, NamespaceDecl& space, bool empty_name) {
        if (!shaped(value, "a namespace", {"commonTypes", "entityTypes", "actions", "annotations"},
                    {"entityTypes", "actions"}))
            return;
        if (empty_name && value.find("annotations"))
            error(*value.find("annotations"), "annotations are not allowed on the empty namespace");
        space.annotations = annotations(value);
        const json::Value entities = *value.find("entityTypes");
        const json::Value actions = *value.find("actions");
        if (object(entities, "`entityTypes`"))
            for (const json::Member& member : entities.members()) entity(member, space);
        if (object(actions, "`actions`"))
            for (const json::Member& member : actions.members()) action(member, space);
        const auto common = value.find("commonTypes");
        if (common && object(*common, "`commonTypes`"))
            for (const json::Member& member : common->members()) common_type(member, space);
    }

    void common_type(const json::Member& member, NamespaceDecl& space) {
        check_id(member);
        if (is_reserved_type(member.key))
            error(member.value, fmt::format("this is reserved and cannot be the basename of a "
                                            "common-type declaration: {}",
                                            member.key));
        CommonBody body;
        if (object(member.value, "a type")) body.annotations = annotations(member.value);
        body.type = type(member.value, 1, {"annotations"});
        declare(space.common, member, std::move(body));
    }

    void entity(const json::Member& member, NamespaceDecl& space) {
        check_id(member);
        if (member.key == "Action")
            error(member.value,
                  "entity type `Action` declared in `entityTypes` list: that is the type of "
                  "actions, give this one another name");
        const json::Value& value = member.value;
        EntityBody body;
        if (!object(value, "an entity type")) return;
        const auto ids = value.find("enum");
        if (ids) {
            if (!shaped(value, "an enumerated entity type", {"enum", "annotations"})) return;
            body.enumerated = true;
            if (array(*ids, "`enum`"))
                for (const json::Value& id : ids->elements())
                    body.ids.push_back(string(id, "an id of `enum`"));
            if (body.ids.empty()) error(*ids, "an `enum` needs at least one id");
            limit(*ids, budget_.ids(body.ids.size()));
        } else {
            if (!shaped(value, "an entity type",
                        {"memberOfTypes", "shape", "tags", "enum", "annotations"}))
                return;
            if (const auto parents = value.find("memberOfTypes")) body.parents = types(*parents);
            if (const auto shape = value.find("shape")) body.shape = type(*shape, 1);
            if (const auto tags = value.find("tags")) body.tags = type(*tags, 1);
        }
        body.annotations = annotations(value);
        declare(space.entities, member, std::move(body));
    }

    std::vector<TypeRef> types(const json::Value& value) {
        std::vector<TypeRef> out;
        if (!array(value, "entity types")) return out;
        for (const json::Value& name : value.elements())
            out.push_back({path(name, "an entity type"), at(name)});
        limit(value, budget_.refer(out.size()));
        return out;
    }

    void action(const json::Member& member, NamespaceDecl& space) {
        const json::Value& value = member.value;
        const auto attributes = value.is_object() ? value.find("attributes") : std::nullopt;
        if (attributes && !attributes->is_null()) {
            error(value, fmt::format("unsupported feature used in schema: action declared with "
                                     "attributes: [{}]",
                                     member.key));
            return;
        }
        if (!shaped(value, "an action", {"appliesTo", "memberOf", "annotations", "attributes"}))
            return;
        ActionBody body;
        if (const auto parents = value.find("memberOf"); parents && !parents->is_null()) {
            if (array(*parents, "`memberOf`"))
                for (const json::Value& parent : parents->elements())
                    if (shaped(parent, "an action", {"id", "type"}, {"id"}))
                        body.parents.push_back(action_ref(parent));
            limit(*parents, budget_.refer(body.parents.size()));
        }
        if (const auto applies = value.find("appliesTo"); applies && !applies->is_null()) {
            if (!shaped(*applies, "`appliesTo`", {"resourceTypes", "principalTypes", "context"},
                        {"resourceTypes", "principalTypes"}))
                return;
            body.principals = types(*applies->find("principalTypes"));
            body.resources = types(*applies->find("resourceTypes"));
            if (const auto context = applies->find("context")) body.context = type(*context, 1);
        }
        body.annotations = annotations(value);
        declare(space.actions, member, std::move(body));
    }

    ActionRef action_ref(const json::Value& value) {
        ActionRef out;
        out.at = at(value);
        out.id = string(*value.find("id"), "`id`");
        const auto type = value.find("type");
        if (type && !type->is_null()) out.type = path(*type, "the type of an action");
        return out;
    }

    // `also`: keys that belong to what holds the type.
    TypeExpr type(const json::Value& value, std::size_t depth, Keys also = {}) {
        TypeExpr out;
        out.at = at(value);
        if (depth > budget_.limits().depth_max) {
            limit(value, fmt::format("types may nest at most {} deep", budget_.limits().depth_max));
            return out;
        }
        if (!object(value, "a type")) return out;
        const auto kind = value.find("type");
        if (!kind) {
            error(value, "missing field `type` in a type");
            return out;
        }
        std::string word = string(*kind, "`type`");
        if (word == "Set") {
            out.kind = TypeExpr::Kind::kSet;
            if (typed(value, {"element"}, {"element"}, also))
                out.element.push_back(type(*value.find("element"), depth + 1));
        } else if (word == "Record") {
            record(value, out, depth, also);
        } else if (word == "Entity" || word == "EntityOrCommon" || word == "Extension") {
            out.kind = word == "Entity"      ? TypeExpr::Kind::kEntity
                       : word == "Extension" ? TypeExpr::Kind::kExtension
                                             : TypeExpr::Kind::kName;
            if (typed(value, {"name"}, {"name"}, also))
                out.name = path(*value.find("name"), "a type");
        } else {
            typed(value, {}, {}, also);
            out.kind = word == "Long"      ? TypeExpr::Kind::kLong
                       : word == "String"  ? TypeExpr::Kind::kString
                       : word == "Boolean" ? TypeExpr::Kind::kBool
                                           : TypeExpr::Kind::kCommon;
            if (out.kind == TypeExpr::Kind::kCommon) out.name = path(*kind, "a common type");
        }
        return out;
    }

    // As shaped(), for a type: `type` and what stands around the type are known too.
    bool typed(const json::Value& value, Keys known, Keys required, Keys also) {
        for (const json::Member& member : value.members()) {
            const auto among = [&](Keys keys) {
                return std::find(keys.begin(), keys.end(), member.key) != keys.end();
            };
            if (member.key == "type" || among(known) || among(also)) continue;
            error(member.value, fmt::format("unknown field `{}` of a type, expected {}", member.key,
                                            listed(known)));
            return false;
        }
        for (const std::string_view key : required)
            if (!value.find(key)) {
                error(value, fmt::format("missing field `{}` in a type", key));
                return false;
            }
        return true;
    }

    void record(const json::Value& value, TypeExpr& out, std::size_t depth, Keys also) {
        out.kind = TypeExpr::Kind::kRecord;
        if (!typed(value, {"attributes", "additionalAttributes"}, {"attributes"}, also)) return;
        const auto more = value.find("additionalAttributes");
        if (more && more->as_bool() != false)
            error(*more,
                  "unsupported feature used in schema: records and entities with "
                  "`additionalAttributes` are experimental: only `false` may stand here");
        const json::Value attributes = *value.find("attributes");
        if (!object(attributes, "`attributes`")) return;
        for (const json::Member& member : attributes.members()) {
            AttributeDecl attribute;
            attribute.name = std::string(member.key);
            attribute.type = type(member.value, depth + 1, {"required", "annotations"});
            if (member.value.is_object()) {
                attribute.annotations = annotations(member.value);
                if (const auto required = member.value.find("required")) {
                    if (!required->is_bool()) error(*required, "`required` is `true` or `false`");
                    attribute.required = required->as_bool().value_or(true);
                }
            }
            out.attributes.push_back(std::move(attribute));
        }
        sort_attributes(out.attributes);
    }

    SchemaTree& tree_;
    SchemaBudget& budget_;
    SchemaErrors& errors_;
};

}  // namespace

SchemaTree parse_schema_json(std::shared_ptr<const Source> source, SchemaBudget& budget,
                             SchemaErrors& errors) {
    SchemaTree tree;
    tree.source = std::move(source);
    json::ParseLimits limits;
    limits.bytes_max = tree.source->text.size();
    limits.depth_max = 2 * budget.limits().depth_max + 8;  // a record is two objects deep
    const auto document = json::parse(tree.source->text, limits);
    if (!document)
        errors.add(tree, 0, document.error().detail, document.error().code);
    else
        JsonReader(tree, budget, errors).read(document->root());
    return tree;
}

}  // namespace writ::cedar
