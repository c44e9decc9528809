// The Cedar policy language, version 4.5: parse once, authorize many. A library of its own: it
// knows nothing of agents.
//
//   auto policies = cedar::PolicySet::parse(text, {.file = "pay.cedar"});
//   auto entities = cedar::Entities::parse_json(json);
//   cedar::Request request{principal, action, resource, context};
//   cedar::Response response = cedar::authorize(request, *policies, *entities);
//
// A PolicySet and an Entities store are immutable after construction: share them as
// shared_ptr<const T> and use them from any thread. No exceptions. Semantics: cedarpolicy.com
// reference, conformance by bin/cedar_conformance.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "json/value.h"

namespace writ::cedar {

// An entity's type (`Writ::Agent`, normalised, no spaces) and id.
struct EntityUid {
    std::string type;
    std::string id;
    auto operator<=>(const EntityUid&) const = default;
    std::string text() const;  // Writ::Agent::"x" with Cedar escapes
};

// A Cedar value: Bool, Long, String, entity reference, Set, Record or an extension value.
// Immutable, cheap to copy.
class Value {
  public:
    static Value boolean(bool v);
    static Value integer(std::int64_t v);
    static Value string(std::string_view v);
    static Value entity(EntityUid uid);
    static Value set(std::vector<Value> elements);
    static Value record(std::vector<std::pair<std::string, Value>> members);
    // An extension value from its constructor, e.g. ("datetime", "2026-11-24T00:00:00Z"). Errors:
    // kInvalid.
    static Result<Value> extension(std::string_view constructor, std::string_view argument);
    // datetime from milliseconds since the epoch, without going through text.
    static Value datetime_ms(std::int64_t ms);

    // Cedar JSON (entities/context format, with __entity and __extn escapes). Errors: kInvalid with
    // a path.
    static Result<Value> from_json(const json::Value& value);
    // What from_json() reads; extension values as calls of their constructors. Errors: kUnsupported
    // for a record with a key that is an escape, such as `__entity`.
    Result<std::string> to_json() const;
    // Cedar source text of the value, for explanations.
    std::string text() const;
    bool operator==(const Value& other) const;

    struct Rep;
    explicit Value(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}
    const Rep& rep() const { return *rep_; }

  private:
    std::shared_ptr<const Rep> rep_;
};

struct Request {
    EntityUid principal, action, resource;
    Value context;  // a record
};

enum class Effect : std::uint8_t { kPermit, kForbid };
enum class Decision : std::uint8_t { kAllow, kDeny };

struct PolicyError {
    std::string policy;   // policy id
    std::string message;  // in the reference engine's words where the digest gives them
};

struct Response {
    Decision decision = Decision::kDeny;
    std::vector<std::string>
        reason;  // ids: satisfied forbids if any, else satisfied permits (only when kAllow)
    std::vector<PolicyError> errors;
};

inline constexpr std::size_t kPolicyBytesMax = 8 << 20;
inline constexpr std::size_t kPoliciesMax = 100'000;    // of one set, templates and links counted
inline constexpr std::size_t kEntitiesMax = 1'000'000;  // of one store

struct Limits {
    std::size_t bytes_max = kPolicyBytesMax;  // policy text
    std::size_t depth_max = 256;              // nesting of expressions
    std::size_t policies_max = kPoliciesMax;
};

struct ParseOptions {
    std::string file = {};             // for positions
    std::string id_prefix = "policy";  // ids are prefix + position: policy0, policy1, …
    Limits limits = {};
};

// The entities for the slots `?principal` and `?resource` of a template.
struct SlotValues {
    std::optional<EntityUid> principal = {}, resource = {};
};

// One policy as a caller may inspect it.
struct PolicyInfo {
    std::string id;
    Effect effect = Effect::kPermit;
    std::map<std::string, std::string, std::less<>> annotations;
    SourceRef at;
    std::string text;  // its source
    bool is_template = false;
    std::string template_id = {};  // of a linked policy; empty otherwise
    SlotValues values = {};        // its entities
};

// Policies, templates and links, each with an id of its own: policies and templates are parsed or
// added, links made of a template and entities for its slots. A linked policy decides under its
// own id, with the effect, the conditions and the annotations of its template; a template itself
// decides nothing.
class PolicySet {
  public:
    PolicySet();
    ~PolicySet();
    PolicySet(PolicySet&&) noexcept;
    PolicySet& operator=(PolicySet&&) noexcept;

    // All errors are collected; the first is returned with its position, the others follow in its
    // detail, one a line. Errors: kInvalid, kTooLarge.
    static Result<PolicySet> parse(std::string_view text, const ParseOptions& options = {});
    // Cedar's JSON of a policy set (est.h): policies, templates and links. Errors: kInvalid with
    // the place as a JSON pointer, kConflict for an id that comes twice, kTooLarge.
    static Result<PolicySet> parse_json(std::string_view json, const ParseOptions& options = {});

    // Adds one policy or template, as text or as JSON. Errors: kConflict on an id that exists, and
    // those of parse().
    Status add(std::string id, std::string_view text, const ParseOptions& options = {});
    Status add_json(std::string id, std::string_view json, const ParseOptions& options = {});
    // Adds every policy of `other`. Errors: kConflict on an id that exists, kTooLarge.
    Status merge(const PolicySet& other);
    // Removes a policy or a template. Errors: kNotFound; kConflict for a template that has links,
    // and for a linked policy, which is unlinked. Cost: linear in the size of the set.
    Status remove(std::string_view id);
    // Adds the policy `new_id`, made of the template by giving each of its slots an entity. Errors:
    // kNotFound; kConflict on an id that exists; kInvalid for a policy that is no template, a slot
    // without an entity, an entity without a slot; kTooLarge.
    Status link(std::string_view template_id, std::string new_id, const SlotValues& values);
    // Removes a linked policy. Errors: kNotFound; kConflict for one that is not linked.
    Status unlink(std::string_view id);
    // Renames a policy (e.g. to its @id). Errors: kNotFound, kConflict.
    Status rename(std::string_view id, std::string new_id);

    // The set as JSON, as parse_json() reads it. Errors: kTooLarge.
    Result<std::string> to_json() const;
    // One policy or template as JSON; a linked policy with its slots filled. Errors: kNotFound,
    // kTooLarge.
    Result<std::string> policy_json(std::string_view id) const;
    // The policies and templates as text, in order; ids are not part of it. Errors: kUnsupported
    // for a set with links, which Cedar's text cannot say.
    Result<std::string> to_cedar() const;

    std::vector<PolicyInfo> list() const;
    std::optional<PolicyInfo> info(std::string_view id) const;
    std::size_t size() const;
    // True if some permit's scope could match this principal, action and SOME resource (types and
    // hierarchy from `entities`), whatever its conditions say. For tools/list.
    bool scope_may_permit(const EntityUid& principal, const EntityUid& action,
                          const class Entities& entities) const;

    struct Impl;
    const Impl& impl() const { return *impl_; }

  private:
    std::unique_ptr<Impl> impl_;
};

struct EntityData {
    EntityUid uid;
    std::vector<std::pair<std::string, Value>> attributes;
    std::vector<std::pair<std::string, Value>> tags;
    std::vector<EntityUid> parents;
};

// A store with its parents closed transitively. Immutable: copies share it.
class Entities {
  public:
    Entities();
    ~Entities();
    Entities(const Entities&);
    Entities& operator=(const Entities&);
    Entities(Entities&&) noexcept;
    Entities& operator=(Entities&&) noexcept;
    // Cedar's entities JSON. Errors: kInvalid (duplicates that differ, cycles, bad values).
    static Result<Entities> parse_json(std::string_view text);
    static Result<Entities> build(std::vector<EntityData> entities);
    // Cedar's entities JSON of this store, its base included, in the order of uids; parse_json()
    // reads it back as the same store. Parents are as they were given, not their closure. Errors:
    // kUnsupported for a value that JSON cannot say (Value::to_json()).
    Result<std::string> to_json() const;
    // A store that adds a few request-time entities to `base`, which it keeps alive. Cheap: copies
    // nothing of base.
    static Result<Entities> overlay(std::shared_ptr<const Entities> base,
                                    std::vector<EntityData> more);

    struct Impl;
    const Impl& impl() const { return *impl_; }

  private:
    std::shared_ptr<const Impl> impl_;
};

// Decides. Never fails: a policy that errors is in `errors` (and is not satisfied). Thread: any.
Response authorize(const Request& request, const PolicySet& policies, const Entities& entities);

// Memory for decisions, one of these for each thread that makes them. After the first few
// decisions with it nothing is allocated, except for the message of a policy that errs.
class Scratch {
  public:
    Scratch();
    ~Scratch();
    Scratch(Scratch&&) noexcept;
    Scratch& operator=(Scratch&&) noexcept;

    struct Impl;
    Impl& impl() { return *impl_; }

  private:
    std::unique_ptr<Impl> impl_;
};

struct PolicyErrorView {
    std::string_view policy, message;
};

// A Response that borrows: from the policy set and from the scratch, until that is used again.
struct Answer {
    Decision decision = Decision::kDeny;
    std::span<const std::string_view> reason;
    std::span<const PolicyErrorView> errors;
    // Every satisfied policy, whatever the decision: for callers that treat effects themselves.
    std::span<const std::string_view> permits, forbids;
};

// The same decision for callers that make many.
Answer authorize(const Request& request, const PolicySet& policies, const Entities& entities,
                 Scratch& scratch);

// How one policy fared, for callers that treat effects themselves (holds) and for explain.
enum class Outcome : std::uint8_t { kSatisfied, kNotSatisfied, kError, kScopeMismatch };
struct PolicyOutcome {
    std::string policy;
    Effect effect = Effect::kPermit;
    Outcome outcome = Outcome::kNotSatisfied;
    std::string detail;  // the error, or the source of the first top-level condition that was false
                         // and its values
};
// The outcome of every policy whose scope matches (or of all, with `all`). Cost as authorize().
std::vector<PolicyOutcome> evaluate(const Request& request, const PolicySet& policies,
                                    const Entities& entities, bool all = false);

}  // namespace writ::cedar
