// Connected byte streams and the loop that accepts them.
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "base/seldom.h"
#include "net/address.h"
#include "net/asio_impl.h"
#include "net/budget.h"
#include "net/descriptors.h"
#include "net/http.h"

namespace writ::net {
namespace {

constexpr int kAcceptBatch = 64;  // then others have a turn, however fast strangers connect

// Without descriptors a listener stays readable: asking again at once would spin.
constexpr Millis kAcceptPause{50};
void complain(int error) {
    static thread_local Seldom seldom;
    if (const auto unsaid = seldom.due())
        log::warn("net",
                  "cannot accept connections: {} ({} more times since the last such line); they "
                  "wait in the kernel. Raise the limit of open files (ulimit -n)",
                  std::strerror(error), *unsaid);
}

void no_delay(int fd) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on unix sockets: fine
}

// The kernel throws away what it has not sent. On a unix socket nothing: all of it was received.
void reset_when_closed(int fd) {
    const linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

Error peer_left(int errno_value) {
    return Error{ErrorCode::kUnavailable,
                 fmt::format("the peer left: {}", std::strerror(errno_value))};
}

Task<Result<std::string>> read_some_of(std::shared_ptr<Poll> poll, std::size_t max,
                                       TimePoint deadline) {
    std::string out(std::min<std::size_t>(max, 64 << 10), '\0');
    for (;;) {
        // Waiting before every read lets others run, however fast the peer sends.
        const Ready ready = co_await poll->readable(deadline);
        if (ready == Ready::kTimeout)
            co_return fail(ErrorCode::kTimeout, "the peer sent nothing in time");
        if (ready == Ready::kClosed) co_return fail(closed_error().error());
        const ssize_t got = recv(poll->fd(), out.data(), out.size(), MSG_DONTWAIT);
        if (got >= 0) {
            out.resize(static_cast<std::size_t>(got));
            co_return out;
        }
        if (errno != EINTR && errno != EAGAIN) co_return fail(peer_left(errno));
    }
}

class SocketStream final : public Stream {
  public:
    SocketStream(std::shared_ptr<Poll> poll, Peer peer)
        : poll_(std::move(poll)),
          turn_(std::make_shared<Turnstile>(poll_->reactor())),
          peer_(std::move(peer)) {}
    ~SocketStream() override { close(); }

    Task<Result<std::string>> read_some(std::size_t max, Millis timeout) override {
        return read_some_of(poll_, max, deadline_in(timeout));
    }
    Task<Status> write_all(std::string bytes, Millis timeout) override {
        return write_in_turn(poll_, turn_, std::move(bytes), deadline_in(timeout));
    }
    void close() override {
        if (!poll_->is_open()) return;
        shutdown(poll_->fd(), SHUT_RDWR);
        poll_->close();
    }
    const Peer& peer() const override { return peer_; }
    int fd() const override { return poll_->fd(); }

  private:
    static Task<Status> write_in_turn(std::shared_ptr<Poll> poll, std::shared_ptr<Turnstile> turn,
                                      std::string bytes, TimePoint deadline) {
        co_await turn->enter();
        const Turn held(*turn);
        std::string none;
        co_return co_await write_socket(poll, std::move(bytes), std::move(none), deadline);
    }

    std::shared_ptr<Poll> poll_;
    std::shared_ptr<Turnstile> turn_;
    Peer peer_;
};

Error unreachable(std::string_view name, std::string_view why) {
    return Error{ErrorCode::kUnavailable, fmt::format("cannot connect to `{}`: {}", name, why)};
}

Error no_descriptors(const std::string& name) {
    return Error{
        ErrorCode::kExhausted,
        fmt::format("cannot connect to `{}`: all descriptors but those kept for people are "
                    "in use (LimitNOFILE, ulimit -n)",
                    name)};
}

// Loopback lets a socket connect to itself when the kernel picks the port it asks for.
bool is_self(int fd) {
    const Endpoint local = Address::local(fd).endpoint();
    return local.unix_path.empty() && local.text() == Address::remote(fd).endpoint().text();
}

}  // namespace

Task<Status> write_socket(std::shared_ptr<Poll> poll, std::string head, std::string body,
                          TimePoint deadline, const std::function<bool()>* leaves, Charge* waits,
                          const std::function<bool()>* holds) {
    std::size_t done = 0;
    while (done < head.size() + body.size()) {
        std::array<iovec, 2> parts{};
        Transfer send;
        send.message.msg_iov = parts.data();
        if (done < head.size())
            parts[send.message.msg_iovlen++] = {head.data() + done, head.size() - done};
        const std::size_t of_body = done < head.size() ? 0 : done - head.size();
        if (!body.empty())
            parts[send.message.msg_iovlen++] = {body.data() + of_body, body.size() - of_body};
        send.leaves = done == 0 ? leaves : nullptr;
        co_await poll->make(send);
        if (send.done >= 0) {
            done += static_cast<std::size_t>(send.done);
            continue;
        }
        if (send.done == -ECANCELED) co_return closed_error();
        if (send.done != -EAGAIN) co_return fail(peer_left(static_cast<int>(-send.done)));
        // All of it stays in memory until its end has left. What leaves at once is never counted.
        Charge* const takes = std::exchange(waits, nullptr);
        if (takes != nullptr && !takes->take(head.size() + body.size()))
            co_return fail(ErrorCode::kExhausted, "too much waits for slow readers");
        const TimePoint until =
            holds == nullptr ? deadline : std::min(deadline, deadline_in(kAskWhileWaiting));
        const Ready ready = co_await poll->writable(until);
        if (ready == Ready::kTimeout && until == deadline)
            co_return fail(ErrorCode::kTimeout, "the peer read nothing in time");
        if (ready == Ready::kClosed) co_return closed_error();
        if (holds != nullptr && !(*holds)()) {
            reset_when_closed(poll->fd());
            co_return fail(ErrorCode::kCancelled, "what is left may not be told any more");
        }
    }
    co_return Status();
}

Task<Result<Fd>> connect_fd(Reactor* reactor, Endpoint endpoint, TimePoint deadline) {
    auto address = Address::of(endpoint);
    if (!address) co_return fail(address.error());
    std::string name = endpoint.text();
    auto fd =
        co_await connect_address(reactor, std::move(*address), std::move(name), deadline, nullptr);
    co_return fd;
}

Task<Result<Fd>> connect_address(Reactor* reactor, Address address, std::string name,
                                 TimePoint deadline,
                                 std::function<void(const std::shared_ptr<Poll>&)> watch) {
    Fd raw(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!raw.valid()) co_return fail(io_error("cannot make a socket", errno));
    if (is_kept_descriptor(raw.get())) co_return fail(no_descriptors(name));
    int error = 0;
    // A unix socket whose backlog is full says EAGAIN and offers nothing to wait for.
    while ((error = connect(raw.get(), &address.any, address.size) == 0 ? 0 : errno) == EAGAIN) {
        if (std::chrono::steady_clock::now() >= deadline)
            co_return fail(ErrorCode::kTimeout, unreachable(name, "its queue is full").detail);
        co_await reactor->sleep(Millis(5));
    }
    if (error == EINPROGRESS) {
        // Watched through a duplicate, so that the socket itself comes back unregistered.
        Fd twin(fcntl(raw.get(), F_DUPFD_CLOEXEC, 0));
        if (is_kept_descriptor(twin.get())) co_return fail(no_descriptors(name));
        const auto poll = Poll::open(*reactor, std::move(twin));
        if (!poll) co_return fail(poll.error());
        const PollOwner owner(*poll);
        if (watch) watch(*poll);
        const Ready ready = co_await (*poll)->writable(deadline);
        if (ready != Ready::kReady)
            co_return fail(ErrorCode::kTimeout, unreachable(name, "no answer in time").detail);
        socklen_t size = sizeof error;
        getsockopt(raw.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error != 0) co_return fail(unreachable(name, std::strerror(error)));
    if (is_self(raw.get())) co_return fail(unreachable(name, "nobody listens"));
    no_delay(raw.get());
    co_return std::move(raw);
}

Task<Result<std::unique_ptr<Stream>>> Stream::connect(Reactor& reactor, Endpoint endpoint,
                                                      Millis timeout) {
    auto fd = co_await connect_fd(&reactor, std::move(endpoint), deadline_in(timeout));
    if (!fd) co_return fail(fd.error());
    Peer peer = peer_of(fd->get());
    auto poll = Poll::open(reactor, std::move(*fd));
    if (!poll) co_return fail(poll.error());
    co_return std::make_unique<SocketStream>(std::move(*poll), std::move(peer));
}

Task<void> accept_loop(std::shared_ptr<Poll> listener, std::function<void(Fd)> on_connection,
                       std::function<void()> on_exhausted) {
    for (;;) {
        const Ready ready = co_await listener->readable(TimePoint::max());
        if (ready == Ready::kClosed) co_return;
        for (int batch = 0; batch < kAcceptBatch && listener->is_open(); ++batch) {
            Fd fd(accept4(listener->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (fd.valid()) {
                no_delay(fd.get());
                on_connection(std::move(fd));
                continue;
            }
            const int error = errno;
            if (error == EAGAIN) break;
            if (error == EINTR || error == ECONNABORTED || error == EPROTO) continue;
            // Out of descriptors or memory: the connection stays in the backlog meanwhile.
            complain(error);
            if (on_exhausted) on_exhausted();
            co_await listener->reactor().sleep(kAcceptPause);
            if (error == EINVAL || error == EBADF) break;
        }
    }
}

struct Acceptor::Impl {
    std::shared_ptr<Poll> listener;
    std::function<void(std::unique_ptr<Stream>)> on_stream;
};

Acceptor::Acceptor(Reactor& reactor, Listener listener,
                   std::function<void(std::unique_ptr<Stream>)> on_stream)
    : impl_(std::make_shared<Impl>()) {
    auto poll = Poll::open(reactor, std::move(listener).take());
    if (!poll) {
        log::error("net", "cannot accept on a listener: {}", poll.error().detail);
        return;
    }
    impl_->listener = *poll;
    impl_->on_stream = std::move(on_stream);
    reactor.spawn(accept_loop(impl_->listener, [impl = impl_](Fd fd) {
        Peer peer = peer_of(fd.get());
        auto stream = Poll::open(impl->listener->reactor(), std::move(fd));
        if (stream)
            impl->on_stream(std::make_unique<SocketStream>(std::move(*stream), std::move(peer)));
    }));
}

Acceptor::~Acceptor() {
    if (!impl_->listener) return;
    on_reactor_thread(impl_->listener->reactor(),
                      [listener = impl_->listener] { listener->close(); });
}

}  // namespace writ::net
