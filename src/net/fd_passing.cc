// Descriptors between processes (SCM_RIGHTS, unix(7)), and waiting for descriptors of others.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "net/asio_impl.h"

namespace writ::net {
namespace {

constexpr std::size_t kPassedFdsMax = 16;  // a launcher passes one listener; a few leave room
constexpr int kSendTimeout_ms = 10'000;

union Control {
    std::array<char, CMSG_SPACE(kPassedFdsMax * sizeof(int))> bytes;
    cmsghdr align;
};

// Takes every descriptor out of `message`, so that none leaks whatever is decided about it.
std::vector<Fd> take_fds(msghdr& message) {
    std::vector<Fd> out;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            out.emplace_back(fd);
        }
    }
    return out;
}

// A Poll on a duplicate of `fd`, which may be registered with the loop already.
Result<std::shared_ptr<Poll>> open_twin(Reactor& reactor, int fd) {
    Fd twin(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!twin.valid()) return fail(io_error("cannot duplicate a descriptor", errno));
    return Poll::open(reactor, std::move(twin));
}

Status wait_to_send(int socket) {
    pollfd ready = {socket, POLLOUT, 0};
    const int n = ::poll(&ready, 1, kSendTimeout_ms);
    if (n == 0) return fail(ErrorCode::kTimeout, "the peer read nothing in time");
    if (n < 0 && errno != EINTR) return fail(io_error("cannot wait for a socket", errno));
    return {};
}

}  // namespace

Status send_with_fds(int socket, std::string_view bytes, std::span<const int> fds) {
    if (bytes.empty()) return fail(ErrorCode::kInvalid, "descriptors need at least one byte");
    if (fds.size() > kPassedFdsMax)
        return fail(ErrorCode::kTooLarge,
                    fmt::format("at most {} descriptors in one message", kPassedFdsMax));
    std::string copy(bytes);
    std::size_t done = 0;
    while (done < copy.size()) {
        iovec part = {copy.data() + done, copy.size() - done};
        Control control = {};
        msghdr message = {};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (done == 0 && !fds.empty()) {
            message.msg_control = control.bytes.data();
            message.msg_controllen = CMSG_SPACE(fds.size_bytes());
            cmsghdr* const c = CMSG_FIRSTHDR(&message);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(fds.size_bytes());
            std::memcpy(CMSG_DATA(c), fds.data(), fds.size_bytes());
        }
        const ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
        if (sent >= 0) {
            done += static_cast<std::size_t>(sent);
        } else if (errno == EAGAIN) {
            const Status ready = wait_to_send(socket);
            if (!ready) return ready;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return fail(ErrorCode::kUnavailable, "the peer left");
        } else if (errno != EINTR) {
            return fail(io_error("cannot pass descriptors", errno));
        }
    }
    return {};
}

Task<Result<Received>> receive_with_fds(Reactor& reactor, int socket, std::size_t bytes_max,
                                        Millis timeout) {
    const TimePoint deadline = deadline_in(timeout);
    auto poll = open_twin(reactor, socket);
    if (!poll) co_return fail(poll.error());
    const PollOwner owner(*poll);
    Received out;
    out.bytes.resize(bytes_max);
    for (;;) {
        iovec part = {out.bytes.data(), out.bytes.size()};
        Control control = {};
        msghdr message = {};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.bytes.data();
        message.msg_controllen = control.bytes.size();
        const ssize_t got = recvmsg(owner->fd(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (got >= 0) {
            out.fds = take_fds(message);
            if ((message.msg_flags & MSG_CTRUNC) != 0)
                co_return fail(ErrorCode::kTooLarge, "too many descriptors in one message");
            if (got == 0) co_return fail(ErrorCode::kUnavailable, "the peer left");
            out.bytes.resize(static_cast<std::size_t>(got));
            co_return std::move(out);
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) co_return fail(io_error("cannot receive descriptors", errno));
        const Ready ready = co_await owner->readable(deadline);
        if (ready != Ready::kReady)
            co_return fail(ErrorCode::kTimeout, "no descriptors came in time");
    }
}

Task<Status> wait_readable(Reactor& reactor, int fd, Millis timeout) {
    auto poll = open_twin(reactor, fd);
    if (!poll) co_return fail(poll.error());
    const PollOwner owner(*poll);
    const TimePoint deadline = deadline_in(timeout);
    for (;;) {
        const Ready ready = co_await owner->readable(deadline);
        if (ready != Ready::kReady)
            co_return fail(ErrorCode::kTimeout, "the descriptor did not become readable in time");
        pollfd now = {fd, POLLIN, 0};
        if (::poll(&now, 1, 0) > 0) co_return Status();
    }
}

}  // namespace writ::net
