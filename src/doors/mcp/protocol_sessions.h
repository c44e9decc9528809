// Protocol sessions (MCP-Session-Id), a detail of this door: names that `initialize` hands out and
// a client repeats. They authorize nothing: every request is authenticated by itself, and an id is
// only known under the writ session it was minted for (digest mcp.md, section 9, rule 7).
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/ids.h"
#include "identity/types.h"

namespace writ::mcp {

// Protocol sessions one writ session may hold; clients use one each and reconnect now and then. The
// oldest unused one gives way, and its client is told 404 and initializes again.
inline constexpr std::size_t kMaxProtocolSessions = 16;

// Thread: any.
class ProtocolSessions {
  public:
    // A new id of 192 random bits for `owner`.
    std::string mint(const identity::SessionPtr& owner);
    // Whether `id` is one of `owner`'s; marks it used.
    bool known(const SessionId& owner, std::string_view id);
    // Ends one. False if it is not `owner`'s.
    bool end(const SessionId& owner, std::string_view id);
    // Ends all of `owner`'s.
    void forget(const SessionId& owner);
    std::size_t size() const;

  private:
    struct Owned {
        std::weak_ptr<const identity::Session> owner;
        std::list<std::string> ids;  // most recently used first
    };
    void prune();  // drops what dead writ sessions left behind

    // Guards the members below; held for a lookup only, never across an await or a call out.
    mutable std::mutex mutex_;
    std::unordered_map<SessionId, Owned> table_;
    std::size_t prune_at_ = 1024;  // doubles with what is alive, so that pruning costs O(1) a mint
};

}  // namespace writ::mcp
