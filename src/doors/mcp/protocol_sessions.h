// Protocol sessions (MCP-Session-Id), a detail of this door: names that `initialize` hands out and
// a client repeats. They authorize nothing: every request is authenticated by itself, and an id is
// only known under the writ session it was minted for (digest mcp.md, section 9, rule 7), and at
// the endpoint it was minted at.
//
// A protocol session also knows what of its client is running: requests in flight, which may be
// cancelled by their id, and open GET streams. A sweep tells both when the writ session has died.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "doors/mcp/answers.h"
#include "identity/types.h"

namespace writ::mcp {

// Protocol sessions one writ session may hold; clients use one each and reconnect now and then. For
// one more, the one used longest ago gives way of which nothing runs, else of which only streams
// are open; its client is told 404 and initializes again. Calls in flight are never given up.
inline constexpr std::size_t kMaxProtocolSessions = 16;
// GET streams one protocol session may hold open: a client needs one, and a second while it
// reconnects. Each is a connection.
inline constexpr std::size_t kMaxStreams_per_session = 4;
// Calls one protocol session may have in flight: what the gate allows a task tree.
inline constexpr std::size_t kMaxFlights_per_session = 1'024;

// Something that runs for a protocol session and can be told things. Held weakly by it. Thread:
// any.
class Told {
  public:
    enum class Why : std::uint8_t {
        kCancelled,  // the client took its request back
        kDead,       // the writ session, its task or the protocol session has ended
        kCatalog,    // what the session sees may have changed (streams only)
        kBeat,       // time for a sign of life (streams only)
    };
    virtual ~Told() = default;
    // Must not block and not call back into the protocol session.
    virtual void tell(Why why) = 0;
};

// What `initialize` settled.
struct Terms {
    std::string version;  // one of kVersions
    std::string server;   // `/mcp/{server}`: the only one; empty: all that the session may use
};

// Thread: any.
class ProtocolSession {
  public:
    ProtocolSession(std::string id, identity::SessionPtr owner, Terms terms);

    const std::string& id() const { return id_; }
    const identity::SessionPtr& owner() const { return owner_; }
    const Terms& terms() const { return terms_; }

    // A request in flight under its client's `key` (flight_key). Errors: kConflict (the id is in
    // flight already), kExhausted, kNotFound (the protocol session has ended).
    Status begin(std::string key, std::weak_ptr<Told> flight);
    void end(std::string_view key);
    // Tells the request that its client cancelled it; an unknown key is ignored. True if told.
    bool cancel(std::string_view key);

    // A GET stream. Errors: kExhausted (kMaxStreams_per_session), kNotFound (ended).
    Status open(const std::shared_ptr<Told>& stream);
    void close(const Told* stream);
    // Whether `stream` is the one that carries what concerns the whole session: each message goes
    // on exactly one stream (MCP 2025-11-25, "multiple connections").
    bool is_first(const Told* stream) const;

    // What the client was shown by its last tools/list: returns whether `digest` is another one.
    // The first call only remembers.
    bool shows(std::uint64_t digest);

    // Log messages of tool servers below this are not for the client (logging/setLevel); it has
    // asked for none until it names a level.
    LogLevel log_level() const { return log_level_.load(std::memory_order_relaxed); }
    void set_log_level(LogLevel level) { log_level_.store(level, std::memory_order_relaxed); }

    // Tells everything that runs; kDead also bars what would come later.
    void tell_all(Told::Why why);
    // What of it runs.
    enum class Use : std::uint8_t { kNothing, kStreams, kCalls };
    Use use() const;
    bool busy() const { return use() != Use::kNothing; }

  private:
    friend class ProtocolSessions;
    struct Flight {
        std::string key;
        std::weak_ptr<Told> told;
    };
    struct Stream {
        const Told* stream;
        std::weak_ptr<Told> told;
    };

    const std::string id_;
    const identity::SessionPtr owner_;
    const Terms terms_;
    std::atomic<LogLevel> log_level_ = LogLevel::kNone;
    std::atomic<bool> watched_ = false;  // in ProtocolSessions::active_

    // Guards the members below; held for a look-up only, never across a call out.
    mutable std::mutex mutex_;
    std::vector<Flight> flights_;  // a handful: scanning beats hashing, and nothing is allocated
    std::vector<Stream> streams_;  // oldest first
    std::uint64_t shown_ = 0;
    bool shown_any_ = false;
    bool ended_ = false;
};
using ProtocolSessionPtr = std::shared_ptr<ProtocolSession>;

// The key of a raw JSON-RPC id: `1` and `"1"` differ, `"A"` and `"\u0041"` do not.
std::string flight_key(std::string_view raw_id);

// Thread: any.
class ProtocolSessions {
  public:
    // A new protocol session with an id of 192 random bits for `owner`. Errors: kExhausted
    // (kMaxProtocolSessions have calls in flight).
    Result<ProtocolSessionPtr> mint(const identity::SessionPtr& owner, Terms terms);
    // `owner`'s session called `id`, minted for `server`, now the most recently used; or nothing.
    ProtocolSessionPtr find(const SessionId& owner, std::string_view id, std::string_view server);
    // Ends one. False if it is not `owner`'s, or not of that server.
    bool end(const SessionId& owner, std::string_view id, std::string_view server);
    // Ends all of `owner`'s.
    void forget(const SessionId& owner);
    std::size_t size() const;

    // Has sweep() look after `session` as long as something of it runs. Returns true if nobody was
    // being looked after before: the caller starts sweeping.
    bool watch(const ProtocolSessionPtr& session);
    // Tells what belongs to the dead, and everybody else the `news` if there is any; lets go of who
    // is idle. Returns how many are still looked after.
    std::size_t sweep(std::int64_t boot_us, std::optional<Told::Why> news);

  private:
    struct Owned {
        std::weak_ptr<const identity::Session> owner;
        std::list<ProtocolSessionPtr> sessions;  // most recently used first
    };
    // The one that gives way, or the end.
    static std::list<ProtocolSessionPtr>::iterator least_used(Owned& owned);
    void prune();  // drops what dead writ sessions left behind
    std::list<ProtocolSessionPtr>::iterator find_in(Owned& owned, std::string_view id,
                                                    std::string_view server);

    // Guards the members below; held for a look-up only, never across an await or a call out.
    mutable std::mutex mutex_;
    std::unordered_map<SessionId, Owned> table_;
    std::size_t prune_at_ = 1024;  // doubles with what is alive, so that pruning costs O(1) a mint
    std::vector<ProtocolSessionPtr> active_;  // something of them runs, or did a moment ago
};

}  // namespace writ::mcp
