// Sockets: loopback TCP and unix listeners and streams, who the peer is, and descriptors passed
// between processes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "net/reactor.h"
#include "net/task.h"

namespace writ::net {

using writ::Fd;

struct Endpoint {
    // `/path` of a unix socket, or a loopback `host:port` (127.0.0.1 or [::1]); port 0 lets the
    // kernel choose.
    static Result<Endpoint> parse(std::string_view text);
    std::string unix_path;  // empty for TCP
    std::string host;
    std::uint16_t port = 0;
    std::string text() const;
};

// Who is at the other end. Unix: kernel evidence (SO_PEERCRED, SO_PEERPIDFD). TCP on loopback: uid
// by NETLINK_SOCK_DIAG.
struct Peer {
    bool is_unix = false;
    std::optional<uid_t> uid;
    std::optional<gid_t> gid;
    std::optional<pid_t> pid;   // unix only
    std::shared_ptr<Fd> pidfd;  // unix only, pins the process for the connection's life
    std::string address;        // for logs: `127.0.0.1:51234`, `unix:uid=0,pid=12`
};

// A bound, listening socket.
class Listener {
  public:
    // Errors: kConflict (in use; detail names the endpoint and what to do), kIo, kForbidden. A unix
    // socket is created with `mode`; a stale socket file nobody listens on is replaced, a live one
    // is kConflict.
    static Result<Listener> bind(const Endpoint& endpoint, mode_t mode = 0600);
    // Takes over a listening socket (SCM_RIGHTS, socket activation). Errors: kInvalid if it is not
    // one, or not loopback.
    static Result<Listener> adopt(Fd fd);
    Endpoint endpoint() const { return endpoint_; }
    int fd() const { return fd_.get(); }
    Fd take() && { return std::move(fd_); }

  private:
    Fd fd_;
    Endpoint endpoint_;
};

// A connected byte stream on one reactor. Closing it makes pending operations fail with kCancelled.
class Stream {
  public:
    virtual ~Stream() = default;
    // Up to `max` bytes; empty = end of stream. Errors: kUnavailable, kTimeout, kCancelled.
    virtual Task<Result<std::string>> read_some(std::size_t max, Millis timeout) = 0;
    virtual Task<Status> write_all(std::string bytes, Millis timeout) = 0;
    virtual void close() = 0;
    virtual const Peer& peer() const = 0;
    virtual int fd() const = 0;

    static Task<Result<std::unique_ptr<Stream>>> connect(Reactor& reactor, Endpoint endpoint,
                                                         Millis timeout);
};

// Accepts connections of a listener and hands each over; for protocols that are not HTTP. Destroy
// it to stop.
class Acceptor {
  public:
    Acceptor(Reactor& reactor, Listener listener,
             std::function<void(std::unique_ptr<Stream>)> on_stream);
    ~Acceptor();

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// One message with descriptors over a connected unix stream socket (SCM_RIGHTS), blocking; for the
// launcher (client side).
Status send_with_fds(int socket, std::string_view bytes, std::span<const int> fds);

// Receives up to `bytes_max` bytes and the descriptors that came with them (close-on-exec), on the
// reactor.
struct Received {
    std::string bytes;
    std::vector<Fd> fds;
};
Task<Result<Received>> receive_with_fds(Reactor& reactor, int socket, std::size_t bytes_max,
                                        Millis timeout);

// Resumes when `fd` (a pidfd, an eventfd) becomes readable, or with kTimeout. The descriptor stays
// the caller's.
Task<Status> wait_readable(Reactor& reactor, int fd, Millis timeout);

// uid of the loopback TCP peer that owns the other end of connection `fd` (NETLINK_SOCK_DIAG, about
// 4 us). Errors: kNotFound.
Result<uid_t> tcp_peer_uid(int fd);

}  // namespace writ::net
