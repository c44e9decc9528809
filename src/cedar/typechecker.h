// The types of a policy's expressions in one environment: a type of principal, an action, a type of
// resource (digest section 8). Strict: what the reference refuses is refused.
//
// An expression that is wrong has still the type its operator would give, where there is one, so
// that several errors are found; `ok` says whether it is right.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cedar/ast.h"
#include "cedar/capabilities.h"
#include "cedar/findings.h"
#include "cedar/schema_model.h"
#include "cedar/types.h"

namespace writ::cedar {

struct Environment {
    std::uint32_t principal = 0;  // entity type
    std::uint32_t action = 0;
    std::uint32_t resource = 0;  // entity type
};

struct Checked {
    TypeId type = kNoType;  // kNoType: unknown, after an error
    bool ok = true;
    CapabilitySet proven;  // what holds if the expression is true
};

class Typechecker {
  public:
    // Of one policy. `types` stands on the schema's and gets what the policy's literals need.
    Typechecker(const Schema::Impl& schema, TypeTable& types, const Policy& policy,
                PolicyFindings& findings);

    // Checks all conditions as one conjunction. Its type is False if the policy cannot be satisfied
    // in this environment.
    Checked check(const Environment& environment);

    // Of the last check(): the type of a node, kNoType if it was never looked at or is wrong.
    TypeId type_of(NodeId id) const { return seen_[id] ? types_of_[id] : kNoType; }
    // Whether the last check() looked at it: what follows a False in `&&` is not.
    bool looked_at(NodeId id) const { return seen_[id]; }
    const Environment& environment() const { return environment_; }
    const TypeTable& types() const { return types_; }
    const Schema::Impl& schema() const { return schema_; }

  private:
    using Prior = const CapabilitySet&;

    Checked check(NodeId id, Prior prior);
    Checked dispatch(NodeId id, Prior prior);
    Checked literal(const Cell& cell);
    Checked variable(const Node& node) const;
    Checked negation(const Node& node, Prior prior);
    Checked conditional(const Node& node, Prior prior);
    Checked conjunction(std::span<const NodeId> operands, Prior prior);
    Checked disjunction(std::span<const NodeId> operands, Prior prior);
    Checked expect(NodeId id, Prior prior, TypeId wanted, std::string_view help = {});
    Checked expect_bool(NodeId id, Prior prior) { return expect(id, prior, kBoolType); }
    bool conjoin(Checked& all, Checked next) const;

    // typechecker_operators.cc
    Checked equality(NodeId id, const Node& node, Prior prior);
    Checked order(const Node& node, Prior prior);
    Checked arithmetic(const Node& node, Prior prior);
    Checked in(const Node& node, Prior prior);
    Checked in(NodeId left, NodeId right, Prior prior);
    Checked is(const Node& node, Prior prior);
    Checked is_in(const Node& node, Prior prior);
    Checked set_method(NodeId id, const Node& node, Prior prior);
    Checked set(NodeId id, const Node& node, Prior prior);
    Checked record(const Node& node, Prior prior);
    Checked call(NodeId id, const Node& node, Prior prior);
    void check_constructor(NodeId id, const Node& node, NodeId argument);
    std::optional<bool> action_in(NodeId left, NodeId right) const;
    const EntityUid* literal_uid(NodeId id) const;

    // typechecker_attributes.cc
    Checked attribute(NodeId id, const Node& node, Prior prior);
    Checked has(const Node& node, Prior prior);
    Checked tag(NodeId id, const Node& node, Prior prior);
    struct Attribute {
        const TypeField* field = nullptr;
        bool of_entity = false;
    };
    Attribute find_attribute(TypeId of, std::string_view name) const;
    Checked entity_or_record(NodeId id, Prior prior);
    Checked expect_entity(NodeId id, Prior prior);
    std::string access_text(NodeId id) const;
    std::string nearest_attribute(TypeId of, std::string_view name) const;

    // Errors. Each is reported once for a policy, whatever the number of environments.
    void unexpected(NodeId id, std::string_view wanted, TypeId saw, std::string_view help = {});
    void incompatible(NodeId id, std::vector<TypeId> types, std::string_view where);
    bool fresh(FindingKind kind, NodeId id, std::uint64_t detail = 0) {
        return findings_.fresh(kind, id, detail);
    }
    void error(FindingKind kind, NodeId id, std::string message, std::string help = {});
    std::string shown(TypeId type) const;

    const Node& node(NodeId id) const { return ast_.nodes[id]; }
    const std::string& data_name(const Node& of) const { return ast_.names[of.data]; }
    TypeId entity_type(TypeId type) const { return types_.node(type).data; }

    const Schema::Impl& schema_;
    TypeTable& types_;
    const Policy& policy_;
    const Ast& ast_;
    PolicyFindings& findings_;
    Capabilities capabilities_;
    Environment environment_;
    std::vector<TypeId> types_of_;
    std::vector<bool> seen_;
};

}  // namespace writ::cedar
