// Cedar schemas: which entity types, actions and contexts there are. In the Cedar syntax or as
// JSON, both ways.
//
//   auto schema = cedar::Schema::parse(text, {.file = "bank.cedarschema"});
//   if (!schema) …schema.error().message() says file, line, column and what to write instead…
//   auto json = schema->to_json();
//
// A Schema is immutable and shared: copies are cheap, any thread may use it. What is not declared
// does not resolve: a schema that parses has no unknown name in it. No exceptions. Policies,
// requests and entities are held against a schema by cedar/validator.h.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cedar/cedar.h"

namespace writ::cedar {

struct SchemaLimits {
    std::size_t bytes_max = 8 << 20;         // text
    std::size_t depth_max = 64;              // nesting of types in the text
    std::size_t declarations_max = 10'000;   // entity types, common types and actions together
    std::size_t enum_ids_max = 100'000;      // ids of all enumerated types together
    std::size_t references_max = 1'000'000;  // parents and appliesTo entries of all declarations
    std::size_t output_bytes_max = 64 << 20;
};

struct SchemaOptions {
    std::string file = {};  // for positions
    SchemaLimits limits = {};
};

enum class SchemaSyntax : std::uint8_t { kCedar, kJson };

// One text of a schema that is made of several.
struct SchemaText {
    std::string_view text;
    std::string file = {};
    SchemaSyntax syntax = SchemaSyntax::kCedar;
};

// An action as a caller may inspect it.
struct ActionInfo {
    EntityUid uid;
    std::vector<std::string> principals, resources;  // full names of entity types; both empty: none
    std::vector<EntityUid> parents;                  // as declared
    std::map<std::string, std::string, std::less<>> annotations;
};

struct EntityTypeInfo {
    std::string name;  // full
    std::vector<std::string> parents;
    std::vector<std::string> ids;  // of an enumerated type, sorted; else empty
    std::map<std::string, std::string, std::less<>> annotations;
};

class Schema {
  public:
    // The empty schema: declares nothing.
    Schema();

    // All errors are collected; the first is returned with its position, the others follow in its
    // detail, one a line. Errors: kInvalid, kTooLarge.
    static Result<Schema> parse(std::string_view text, const SchemaOptions& options = {});
    static Result<Schema> parse_json(std::string_view text, const SchemaOptions& options = {});
    // One schema out of several texts: each may use what another declares, a namespace may be
    // spread over them, nothing may be declared twice. options.file is not used.
    static Result<Schema> parse_all(std::span<const SchemaText> texts,
                                    const SchemaOptions& options = {});

    // The schema as text: names as they were written, declarations sorted. Parsing it gives an
    // equal schema. Errors: kTooLarge; to_cedar() also kUnsupported where the Cedar syntax has no
    // word for it (a shape that names a common type, an entity type hidden by a common type).
    Result<std::string> to_cedar() const;
    Result<std::string> to_json() const;

    // Declarations that are legal and probably not meant, e.g. an entity type `String`.
    std::vector<Error> warnings() const;

    std::vector<ActionInfo> actions() const;
    std::vector<EntityTypeInfo> entity_types() const;
    bool has_action(const EntityUid& uid) const;
    bool has_entity_type(std::string_view name) const;
    // The actions as entities with their parents, as a store needs them for `action in …`.
    std::vector<EntityData> action_entities() const;

    struct Impl;
    const Impl& impl() const { return *impl_; }

  private:
    explicit Schema(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<const Impl> impl_;
};

}  // namespace writ::cedar
