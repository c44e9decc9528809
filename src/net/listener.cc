// Listening sockets: bound by us, or handed over by a launcher.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "net/address.h"
#include "net/socket.h"

namespace writ::net {
namespace {

constexpr int kBacklog = 1024;

Error bind_error(const Endpoint& endpoint, int errno_value) {
    const std::string what = fmt::format("cannot listen on `{}`", endpoint.text());
    if (errno_value == EACCES || errno_value == EPERM)
        return Error{ErrorCode::kForbidden, what + ": permission denied"};
    return io_error(what, errno_value);
}

Error in_use(const Endpoint& endpoint) {
    return Error{ErrorCode::kConflict,
                 fmt::format("`{}` is in use: stop the process that listens there, or configure "
                             "another address",
                             endpoint.text())};
}

// Whether somebody accepts connections on the socket file at `address`.
bool is_live(const Address& address) {
    const Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!probe.valid() || connect(probe.get(), &address.any, address.size) == 0) return true;
    // Only a refusal proves that nobody is there; a full backlog (EAGAIN) proves the opposite.
    return errno != ECONNREFUSED && errno != ENOENT;
}

Status bind_unix(int fd, const Endpoint& endpoint, const Address& address, mode_t mode) {
    // Two starts at once must not each take the other's fresh socket for a stale one.
    const auto folder = std::filesystem::path(endpoint.unix_path).parent_path();
    const Fd lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock.valid()) return fail(bind_error(endpoint, errno));
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return fail(in_use(endpoint));

    struct stat file = {};
    if (lstat(endpoint.unix_path.c_str(), &file) == 0) {
        if (!S_ISSOCK(file.st_mode))
            return fail(ErrorCode::kConflict, fmt::format("`{}` exists and is not a socket: remove "
                                                          "it, or configure another path",
                                                          endpoint.unix_path));
        if (is_live(address)) return fail(in_use(endpoint));
        if (unlink(endpoint.unix_path.c_str()) != 0) return fail(bind_error(endpoint, errno));
    }
    // The file is born with at most `mode`, and nobody can connect before listen().
    if (fchmod(fd, mode) != 0) return fail(bind_error(endpoint, errno));
    if (bind(fd, &address.any, address.size) != 0) {
        if (errno == EADDRINUSE) return fail(in_use(endpoint));
        return fail(bind_error(endpoint, errno));
    }
    if (chmod(endpoint.unix_path.c_str(), mode) != 0) return fail(bind_error(endpoint, errno));
    if (listen(fd, kBacklog) != 0) return fail(bind_error(endpoint, errno));
    return {};
}

Status bind_tcp(int fd, const Endpoint& endpoint, const Address& address) {
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.family() == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, &address.any, address.size) != 0 || listen(fd, kBacklog) != 0) {
        if (errno == EADDRINUSE) return fail(in_use(endpoint));
        return fail(bind_error(endpoint, errno));
    }
    return {};
}

}  // namespace

Result<Listener> Listener::bind(const Endpoint& endpoint, mode_t mode) {
    const auto address = Address::of(endpoint);
    if (!address) return fail(address.error());
    Fd fd(socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid()) return fail(bind_error(endpoint, errno));
    const bool is_unix = address->family() == AF_UNIX;
    const Status bound = is_unix ? bind_unix(fd.get(), endpoint, *address, mode)
                                 : bind_tcp(fd.get(), endpoint, *address);
    if (!bound) return fail(bound.error());
    Listener out;
    out.endpoint_ = is_unix ? endpoint : Address::local(fd.get()).endpoint();
    out.fd_ = std::move(fd);
    return out;
}

Result<Listener> Listener::adopt(Fd fd) {
    int type = 0;
    int listening = 0;
    socklen_t size = sizeof type;
    if (getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM)
        return fail(ErrorCode::kInvalid, "the descriptor is not a stream socket");
    size = sizeof listening;
    if (getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0)
        return fail(ErrorCode::kInvalid, "the socket is not listening");
    const Address address = Address::local(fd.get());
    if (address.family() != AF_UNIX && !address.is_loopback())
        return fail(ErrorCode::kInvalid, "the socket does not listen on the loopback interface");
    const int flags = fcntl(fd.get(), F_GETFL);
    if (flags < 0 || fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0)
        return fail(io_error("cannot adopt a listening socket", errno));
    Listener out;
    out.endpoint_ = address.endpoint();
    out.fd_ = std::move(fd);
    return out;
}

}  // namespace writ::net
