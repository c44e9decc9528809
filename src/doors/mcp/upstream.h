// One running tool server, spoken to over stdio (MCP 2025-11-25, section "stdio": one JSON-RPC
// message per line). We are its client: our own ids, our own (empty) capabilities, nothing of the
// agent's but the tool's name and the raw bytes of the arguments.
//
// What a server writes is foreign: it answers our requests, asks (ping is answered, everything else
// is refused with -32601, because we declared no capability) and notifies (tools/list_changed is
// passed on, the rest is dropped). Lines that are not messages and answers that nobody awaits are
// counted; too many end the instance. A call in flight when the instance ends fails with
// kUnavailable, because nobody can know whether it took effect.
//
// Thread: the reactor it was started on, for everything but counters().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/limits.h"
#include "catalog/catalog.h"
#include "doors/mcp/message.h"
#include "net/child.h"
#include "net/reactor.h"
#include "net/task.h"

namespace writ::mcp {

// Lines a server may write that are no message we expect, before it is given up: some print a
// banner, none prints seventeen.
inline constexpr std::size_t kMaxStrayLines = 16;
// Calls one instance may have in flight; beyond it a caller is refused, not queued.
inline constexpr std::size_t kMaxInFlight = 256;
// Lines waiting for the server to read them: our requests, and answers to what it asks.
inline constexpr std::size_t kMaxOutbox = 1024;
// Pages of one tools/list; with kMaxToolsPerServer tools a page may still be small.
inline constexpr std::size_t kMaxListPages = 64;
// Calls given up whose late answers are still recognised as such.
inline constexpr std::size_t kMaxAbandoned = 1024;

struct UpstreamOptions {
    net::Millis start_timeout{20'000};  // child start and `initialize` each
    net::Millis write_timeout{10'000};  // a server that stops reading is given up
    net::Millis list_timeout{20'000};
    std::size_t message_bytes_max = kMaxUpstreamMessageBytes;
    std::string version = "0.1.0";           // ours, in clientInfo
    std::function<void()> on_tools_changed;  // notifications/tools/list_changed
    std::shared_ptr<void> ticket;            // released when the instance has ended
};

// The raw `result` or `error` object of an answer.
struct Reply {
    bool error = false;
    std::string bytes;
};

// Asked just before the first byte of a request is written; an error stops it.
using Depart = std::function<Status()>;

class Upstream : public std::enable_shared_from_this<Upstream> {
  public:
    // Starts the process and shakes hands. Errors: kNotFound (no such program), kIo, kUnavailable
    // (it ended), kTimeout, kUnsupported (a revision we do not speak), kInvalid.
    static net::Task<Result<std::shared_ptr<Upstream>>> start(net::Reactor& reactor,
                                                              std::string server,
                                                              net::ChildSpec spec,
                                                              UpstreamOptions options);
    ~Upstream();
    Upstream(const Upstream&) = delete;
    Upstream& operator=(const Upstream&) = delete;

    // All tools over all pages, as the text of one JSON array. Errors: kInvalid, kTooLarge
    // (kMaxToolsPerServer, kMaxListPages, kMaxUpstreamMessageBytes), kTimeout, kUnavailable.
    net::Task<Result<std::string>> list_tools();

    // One tools/call. `arguments` is raw JSON, spliced as it is (see one_line()). `depart` is asked
    // when the line's turn to be written has come; its error is handed back and nothing is written.
    // Errors: depart's; kTimeout (after `timeout`; the server is told by notifications/cancelled),
    // kUnavailable (ended: outcome unknown), kExhausted (kMaxInFlight), kInvalid (an answer that is
    // none). The detail says whether anything was sent.
    net::Task<Result<Reply>> call(std::string tool, std::string arguments, net::Millis timeout,
                                  Depart depart);

    bool alive() const { return alive_; }
    // Ends the instance: in-flight calls fail, the process is asked to go and then killed.
    void end();

    struct Counters {
        std::size_t stray = 0;      // lines that are no message, answers nobody awaits
        std::size_t late = 0;       // answers to calls given up
        std::size_t asked = 0;      // requests of the server we refused
        std::size_t dropped = 0;    // notifications
        std::size_t in_flight = 0;  // now
    };
    Counters counters() const;
    const std::string& server() const { return server_; }
    pid_t pid() const;

  private:
    using Instant = std::chrono::steady_clock::time_point;
    struct Pending {
        net::Promise<Result<Reply>> promise;
        Instant deadline;
        bool sent = false;
        bool cancellable = true;  // `initialize` must not be cancelled
    };
    struct Outgoing {
        std::string line;
        std::optional<std::int64_t> id;  // of a request
        Depart depart;
    };

    Upstream(net::Reactor& reactor, std::string server, UpstreamOptions options);
    net::Task<Status> shake_hands();
    net::Task<Result<Reply>> request(std::string method, std::string params, net::Millis timeout,
                                     Depart depart);
    void send(Outgoing outgoing);
    static net::Task<void> pump(std::shared_ptr<Upstream> self);    // writes what send() queued
    static net::Task<void> listen(std::shared_ptr<Upstream> self);  // reads until the end
    static net::Task<void> tick(std::shared_ptr<Upstream> self);    // deadlines, while calls wait

    void take(std::string line);
    void take_response(const Message& message);
    void take_malformed(const Malformed& malformed);
    void take_request(const Message& message);
    void take_notification(const Message& message);
    void stray(std::string_view why);
    void expire(std::int64_t id);
    void resolve(std::int64_t id, Result<Reply> reply);
    void stop(std::string why);  // fails everything; the reader lets go of the process

    net::Reactor& reactor_;
    std::string server_;
    UpstreamOptions options_;
    std::unique_ptr<net::Child> child_;
    bool alive_ = false;
    bool pumping_ = false;
    bool ticking_ = false;
    bool has_tools_ = false;
    std::string why_ended_;
    std::int64_t next_id_ = 1;
    std::unordered_map<std::int64_t, Pending> pending_;
    std::set<std::int64_t> abandoned_;
    std::deque<Outgoing> outbox_;
    Counters counters_;
};

// The environment of a server's process: PATH, the names of `spec.env` that `lookup` knows, and
// `spec.set`; nothing else of the gateway's own.
std::map<std::string, std::string> child_environment(
    const catalog::ServerSpec& spec,
    const std::function<std::optional<std::string>(const std::string&)>& lookup);

}  // namespace writ::mcp
