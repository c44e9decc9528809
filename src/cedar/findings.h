// Findings about one policy, collected over all environments in which it was checked: each is
// reported once, and its message is only made when it is.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "cedar/ast.h"
#include "cedar/validator.h"

namespace writ::cedar {

class PolicyFindings {
  public:
    PolicyFindings(std::string_view id, const Policy& policy) : id_(id), policy_(policy) {}

    // Whether this is the first of its kind at `place` with these details, and one more is wanted.
    bool fresh(FindingKind kind, std::uint32_t place, std::uint64_t detail = 0);
    void add(Severity severity, FindingKind kind, std::uint32_t begin, std::uint32_t end,
             std::string message, std::string help = {});

    bool failed() const { return failed_; }
    // Errors before warnings.
    std::vector<Finding> take();

  private:
    std::string_view id_;
    const Policy& policy_;
    std::set<std::tuple<FindingKind, std::uint32_t, std::uint64_t>> seen_;
    std::size_t errors_seen_ = 0, warnings_seen_ = 0;
    std::vector<Finding> errors_, warnings_;
    bool failed_ = false;
};

}  // namespace writ::cedar
