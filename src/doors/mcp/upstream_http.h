// A tool server over streamable HTTP (MCP 2025-11-25, section "Streamable HTTP"; older revisions
// negotiated). Every request is a POST whose answer is one JSON object or an event stream; what
// comes on that stream belongs to that call.
//
//   session      `MCP-Session-Id` of the answer to `initialize` goes on everything after it, with
//                `MCP-Protocol-Version`. 404 (or 400 with -32000 and no id, which many servers
//                say instead) means that the session is gone and the server did not act: a new
//                session is made, once, and that call made again, `depart` asked again. Where that
//                refuses, the call has left all the same; a server's word proves nothing. Other
//                calls in flight whose streams broke stay of unknown outcome.
//   resumption   a stream that ends before the answer is taken up again by GET with `Last-Event-ID`
//                if the server gave event ids, after its `retry`; the POST is never repeated. That
//                holds for `initialize`, too: its session id is known from the head of its answer.
//   GET stream   opened where the server announces `listChanged`; 405 is fine, after any other
//                failure it is tried again, with growing pauses. What it asks there belongs to no
//                call and is refused. One for all sessions of a server on a reactor (ListenPlace):
//                when the session that holds it ends, another takes it up.
//   cancel       the stream is closed and the server told by notifications/cancelled.
//   no server    a connection that is refused fails the one call that needed it. The session takes
//                no other; those in flight go on, and it ends with the last of them.
//   end          DELETE, without waiting for its answer.
//
// What nobody heard on the GET stream is made good by listing the tools again, as it is after a
// renewal.
//
// Redirects are refused, as is everything that is not an answer. The agent's token, session and
// headers never reach the server; the credential of `Where::fields` is the operator's.
//
// Thread: the reactor it was started on.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "doors/mcp/message.h"
#include "doors/mcp/upstream.h"
#include "doors/mcp/waiters.h"
#include "net/http_pool.h"
#include "net/reactor.h"
#include "net/sse.h"
#include "net/task.h"

namespace writ::mcp {

// An `MCP-Session-Id`; servers use a UUID, some a signed token.
inline constexpr std::size_t kMaxSessionIdBytes = 1'024;
// Times one call's stream is taken up again.
inline constexpr int kMaxResumes = 32;
// Everything one call's streams may carry: events, comments and the answer.
inline constexpr std::size_t kMaxStreamBytes = 16 * kMaxUpstreamMessageBytes;
// Wait before a stream is taken up again when the server names none.
inline constexpr net::Millis kDefaultRetry{500};
// Between two attempts at the GET stream, at most.
inline constexpr net::Millis kMaxListenPause{30'000};
// What a server asks on one stream and has not been answered yet; each costs us a request. Those
// beyond belong to nobody.
inline constexpr std::size_t kMaxAnswersAtOnce = 2 * kMaxAsksAtOnce;
// Requests of ours that nobody waits for (answers, notifications, DELETE).
inline constexpr net::Millis kAsideTimeout{5'000};

class HttpUpstream;

// Which of a server's sessions holds the GET stream. What comes on it is about the server, and a
// stream for each session would take the connections that calls need. Touched on its reactor only.
struct ListenPlace {
    HttpUpstream* holder = nullptr;
    std::set<HttpUpstream*> waiting;  // each takes itself out when it ends
    bool gap = false;                 // somebody listened, and nobody has listed since
};

class HttpUpstream : public Upstream, public std::enable_shared_from_this<HttpUpstream> {
  public:
    // Where a server is, and what of the operator's goes into every request (Authorization).
    struct Where {
        std::shared_ptr<net::HttpPool> pool;
        std::string target = "/mcp";
        net::Headers fields;
        // Shared with the other sessions of the pool.
        std::shared_ptr<ListenPlace> place = std::make_shared<ListenPlace>();
    };
    // Connects and shakes hands. Errors: kUnavailable, kTimeout, kUnsupported (a revision we do not
    // speak), kUnauthenticated (401, 403), kInvalid.
    static net::Task<Result<std::shared_ptr<HttpUpstream>>> start(net::Reactor& reactor,
                                                                  std::string server, Where where,
                                                                  UpstreamOptions options);
    ~HttpUpstream() override;
    HttpUpstream(const HttpUpstream&) = delete;
    HttpUpstream& operator=(const HttpUpstream&) = delete;

    net::Task<Result<std::string>> list_tools() override;
    net::Task<Result<Reply>> call(Outbound call) override;
    bool alive() const override { return alive_ && !retired_; }
    void end() override;
    Counters counters() const override;
    std::string why_ended() const override { return why_ended_; }
    const std::string& server() const override { return server_; }
    const std::string& session() const { return session_->id; }

  private:
    using Self = std::shared_ptr<HttpUpstream>;
    // What goes on every request after the handshake; either may be empty.
    struct Session {
        std::string version, id;
    };
    using SessionPtr = std::shared_ptr<const Session>;
    // One request under way, or the GET stream, whose id is 0.
    struct Flight {
        std::int64_t id = 0;
        net::HttpCallPtr http;
        ConversationPtr conversation;
        net::Deadline deadline;
        std::optional<ErrorCode> given_up;  // kCancelled
        SessionPtr session;                 // it was sent in, or `initialize` has got
        bool lost_session = false;          // 404
        std::size_t answering = 0;          // of what the server asks on its stream
        std::size_t stray = 0;              // messages that belong to nobody
        std::string last_stray;  // what was wrong with the last that is no message, inert
        std::size_t stream_bytes = 0;
    };
    using FlightPtr = std::shared_ptr<Flight>;

    HttpUpstream(net::Reactor& reactor, std::string server, Where where, UpstreamOptions options);
    net::Task<Status> shake_hands();
    Status make_heads();
    // Fields of a GET in `session`.
    net::Headers stream_fields(const Session& session, std::string_view last_id) const;
    net::Task<Result<Reply>> request(std::string method, std::string params, net::Millis timeout,
                                     Depart depart, ConversationPtr conversation);
    static net::Task<Result<Reply>> attempt(Self self, FlightPtr flight, std::string method,
                                            std::string params, Depart depart);
    static net::Task<Status> renew(Self self, std::uint64_t epoch, net::Deadline deadline,
                                   ConversationPtr conversation);
    static net::Task<void> make_anew(Self self);

    // upstream_http_read.cc
    static net::Task<Result<Reply>> receive(Self self, FlightPtr flight);
    static net::Task<Result<Reply>> receive_json(Self self, FlightPtr flight);
    static net::Task<Result<Reply>> receive_stream(Self self, FlightPtr flight);
    static net::Task<std::optional<Error>> resume(Self self, FlightPtr flight, std::string last_id,
                                                  net::Millis pause);
    static net::Task<void> drain(net::HttpCallPtr http);
    static net::Task<Result<Reply>> refused(Self self, FlightPtr flight);
    std::optional<Result<Reply>> take(std::string text, const FlightPtr& flight);
    std::optional<Result<Reply>> take_batch(std::string_view text, const FlightPtr& flight);
    std::optional<Result<Reply>> take_message(std::string text, const FlightPtr& flight);
    void stray(const FlightPtr& flight, std::string_view why);
    void tell_strays(const Flight& flight) const;
    void take_request(const Message& message, const FlightPtr& flight);
    void take_notification(const Message& message, const FlightPtr& flight);
    static net::Task<void> pass_on(Self self, FlightPtr flight, std::string id, Ask ask);
    static net::Task<void> answer(Self self, FlightPtr flight, std::string text);
    static net::Task<void> post_aside(Self self, net::HttpHeadPtr head, std::string body);

    // upstream_http_listen.cc
    void want_to_listen();
    static net::Task<void> listen(Self self);
    static net::Task<bool> hear(Self self, std::string* last_id, net::Millis* pause);
    static net::Task<bool> listens_again(Self self, std::uint64_t epoch, int status);
    static net::Task<bool> read_events(Self self, net::HttpCallPtr http, net::SseParser* events);
    static net::Task<void> rest(Self self, net::Millis pause);
    void leave_place();

    Error outcome(const Flight& flight, ErrorCode code, std::string_view why) const;
    void give_up(const FlightPtr& flight, std::string_view reason);
    void tell_cancelled(const Flight& flight, std::string_view reason);
    void stop(std::string why);
    void falter(std::string why);

    net::Reactor& reactor_;
    std::string server_;
    Where where_;
    UpstreamOptions options_;
    bool alive_ = false;
    bool retired_ = false;  // takes no new calls and ends with the last of those in flight
    bool has_tools_ = false, notifies_ = false;
    std::string why_ended_;
    SessionPtr session_ = std::make_shared<Session>();
    std::uint64_t epoch_ = 0;  // of the session; a renewal makes the next
    bool renewing_ = false;
    Waiters<Status> awaiting_renewal_;
    net::HttpHeadPtr first_, post_, delete_;
    std::int64_t next_id_ = 1;
    std::unordered_map<std::int64_t, FlightPtr> flights_;
    std::set<std::int64_t> abandoned_;
    net::HttpCallPtr listening_;
    Counters counters_;
};

}  // namespace writ::mcp
