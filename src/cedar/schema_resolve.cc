// From names to types (digest section 7). In order: what is declared where; common types, each
// after those it refers to; entity types and actions; then the hierarchies (schema_hierarchy.cc).
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "cedar/names.h"
#include "cedar/schema_hierarchy.h"
#include "cedar/schema_model.h"
#include "cedar/schema_names.h"

namespace writ::cedar {
namespace {

// Types may nest this deep once common types are followed: whoever walks a type recurses.
constexpr std::size_t kResolvedDepthMax = 256;
constexpr std::size_t kTypeSuggestionsMax = 10;

// Where something stands.
struct Place {
    const SchemaTree* tree = nullptr;
    std::string_view space;
};

struct Common {
    Place place;
    std::string name;
    const Declaration<CommonBody>* declaration = nullptr;
    TypeId type = kNoType;
    enum class State : std::uint8_t { kNew, kOpen, kDone } state = State::kNew;
};

class Resolver {
  public:
    Resolver(Schema::Impl& schema, SchemaErrors& errors) : schema_(schema), errors_(errors) {}

    void run() {
        collect();
        if (!errors_.empty()) return;
        for (std::uint32_t i = 0; i < common_.size(); ++i)
            if (!order_common(i)) return;
        for (std::uint32_t i = 0; i < entity_places_.size(); ++i) entity(i);
        for (std::uint32_t i = 0; i < action_places_.size(); ++i) action(i);
        if (errors_.empty())
            close_hierarchies(schema_, errors_, [&](std::uint32_t i) {
                return std::pair(action_places_[i].place.tree, action_places_[i].declaration->at);
            });
    }

  private:
    template <class Body>
    struct Placed {
        Place place;
        const Declaration<Body>* declaration = nullptr;
    };
    // What a shared body resolves to.
    struct Entity {
        TypeId shape = kNoType, tags = kNoType;
        std::vector<std::uint32_t> parents;
    };
    struct Action {
        TypeId context = kNoType;
        std::vector<std::uint32_t> parents, principals, resources;
    };

    void error(const Place& place, std::uint32_t at, std::string message) {
        errors_.add(*place.tree, at, std::move(message));
    }

    // Declarations.

    void collect() {
        for (const SchemaTree& tree : schema_.trees)
            for (const auto& [space, declared] : tree.namespaces) {
                const Place place{&tree, space};
                for (const auto& [name, it] : declared.common) add_common(place, name, it);
                for (const auto& [name, it] : declared.entities) add_entity(place, name, it);
                for (const auto& [name, it] : declared.actions) add_action(place, name, it);
                for (const auto& [name, value] : declared.annotations)
                    if (!annotated_.emplace(space, name).second)
                        error(place, declared.at, fmt::format("duplicate annotations: `{}`", name));
            }
        check_shadowing();
        add_action_types();
        // Now that no vector grows: the keys of the indices are views of what they hold.
        for (std::uint32_t i = 0; i < schema_.entity_types.size(); ++i) index_entity(i);
        for (std::uint32_t i = 0; i < schema_.actions.size(); ++i)
            schema_.action_index.emplace(schema_.actions[i].uid.ref(), i);
    }

    void add_common(const Place& place, const std::string& name,
                    const Declaration<CommonBody>& declaration) {
        std::string full = full_name(place.space, name);
        warn_builtin(place, name, declaration.at);
        if (!names_.add_common(full, static_cast<std::uint32_t>(common_.size())))
            error(place, declaration.at, fmt::format("`{}` is declared twice", full));
        common_.push_back({place, std::move(full), &declaration});
    }

    void add_entity(const Place& place, const std::string& name,
                    const Declaration<EntityBody>& declaration) {
        EntityTypeDef def;
        def.name = full_name(place.space, name);
        warn_builtin(place, name, declaration.at);
        if (!names_.add_entity(def.name, static_cast<std::uint32_t>(entity_places_.size())))
            error(place, declaration.at, fmt::format("`{}` is declared twice", def.name));
        def.annotations = &declaration.body->annotations;
        schema_.entity_types.push_back(std::move(def));
        entity_places_.push_back({place, &declaration});
    }

    void add_action(const Place& place, const std::string& id,
                    const Declaration<ActionBody>& declaration) {
        ActionDef def;
        def.uid = Uid({full_name(place.space, "Action"), id});
        if (!action_names_.emplace(def.uid.uid.type, id).second)
            error(place, declaration.at, fmt::format("`{}` is declared twice", def.uid.uid.text()));
        def.annotations = &declaration.body->annotations;
        schema_.actions.push_back(std::move(def));
        action_places_.push_back({place, &declaration});
    }

    void index_entity(std::uint32_t i) {
        EntityTypeDef& def = schema_.entity_types[i];
        def.type = schema_.types.entity(i);
        def.shape = schema_.types.record({});
        schema_.entity_index.emplace(def.name, i);
    }

    // Each namespace with actions has a type for them.
    void add_action_types() {
        std::map<std::string_view, std::uint32_t> types;
        for (ActionDef& def : schema_.actions) {
            const std::string& name = def.uid.uid.type;
            const auto next = static_cast<std::uint32_t>(schema_.entity_types.size());
            const auto [at, fresh] = types.emplace(name, next);
            def.entity_type = at->second;
            if (!fresh) continue;
            EntityTypeDef made;
            made.name = name;
            made.is_action = true;
            schema_.entity_types.push_back(std::move(made));
            names_.add_entity(name, next);
        }
    }

    // RFC 70: what a namespace declares may not hide what the empty one declares.
    void check_shadowing() {
        const auto shadows = [&](const Place& place, std::uint32_t at, std::string_view name) {
            const std::size_t colons = name.rfind("::");
            if (place.space.empty() || colons == std::string_view::npos) return;
            const std::string outer(name.substr(colons + 2));
            if (!names_.declares(outer)) return;
            error(place, at,
                  fmt::format("definition of `{}` illegally shadows the existing definition of "
                              "`{}`: rename one of the definitions, or move `{}` to a different "
                              "namespace",
                              name, outer, outer));
        };
        for (const Common& common : common_)
            shadows(common.place, common.declaration->at, common.name);
        for (std::size_t i = 0; i < entity_places_.size(); ++i)
            shadows(entity_places_[i].place, entity_places_[i].declaration->at,
                    schema_.entity_types[i].name);
        for (std::size_t i = 0; i < action_places_.size(); ++i) {
            const EntityUid& uid = schema_.actions[i].uid.uid;
            const EntityUid outer{"Action", uid.id};
            if (uid.type == "Action" || !action_names_.contains({"Action", uid.id})) continue;
            error(action_places_[i].place, action_places_[i].declaration->at,
                  fmt::format("definition of `{0}` illegally shadows the existing definition of "
                              "`{1}`: rename one of the actions, or move `{1}` to a different "
                              "namespace",
                              uid.text(), outer.text()));
        }
    }

    void warn_builtin(const Place& place, const std::string& name, std::uint32_t at) {
        if (!is_builtin_type(name)) return;
        schema_.warnings.push_back(
            {ErrorCode::kInvalid,
             fmt::format("the name `{0}` shadows a builtin Cedar name: the builtin is now written "
                         "`__cedar::{0}`",
                         name),
             place.tree->source->at(at)});
    }

    void unresolved(const Place& place, std::uint32_t at, std::string_view name, Wanted wanted) {
        const bool suggest = ++unresolved_ <= kTypeSuggestionsMax;  // each compares all names
        error(place, at, names_.unresolved(place.space, name, wanted, suggest));
    }

    // Types.

    // Resolves a common type, first those it refers to; without recursion over them: a chain may
    // be long. False if they are in a cycle.
    bool order_common(std::uint32_t start) {
        std::vector<std::pair<std::uint32_t, bool>> stack = {{start, false}};
        while (!stack.empty()) {
            const auto [i, left] = stack.back();
            stack.pop_back();
            Common& common = common_[i];
            if (left) {
                common.type = type(common.place, common.declaration->body->type);
                common.state = Common::State::kDone;
                continue;
            }
            if (common.state != Common::State::kNew) continue;
            common.state = Common::State::kOpen;
            stack.emplace_back(i, true);
            std::vector<std::uint32_t> needed;
            references(common.place, common.declaration->body->type, needed);
            for (const std::uint32_t other : needed) {
                if (common_[other].state == Common::State::kOpen) {  // waits for this one
                    error(common.place, common.declaration->at,
                          fmt::format("cycle in common type references containing `{}`",
                                      common.name));
                    return false;
                }
                if (common_[other].state == Common::State::kNew) stack.emplace_back(other, false);
            }
        }
        return true;
    }

    void references(const Place& place, const TypeExpr& of, std::vector<std::uint32_t>& out) const {
        if (of.kind == TypeExpr::Kind::kName || of.kind == TypeExpr::Kind::kCommon) {
            const Meaning meaning =
                names_.find(place.space, of.name,
                            of.kind == TypeExpr::Kind::kName ? Wanted::kAny : Wanted::kCommon);
            if (meaning.kind == Meaning::Kind::kCommon) out.push_back(meaning.index);
        }
        for (const TypeExpr& element : of.element) references(place, element, out);
        for (const AttributeDecl& attribute : of.attributes) references(place, attribute.type, out);
    }

    // kNoType after an error.
    TypeId type(const Place& place, const TypeExpr& of) {
        switch (of.kind) {
            case TypeExpr::Kind::kLong:
                return kLongType;
            case TypeExpr::Kind::kString:
                return kStringType;
            case TypeExpr::Kind::kBool:
                return kBoolType;
            case TypeExpr::Kind::kName:
                return named(place, of, Wanted::kAny);
            case TypeExpr::Kind::kCommon:
                return named(place, of, Wanted::kCommon);
            case TypeExpr::Kind::kEntity:
                return named(place, of, Wanted::kEntity);
            case TypeExpr::Kind::kExtension:
                return extension(place, of);
            case TypeExpr::Kind::kSet: {
                const TypeId element = type(place, of.element[0]);
                return element == kNoType ? kNoType
                                          : bounded(place, of.at, schema_.types.set(element));
            }
            case TypeExpr::Kind::kRecord:
                return record(place, of);
        }
        return kNoType;
    }

    TypeId named(const Place& place, const TypeExpr& of, Wanted wanted) {
        const Meaning meaning = names_.find(place.space, of.name, wanted);
        if (meaning.kind == Meaning::Kind::kCommon) return common_[meaning.index].type;
        if (meaning.kind == Meaning::Kind::kEntity) return schema_.types.entity(meaning.index);
        if (meaning.kind == Meaning::Kind::kBuiltin) return meaning.type;
        unresolved(place, of.at, of.name, wanted);
        return kNoType;
    }

    TypeId extension(const Place& place, const TypeExpr& of) {
        const TypeId known = extension_type(of.name);
        if (known == kNoType)
            error(place, of.at,
                  fmt::format("unknown extension type `{}`: {}", of.name, extension_help(of.name)));
        return known;
    }

    TypeId record(const Place& place, const TypeExpr& of) {
        std::vector<TypeField> fields;
        fields.reserve(of.attributes.size());
        bool whole = true;
        for (const AttributeDecl& attribute : of.attributes) {
            const TypeId field = type(place, attribute.type);
            whole = whole && field != kNoType;
            // The tree lives as long as the types.
            fields.push_back({attribute.name, field, attribute.required});
        }
        return whole ? bounded(place, of.at, schema_.types.record(fields)) : kNoType;
    }

    TypeId bounded(const Place& place, std::uint32_t at, TypeId made) {
        if (schema_.types.node(made).depth <= kResolvedDepthMax) return made;
        errors_.add(
            *place.tree, at,
            fmt::format("types may nest at most {} deep, common types followed", kResolvedDepthMax),
            ErrorCode::kTooLarge);
        return kNoType;
    }

    // Entity types and actions.

    std::optional<std::uint32_t> entity_ref(const Place& place, const TypeRef& ref) {
        const Meaning meaning = names_.find(place.space, ref.name, Wanted::kEntity);
        if (meaning.kind != Meaning::Kind::kEntity) {
            unresolved(place, ref.at, ref.name, Wanted::kEntity);
            return std::nullopt;
        }
        if (!schema_.entity_types[meaning.index].is_action) return meaning.index;
        error(place, ref.at,
              fmt::format("undeclared entity type: {}: the type of actions cannot stand here",
                          schema_.entity_types[meaning.index].name));
        return std::nullopt;
    }

    std::vector<std::uint32_t> entity_refs(const Place& place, const std::vector<TypeRef>& refs) {
        std::vector<std::uint32_t> out;
        for (const TypeRef& ref : refs)
            if (const auto index = entity_ref(place, ref)) out.push_back(*index);
        std::sort(out.begin(), out.end());
        out.erase(std::unique(out.begin(), out.end()), out.end());
        return out;
    }

    void entity(std::uint32_t i) {
        const Place& place = entity_places_[i].place;
        const EntityBody& body = *entity_places_[i].declaration->body;
        EntityTypeDef& def = schema_.entity_types[i];
        def.enumerated = body.enumerated;
        if (body.enumerated) {
            def.ids = body.ids;
            std::sort(def.ids.begin(), def.ids.end());
            def.ids.erase(std::unique(def.ids.begin(), def.ids.end()), def.ids.end());
            return;
        }
        const auto [at, fresh] = entities_done_.try_emplace(&body);
        Entity& done = at->second;
        if (fresh) {
            done.parents = entity_refs(place, body.parents);
            done.shape = type(place, body.shape);
            if (body.tags) done.tags = type(place, *body.tags);
            if (done.shape != kNoType && schema_.types.kind(done.shape) != TypeKind::kRecord)
                error(place, body.shape.at,
                      fmt::format("Shape for entity type {} is declared with a type other than "
                                  "`Record`: entity type shapes must have type `Record`",
                                  def.name));
        }
        def.shape = done.shape;
        def.tags = done.tags;
        def.parents = done.parents;
    }

    void action(std::uint32_t i) {
        const Place& place = action_places_[i].place;
        const ActionBody& body = *action_places_[i].declaration->body;
        ActionDef& def = schema_.actions[i];
        const auto [at, fresh] = actions_done_.try_emplace(&body);
        Action& done = at->second;
        if (fresh) {
            for (const ActionRef& parent : body.parents)
                if (const auto index = action_ref(place, parent)) done.parents.push_back(*index);
            std::sort(done.parents.begin(), done.parents.end());
            done.parents.erase(std::unique(done.parents.begin(), done.parents.end()),
                               done.parents.end());
            done.principals = entity_refs(place, body.principals);
            done.resources = entity_refs(place, body.resources);
            done.context = type(place, body.context);
            if (done.context != kNoType && schema_.types.kind(done.context) != TypeKind::kRecord)
                error(place, body.context.at,
                      fmt::format("Context for action {} is declared with a type other than "
                                  "`Record`: action contexts must have type `Record`",
                                  def.uid.uid.text()));
        }
        def.context = done.context;
        def.parents = done.parents;
        def.principals = done.principals;
        def.resources = done.resources;
    }

    std::optional<std::uint32_t> action_ref(const Place& place, const ActionRef& ref) {
        const std::string type = ref.type.empty() ? "Action" : ref.type;
        std::vector<EntityUid> candidates;
        if (type.find("::") == std::string::npos && !place.space.empty())
            candidates.push_back({full_name(place.space, type), ref.id});
        candidates.push_back({type, ref.id});
        for (const EntityUid& candidate : candidates) {
            const auto at = schema_.action_index.find({hash_uid(candidate), &candidate});
            if (at != schema_.action_index.end()) return at->second;
        }
        std::vector<std::string_view> names;
        for (const ActionDef& def : schema_.actions) names.push_back(def.uid.uid.id);
        const std::string near = nearest(ref.id, names);
        error(place, ref.at,
              fmt::format("undeclared action: {}: any actions appearing as parents need to be "
                          "declared as actions{}",
                          candidates[0].text(),
                          near.empty() ? "" : fmt::format(", did you mean `{}`?", near)));
        return std::nullopt;
    }

    Schema::Impl& schema_;
    SchemaErrors& errors_;
    std::vector<Common> common_;
    SchemaNames names_;
    std::size_t unresolved_ = 0;
    std::set<std::pair<std::string, std::string>> action_names_;
    std::set<std::pair<std::string_view, std::string_view>> annotated_;
    std::vector<Placed<EntityBody>> entity_places_;  // of schema_.entity_types, without actions'
    std::vector<Placed<ActionBody>> action_places_;  // of schema_.actions
    std::map<const EntityBody*, Entity> entities_done_;
    std::map<const ActionBody*, Action> actions_done_;
};

}  // namespace

void resolve_schema(Schema::Impl& schema, SchemaErrors& errors) {
    Resolver(schema, errors).run();
}

}  // namespace writ::cedar
