// A tool server as a child process, spoken to over stdio (MCP 2025-11-25, section "stdio": one
// JSON-RPC message per line; in revision 2025-03-26 also a batch of them).
//
// Everything shares one pipe, so what a server sends about a call is told apart by what it names:
// answers by our ids, progress by our tokens. Log messages and requests of the server name nothing:
// they belong to the only call in flight of an instance that serves one task, or to none.
//
// Lines that are not messages (empty ones too, beyond a few) and answers that nobody awaits are
// counted; too many end the instance. A call in flight when the instance ends fails with
// kUnavailable.
//
// An instance that is ended is asked to go (MCP 2025-11-25, section "shutdown": its input closes,
// then SIGTERM, then SIGKILL); one that misbehaves is killed.
//
// Thread: the reactor it was started on.
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
#include "catalog/catalog.h"
#include "doors/mcp/message.h"
#include "doors/mcp/upstream.h"
#include "net/child.h"
#include "net/reactor.h"
#include "net/task.h"

namespace writ::mcp {

// Lines waiting for the server to read them: our requests, and answers to what it asks.
inline constexpr std::size_t kMaxOutbox = 1024;

class StdioUpstream : public Upstream, public std::enable_shared_from_this<StdioUpstream> {
  public:
    // Starts the process and shakes hands. Errors: kNotFound (no such program), kIo, kUnavailable
    // (it ended), kTimeout, kUnsupported (a revision we do not speak), kInvalid.
    static net::Task<Result<std::shared_ptr<StdioUpstream>>> start(net::Reactor& reactor,
                                                                   std::string server,
                                                                   net::ChildSpec spec,
                                                                   UpstreamOptions options);
    ~StdioUpstream() override;
    StdioUpstream(const StdioUpstream&) = delete;
    StdioUpstream& operator=(const StdioUpstream&) = delete;

    net::Task<Result<std::string>> list_tools() override;
    // The arguments are spliced as they are (see one_line()).
    net::Task<Result<Reply>> call(Outbound call) override;
    bool alive() const override { return alive_; }
    void end() override;
    void cut() override;
    Counters counters() const override;
    std::string why_ended() const override { return why_ended_; }
    const std::string& server() const override { return server_; }
    pid_t pid() const;

  private:
    using Instant = std::chrono::steady_clock::time_point;
    struct Pending {
        net::Promise<Result<Reply>> promise;
        Instant deadline;
        bool sent = false;
        bool cancellable = true;  // `initialize` must not be cancelled
        ConversationPtr conversation;
    };
    struct Outgoing {
        std::string line;
        std::optional<std::int64_t> id;  // of a request
        Depart depart;
    };

    StdioUpstream(net::Reactor& reactor, std::string server, UpstreamOptions options);
    net::Task<Status> shake_hands();
    net::Task<Result<Reply>> request(std::int64_t id, std::string method, std::string params,
                                     net::Millis timeout, Depart depart,
                                     ConversationPtr conversation);
    void send(Outgoing outgoing);
    using Self = std::shared_ptr<StdioUpstream>;
    static net::Task<void> pump(Self self);    // writes what send() queued
    static net::Task<void> listen(Self self);  // reads until the end
    static net::Task<void> tick(Self self);    // deadlines, while calls wait

    void take(std::string line);
    void take_message(std::string text);
    void take_response(MessagePtr message);
    void take_malformed(const Malformed& malformed);
    void take_request(const Message& message);
    void take_notification(const Message& message);
    static net::Task<void> pass_on(Self self, ConversationPtr to, std::string id, Ask ask);
    ConversationPtr only_conversation() const;
    void stray(std::string_view why);
    void give_up(std::int64_t id, ErrorCode code, std::string_view reason, std::string_view why);
    void resolve(std::int64_t id, Result<Reply> reply);
    void stop(std::string why);       // fails everything; the process stays
    void break_off(std::string why);  // what misbehaves is killed, not asked

    net::Reactor& reactor_;
    std::string server_;
    UpstreamOptions options_;
    std::unique_ptr<net::Child> child_;
    bool alive_ = false;
    bool pumping_ = false;
    bool ticking_ = false;
    bool has_tools_ = false;
    bool batches_ = false;  // its revision has batches
    std::string why_ended_;
    std::int64_t next_id_ = 1;
    std::unordered_map<std::int64_t, Pending> pending_;
    std::set<std::int64_t> abandoned_;
    std::deque<Outgoing> outbox_;
    std::size_t empty_lines_ = 0;  // since the last message
    Counters counters_;
};

// The environment of a server's process: PATH, the names of `spec.env` that `lookup` knows, and
// `spec.set`; nothing else of the gateway's own.
std::map<std::string, std::string> child_environment(
    const catalog::ServerSpec& spec,
    const std::function<std::optional<std::string>(const std::string&)>& lookup);

}  // namespace writ::mcp
