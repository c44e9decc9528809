#include "net/edges.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>

#include "net/asio_impl.h"

namespace writ::net {
namespace {

// Events taken at once; more are there in the next pass.
constexpr int kEventsAtOnce = 64;

}  // namespace

Status Edges::open() {
    Fd set(epoll_create1(EPOLL_CLOEXEC));
    if (!set.valid()) return fail(io_error("cannot make an epoll set", errno));
    set_.emplace(io_);
    boost::system::error_code ec;
    set_->assign(set.get(), ec);
    if (ec) {
        set_.reset();
        return fail(io_error("cannot watch an epoll set", ec.value()));
    }
    set.release();
    arm();
    return {};
}

Result<std::uint32_t> Edges::add(int fd, Poll* poll) {
    if (!set_)
        if (auto opened = open(); !opened) return fail(opened.error());
    const bool reused = !free_.empty();
    const auto number = reused ? free_.back() : static_cast<std::uint32_t>(polls_.size());
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
    event.data.u32 = number;
    if (epoll_ctl(set_->native_handle(), EPOLL_CTL_ADD, fd, &event) != 0)
        return fail(io_error("cannot watch a descriptor", errno));
    if (reused) {
        free_.pop_back();
        polls_[number] = poll;
    } else {
        polls_.push_back(poll);
    }
    return number;
}

void Edges::remove(int fd, std::uint32_t number) {
    if (set_) epoll_ctl(set_->native_handle(), EPOLL_CTL_DEL, fd, nullptr);
    polls_[number] = nullptr;
    freed_.push_back(number);
}

void Edges::arm() {
    set_->async_wait(boost::asio::posix::descriptor_base::wait_read,
                     [this](const boost::system::error_code& ec) {
                         if (ec) return;
                         rounds_.handle([this] { deliver(); });
                         arm();
                     });
}

void Edges::deliver() {
    free_.insert(free_.end(), freed_.begin(), freed_.end());
    freed_.clear();
    std::array<epoll_event, kEventsAtOnce> events;
    const int count = epoll_wait(set_->native_handle(), events.data(), kEventsAtOnce, 0);
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (Poll* poll = polls_[event.data.u32]) poll->on_edge(event.events);
    }
}

}  // namespace writ::net
