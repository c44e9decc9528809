// The launcher's desk, on the agents' unix socket: `writ run` hands over the loopback listener its
// child will talk to and names that child; the desk binds both to a new session
// (docs/architecture.md, "Who is calling"; docs/adr/0002). After a restart of the gateway `writ
// run` hands the same listener over again, for the same session.
//
// One exchange per connection: a line of JSON with one descriptor beside it (SCM_RIGHTS), a line of
// JSON back. The launcher keeps the connection until it has ended its child and what that left
// behind: its end tells the launcher that the gateway is gone, and the gateway that the launcher
// is.
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
// before its child, the session ends at once. Who is inside a task, and until when: inside.h.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "desks/launch/inside.h"
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
    // Remembers and forgets the processes of a session, beyond a restart. Errors of keep: the
    // session is not opened.
    std::function<net::Task<Status>(SessionId, Kin)> keep;
    std::function<net::Task<void>(SessionId)> forget;
    // What was remembered and is not forgotten: inside from the first moment on.
    std::map<SessionId, Kin> remembered;
};

class Desk {
  public:
    // Serves `listener` until destroyed. Everything in `parts` must outlive it.
    Desk(Parts parts, net::Listener listener);
    ~Desk();
    // Whether a peer is inside a task. Errors: kUnavailable (cannot look now). Thread: the
    // reactor's.
    net::Task<Result<bool>> inside_task(net::Peer peer) const;
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

}  // namespace writ::launch
