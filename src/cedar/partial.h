// Partial evaluation: what policies come to when only part of a request is known.
//
//   cedar::PartialRequest request;
//   request.principal = EntityUid{"User", "a"};
//   request.action = EntityUid{"Action", "view"};
//   request.resource = PartialEntity::of_type("Doc");                  // which one is not known
//   request.context = PartialValue::record({{"ip", {PartialValue::unknown()}},
//                                           {"mfa", {Value::boolean(true)}}});
//   const PartialResponse answer = partially_authorize(request, policies, entities);
//   if (answer.decision()) …           // the same for whatever the unknown turns out to be
//   for (const auto& policy : answer.policies()) policy.residual();   // else: what is left to ask
//   answer.reauthorize(whole, entities);                               // and the answer in the end
//
// A completion of a partial request is a Request that agrees with everything it knows. The promise
// (tested with random policies and completions): for each completion, reauthorize() is exactly
// authorize(): decision, reasons, errors and their messages. So what is said to be decided is
// decided, and a policy that may_be_satisfied() is denied to be satisfiable only if it never is;
// the converse is not promised: `x < 1 && x > 1` is left as it is.
//
// Cost: each expression is looked at once and, where it cannot be simplified, copied once, so time
// and memory are linear in the policies, whatever the request. No exceptions; any thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cedar/cedar.h"

namespace writ::cedar {

// principal, action or resource: known, of a known type, or unknown (the default).
struct PartialEntity {
    std::optional<EntityUid> uid;
    std::string type;  // of an unknown entity; empty: any

    PartialEntity() = default;
    PartialEntity(EntityUid known) : uid(std::move(known)) {}  // NOLINT: a uid is one
    static PartialEntity of_type(std::string type);
};

struct PartialMember;

// A value that is known, unknown, or a record of which some is known.
class PartialValue {
  public:
    PartialValue(Value known) : known_(std::move(known)) {}  // NOLINT: a value is one
    static PartialValue unknown();
    // A record with exactly these members; `open`: and maybe others.
    static PartialValue record(std::map<std::string, PartialMember, std::less<>> members,
                               bool open = false);

    const std::optional<Value>& known() const { return known_; }
    // Null for a value that is known or of which nothing is known.
    const std::map<std::string, PartialMember, std::less<>>* members() const;
    // Whether there may be other members than members().
    bool open() const { return open_; }

  private:
    PartialValue() = default;
    std::optional<Value> known_;
    std::shared_ptr<const std::map<std::string, PartialMember, std::less<>>> members_;
    bool open_ = true;
};

struct PartialMember {
    PartialValue value;
    bool may_be_absent = false;
};

struct PartialRequest {
    PartialEntity principal, action, resource;
    PartialValue context = PartialValue::unknown();  // a record
};

// What it means that an entity is not in the store: that it has no attributes, tags or ancestors,
// as in authorize(), or that it was not loaded, and they are unknown.
enum class MissingEntities : std::uint8_t { kEmpty, kUnknown };

struct PartialOptions {
    MissingEntities missing = MissingEntities::kEmpty;
    // False: only what policies may come to. Nothing is copied; reauthorize() is not there.
    bool residuals = true;
};

enum class PartialOutcome : std::uint8_t { kSatisfied, kNotSatisfied, kError, kResidual };

struct Policy;

// What one policy came to.
class PartialPolicy {
  public:
    std::string id;
    Effect effect = Effect::kPermit;
    PartialOutcome outcome = PartialOutcome::kNotSatisfied;
    std::string error;         // of kError: the message
    bool satisfiable = false;  // some completion may satisfy it
    bool fallible = false;     // some completion may make it err

    // The policy that is left, in Cedar: the scope and conditions that depend on the unknown, the
    // known put in. Empty unless kResidual.
    std::string residual() const;
    std::shared_ptr<const Policy> rest;  // the same, parsed; null unless kResidual
};

class PartialResponse {
  public:
    explicit PartialResponse(std::vector<PartialPolicy> policies);

    // Every policy of the set, templates left out, in its order.
    const std::vector<PartialPolicy>& policies() const { return policies_; }
    // What every completion decides; nothing where that depends.
    std::optional<Decision> decision() const;
    // Ids, in the set's order.
    std::vector<std::string> with(PartialOutcome outcome, Effect effect) const;
    std::vector<PolicyError> errors() const;  // of policies that err for every completion
    // Policies that are a reason in some completion, and in every one.
    std::vector<std::string> may_be_determining() const;
    std::vector<std::string> must_be_determining() const;

    // authorize() for a completion, at the price of the residuals only. `entities` is the store
    // that was asked or, with MissingEntities::kUnknown, one that has more of the entities.
    Response reauthorize(const Request& request, const Entities& entities) const;
    // The residuals as a policy set of the same ids. Errors: kInvalid, kTooLarge, where a known
    // value that was put in is larger or nested deeper than a policy may be.
    Result<PolicySet> residuals() const;

  private:
    bool any(PartialOutcome outcome, Effect effect) const;
    std::vector<PartialPolicy> policies_;
};

PartialResponse partially_authorize(const PartialRequest& request, const PolicySet& policies,
                                    const Entities& entities, const PartialOptions& options = {});

}  // namespace writ::cedar
