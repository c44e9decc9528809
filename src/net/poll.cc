#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/asio_impl.h"

namespace writ::net {

Status closed_error() {
    return fail(ErrorCode::kCancelled, "the connection was closed here");
}

Poll::Poll(Reactor& reactor, int fd) : reactor_(reactor), timer_(reactor.impl().io), fd_(fd) {}

Poll::~Poll() {
    if (open_ && edge_) {
        reactor_.impl().edges.remove(fd_, *edge_);
        ::close(fd_);
    }
}

namespace {

Status make_non_blocking(int fd) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return fail(io_error("cannot make a descriptor non-blocking", errno));
    return {};
}

bool is_tcp(int fd) {
    int domain = 0;
    socklen_t size = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
           (domain == AF_INET || domain == AF_INET6);
}

}  // namespace

Result<std::shared_ptr<Poll>> Poll::open(Reactor& reactor, Fd fd) {
    if (auto made = make_non_blocking(fd.get()); !made) return fail(made.error());
    auto poll = std::make_shared<Poll>(reactor, fd.get());
    boost::system::error_code ec;
    poll->descriptor_.emplace(reactor.impl().io);
    poll->descriptor_->assign(fd.get(), ec);
    if (ec) return fail(io_error("cannot watch a descriptor", ec.value()));
    fd.release();
    return poll;
}

Result<std::shared_ptr<Poll>> Poll::open_drained(Reactor& reactor, Fd fd) {
    // A short read says that there is no more on TCP only: a unix socket stops at passed rights.
    if (!is_tcp(fd.get())) return open(reactor, std::move(fd));
    if (auto made = make_non_blocking(fd.get()); !made) return fail(made.error());
    auto poll = std::make_shared<Poll>(reactor, fd.get());
    const auto number = reactor.impl().edges.add(fd.get(), poll.get());
    if (!number) return fail(number.error());
    poll->edge_ = *number;
    fd.release();
    return poll;
}

bool Poll::Wait::await_ready() const {
    Side& side = poll->sides_[direction];
    WRIT_CHECK(side.waiting == nullptr);
    if (!poll->open_) {
        side.outcome = Ready::kClosed;
        return true;
    }
    side.outcome = Ready::kReady;
    return std::exchange(side.ready, false) || (direction == kRead && poll->ended_);
}

void Poll::Wait::await_suspend(std::coroutine_handle<> handle) const {
    Side& side = poll->sides_[direction];
    side.waiting = handle;
    side.deadline = deadline;
    poll->arm_timer(deadline);
    poll->arm(direction);
}

Ready Poll::Wait::await_resume() const {
    return poll->sides_[direction].outcome;
}

void Poll::Making::await_suspend(std::coroutine_handle<> handle) const {
    transfer.poll = &poll;
    poll.reactor_.impl().rounds.add(handle, &transfer);
}

void Poll::arm(Direction direction) {
    Side& side = sides_[direction];
    if (side.armed || !open_ || !descriptor_) return;
    side.armed = true;
    const auto what = direction == kRead ? boost::asio::posix::descriptor_base::wait_read
                                         : boost::asio::posix::descriptor_base::wait_write;
    descriptor_->async_wait(
        what, [self = shared_from_this(), direction](const boost::system::error_code& ec) {
            self->on_event(direction, ec.failed());
        });
}

void Poll::on_event(Direction direction, bool aborted) {
    Side& side = sides_[direction];
    side.armed = false;
    if (side.waiting != nullptr) {
        resume(side, aborted || !open_ ? Ready::kClosed : Ready::kReady);
    } else if (open_) {
        on_ready(side);
    }
}

// Ready, and nobody waits.
void Poll::on_ready(Side& side) {
    side.ready = false;
    const bool taken = &side == &sides_[kRead] && on_readable_ && on_readable_();
    side.ready = side.ready || !taken;
}

void Poll::on_edge(std::uint32_t events) {
    constexpr std::uint32_t kEnd = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    const auto self = shared_from_this();  // who is resumed may be the last to hold it
    ended_ = ended_ || (events & kEnd) != 0;
    urgent_ = urgent_ || (events & EPOLLPRI) != 0;
    const auto tell = [this](Side& side) {
        if (side.waiting != nullptr)
            resume(side, Ready::kReady);
        else
            on_ready(side);
    };
    if ((events & (EPOLLIN | EPOLLPRI | kEnd)) != 0) tell(sides_[kRead]);
    if (open_ && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) tell(sides_[kWrite]);
}

void Poll::arm_read() {
    Side& side = sides_[kRead];
    if (!edge_)
        arm(kRead);
    else if ((side.ready || ended_) && side.waiting == nullptr && open_)
        on_ready(side);
}

void Poll::resume(Side& side, Ready outcome) {
    side.outcome = outcome;
    std::exchange(side.waiting, nullptr).resume();
}

void Poll::arm_timer(TimePoint deadline) {
    // OPTIMIZATION: the timer is only moved to come earlier; a deadline that was met leaves it to
    // lapse, so a busy connection touches the timer queue once per timeout and not once per wait.
    if (!open_ || deadline == TimePoint::max() || timer_until_ <= deadline) return;
    timer_until_ = deadline;
    timer_.expires_at(deadline);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
        if (!ec) self->on_timer();
    });
}

void Poll::on_timer() {
    timer_until_ = TimePoint::max();
    const auto now = std::chrono::steady_clock::now();
    for (Side& side : sides_) {
        if (side.waiting == nullptr) continue;
        if (side.deadline <= now)
            resume(side, Ready::kTimeout);
        else
            arm_timer(side.deadline);
    }
}

void Poll::wake_reader() {
    sides_[kRead].ready = true;
    if (sides_[kRead].waiting == nullptr) return;
    boost::asio::post(reactor_.impl().io, [self = shared_from_this()] {
        Side& side = self->sides_[kRead];
        if (side.waiting == nullptr || !std::exchange(side.ready, false)) return;
        self->resume(side, self->open_ ? Ready::kReady : Ready::kClosed);
    });
}

void Poll::close() {
    if (!std::exchange(open_, false)) return;
    timer_.cancel();
    if (descriptor_) {
        boost::system::error_code ec;
        descriptor_->close(ec);  // pending waits are aborted, their coroutines wake on the loop
    } else {
        reactor_.impl().edges.remove(fd_, *edge_);
        ::close(fd_);
        boost::asio::post(reactor_.impl().io, [self = shared_from_this()] {
            for (Side& side : self->sides_)
                if (side.waiting != nullptr) self->resume(side, Ready::kClosed);
        });
    }
    fd_ = -1;
}

void Turnstile::leave() {
    if (waiting_.empty()) {
        busy_ = false;
        return;
    }
    const auto next = waiting_.front();
    waiting_.erase(waiting_.begin());
    reactor_.post([next] { next.resume(); });
}

}  // namespace writ::net
