// The MCP call door: streamable HTTP, revision 2025-11-25 (older ones negotiated down to
// 2024-11-05), towards agents; tool servers behind it (digest mcp.md, sections 2, 3.3, 4.1, 9
// and 10).
//
// What an agent may ask: initialize, ping, tools/list, tools/call, each as one POST; a GET opens
// the stream that says when the list of tools has changed; DELETE ends the protocol session.
// Everything else is an unknown method. A batch is refused, but in revision 2025-03-26, which has
// them. On every request the source (Host, Origin) and the writ
// session are checked; a dead task is told 401 with the challenge, on the launcher's listener too.
//
// An endpoint serves every tool of the session, with its server's prefix; `{endpoint}/{server}`
// serves that server's alone, by their own names. A server that is not granted is 404 exactly like
// one that does not exist.
//
// How a refusal looks (docs/architecture.md, section 2; docs/guide/clients.md): a tool that is not
// granted answers exactly like one that does not exist; a granted one that is forbidden answers
// isError with advice; nothing of a refused call reaches a tool server.
//
// An answer is one JSON object unless there was something to say before the result, or the client
// takes event streams only. A client that leaves does not cancel (2025-11-25, "disconnection"): the
// call goes on and its outcome is recorded. notifications/cancelled does, by the id of a request of
// the same protocol session. When the task dies, its streams end at once, with an error for the
// request and nothing more of the output.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "doors/mcp/door_stream.h"
#include "doors/mcp/message.h"
#include "doors/mcp/protocol_sessions.h"
#include "doors/mcp/upstreams.h"
#include "gate/gate.h"
#include "identity/types.h"
#include "net/http.h"

namespace writ::mcp {

// A tool's name as the caller writes it; our own are at most 128.
inline constexpr std::size_t kMaxToolNameBytes = 256;
// Messages of one batch (2025-03-26), carried out one after the other.
inline constexpr std::size_t kMaxBatch = 16;
// Answers of one batch that wait for its other messages. Once they are that many bytes, nothing
// more of the batch is carried out: with the one that passes the limit, a batch holds two of the
// largest answers.
inline constexpr std::size_t kMaxBatchAnswersBytes = kMaxUpstreamMessageBytes;
// The same of all batches of the door: as much as answers that wait for their readers
// (net/http.h). A call that hangs keeps the answers before it for a minute.
inline constexpr std::size_t kMaxWaitingAnswersBytes = 16 * kMaxUpstreamMessageBytes;
// How often what runs is looked at for a task that died or a catalog that changed: streams close
// within 100 ms of a revocation (docs/architecture.md, section 7).
inline constexpr net::Millis kWatchInterval{50};

struct DoorOptions {
    // Where agents reach the agents' listener, `http://127.0.0.1:7420`: 401 challenges point to its
    // protected resource metadata (RFC 9728). Empty: there is none, and none is named.
    std::string public_url;
    std::string version = "0.1.0";     // serverInfo
    net::Millis call_timeout{60'000};  // for a tool server's answer; below kAdmissionDeadline_s
    net::Millis keep_alive{15'000};    // between signs of life on the stream of a GET
};

class Door {
  public:
    using Authenticate = std::function<Result<identity::SessionPtr>(std::string_view token)>;

    // Everything referred to must outlive it, and it must outlive its handlers. Thread: handlers
    // run on any of the Upstreams' reactors.
    Door(gate::Gate& gate, Upstreams& upstreams, const Clock& clock, DoorOptions options = {});

    // The launcher's listener: every connection is `session`'s. Only exactly `path` (`/…` with 128
    // random bits) and `path`/{server} are served, everything else is 404. `port` is the
    // listener's, which Host must name; 0 accepts any. The protocol sessions end with the handler.
    net::HttpHandler for_session(identity::SessionPtr session, std::string path,
                                 std::uint16_t port = 0);
    // The agents' listener: `/mcp` and `/mcp/{server}` with `Authorization: Bearer`, and
    // `/.well-known/oauth-protected-resource[/mcp[/{server}]]` for whoever asks.
    net::HttpHandler for_bearer(Authenticate authenticate, std::uint16_t port = 0);

    // Forgets the protocol sessions of a writ session that has ended. Thread: any.
    void forget(const SessionId& session) { sessions_->forget(session); }

  private:
    using Response = net::HttpResponse;
    struct Visit;   // one request: door_visit.h
    class Flight;   // one request in flight: door_flight.h
    struct Member;  // one message of a batch: door_batch.cc
    struct Course;  // what happened to a forwarded call, and how it ended: door_call.cc
    struct Ending;

    net::Task<void> serve_session(identity::SessionPtr session, std::string_view path,
                                  std::uint16_t port, net::HttpRequest request,
                                  net::Responder& responder);
    net::Task<void> serve_bearer(std::shared_ptr<const Authenticate> authenticate,
                                 std::uint16_t port, net::HttpRequest request,
                                 net::Responder& responder);
    net::Task<void> serve(Visit visit, net::HttpRequest request);

    net::Task<Response> post(Visit& visit, net::HttpRequest request);
    // `flight`: of a request that has begun; null: what needs one begins it.
    net::Task<Response> dispatch(Visit& visit, MessagePtr message, std::shared_ptr<Flight> flight);
    net::Task<Response> initialize(Visit& visit, MessagePtr message);
    Response notified(Visit& visit, const Message& message);
    Response remove(const Visit& visit, const net::HttpRequest& request);
    net::Task<Response> list(Visit& visit, MessagePtr message);
    net::Task<std::vector<std::shared_ptr<const catalog::Tool>>> visible(
        identity::SessionPtr session, std::string server);
    // The protocol session that a request names; or what to answer (400, 404).
    tl::expected<ProtocolSessionPtr, Response> protocol(const Visit& visit,
                                                        const net::HttpRequest& request);
    std::string metadata_url(std::string_view server) const;
    // `id`: of the request that is being answered, if one is. `more` follows the reason.
    Response dead(const Visit& visit, std::string_view id, std::string_view more = {});

    // Batches: door_batch.cc.
    net::Task<Response> batch(Visit& visit, net::HttpRequest request);
    tl::expected<std::vector<Member>, Response> begin(Visit& visit,
                                                      std::vector<MessagePtr> messages);
    std::optional<Response> passed_over(const Visit& visit, const Member& member, bool full);

    // The stream of a GET: door_listen.cc.
    net::Task<void> listen(Visit& visit, net::HttpRequest request);
    net::Task<void> stream(Visit& visit, std::shared_ptr<Listening> listening);
    net::Task<bool> changed(Visit& visit);
    void watch(const ProtocolSessionPtr& session);
    static net::Task<void> sweep(std::shared_ptr<ProtocolSessions> sessions, net::Reactor* reactor,
                                 const Clock* clock, gate::Gate* gate, net::Millis keep_alive);

    net::Task<Response> call(Visit& visit, MessagePtr message, std::shared_ptr<Flight> flight);
    net::Task<Response> admit(Visit& visit, MessagePtr message, gate::Call call,
                              std::shared_ptr<Flight> flight);
    net::Task<Response> forward(Visit& visit, std::string id, std::shared_ptr<Flight> flight,
                                gate::AdmissionPtr admission);
    net::Task<Ending> conclude(std::string id, gate::Admission& admission, Reply reply);
    static Ending stopped(const std::string& id, const gate::Admission& admission,
                          const Course& course, const Error& error);
    Response refused(const Visit& visit, const std::string& id, std::string_view name,
                     const gate::Refusal& refusal);

    gate::Gate& gate_;
    Upstreams& upstreams_;
    const Clock& clock_;
    DoorOptions options_;
    // Shared with the handlers, whose end may come after the door's.
    std::shared_ptr<ProtocolSessions> sessions_ = std::make_shared<ProtocolSessions>();
    // Bytes of kMaxWaitingAnswersBytes; shared with the batches, for the same reason.
    std::shared_ptr<std::atomic<std::size_t>> waiting_answers_bytes_ =
        std::make_shared<std::atomic<std::size_t>>(0);
};

}  // namespace writ::mcp
