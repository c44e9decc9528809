// One connection to a tool server, whatever carries it: we are its client, with our own ids, our
// own (empty) capabilities, and nothing of the agent's but the tool's name and the raw bytes of the
// arguments. Two transports: StdioUpstream (a child process) and HttpUpstream (streamable HTTP).
//
// What a server sends is foreign: it answers our requests, asks (ping is answered; what belongs to
// a call goes to its Conversation; everything else is refused with -32601, because we declared no
// capability) and notifies (tools/list_changed is passed on, progress and log messages go to the
// conversation they belong to, the rest is dropped and counted).
//
// A call whose bytes have left and whose answer did not come is never made again here: nobody can
// know whether it took effect.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/limits.h"
#include "doors/mcp/conversation.h"
#include "net/reactor.h"
#include "net/task.h"

namespace writ::mcp {

// Calls one instance may have in flight unless writ.toml says `in_flight`; beyond it a caller is
// refused, not queued.
inline constexpr std::size_t kMaxInFlight = 256;
// Messages that are none we expect (banners on stdout, answers nobody awaits) before a server is
// given up: some print a banner, none prints seventeen.
inline constexpr std::size_t kMaxStrayLines = 16;
// Empty lines in a row that are let pass; those beyond count as such messages. Some servers end
// each message with an empty line, or set a banner off by a few.
inline constexpr std::size_t kMaxEmptyLines = 16;
// Pages of one tools/list; with kMaxToolsPerServer tools a page may still be small.
inline constexpr std::size_t kMaxListPages = 64;
// Calls given up whose late answers are still recognised as such.
inline constexpr std::size_t kMaxAbandoned = 1024;

// Asked just before the first byte of a request is written; an error stops it.
using Depart = std::function<Status()>;

// One tools/call.
struct Outbound {
    std::string tool;       // the server's own name for it
    std::string arguments;  // raw JSON, forwarded byte for byte
    net::Millis timeout{60'000};
    Depart depart;                 // runs on the instance's reactor
    ConversationPtr conversation;  // null: nobody listens, and nobody cancels
};

struct UpstreamOptions {
    net::Millis start_timeout{20'000};  // child start or connection, and `initialize`, each
    net::Millis write_timeout{10'000};  // a server that stops reading is given up
    net::Millis list_timeout{20'000};
    std::size_t message_bytes_max = kMaxUpstreamMessageBytes;
    std::size_t in_flight_max = kMaxInFlight;
    bool shared = false;            // serves many tasks: what it asks belongs to none
    std::string version = "0.1.0";  // ours, in clientInfo
    // notifications/tools/list_changed, or a time in which they may have changed unheard.
    std::function<void()> on_tools_changed;
    std::shared_ptr<void> ticket;  // let go when the instance has ended (a child: is gone)
};

class Upstream {
  public:
    virtual ~Upstream() = default;

    // All tools over all pages, as the text of one JSON array. Errors: kInvalid, kTooLarge
    // (kMaxToolsPerServer, kMaxListPages, kMaxUpstreamMessageBytes), kTimeout, kUnavailable.
    virtual net::Task<Result<std::string>> list_tools() = 0;

    // `depart` is asked when the request's turn to be written has come; its error is handed back
    // and nothing is written. Errors: depart's; kTimeout (the server is told by
    // notifications/cancelled), kCancelled (likewise), kUnavailable (ended: outcome unknown),
    // kExhausted (in_flight_max), kInvalid (an answer that is none). The detail says whether
    // anything was sent.
    virtual net::Task<Result<Reply>> call(Outbound call) = 0;

    virtual bool alive() const = 0;
    // Ends the connection: in-flight calls fail; a child is asked to go and then killed (its input
    // is closed, SIGTERM follows after 2 s, SIGKILL after 4 s), a session is deleted. `alive()` is
    // false from then on.
    virtual void end() = 0;
    // The same for what must not do anything more: a child is killed at once.
    virtual void cut() { end(); }

    struct Counters {
        std::size_t stray = 0;      // messages that are none, answers nobody awaits
        std::size_t late = 0;       // answers to calls given up
        std::size_t asked = 0;      // requests of the server to the client
        std::size_t dropped = 0;    // notifications that went nowhere
        std::size_t in_flight = 0;  // now
    };
    virtual Counters counters() const = 0;
    // Why it is not alive, in our words and inert; empty while it is.
    virtual std::string why_ended() const = 0;
    virtual const std::string& server() const = 0;
};

}  // namespace writ::mcp
