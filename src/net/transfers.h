// What coroutines receive and send in one step of the loop, made together: by one system call
// (io_uring, liburing) where the kernel has it, by one each where it does not. A system call alone
// costs more than what it does for a kilobyte, most of all in a virtual machine. Inner header of
// the room. Thread: the reactor's.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace writ::net {

class Poll;

// Room for one reception. Who fills it probably has more there.
inline constexpr std::size_t kTransferBytes = 16 << 10;

// One recv(2) or sendmsg(2). Never waits: what cannot be done at once is EAGAIN.
struct Transfer {
    Poll* poll = nullptr;         // lives until it is made
    std::string* into = nullptr;  // a reception: what comes is appended, kTransferBytes at most
    msghdr message = {};          // a send otherwise
    // Asked when nothing but other transfers stands before the send. False: it is not made.
    const std::function<bool()>* leaves = nullptr;
    // Bytes, or minus an errno: ECANCELED where the descriptor was closed here, or may not leave.
    ssize_t done = 0;
};

class Transfers {
  public:
    // `by_ring`: by io_uring if the kernel lets us.
    explicit Transfers(bool by_ring = true);
    ~Transfers();
    Transfers(const Transfers&) = delete;
    Transfers& operator=(const Transfers&) = delete;

    // Makes all of them; `done` says what became of each.
    void make(std::span<Transfer* const> all);
    // Whether several are made by one system call. Known after the first make() of more than one.
    bool by_ring() const { return ring_ != nullptr; }

  private:
    struct Ring;

    void make_together(std::span<Transfer* const> some);
    void open_ring();
    char* room(std::size_t number);

    bool try_ring_;
    std::unique_ptr<Ring> ring_;  // null: not tried yet, or not to be had
    std::unique_ptr<char[]> rooms_;
};

}  // namespace writ::net
