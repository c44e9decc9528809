// The launcher's desk, on the agents' unix socket: `writ run` hands over the loopback listener its
// child will talk to and names that child; the desk binds both to a new session
// (docs/architecture.md, "Who is calling"; docs/adr/0002). After a restart of the gateway `writ
// run` hands the same listener over again, for the same session.
//
// One exchange per connection: a line of JSON with one descriptor beside it (SCM_RIGHTS), a line of
// JSON back. The connection stays open for as long as the session is served: its end tells the
// launcher that the gateway is gone, and the gateway that the launcher is.
//   → {"op":"launch","pid":<child>,"task":"<task id>"}      descriptor: the listener
//   ← {"path":"/<32 hex digits>/mcp","session":"<id>","resume":"<64 hex digits>"}
//   → {"op":"resume","pid":<child>,"session":"<id>","path":"…","resume":"…"}   the same listener
//   ← {"path":"…","session":"<id>"}
//   ← {"error":{"code":…,"message":…}}                      to either
//
// The kernel vouches for everything that counts: the peer's uid must be a person with role launcher
// or operator and the peer must not run inside a task; the child, pinned by a pidfd of our own,
// must be a live child of the peer; the listener must be a listening loopback socket. A resumption
// must come with the same child (process id and start time) and with the path and the secret of the
// launch, whose digest stands in the session's `bound_to`; the child never sees the secret. When
// the child exits its session ends and the listener is closed; when the task ends first, the
// listener keeps answering 401 with the reason until the child exits. When the launcher leaves
// before its child, the session ends at once.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "desks/launch/refusals.h"
#include "gate/gate.h"
#include "identity/directory.h"
#include "net/http.h"
#include "net/socket.h"

namespace writ::launch {

// Connections that have not finished their exchange; a launcher needs milliseconds for it. Beyond
// it they are closed unheard.
inline constexpr std::size_t kMaxExchanges = 64;

struct Parts {
    gate::Gate& gate;
    identity::Directory& directory;
    net::Reactor& reactor;
    const Clock& clock;
    // Serves one session on its listener under its path; the call door. Called once per launch.
    std::function<net::HttpHandler(identity::SessionPtr, std::string path, std::uint16_t port)>
        door;
    // Records that hand-overs were refused.
    Refusals::Tell refused;
};

class Desk {
  public:
    // Serves `listener` until destroyed. Everything in `parts` must outlive it.
    Desk(Parts parts, net::Listener listener);
    ~Desk();
    // Whether `pid` is a launched child, descends from one, or descends from its launcher (which
    // adopts what its child leaves behind: `writ run` is a subreaper). Reads /proc elsewhere;
    // bounded; what vanishes meanwhile counts as inside. Thread: the reactor's.
    net::Task<bool> inside_task(pid_t pid) const;
    // Sessions being served; whether one of them is `session`.
    std::size_t running() const;
    bool serves(const SessionId& session) const;
    // Connections to their listeners.
    std::size_t connections() const;
    // Takes no launcher and no request any more; calls in flight go on. Sessions stay open, to be
    // resumed after a restart.
    void stop();

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// A live child process, held so that its pid cannot be reused.
struct Child {
    net::Fd pidfd;
    std::uint64_t start =
        0;  // clock ticks after boot (proc(5), stat field 22): with the pid, a name
};
// Pins `pid`, a live child of `parent`. Reads /proc: not on an I/O thread. Errors: kNotFound (no
// such process), kForbidden (somebody else's).
Result<Child> pin_child(pid_t pid, pid_t parent);
// The parent of a process. Errors: kNotFound.
Result<pid_t> parent_of(pid_t pid);
// Whether one of `at` is `pid` or an ancestor of it, or one of `above` an ancestor. True if that
// cannot be told. Reads /proc: not on an I/O thread.
bool descends(pid_t pid, const std::vector<pid_t>& at, const std::vector<pid_t>& above);

}  // namespace writ::launch
