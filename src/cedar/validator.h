// Holds policies, requests and data against a schema (cedar/schema.h).
//
//   cedar::Validator validator(schema);
//   cedar::Validation found = validator.validate(policies);
//   for (const auto& finding : found.findings) print(finding.text());
//   if (!found.passed()) …no policy of the set may be loaded…
//
// Strict validation, with the verdicts of the reference engine 4.10: a policy that passes has no
// type error on any request and any entities that pass validation themselves; what may still fail
// is arithmetic overflow and a missing entity.
//
// A Validator is immutable; any thread may use it. No exceptions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cedar/cedar.h"
#include "cedar/schema.h"
#include "json/value.h"

namespace writ::cedar {

enum class FindingKind : std::uint8_t {
    // Errors
    kUnknownEntityType,      // an entity type that the schema does not declare
    kUnknownAction,          // an action that the schema does not declare
    kUnknownEnumId,          // an id that an enumerated type does not have
    kNoApplicableAction,     // no action fits the scope: the policy could never apply
    kUnexpectedType,         // an operand of another type than the operator takes
    kIncompatibleTypes,      // two operands, elements or branches of types without common ground
    kUnknownAttribute,       //
    kUnsafeAttribute,        // an optional attribute, read without `has` before
    kUnsafeTag,              // a tag, read without `hasTag` before
    kNoTags,                 // a tag of an entity type without tags
    kEmptySet,               // the type of `[]` is unknown
    kWrongArity,             // wrong number of arguments of an extension function
    kNonLiteralConstructor,  // `ip(context.x)`
    kBadExtensionLiteral,    // `ip("x")`
    kLevel,                  // dereferences deeper than the level that was asked for
    kLimit,                  // too large to be checked
    // Warnings
    kImpossiblePolicy,  // false for every request
    kAlwaysTrue,        // part of a condition that is true for every request (only if asked for)
    kAlwaysFalse,       // part of a condition that is false for every request (only if asked for)
    kUnreachable,       // part of a condition that is never evaluated (only if asked for)
    kConfusingText,     // bidirectional or invisible characters, mixed scripts
};

// The stable name of a kind, in lower case with underscores: `unknown_attribute`.
std::string_view name(FindingKind kind);

enum class Severity : std::uint8_t { kError, kWarning };

struct Finding {
    Severity severity = Severity::kError;
    FindingKind kind = FindingKind::kLimit;
    std::string policy;     // id
    SourceRef at;           // where the offending text begins
    std::string offending;  // that text, shortened
    std::string message;    // in the reference engine's words where it has them
    std::string help;       // what to write instead; may be empty

    // `file:line:column: policy `id`: message: help`
    std::string text() const;
};

struct Validation {
    std::vector<Finding> findings;  // in the order of the policies, errors before warnings
    bool passed() const;            // no errors
};

struct ValidateOptions {
    // RFC 76: dereferences of entities may be chained at most this often.
    std::optional<std::uint32_t> level = {};
    // Also report parts of conditions that decide nothing: kAlwaysTrue, kAlwaysFalse, kUnreachable.
    bool redundant_parts = false;
    // A policy to which no action applies: an error, or only a warning (reference 4.13 and later).
    bool no_applicable_action_is_error = true;
};

class Validator {
  public:
    explicit Validator(Schema schema);

    // Every policy, template and link of the set. Cost: about 2 us for a small policy.
    Validation validate(const PolicySet& policies, const ValidateOptions& options = {}) const;

    // Whether the request may be asked at all: types declared and applicable to the action,
    // context as declared, ids of enumerated types and actions declared. Errors: kInvalid.
    Status validate_request(const Request& request) const;
    // Whether the context is one of the action's. Errors: kInvalid.
    Status validate_context(const Value& context, const EntityUid& action) const;
    // Whether every entity is as declared: attributes, tags, ancestors' types, ids; action entities
    // exactly as in the schema. Errors: kInvalid.
    Status validate_entities(const std::vector<EntityData>& entities) const;

    // Reads a context for the action. Where the schema says what is expected, entity references may
    // be written {"type", "id"} and extension values as the constructor's string. Errors: kInvalid
    // with a path.
    Result<Value> read_context(const json::Value& value, const EntityUid& action) const;
    // Reads Cedar's entities JSON in the same way, validates it, and adds the schema's actions.
    // Errors: kInvalid.
    Result<Entities> read_entities(std::string_view json_text) const;

    const Schema& schema() const { return schema_; }

  private:
    Schema schema_;
};

}  // namespace writ::cedar
