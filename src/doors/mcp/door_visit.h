// One request on its way through the door. Inner header of the room.
#pragma once

#include <memory>
#include <string>

#include "doors/mcp/door.h"
#include "doors/mcp/http_rules.h"

namespace writ::mcp {

// Lives in the frame that serves the request; `responder` and `reactor` (its connection's) outlive
// it.
struct Door::Visit {
    identity::SessionPtr session;
    std::string server;  // `/mcp/{server}`: the only one; empty: all
    net::Responder* responder = nullptr;
    net::Reactor* reactor = nullptr;
    Accepts accepts{};
    ProtocolSessionPtr protocol{};           // once known
    std::shared_ptr<AnswerStream> stream{};  // once there may be something to say before the result
    bool silent = false;                     // the request was cancelled: no answer is owed
};

}  // namespace writ::mcp
