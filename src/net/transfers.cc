#include "net/transfers.h"

#include <liburing.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "net/asio_impl.h"

namespace writ::net {
namespace {

constexpr std::size_t kTogether = 32;
// Rooms a power of two apart would share a few lines of the processor's cache.
constexpr std::size_t kRoomStride = kTransferBytes + std::size_t{21} * 64;
constexpr int kReceiveFlags = MSG_DONTWAIT;
constexpr int kSendFlags = MSG_DONTWAIT | MSG_NOSIGNAL;

// Whether it is still to be made; its fate is known otherwise.
bool stands(Transfer& one) {
    const bool goes = one.poll->is_open() && (one.leaves == nullptr || (*one.leaves)());
    one.done = goes ? 0 : -ECANCELED;
    return goes;
}

void keep(const Transfer& one, const char* room) {
    if (one.into != nullptr && one.done > 0)
        one.into->append(room, static_cast<std::size_t>(one.done));
}

void make_alone(Transfer& one, char* room) {
    do {
        one.done = one.into != nullptr ? recv(one.poll->fd(), room, kTransferBytes, kReceiveFlags)
                                       : sendmsg(one.poll->fd(), &one.message, kSendFlags);
    } while (one.done < 0 && errno == EINTR);
    if (one.done < 0) one.done = -errno;
    keep(one, room);
}

}  // namespace

struct Transfers::Ring {
    io_uring ring = {};
    bool open = false;
    ~Ring() {
        if (open) io_uring_queue_exit(&ring);
    }
    // Makes what has been put in, `count` transfers. Returns how many of them, the first, were
    // made; their answers follow by next().
    std::size_t enter(std::size_t count) {
        int made = 0;
        do {
            made = io_uring_submit_and_wait(&ring, static_cast<unsigned>(count));
        } while (made == -EINTR);
        return static_cast<std::size_t>(std::max(made, 0));
    }
    // The number that a transfer was put in with, and what became of it. None: the ring is broken.
    std::optional<std::pair<std::size_t, ssize_t>> next() {
        io_uring_cqe* answer = nullptr;
        int failed = 0;
        do {
            failed = io_uring_wait_cqe(&ring, &answer);
        } while (failed == -EINTR);
        if (failed != 0) return std::nullopt;
        const std::pair<std::size_t, ssize_t> out(io_uring_cqe_get_data64(answer), answer->res);
        io_uring_cqe_seen(&ring, answer);
        return out;
    }
};

Transfers::Transfers(bool by_ring) : try_ring_(by_ring) {}
Transfers::~Transfers() = default;

char* Transfers::room(std::size_t number) {
    // Not cleared: only the pages that are used become memory.
    if (!rooms_) rooms_.reset(new char[kTogether * kRoomStride]);
    return rooms_.get() + number * kRoomStride;
}

void Transfers::open_ring() {
    try_ring_ = false;
    auto ring = std::make_unique<Ring>();
    const int failed = io_uring_queue_init(kTogether, &ring->ring, IORING_SETUP_COOP_TASKRUN);
    if (failed != 0) {
        log::debug("net", "no io_uring ({}): one system call for each transfer",
                   std::strerror(-failed));
        return;
    }
    ring->open = true;
    ring_ = std::move(ring);
}

void Transfers::make(std::span<Transfer* const> all) {
    if (all.size() > 1 && try_ring_) open_ring();
    while (!all.empty()) {
        const std::size_t n = std::min(all.size(), kTogether);
        if (ring_ && n > 1) {
            make_together(all.first(n));
        } else {
            for (Transfer* one : all.first(n)) {
                if (stands(*one)) make_alone(*one, room(0));
            }
        }
        all = all.subspan(n);
    }
}

void Transfers::make_together(std::span<Transfer* const> some) {
    // All are asked before any is put in: what is asked may close a descriptor, whose number would
    // stand in the ring already.
    for (Transfer* one : some) stands(*one);
    std::array<std::size_t, kTogether> order;  // of those put in
    std::size_t count = 0;
    for (std::size_t i = 0; i < some.size(); ++i) {
        Transfer& one = *some[i];
        if (one.done == 0 && !one.poll->is_open()) one.done = -ECANCELED;
        if (one.done != 0) continue;
        io_uring_sqe* const entry = io_uring_get_sqe(&ring_->ring);
        WRIT_CHECK(entry != nullptr);  // kTogether are free between two calls
        if (one.into != nullptr)
            io_uring_prep_recv(entry, one.poll->fd(), room(i), kTransferBytes, kReceiveFlags);
        else
            io_uring_prep_sendmsg(entry, one.poll->fd(), &one.message, kSendFlags);
        io_uring_sqe_set_data64(entry, i);
        one.done = -EIO;  // unless its answer says otherwise
        order[count++] = i;
    }
    if (count == 0) return;
    const std::size_t made = ring_->enter(count);
    bool broken = made < count;
    for (std::size_t n = 0; n < made; ++n) {
        const auto answer = ring_->next();
        if (!answer) {
            broken = true;
            break;
        }
        Transfer& one = *some[answer->first];
        one.done = answer->second;
        if (one.done == -EINTR)
            make_alone(one, room(answer->first));
        else
            keep(one, room(answer->first));
    }
    if (!broken) return;
    // Only what the kernel did not take is made now: a send must not be made twice.
    log::warn("net", "io_uring failed: one system call for each transfer from now on");
    ring_.reset();
    for (std::size_t n = made; n < count; ++n) make_alone(*some[order[n]], room(0));
}

}  // namespace writ::net
