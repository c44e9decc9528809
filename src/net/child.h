// Child processes that speak over pipes: stdio tool servers. The child gets exactly the environment
// it is given, its three standard descriptors and nothing else, its own process group, and dies
// with the gateway (PR_SET_PDEATHSIG).
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/reactor.h"
#include "net/task.h"

namespace writ::net {

struct ChildSpec {
    std::vector<std::string> argv;  // argv[0] is looked up in env["PATH"] if it has no slash
    std::map<std::string, std::string> env;
    std::string cwd;  // empty: `/`
    // Held until the child has been reaped, or could not be started; the last copy may go on
    // another thread.
    std::shared_ptr<void> ticket = nullptr;
};

// Lives on one reactor. When the child itself exits, what is left of its process group is killed;
// only a descendant that made a session of its own escapes.
class Child {
  public:
    // Started off the I/O thread. Errors: kNotFound (no such program; detail names it),
    // kExhausted (the descriptors left are kept for people: descriptors.h), kIo.
    static Task<Result<std::unique_ptr<Child>>> spawn(Reactor& reactor, ChildSpec spec);
    // Asks it to go: closes its stdin; SIGTERM to the group after 2 s, SIGKILL after 4 s; reaped in
    // the background. What it still writes is read and dropped, so that its last words do not end
    // it before it has tidied up.
    virtual ~Child() = default;
    // For the end of this process, which would kill them: waits until the children that were let go
    // have exited, at most `patience`. Who is left after half of it gets SIGTERM, at its end
    // SIGKILL.
    static Task<void> farewell(Reactor& reactor, Millis patience);

    virtual pid_t pid() const = 0;
    // Writes `line` and a newline to its stdin. Lines are queued; one at a time reaches the pipe
    // whole.
    virtual Task<Status> write_line(std::string line, Millis timeout) = 0;
    // Next line of its stdout without the newline. Errors: kTooLarge (longer than `bytes_max`; the
    // stream is then unusable), kUnavailable (closed stdout or exited), kTimeout. However many
    // lines it writes at once, others on the reactor have their turn between them.
    virtual Task<Result<std::string>> read_line(std::size_t bytes_max, Millis timeout) = 0;
    // Last lines of its stderr (bounded), for diagnostics; foreign text.
    virtual std::string stderr_tail() const = 0;
    // Exit status text once it has exited: `exit 1`, `signal 9`; empty while it runs.
    virtual std::string exited() const = 0;
    virtual void kill() = 0;
};

}  // namespace writ::net
