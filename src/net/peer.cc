// Who is at the other end of a connection, by the kernel's word.
#include <fmt/format.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "net/address.h"
#include "net/asio_impl.h"

namespace writ::net {
namespace {

constexpr int kSoPeerPidfd = 77;  // Linux 6.5; older headers lack the name SO_PEERPIDFD

std::shared_ptr<Fd> pidfd_of_peer(int fd, pid_t pid) {
    int pidfd = -1;
    socklen_t size = sizeof pidfd;
    if (getsockopt(fd, SOL_SOCKET, kSoPeerPidfd, &pidfd, &size) == 0)
        return std::make_shared<Fd>(pidfd);
    // Only a kernel without the option gets the second best: by number, which another process may
    // have taken meanwhile.
    if (errno != ENOPROTOOPT) return nullptr;
    pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    return pidfd < 0 ? nullptr : std::make_shared<Fd>(pidfd);
}

Result<uid_t> no_owner() {
    return fail(ErrorCode::kNotFound, "no process owns the other end of the connection");
}

struct Query {
    nlmsghdr header;
    inet_diag_req_v2 body;
};

// One netlink socket a thread: opening it costs more than asking.
int diag_socket() {
    thread_local const Fd socket_fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    return socket_fd.get();
}

// The query for the socket whose local side is our remote one (sock_diag(7)).
Query query_for(const Address& ours, const Address& theirs, std::uint32_t sequence) {
    Query query = {};
    query.header.nlmsg_len = sizeof query;
    query.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    query.header.nlmsg_flags = NLM_F_REQUEST;
    query.header.nlmsg_seq = sequence;
    query.body.sdiag_family = static_cast<std::uint8_t>(ours.family());
    query.body.sdiag_protocol = IPPROTO_TCP;
    query.body.idiag_states = ~0U;
    auto& id = query.body.id;
    id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    if (ours.family() == AF_INET) {
        id.idiag_sport = theirs.v4.sin_port;
        id.idiag_dport = ours.v4.sin_port;
        id.idiag_src[0] = theirs.v4.sin_addr.s_addr;
        id.idiag_dst[0] = ours.v4.sin_addr.s_addr;
    } else {
        id.idiag_sport = theirs.v6.sin6_port;
        id.idiag_dport = ours.v6.sin6_port;
        std::memcpy(&id.idiag_src, &theirs.v6.sin6_addr, sizeof theirs.v6.sin6_addr);
        std::memcpy(&id.idiag_dst, &ours.v6.sin6_addr, sizeof ours.v6.sin6_addr);
    }
    return query;
}

// A socket that its process has closed lives on in the kernel under uid 0 and inode 0: believing
// that would make every client that hangs up early root.
bool is_owned(const inet_diag_msg& found) {
    const auto state = found.idiag_state;
    return found.idiag_inode != 0 &&
           (state == TCP_ESTABLISHED || state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2);
}

}  // namespace

Result<uid_t> tcp_peer_uid(int fd) {
    const Address ours = Address::local(fd);
    const Address theirs = Address::remote(fd);
    if ((ours.family() != AF_INET && ours.family() != AF_INET6) || !theirs.is_loopback())
        return no_owner();
    thread_local std::uint32_t sequence = 0;
    const Query query = query_for(ours, theirs, ++sequence);
    if (send(diag_socket(), &query, sizeof query, 0) != static_cast<ssize_t>(sizeof query))
        return fail(io_error("cannot ask the kernel for a socket's owner", errno));
    // The kernel answers within send(); a stale answer of an earlier, failed question is skipped.
    for (;;) {
        alignas(nlmsghdr) std::array<char, 1024> buffer{};
        const ssize_t got = recv(diag_socket(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got < static_cast<ssize_t>(sizeof(nlmsghdr))) return no_owner();
        nlmsghdr header = {};
        std::memcpy(&header, buffer.data(), sizeof header);
        if (header.nlmsg_seq != sequence) continue;
        inet_diag_msg found = {};
        if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
            got < static_cast<ssize_t>(NLMSG_HDRLEN + sizeof found))
            return no_owner();
        std::memcpy(&found, buffer.data() + NLMSG_HDRLEN, sizeof found);
        if (!is_owned(found)) return no_owner();
        return found.idiag_uid;
    }
}

Peer peer_of(int fd) {
    Peer out;
    const Address remote = Address::remote(fd);
    if (remote.family() != AF_UNIX) {
        out.address = remote.endpoint().text();
        if (const auto uid = tcp_peer_uid(fd)) out.uid = *uid;
        return out;
    }
    out.is_unix = true;
    ucred who = {};
    socklen_t size = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
        out.address = "unix:unknown";
        return out;
    }
    out.uid = who.uid;
    out.gid = who.gid;
    // The kernel writes 0 for a process outside our pid namespace: it has no pid we could name.
    if (who.pid > 0) {
        out.pid = who.pid;
        out.pidfd = pidfd_of_peer(fd, who.pid);
    }
    out.address = fmt::format("unix:uid={},pid={}", who.uid, who.pid);
    return out;
}

}  // namespace writ::net
