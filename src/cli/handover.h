// The launcher's side of the agents' socket (desks/launch/desk.h): hands a listener and a child
// over, and again when the gateway was restarted.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "base/error.h"
#include "net/socket.h"

namespace writ::cli {

// A session that the gateway serves on our listener.
struct Served {
    net::Fd link;  // readable when the gateway is gone
    std::string path, session;
    std::string resume;  // the secret that proves us after a restart; never given to the child
};

// Errors: kUnavailable (no gateway answers), kForbidden (it refuses, and says why).
Result<Served> hand_over(const std::filesystem::path& agents_socket, const std::string& task,
                         int listener, pid_t child);
// The same listener and child, for the same session. Errors: likewise.
Result<Served> hand_over_again(const std::filesystem::path& agents_socket, const Served& served,
                               int listener, pid_t child);

}  // namespace writ::cli
