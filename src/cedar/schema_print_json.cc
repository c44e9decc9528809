// A schema as JSON, in the reference's form: empty shapes and contexts are left out, an action that
// applies to nothing has empty lists.
#include <fmt/format.h>

#include "cedar/schema_syntax.h"
#include "json/node.h"

namespace writ::cedar {
namespace {

json::Node annotations_node(const Annotations& of) {
    json::Node out = json::Node::object();
    for (const auto& [key, value] : of) out[key] = value;
    return out;
}

json::Node names_node(const std::vector<TypeRef>& names) {
    json::Node out = json::Node::array();
    for (const TypeRef& name : names) out.push_back(name.name);
    return out;
}

// As deep as the type, which its parser bounds.
json::Node type_node(const TypeExpr& of) {
    json::Node out = json::Node::object();
    switch (of.kind) {
        case TypeExpr::Kind::kName:
            out["type"] = "EntityOrCommon";
            out["name"] = of.name;
            return out;
        case TypeExpr::Kind::kEntity:
            out["type"] = "Entity";
            out["name"] = of.name;
            return out;
        case TypeExpr::Kind::kExtension:
            out["type"] = "Extension";
            out["name"] = of.name;
            return out;
        case TypeExpr::Kind::kCommon:
            out["type"] = of.name;
            return out;
        case TypeExpr::Kind::kLong:
            out["type"] = "Long";
            return out;
        case TypeExpr::Kind::kString:
            out["type"] = "String";
            return out;
        case TypeExpr::Kind::kBool:
            out["type"] = "Boolean";
            return out;
        case TypeExpr::Kind::kSet:
            out["type"] = "Set";
            out["element"] = type_node(of.element[0]);
            return out;
        case TypeExpr::Kind::kRecord:
            break;
    }
    out["type"] = "Record";
    json::Node attributes = json::Node::object();
    for (const AttributeDecl& attribute : of.attributes) {
        json::Node type = type_node(attribute.type);
        if (!attribute.required) type["required"] = false;
        if (!attribute.annotations.empty())
            type["annotations"] = annotations_node(attribute.annotations);
        attributes[attribute.name] = std::move(type);
    }
    out["attributes"] = std::move(attributes);
    return out;
}

json::Node entity_node(const EntityBody& body) {
    json::Node out = json::Node::object();
    if (body.enumerated) {
        json::Node ids = json::Node::array();
        for (const std::string& id : body.ids) ids.push_back(id);
        out["enum"] = std::move(ids);
    } else {
        if (!body.parents.empty()) out["memberOfTypes"] = names_node(body.parents);
        if (!body.shape.is_empty_record()) out["shape"] = type_node(body.shape);
        if (body.tags) out["tags"] = type_node(*body.tags);
    }
    if (!body.annotations.empty()) out["annotations"] = annotations_node(body.annotations);
    return out;
}

json::Node action_node(const ActionBody& body) {
    json::Node out = json::Node::object();
    json::Node applies = json::Node::object();
    applies["principalTypes"] = names_node(body.principals);
    applies["resourceTypes"] = names_node(body.resources);
    if (!body.context.is_empty_record()) applies["context"] = type_node(body.context);
    out["appliesTo"] = std::move(applies);
    if (!body.parents.empty()) {
        json::Node parents = json::Node::array();
        for (const ActionRef& parent : body.parents) {
            json::Node ref = json::Node::object();
            ref["id"] = parent.id;
            if (!parent.type.empty()) ref["type"] = parent.type;
            parents.push_back(std::move(ref));
        }
        out["memberOf"] = std::move(parents);
    }
    if (!body.annotations.empty()) out["annotations"] = annotations_node(body.annotations);
    return out;
}

json::Node common_node(const CommonBody& body) {
    json::Node out = type_node(body.type);
    if (!body.annotations.empty()) out["annotations"] = annotations_node(body.annotations);
    return out;
}

// Writes each body once, however many names share it.
class JsonPrinter {
  public:
    explicit JsonPrinter(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    Result<std::string> print(const std::vector<SchemaTree>& trees) {
        json::Node root = json::Node::object();
        for (const SchemaTree& tree : trees)
            for (const auto& [name, space] : tree.namespaces) {
                const bool empty =
                    space.common.empty() && space.entities.empty() && space.actions.empty();
                if (name.empty() && empty) continue;
                json::Node& out = root[name];
                json::Node& entities = made(out, "entityTypes");
                json::Node& actions = made(out, "actions");
                for (const auto& [id, it] : space.entities) put(entities, id, it, entity_node);
                for (const auto& [id, it] : space.actions) put(actions, id, it, action_node);
                if (!space.common.empty()) {
                    json::Node& common = made(out, "commonTypes");
                    for (const auto& [id, it] : space.common) put(common, id, it, common_node);
                }
                for (const auto& [key, value] : space.annotations) out["annotations"][key] = value;
                if (bytes_ > bytes_max_)
                    return fail(
                        ErrorCode::kTooLarge,
                        fmt::format("the JSON of the schema has more than {} bytes", bytes_max_));
            }
        return root.dump();
    }

  private:
    static json::Node& made(json::Node& owner, std::string_view key) {
        json::Node& out = owner[key];
        if (out.is_null()) out = json::Node::object();
        return out;
    }

    template <class Body>
    void put(json::Node& into, const std::string& id, const Declaration<Body>& declaration,
             json::Node (*node)(const Body&)) {
        if (bytes_ > bytes_max_) return;
        std::string& text = texts_[declaration.body.get()];
        if (text.empty()) text = node(*declaration.body).dump();
        bytes_ += text.size() + id.size();
        into[id] = json::Node::raw(text);
    }

    std::size_t bytes_max_, bytes_ = 0;
    std::map<const void*, std::string> texts_;
};

}  // namespace

Result<std::string> print_schema_json(const std::vector<SchemaTree>& trees, std::size_t bytes_max) {
    return JsonPrinter(bytes_max).print(trees);
}

}  // namespace writ::cedar
