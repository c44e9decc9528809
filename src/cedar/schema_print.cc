// A schema as text in the Cedar syntax. Declarations sorted by name, common types before entity
// types before actions; builtins that JSON names beyond doubt are written `__cedar::Long`.
#include <fmt/format.h>

#include "cedar/escape.h"
#include "cedar/names.h"
#include "cedar/schema_syntax.h"

namespace writ::cedar {
namespace {

class CedarPrinter {
  public:
    CedarPrinter(const std::vector<SchemaTree>& trees, std::size_t bytes_max)
        : trees_(trees), bytes_max_(bytes_max) {}

    Result<std::string> print() {
        // What one namespace declares may be spread over the texts.
        std::map<std::string, std::vector<const NamespaceDecl*>> spaces;
        for (const SchemaTree& tree : trees_)
            for (const auto& [name, space] : tree.namespaces) spaces[name].push_back(&space);
        for (const auto& [name, parts] : spaces) {
            space_ = name;
            if (name.empty()) {
                for (const NamespaceDecl* part : parts) body(*part, "");
                continue;
            }
            separate();
            for (const NamespaceDecl* part : parts) annotations(part->annotations, "");
            out_ += "namespace " + name + " {\n";
            fresh_ = true;
            for (const NamespaceDecl* part : parts) body(*part, "  ");
            out_ += "}\n";
            fresh_ = false;
        }
        if (!error_.detail.empty()) return fail(std::move(error_));
        return std::move(out_);
    }

  private:
    void separate() {
        if (!fresh_) out_ += "\n";
        fresh_ = false;
    }

    bool full() {
        if (out_.size() <= bytes_max_) return false;
        if (error_.detail.empty())
            error_ = {ErrorCode::kTooLarge,
                      fmt::format("the text of the schema has more than {} bytes", bytes_max_)};
        return true;
    }

    void body(const NamespaceDecl& space, std::string_view indent) {
        for (const auto& [name, declaration] : space.common) {
            if (full()) return;
            separate();
            annotations(declaration.body->annotations, indent);
            out_ += fmt::format("{}type {} = ", indent, name);
            type(declaration.body->type, std::string(indent));
            out_ += ";\n";
        }
        for (const auto& [name, declaration] : space.entities) {
            if (full()) return;
            separate();
            entity(name, *declaration.body, std::string(indent));
        }
        for (const auto& [name, declaration] : space.actions) {
            if (full()) return;
            separate();
            action(name, *declaration.body, std::string(indent));
        }
    }

    void annotations(const Annotations& of, std::string_view indent) {
        for (const auto& [key, value] : of)
            out_ += fmt::format("{}@{}({})\n", indent, key, string_literal(value));
    }

    void entity(const std::string& name, const EntityBody& body, const std::string& indent) {
        annotations(body.annotations, indent);
        out_ += indent + "entity " + name;
        if (body.enumerated) {
            out_ += " enum [";
            for (std::size_t i = 0; i < body.ids.size(); ++i)
                out_ += (i == 0 ? "" : ", ") + string_literal(body.ids[i]);
            out_ += "];\n";
            return;
        }
        if (!body.parents.empty()) {
            out_ += " in ";
            types(body.parents);
        }
        if (body.shape.kind != TypeExpr::Kind::kRecord) {
            unsupported(
                fmt::format("the shape of entity type `{}` names the common type `{}`: the "
                            "Cedar syntax wants the record itself",
                            name, body.shape.name));
        } else if (!body.shape.attributes.empty()) {
            out_ += " = ";
            type(body.shape, indent);
        }
        if (body.tags) {
            out_ += " tags ";
            type(*body.tags, indent);
        }
        out_ += ";\n";
    }

    void action(const std::string& name, const ActionBody& body, const std::string& indent) {
        annotations(body.annotations, indent);
        out_ += indent + "action " + string_literal(name);
        if (!body.parents.empty()) {
            out_ += " in [";
            for (std::size_t i = 0; i < body.parents.size(); ++i) {
                const ActionRef& parent = body.parents[i];
                out_ += i == 0 ? "" : ", ";
                if (!parent.type.empty()) out_ += parent.type + "::";
                out_ += string_literal(parent.id);
            }
            out_ += "]";
        }
        if (!body.principals.empty() && !body.resources.empty()) {
            out_ += " appliesTo {\n" + indent + "  principal: ";
            types(body.principals);
            out_ += ",\n" + indent + "  resource: ";
            types(body.resources);
            if (!body.context.is_empty_record()) {
                out_ += ",\n" + indent + "  context: ";
                type(body.context, indent + "  ");
            }
            out_ += "\n" + indent + "}";
        }
        out_ += ";\n";
    }

    void types(const std::vector<TypeRef>& names) {
        out_ += "[";
        for (std::size_t i = 0; i < names.size(); ++i) out_ += (i == 0 ? "" : ", ") + names[i].name;
        out_ += "]";
    }

    // As deep as the type, which its parser bounds.
    void type(const TypeExpr& of, const std::string& indent) {
        if (full()) return;
        switch (of.kind) {
            case TypeExpr::Kind::kName:
            case TypeExpr::Kind::kCommon:
                out_ += of.name;
                return;
            case TypeExpr::Kind::kEntity:
                if (hidden(of.name))
                    unsupported(
                        fmt::format("entity type `{0}` is hidden by the common type `{0}`: "
                                    "rename one of them",
                                    of.name));
                out_ += of.name;
                return;
            case TypeExpr::Kind::kExtension:
                out_ += "__cedar::" + of.name;
                return;
            case TypeExpr::Kind::kLong:
                out_ += "__cedar::Long";
                return;
            case TypeExpr::Kind::kString:
                out_ += "__cedar::String";
                return;
            case TypeExpr::Kind::kBool:
                out_ += "__cedar::Bool";
                return;
            case TypeExpr::Kind::kSet:
                out_ += "Set<";
                type(of.element[0], indent);
                out_ += ">";
                return;
            case TypeExpr::Kind::kRecord:
                record(of, indent);
        }
    }

    void record(const TypeExpr& of, const std::string& indent) {
        if (of.attributes.empty()) {
            out_ += "{}";
            return;
        }
        out_ += "{\n";
        for (std::size_t i = 0; i < of.attributes.size(); ++i) {
            const AttributeDecl& attribute = of.attributes[i];
            annotations(attribute.annotations, indent + "  ");
            const bool bare = is_identifier(attribute.name) && !is_reserved(attribute.name);
            out_ += fmt::format("{}  {}{}: ", indent,
                                bare ? attribute.name : string_literal(attribute.name),
                                attribute.required ? "" : "?");
            type(attribute.type, indent + "  ");
            out_ += i + 1 < of.attributes.size() ? ",\n" : "\n";
        }
        out_ += indent + "}";
    }

    // Whether an entity type of that name would be read as a common type here.
    bool hidden(std::string_view name) const {
        const auto declared = [&](std::string_view space, std::string_view basename) {
            bool common = false;
            for (const SchemaTree& tree : trees_) {
                const auto at = tree.namespaces.find(space);
                common =
                    common || (at != tree.namespaces.end() && at->second.common.contains(basename));
            }
            return common;
        };
        const std::size_t colons = name.rfind("::");
        if (colons != std::string_view::npos)
            return declared(name.substr(0, colons), name.substr(colons + 2));
        return declared(space_, name) || declared("", name);
    }

    void unsupported(std::string what) {
        if (error_.detail.empty()) error_ = {ErrorCode::kUnsupported, std::move(what)};
    }

    const std::vector<SchemaTree>& trees_;
    std::size_t bytes_max_;
    std::string out_;
    std::string space_;
    bool fresh_ = true;  // nothing stands before that the next declaration is separated from
    Error error_;
};

}  // namespace

Result<std::string> print_schema(const std::vector<SchemaTree>& trees, std::size_t bytes_max) {
    return CedarPrinter(trees, bytes_max).print();
}

}  // namespace writ::cedar
