// The CLI's side of the admin API: one request over the operators' socket.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "cli/verb.h"
#include "json/node.h"

namespace writ::cli {

// Where the gateway's sockets are: --socket, $WRIT_SOCKET, or the configuration. The agents' socket
// stands beside it.
struct Sockets {
    std::filesystem::path operators, agents;
};
Result<Sockets> sockets(const Context& context);

// A catalog of many tools is long; the gateway is believed by then.
inline constexpr std::size_t kMaxApiAnswerBytes = 64 << 20;

// Sends one request and returns the answer's JSON text. An API error comes back as its Error (code
// and message); a gateway that cannot be reached is kUnavailable, one that is not believed
// (socket_trust.h) kForbidden.
Result<std::string> call_api(const Context& context, const std::string& method,
                             const std::string& path, const std::string& body = "");
// report(), but kNoGateway when the gateway could not be reached.
int report_api(const Context& context, const Error& error);

}  // namespace writ::cli
