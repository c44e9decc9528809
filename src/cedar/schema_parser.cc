// Schemas in the Cedar syntax (digest section 7):
//
//   Schema    := { {Annotation} ('namespace' Path '{' { {Annotation} Decl } '}' | Decl) }
//   Decl      := 'entity' Ident {',' Ident} ['in' Types] [['='] Record] ['tags' Type] ';'
//              | 'entity' Ident {',' Ident} 'enum' '[' STRING {',' STRING} ']' ';'
//              | 'action' Name {',' Name} ['in' (QName | '[' QName {',' QName} ']')]
//                    ['appliesTo' '{' App {',' App} [','] '}'] ['attributes' '{' '}'] ';'
//              | 'type' Ident '=' Type ';'
//   App       := ('principal'|'resource') ':' Types | 'context' ':' (Path | Record)
//   Types     := Path | '[' [Path {',' Path}] ']'
//   Type      := Path | 'Set' '<' Type '>' | Record
//   Record    := '{' [Attr {',' Attr} [',']] '}'      Attr := {Annotation} Name ['?'] ':' Type
//   Name      := Ident | STRING                       QName := Name | Path '::' STRING
//
// The first syntactic mistake ends the reading; names that may not be declared are all found.
#include <fmt/format.h>

#include <algorithm>

#include "cedar/cursor.h"
#include "cedar/names.h"
#include "cedar/schema_syntax.h"

namespace writ::cedar {
namespace {

struct Name {
    std::string text;
    std::uint32_t at = 0;
    bool open = false;  // a string follows after `::`
};

class SchemaParser {
  public:
    SchemaParser(SchemaTree& tree, SchemaBudget& budget)
        : cursor_(tree.source->text), tree_(tree), budget_(budget) {}

    void parse() {
        space_ = &tree_.namespaces[""];
        while (!cursor_.at(Kind::kEnd) && !cursor_.gave_up()) {
            Annotations annotations;
            if (!read_annotations(annotations)) return;
            if (!(cursor_.at_word("namespace") ? read_namespace(std::move(annotations))
                                               : declaration(std::move(annotations))))
                return;
        }
    }

    const std::vector<ParseError>& errors() const { return cursor_.errors(); }

  private:
    bool read_annotations(Annotations& out) {
        while (cursor_.accept(Kind::kAt)) {
            Annotation read;
            if (!cursor_.annotation(read)) return false;
            if (!out.emplace(read.name, read.value.value_or("")).second)
                cursor_.report(read.at, fmt::format("duplicate annotations: `{}`", read.name));
        }
        return true;
    }

    bool read_namespace(Annotations annotations) {
        cursor_.advance();
        const auto name = path("the name of the namespace");
        if (!name) return false;
        if (has_internal(name->text))
            cursor_.report(name->at, "use of the reserved `__cedar` namespace");
        if (!cursor_.expect(Kind::kLeftBrace, "`{` and the declarations of the namespace"))
            return false;
        const auto [at, fresh] = tree_.namespaces.try_emplace(name->text);
        if (!fresh)
            cursor_.report(name->at, fmt::format("duplicate namespace id: `{}`: put all its "
                                                 "declarations into one",
                                                 name->text));
        NamespaceDecl* const outer = space_;
        space_ = &at->second;
        space_->at = name->at;
        space_->annotations = std::move(annotations);
        while (!cursor_.accept(Kind::kRightBrace)) {
            Annotations own;
            if (!read_annotations(own) || !declaration(std::move(own))) return false;
        }
        space_ = outer;
        return true;
    }

    bool declaration(Annotations annotations) {
        if (cursor_.accept_word("entity")) return entity(std::move(annotations));
        if (cursor_.accept_word("action")) return action(std::move(annotations));
        if (cursor_.accept_word("type")) return common(std::move(annotations));
        return cursor_.unexpected("`entity`, `action`, `type` or `namespace`");
    }

    template <class Body>
    void declare(Declarations<Body>& into, const std::vector<Name>& names, Body body) {
        const auto shared = std::make_shared<const Body>(std::move(body));
        limit(names.empty() ? 0 : names[0].at, budget_.declare(names.size()));
        for (const Name& name : names)
            if (!into.emplace(name.text, Declaration<Body>{name.at, shared}).second)
                cursor_.report(name.at, fmt::format("`{}` is declared twice", name.text));
    }

    void limit(std::uint32_t at, std::string passed) {
        if (!passed.empty()) cursor_.report_too_large(at, std::move(passed));
    }

    bool entity(Annotations annotations) {
        std::vector<Name> names;
        do {
            auto name = type_name();
            if (!name) return false;
            if (name->text == "Action")
                cursor_.report(name->at,
                               "entity type `Action` declared in `entityTypes` list: that is the "
                               "type of actions, give this one another name");
            names.push_back(std::move(*name));
        } while (cursor_.accept(Kind::kComma));
        EntityBody body;
        body.annotations = std::move(annotations);
        if (cursor_.accept_word("enum")) {
            if (!enumeration(body, names.size())) return false;
        } else {
            if (cursor_.accept_word("in") && !types(body.parents)) return false;
            limit(cursor_.last_end(), budget_.refer(body.parents.size() * names.size()));
            const bool assigned = cursor_.accept(Kind::kAssign);
            if (assigned && !cursor_.at(Kind::kLeftBrace)) return cursor_.unexpected("`{`");
            if (cursor_.at(Kind::kLeftBrace) && !record(body.shape, 1)) return false;
            if (cursor_.accept_word("tags")) {
                body.tags.emplace();
                if (!type(*body.tags, 1)) return false;
            }
        }
        if (!cursor_.expect(Kind::kSemicolon, "`;`")) return false;
        declare(space_->entities, names, std::move(body));
        return true;
    }

    bool enumeration(EntityBody& body, std::size_t names) {
        body.enumerated = true;
        if (!cursor_.expect(Kind::kLeftBracket, "`[` and the ids in quotes")) return false;
        do {
            const Token id = cursor_.now();
            if (!cursor_.expect(Kind::kString, "an id in quotes")) return false;
            body.ids.push_back(cursor_.string(id));
        } while (cursor_.accept(Kind::kComma));
        limit(cursor_.last_end(), budget_.ids(body.ids.size() * names));
        return cursor_.expect(Kind::kRightBracket, "`,` or `]`");
    }

    bool action(Annotations annotations) {
        std::vector<Name> names;
        do {
            auto name = any_name("the name of an action");
            if (!name) return false;
            names.push_back(std::move(*name));
        } while (cursor_.accept(Kind::kComma));
        ActionBody body;
        body.annotations = std::move(annotations);
        if (cursor_.accept_word("in") && !action_parents(body)) return false;
        if (cursor_.accept_word("appliesTo") && !applies_to(body, names[0].text)) return false;
        limit(cursor_.last_end(),
              budget_.refer((body.parents.size() + body.principals.size() + body.resources.size()) *
                            names.size()));
        if (cursor_.accept_word("attributes") &&
            !(cursor_.expect(Kind::kLeftBrace, "`{`") &&
              cursor_.expect(Kind::kRightBrace, "`}`: actions have no attributes")))
            return false;
        if (!cursor_.expect(Kind::kSemicolon, "`;`")) return false;
        declare(space_->actions, names, std::move(body));
        return true;
    }

    bool action_parents(ActionBody& body) {
        const bool several = cursor_.accept(Kind::kLeftBracket);
        do {
            const std::uint32_t at = cursor_.now().begin;
            if (cursor_.at(Kind::kString)) {
                body.parents.push_back({"", cursor_.string(cursor_.now()), at});
                cursor_.advance();
                continue;
            }
            auto name = path("an action, or `Action::\"…\"`", true);
            if (!name) return false;
            if (name->open) {
                body.parents.push_back({std::move(name->text), cursor_.string(cursor_.now()), at});
                cursor_.advance();
            } else if (name->text.find(':') == std::string::npos) {
                body.parents.push_back({"", std::move(name->text), at});
            } else {
                return cursor_.unexpected("`::` and the action's id in quotes");
            }
        } while (several && cursor_.accept(Kind::kComma));
        return !several || cursor_.expect(Kind::kRightBracket, "`,` or `]`");
    }

    bool applies_to(ActionBody& body, const std::string& action_name) {
        const std::uint32_t at = cursor_.now().begin;
        if (!cursor_.expect(Kind::kLeftBrace, "`{` and `principal`, `resource`, `context`"))
            return false;
        bool principal = false, resource = false, context = false;
        do {
            const Token word = cursor_.now();
            const std::string_view what = cursor_.text(word);
            if (what != "principal" && what != "resource" && what != "context")
                return cursor_.unexpected("`principal`, `resource` or `context`");
            bool& seen = what == "principal" ? principal : what == "resource" ? resource : context;
            if (seen)
                cursor_.report(word.begin,
                               fmt::format("duplicate{} declaration in action `{}`",
                                           what == "context" ? std::string(" context")
                                                             : fmt::format(" `{}`", what),
                                           action_name));
            seen = true;
            cursor_.advance();
            if (!cursor_.expect(Kind::kColon, "`:`")) return false;
            if (what == "context") {
                if (!context_type(body.context)) return false;
                continue;
            }
            auto& into = what == "principal" ? body.principals : body.resources;
            into.clear();
            if (!types(into)) return false;
            if (into.empty())
                cursor_.report(word.begin,
                               fmt::format("for action `{}`, `{}` is `[]`, which is invalid: leave "
                                           "`appliesTo` out of an action that applies to nothing",
                                           action_name, what));
        } while (cursor_.accept(Kind::kComma) && !cursor_.at(Kind::kRightBrace));
        if (!cursor_.expect(Kind::kRightBrace, "`,` or `}`")) return false;
        if (!principal || !resource)
            cursor_.report(at, fmt::format("missing `{}` declaration for `{}`",
                                           principal ? "resource" : "principal", action_name));
        return true;
    }

    bool context_type(TypeExpr& out) {
        if (cursor_.at(Kind::kLeftBrace)) return record(out, 1);
        auto name = path("`{` and the attributes, or the name of a common type");
        if (!name) return false;
        out.kind = TypeExpr::Kind::kCommon;
        out.at = name->at;
        out.name = std::move(name->text);
        return true;
    }

    bool common(Annotations annotations) {
        auto name = type_name();
        if (!name) return false;
        if (is_reserved_type(name->text))
            cursor_.report(name->at, fmt::format("this uses a reserved schema keyword: `{}`: give "
                                                 "the common type another name",
                                                 name->text));
        CommonBody body;
        body.annotations = std::move(annotations);
        if (!cursor_.expect(Kind::kAssign, "`=` and the type") || !type(body.type, 1) ||
            !cursor_.expect(Kind::kSemicolon, "`;`"))
            return false;
        declare(space_->common, {std::move(*name)}, std::move(body));
        return true;
    }

    // Path | '[' [Path {',' Path}] ']'
    bool types(std::vector<TypeRef>& out) {
        const bool several = cursor_.accept(Kind::kLeftBracket);
        if (several && cursor_.accept(Kind::kRightBracket)) return true;
        do {
            auto name = path("the name of an entity type");
            if (!name) return false;
            out.push_back({std::move(name->text), name->at});
        } while (several && cursor_.accept(Kind::kComma));
        return !several || cursor_.expect(Kind::kRightBracket, "`,` or `]`");
    }

    bool type(TypeExpr& out, std::size_t depth) {
        out.at = cursor_.now().begin;
        if (depth > budget_.limits().depth_max) {
            limit(out.at,
                  fmt::format("types may nest at most {} deep", budget_.limits().depth_max));
            return false;
        }
        if (cursor_.at(Kind::kLeftBrace)) return record(out, depth);
        if (cursor_.at_word("Set") && cursor_.next().kind == Kind::kLess) {
            cursor_.advance();
            cursor_.advance();
            out.kind = TypeExpr::Kind::kSet;
            return type(out.element.emplace_back(), depth + 1) &&
                   cursor_.expect(Kind::kGreater, "`>`");
        }
        auto name = path("a type: a name, `Set<…>` or `{…}`");
        if (!name) return false;
        out.kind = TypeExpr::Kind::kName;
        out.name = std::move(name->text);
        return true;
    }

    bool record(TypeExpr& out, std::size_t depth) {
        out.kind = TypeExpr::Kind::kRecord;
        out.at = cursor_.now().begin;
        out.attributes.clear();
        cursor_.advance();
        while (!cursor_.at(Kind::kRightBrace)) {
            AttributeDecl attribute;
            if (!read_annotations(attribute.annotations)) return false;
            auto name = any_name("an attribute or `}`");
            if (!name) return false;
            attribute.name = std::move(name->text);
            if (cursor_.at(Kind::kInvalid) && cursor_.text(cursor_.now()) == "?") {
                attribute.required = false;
                cursor_.advance();
            }
            if (!cursor_.expect(Kind::kColon, "`:` and the attribute's type")) return false;
            if (!type(attribute.type, depth + 1)) return false;
            out.attributes.push_back(std::move(attribute));
            if (!cursor_.accept(Kind::kComma)) break;
        }
        sort_attributes(out.attributes);
        return cursor_.expect(Kind::kRightBrace, "`,` or `}`");
    }

    // Ident, where reserved words are reported.
    std::optional<Name> identifier(std::string_view wanted) {
        if (!cursor_.at(Kind::kIdentifier)) {
            cursor_.unexpected(wanted);
            return std::nullopt;
        }
        Name out{std::string(cursor_.text(cursor_.now())), cursor_.now().begin};
        if (is_reserved(out.text))
            cursor_.report(out.at, fmt::format("`{}` is a reserved identifier", out.text));
        cursor_.advance();
        return out;
    }

    // The name of a type that is being declared.
    std::optional<Name> type_name() {
        auto out = identifier("the name of the type");
        if (out && out->text == "__cedar")
            cursor_.report(out->at,
                           "use of the reserved `__cedar` namespace: give the type "
                           "another name");
        return out;
    }

    // Ident | STRING
    std::optional<Name> any_name(std::string_view wanted) {
        if (!cursor_.at(Kind::kString)) return identifier(wanted);
        Name out{cursor_.string(cursor_.now()), cursor_.now().begin};
        cursor_.advance();
        return out;
    }

    // Ident {'::' Ident}; with `entity`, a string may follow a last `::`: it is not taken.
    std::optional<Name> path(std::string_view wanted, bool entity = false) {
        auto out = identifier(wanted);
        while (out && cursor_.accept(Kind::kColons)) {
            out->open = entity && cursor_.at(Kind::kString);
            if (out->open) break;
            const auto part = identifier("a name after `::`");
            if (!part) return std::nullopt;
            out->text += "::" + part->text;
        }
        return out;
    }

    static bool has_internal(std::string_view name) {
        return name == "__cedar" || name.starts_with("__cedar::") || name.ends_with("::__cedar") ||
               name.find("::__cedar::") != std::string_view::npos;
    }

    Cursor cursor_;
    SchemaTree& tree_;
    SchemaBudget& budget_;
    NamespaceDecl* space_ = nullptr;
};

}  // namespace

SchemaTree parse_schema(std::shared_ptr<const Source> source, SchemaBudget& budget,
                        SchemaErrors& errors) {
    SchemaTree tree;
    tree.source = std::move(source);
    SchemaParser parser(tree, budget);
    parser.parse();
    for (const ParseError& error : parser.errors())
        errors.add(tree, error.at, error.message,
                   error.too_large ? ErrorCode::kTooLarge : ErrorCode::kInvalid);
    return tree;
}

}  // namespace writ::cedar
