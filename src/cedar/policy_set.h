// The inside of a PolicySet: policies with their ids, in order, and the index of their scopes.
// Policies are immutable and shared between the sets that contain them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cedar/ast.h"
#include "cedar/index.h"

namespace writ::cedar {

struct PolicySet::Impl {
    struct Entry {
        std::string id;
        std::shared_ptr<const Policy> policy;
        std::string template_id = {};  // of a linked policy
        SlotValues values = {};        //

        bool is_link() const { return !template_id.empty(); }
    };
    std::vector<Entry> entries;
    std::map<std::string, std::uint32_t, std::less<>> positions;  // by id
    std::map<std::string, std::size_t, std::less<>> links;        // how many, by the template's id
    ScopeIndex index;

    // Errors: kConflict on an id that exists, kTooLarge if `count` more are too many.
    Status may_add(std::string_view id, std::size_t count) const;
    void add(Entry entry);
    // Takes an entry out and files all others anew.
    void erase(std::uint32_t position);
};

enum class Lookup { kIndexed, kScan };  // kScan tries every policy: for comparison

// The positions, ascending, of the policies, not templates, whose scope matches.
void find_matches(const RequestView& request, const PolicySet::Impl& policies, Lookup lookup,
                  IndexProbe& probe, std::vector<std::uint32_t>& out);

// authorize() with the lookup of choice.
Answer authorize_with(Lookup lookup, const Request& request, const PolicySet& policies,
                      const Entities& entities, Scratch& scratch);
Response authorize_with(Lookup lookup, const Request& request, const PolicySet& policies,
                        const Entities& entities);

}  // namespace writ::cedar
