// Which policies could match a request, by their scopes. Skipping a policy whose scope does not
// match is exact: the scope is evaluated first and never errs (digest section 3).
//
// A scope says one thing about each of action, principal and resource: nothing, a uid to equal, a
// uid to be in, or a type. A policy is filed under the three together, once for each action it
// names. A request meets what it could have been filed under: nothing, its own uid, its ancestors,
// its type. Of these only the ones that some policy uses are combined, so that a request pays for
// what is in the set and not for how high its hierarchy is. Keys are hashes; a collision only
// brings a candidate too many, since every candidate's scope is checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cedar/ast.h"
#include "cedar/evaluator.h"

namespace writ::cedar {

// From hashes to numbers; open addressing, never smaller.
class HashTable {
  public:
    // The number at `key`, kNone where there is none.
    std::uint32_t find(std::uint64_t key) const;
    // The place of the number at `key`, made kNone if it was not there. Valid until the next call.
    std::uint32_t& at(std::uint64_t key);

  private:
    struct Slot {
        std::uint64_t key = 0;  // 0: empty
        std::uint32_t value = kNone;
    };
    std::size_t place(std::uint64_t key) const;
    std::vector<Slot> slots_;
    std::size_t used_ = 0;
};

// What a request looks for, kept between requests for its memory.
struct IndexProbe {
    std::vector<std::uint64_t> actions, principals, resources;
    std::vector<UidRef> above;
};

class ScopeIndex {
  public:
    // `position` is greater than all before it. Templates are not filed.
    void add(const Policy& policy, std::uint32_t position);
    // Appends the positions, ascending, of all policies whose scope may match and maybe some
    // others. False if asking the index would cost more than trying all.
    bool candidates(const RequestView& request, IndexProbe& probe,
                    std::vector<std::uint32_t>& out) const;

  private:
    struct Filing {
        std::uint32_t position, next;  // of a list; kNone ends it
    };
    void file(std::uint64_t action, std::uint64_t principal, std::uint64_t resource,
              std::uint32_t position);
    void add_if_used(std::uint64_t key, std::vector<std::uint64_t>& out) const;
    void add_entity_keys(std::uint64_t role, const UidRef& uid, const RequestView& request,
                         IndexProbe& probe, std::vector<std::uint64_t>& out) const;

    HashTable lists_;  // by the three keys together: the first of a list
    HashTable used_;   // single keys, and pairs of action and principal
    std::vector<Filing> filings_;
    std::size_t size_ = 0;
};

}  // namespace writ::cedar
