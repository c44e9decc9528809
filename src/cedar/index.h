// Which policies could match a request, by their scopes. Skipping a policy whose scope does not
// match is exact: the scope is evaluated first and never errs (digest section 3).
//
// A policy is filed under one key for each action uid it names (or one for "any action"), joined
// with the most telling of its other constraints: the resource's uid, the principal's uid, the
// resource's type, the principal's type, or none. A request asks for every key that could have
// been made from it: its uids, their ancestors, their types. Keys are hashes; a collision only
// brings a candidate too many, since every candidate's scope is checked.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "cedar/ast.h"
#include "cedar/evaluator.h"

namespace writ::cedar {

class ScopeIndex {
  public:
    // `position` is greater than all before it. Templates are not filed.
    void add(const Policy& policy, std::uint32_t position);
    // Positions, ascending, of all policies whose scope may match and maybe some others. False if
    // asking the index would cost more than trying all.
    bool candidates(const RequestView& request, std::vector<std::uint32_t>& out) const;

  private:
    std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> lists_;
    std::size_t size_ = 0;
};

}  // namespace writ::cedar
