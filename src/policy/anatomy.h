// A policy taken apart into the conditions a person would point at: the leaves of the `&&` and
// `||` of its when and unless clauses. What each of them came to, with the values it read, is what
// explanations, coverage and single changes are made of.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cedar/ast.h"
#include "cedar/cedar.h"

namespace writ::policy {

// Leaves of one policy beyond which the rest of its conditions count as one.
inline constexpr std::size_t kMaxLeaves = 200;

struct LeafOutcome {
    enum class Came : std::uint8_t { kNotReached, kTrue, kFalse, kError };
    Came came = Came::kNotReached;
    std::string values;  // `context.input.amount is 250, …`, or the error
};
std::string_view name(LeafOutcome::Came came);

struct Leaf {
    std::string text;
    SourceRef at;
    bool unless = false;
    std::uint32_t begin = 0, end = 0;  // in the policy's source
    cedar::NodeId node = cedar::kNone;
    cedar::PolicySet probe;  // [0] when { leaf }  [1] unless { leaf }
};

class Anatomy {
  public:
    // Keeps the policy.
    explicit Anatomy(std::shared_ptr<const cedar::Policy> policy);

    const std::vector<Leaf>& leaves() const { return leaves_; }
    const cedar::Policy& policy() const { return *policy_; }

    // How the leaves fare, with the same short cuts as Cedar takes; aligned with leaves(). The
    // scope is not looked at.
    std::vector<LeafOutcome> evaluate(const cedar::Request& request,
                                      const cedar::Entities& entities) const;

  private:
    enum class Join : std::uint8_t { kLeaf, kAnd, kOr };
    struct Branch {
        Join join = Join::kLeaf;
        std::size_t leaf = 0;
        std::vector<Branch> of;
    };
    struct Clause {
        bool unless = false;
        Branch body;
    };
    using Came = LeafOutcome::Came;

    Branch take(cedar::NodeId id, bool unless);
    Came evaluate(const Branch& branch, const cedar::Request& request,
                  const cedar::Entities& entities, std::vector<LeafOutcome>& out) const;

    std::shared_ptr<const cedar::Policy> policy_;
    std::vector<Leaf> leaves_;
    std::vector<Clause> clauses_;
};

// The policies of a set that are not templates, with their ids, in order.
std::vector<std::pair<std::string, std::shared_ptr<const cedar::Policy>>> policies_of(
    const cedar::PolicySet& set);

}  // namespace writ::policy
