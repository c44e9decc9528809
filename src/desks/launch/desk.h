// The launcher's desk, on the agents' unix socket: `writ run` hands over the loopback listener its
// child will talk to and names that child; the desk binds both to a new session
// (docs/architecture.md, "Who is calling"; docs/adr/0002).
//
// One exchange per connection: a line of JSON with one descriptor beside it (SCM_RIGHTS), a line of
// JSON back.
//   → {"op":"launch","pid":<child>,"task":"<task id>"}      descriptor: the listener
//   ← {"path":"/<32 hex digits>/mcp","session":"<id>"}   or   {"error":{"code":…,"message":…}}
//
// The kernel vouches for everything that counts: the peer's uid must be a person with role launcher
// or operator and the peer must not run inside a task; the child, pinned by a pidfd of our own,
// must be a live child of the peer; the listener must be a listening loopback socket. When the
// child exits its session ends and the listener is closed; when the task ends first, the listener
// keeps answering 401 with the reason until the child exits.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "gate/gate.h"
#include "identity/directory.h"
#include "net/http.h"
#include "net/socket.h"

namespace writ::launch {

struct Parts {
    gate::Gate& gate;
    identity::Directory& directory;
    net::Reactor& reactor;
    const Clock& clock;
    // Serves one session on its listener under its path; the call door. Called once per launch.
    std::function<net::HttpHandler(identity::SessionPtr, std::string path, std::uint16_t port)>
        door;
    // Records that a hand-over was refused.
    std::function<void(const net::Peer&, const Error&)> refused;
};

class Desk {
  public:
    // Serves `listener` until destroyed. Everything in `parts` must outlive it.
    Desk(Parts parts, net::Listener listener);
    ~Desk();
    // Whether `pid` is a launched child or descends from one. Reads /proc; bounded. Thread: the
    // reactor's.
    bool inside_task(pid_t pid) const;
    // Sessions being served.
    std::size_t running() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// A pidfd of a live child of `parent`. The pid cannot be reused meanwhile: only the parent can reap
// it. Errors: kNotFound (no such process), kForbidden (somebody else's).
Result<net::Fd> pin_child(pid_t pid, pid_t parent);
// The parent of a process. Errors: kNotFound.
Result<pid_t> parent_of(pid_t pid);

}  // namespace writ::launch
