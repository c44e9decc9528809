// The agent as a process of `writ run`: forked before its URL is known, let go with it, and not
// left behind. `writ run` becomes a subreaper, so that what the agent leaves orphaned becomes its
// child and not init's: the gateway still sees whose it is, and it ends with the agent.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "net/socket.h"

namespace writ::cli {

// The forked child before its exec: it waits for its URL on a pipe.
struct WaitingAgent {
    pid_t pid = -1;
    net::Fd pidfd;
    net::Fd go;  // write the URL here; closing it unwritten ends the child
};

Result<WaitingAgent> fork_waiting(const std::vector<std::string>& command);
// Waits for it and gives its exit code; 128 + n when signal n ended it.
int wait_for(pid_t pid);
// Ends what the agent left behind: SIGTERM, two seconds, SIGKILL.
void end_descendants();

}  // namespace writ::cli
