// One request in flight (a tools/call, or any of a batch): what may be said to its client before
// the result, and who may stop it. Inner header of the room.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "doors/mcp/conversation.h"
#include "doors/mcp/door_visit.h"
#include "doors/mcp/protocol_sessions.h"
#include "gate/gate.h"

namespace writ::mcp {

// The client's own code for a request that it took back (outside the range of JSON-RPC's).
inline constexpr int kRequestCancelled = -32800;
inline constexpr std::string_view kCancelledByClient = "cancelled by the client";

// One whole notice through the admission: what may be told of it, all at once, so that nothing held
// back of one message is ever told in front of another. Results go through chunk() and rest().
net::Task<Result<std::string>> release(gate::Admission* admission, std::string message);

// What a tool server asks of the client is the gate's to decide and to record. Nothing of it is
// relayed, whatever is decided: no capability was declared to the server.
net::Task<void> refuse_inward(gate::Admission* admission, std::string method, std::string params);

// Thread: the reactor of the client's connection, but for tell().
class Door::Flight final : public Told, public std::enable_shared_from_this<Flight> {
  public:
    // `visit` outlives leave(). `token`: the client's progressToken, raw, or empty.
    Flight(Visit& visit, std::string token)
        : visit_(visit), reactor_(*visit.reactor), token_(std::move(token)) {}

    void tell(Why why) override;
    // Why it should stop, if it should.
    std::optional<Why> stopped() const { return why_; }

    // From here on the tool server may be heard: progress and log messages go to the client that
    // asked for them, as events in front of the result, through the admission.
    ConversationPtr converse(gate::AdmissionPtr admission);
    gate::Admission& admission() { return *admission_; }
    // Nothing more is said before the result; waits a moment for what was said (hush()).
    net::Task<void> quiet();
    // The visit ends: what comes later finds nobody.
    void leave() { left_ = true; }

  private:
    void note(Why why);
    void hear(const Notice& notice);
    bool say(std::string message);
    static net::Task<Reply> ask(std::shared_ptr<Flight> self, Ask ask);

    Visit& visit_;  // until leave()
    net::Reactor& reactor_;
    const std::string token_;
    const std::shared_ptr<net::Mailbox> mailbox_ = reactor_.mailbox();
    gate::AdmissionPtr admission_;
    ConversationPtr conversation_;
    std::optional<Why> why_;
    std::optional<double> progress_;  // the last that was said
    bool left_ = false;
};

}  // namespace writ::mcp
