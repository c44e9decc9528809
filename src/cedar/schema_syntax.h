// A schema as written, in either syntax: namespaces with their declarations, names not yet
// resolved. What both parsers give, both printers print, and the resolver reads.
//
// A declaration of several names (`entity A, B { … }`) shares one body: bodies are immutable.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cedar/ast.h"
#include "cedar/schema.h"

namespace writ::cedar {

using Annotations = std::map<std::string, std::string, std::less<>>;

struct AttributeDecl;

// A type as written. `at` is the byte of the text where it stands, so everywhere below.
struct TypeExpr {
    enum class Kind : std::uint8_t {
        kName,       // name: an entity type, a common type or a builtin
        kCommon,     // name: a common type or a builtin ({"type": name})
        kEntity,     // name: an entity type ({"type": "Entity", "name"})
        kExtension,  // name ({"type": "Extension", "name"})
        kLong,       // the builtin whatever is declared, as JSON has it
        kString,     //
        kBool,       //
        kSet,        // element[0]
        kRecord,     // attributes
    };
    Kind kind = Kind::kRecord;
    std::uint32_t at = 0;
    std::string name;
    std::vector<TypeExpr> element;
    std::vector<AttributeDecl> attributes;  // sorted by name, unique

    bool is_empty_record() const { return kind == Kind::kRecord && attributes.empty(); }
};

struct AttributeDecl {
    std::string name;
    bool required = true;
    TypeExpr type;
    Annotations annotations;
};

// The name of an entity type where only one may stand.
struct TypeRef {
    std::string name;
    std::uint32_t at = 0;
};

struct ActionRef {
    std::string type;  // empty: none written
    std::string id;
    std::uint32_t at = 0;
};

struct EntityBody {
    std::vector<TypeRef> parents;
    TypeExpr shape;
    std::optional<TypeExpr> tags;
    bool enumerated = false;
    std::vector<std::string> ids;  // of an enumerated type, as written
    Annotations annotations;
};

struct ActionBody {
    std::vector<ActionRef> parents;
    std::vector<TypeRef> principals, resources;
    TypeExpr context;
    Annotations annotations;
};

struct CommonBody {
    TypeExpr type;
    Annotations annotations;
};

template <class Body>
struct Declaration {
    std::uint32_t at = 0;
    std::shared_ptr<const Body> body;
};

template <class Body>
using Declarations = std::map<std::string, Declaration<Body>, std::less<>>;

struct NamespaceDecl {
    std::uint32_t at = 0;
    Annotations annotations;
    Declarations<CommonBody> common;
    Declarations<EntityBody> entities;
    Declarations<ActionBody> actions;
};

// One text.
struct SchemaTree {
    std::shared_ptr<const Source> source;
    std::map<std::string, NamespaceDecl, std::less<>> namespaces;
};

// What is wrong, collected over all texts.
class SchemaErrors {
  public:
    void add(const SchemaTree& tree, std::uint32_t at, std::string message,
             ErrorCode code = ErrorCode::kInvalid);
    bool empty() const { return errors_.empty(); }
    bool full() const;  // more would help nobody
    // The first, the others in its detail. Only if not empty().
    Error join() const;

  private:
    std::vector<Error> errors_;
};

// Counts declarations, ids and references against the limits.
class SchemaBudget {
  public:
    explicit SchemaBudget(const SchemaLimits& limits) : limits_(limits) {}
    const SchemaLimits& limits() const { return limits_; }
    // Each: an empty text, or which limit was passed.
    std::string declare(std::size_t names);
    std::string ids(std::size_t count);
    std::string refer(std::size_t count);

  private:
    const SchemaLimits& limits_;
    std::size_t declarations_ = 0, ids_ = 0, references_ = 0;
};

// Sorts by name; of equal names the last stays.
void sort_attributes(std::vector<AttributeDecl>& attributes);
// May not be the name of a common type: Bool Boolean Entity Extension Long Record Set String.
bool is_reserved_type(std::string_view name);

// The parsers. What is wrong goes to `errors`; the tree is then not complete.
SchemaTree parse_schema(std::shared_ptr<const Source> source, SchemaBudget& budget,
                        SchemaErrors& errors);
SchemaTree parse_schema_json(std::shared_ptr<const Source> source, SchemaBudget& budget,
                             SchemaErrors& errors);

// The printers, over all texts together.
Result<std::string> print_schema(const std::vector<SchemaTree>& trees, std::size_t bytes_max);
Result<std::string> print_schema_json(const std::vector<SchemaTree>& trees, std::size_t bytes_max);

}  // namespace writ::cedar
