// Parts of conditions that decide nothing: always true, always false, or never evaluated, in every
// environment of the policy. What the typechecker knows anyway.
#pragma once

#include <cstdint>
#include <vector>

#include "cedar/typechecker.h"

namespace writ::cedar {

class Redundancy {
  public:
    explicit Redundancy(const Policy& policy) : policy_(policy), seen_(policy.ast.nodes.size()) {}

    // After each check() of the policy's typechecker.
    void observe(const Typechecker& typechecker);
    // Warnings, outermost parts only.
    void report(PolicyFindings& findings) const;

  private:
    static constexpr std::uint8_t kTrueSeen = 1, kFalseSeen = 2, kOtherSeen = 4;

    void report(NodeId id, PolicyFindings& findings) const;

    const Policy& policy_;
    std::vector<std::uint8_t> seen_;  // by node
};

}  // namespace writ::cedar
