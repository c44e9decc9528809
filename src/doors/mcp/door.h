// The MCP call door: streamable HTTP, revision 2025-11-25 (older ones negotiated down to
// 2024-11-05), towards agents; stdio tool servers behind it (digest mcp.md, sections 2, 3.3, 4.1, 9
// and 10).
//
// What an agent may ask: initialize, ping, tools/list, tools/call. Everything else is an unknown
// method. Before a body is read the source (Host, Origin) and the writ session are checked, on
// every request; a dead task is told 401 with the challenge, on the launcher's listener too.
//
// How a refusal looks (docs/architecture.md, section 2): a tool that is not granted answers exactly
// like one that does not exist; a granted one that is forbidden answers isError with advice;
// nothing of a refused call reaches a tool server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "doors/mcp/message.h"
#include "doors/mcp/protocol_sessions.h"
#include "doors/mcp/upstreams.h"
#include "gate/gate.h"
#include "identity/types.h"
#include "net/http.h"

namespace writ::mcp {

// A tool's name as the caller writes it; our own are at most 128.
inline constexpr std::size_t kMaxToolNameBytes = 256;

struct DoorOptions {
    // URL of the protected resource metadata (RFC 9728), put into 401 challenges; empty: left out.
    std::string resource_metadata;
    std::string version = "0.1.0";     // serverInfo
    net::Millis call_timeout{60'000};  // for a tool server's answer; below kAdmissionDeadline_s
};

class Door {
  public:
    using Authenticate = std::function<Result<identity::SessionPtr>(std::string_view token)>;

    // Everything referred to must outlive it, and it must outlive its handlers. Thread: handlers
    // run on any of the Upstreams' reactors.
    Door(gate::Gate& gate, Upstreams& upstreams, const Clock& clock, DoorOptions options = {});

    // The launcher's listener: every connection is `session`'s. Only exactly `path` (`/…` with 128
    // random bits) is served, everything else is 404. `port` is the listener's, which Host must
    // name; 0 accepts any. The protocol sessions end with the handler.
    net::HttpHandler for_session(identity::SessionPtr session, std::string path,
                                 std::uint16_t port = 0);
    // The agents' listener: `/mcp` with `Authorization: Bearer`.
    net::HttpHandler for_bearer(Authenticate authenticate, std::uint16_t port = 0);

    // Forgets the protocol sessions of a writ session that has ended. Thread: any.
    void forget(const SessionId& session) { sessions_->forget(session); }

  private:
    using Response = net::HttpResponse;
    struct Flight;  // one forwarded call: door_call.cc
    struct Ending;

    net::Task<void> serve_session(identity::SessionPtr session, bool here, std::uint16_t port,
                                  net::HttpRequest request, net::Responder& responder);
    net::Task<void> serve_bearer(std::shared_ptr<const Authenticate> authenticate,
                                 std::uint16_t port, net::HttpRequest request,
                                 net::Responder& responder);

    net::Task<Response> answer(identity::SessionPtr session, net::HttpRequest request);
    net::Task<Response> post(identity::SessionPtr session, net::HttpRequest request);
    net::Task<Response> dispatch(identity::SessionPtr session, MessagePtr message);
    Response initialize(const identity::SessionPtr& session, const Message& message);
    Response remove(const identity::SessionPtr& session, const net::HttpRequest& request);
    net::Task<Response> list(identity::SessionPtr session, MessagePtr message);
    Response dead(const identity::Session& session);

    net::Task<Response> call(identity::SessionPtr session, MessagePtr message);
    net::Task<Response> forward(std::string id, identity::SessionPtr session,
                                gate::AdmissionPtr admission);
    net::Task<Ending> conclude(std::string id, gate::Admission& admission, Reply reply);
    Ending stopped(const std::string& id, const gate::Admission& admission, const Flight& flight,
                   const Error& error);
    Response refused(const std::string& id, std::string_view name, const gate::Refusal& refusal,
                     const identity::Session& session);

    gate::Gate& gate_;
    Upstreams& upstreams_;
    const Clock& clock_;
    DoorOptions options_;
    // Shared with the handlers, whose end may come after the door's.
    std::shared_ptr<ProtocolSessions> sessions_ = std::make_shared<ProtocolSessions>();
};

}  // namespace writ::mcp
