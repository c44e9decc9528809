// What the .cc files of net share and nobody else sees: Asio's loop inside a Reactor, descriptors
// that a coroutine can wait on, and a turnstile that keeps writers in line. All I/O is non-blocking
// system calls on descriptors whose readiness Asio reports; nothing here throws.
//
// A coroutine that waits here runs to its end or dies with its reactor: nobody destroys a frame
// half way while the loop goes on. What closes, closes by waking the waiter with kClosed.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/error.h"
#include "net/edges.h"
#include "net/reactor.h"
#include "net/socket.h"
#include "net/transfers.h"

namespace writ::net {

using TimePoint = std::chrono::steady_clock::time_point;

// Now plus `timeout`; timeouts of a year and more never end.
TimePoint deadline_in(Millis timeout);

struct DetachedPromise;  // a spawned coroutine, reactor.cc

// What the loop's own thread has queued, run round by round: first the transfers that some of it
// waits for, all together, then each in its order. What a round queues is the next round.
// OPTIMIZATION: a round of its own for each handler of Asio's would mean a look at the descriptors
// in between, a system call that mostly finds nothing. Thread: the reactor's.
class Rounds {
  public:
    explicit Rounds(boost::asio::io_context& io) : io_(io) {}
    // `transfer`: what `one` waits for, or null.
    void add(std::coroutine_handle<> one, Transfer* transfer = nullptr);
    void add(std::function<void()> work);
    // Runs `handler`, one of Asio's, and then what it queued.
    template <class F>
    void handle(F&& handler) {
        const bool outer = std::exchange(inside_, true);
        std::forward<F>(handler)();
        inside_ = outer;
        if (!outer) run();
    }
    // The same for a loop: what is queued in it has handlers of its own.
    template <class F>
    void loop(F&& handler) {
        const bool outer = std::exchange(inside_, false);
        std::forward<F>(handler)();
        inside_ = outer;
    }

  private:
    struct Item {
        std::coroutine_handle<> step;  // null: `work`
        std::function<void()> work;
    };
    void wake();
    void run();

    boost::asio::io_context& io_;
    Transfers transfers_;
    std::vector<Item> waiting_;
    std::vector<Item> spare_;                 // empty, its memory is used again
    std::vector<Transfer*> wanted_, making_;  // before the waiting go on
    bool inside_ = false;                     // somebody up the stack runs waiting_ in the end
    bool posted_ = false;                     // Asio will
};

struct Reactor::Impl {
    ~Impl() { edges.close(); }
    // The frame that owns `task`, not yet running.
    std::coroutine_handle<> adopt(Reactor& reactor, Task<void> task);

    Edges edges{io, rounds};  // outlives io's queue, whose handlers may hold the last of a Poll
    boost::asio::io_context io{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
        io.get_executor()};
    Rounds rounds{io};
    std::shared_ptr<Mailbox> mailbox;
    std::atomic<int> running = 0;       // threads inside run(): none or one
    DetachedPromise* frames = nullptr;  // spawned and not ended; the loop's thread only
};

// Runs `work` now if this is the loop's thread or no loop runs, otherwise posts it.
void on_reactor_thread(Reactor& reactor, std::function<void()> work);

enum class Ready { kReady, kTimeout, kClosed };

// One open descriptor on one reactor. One coroutine at a time waits for each direction. Readiness
// may be spurious: callers try the system call, and wait again on EAGAIN. Thread: the reactor's.
class Poll : public std::enable_shared_from_this<Poll> {
  public:
    enum Direction : std::size_t { kRead = 0, kWrite = 1 };

    // Makes `fd` non-blocking and owns it. Errors: kIo.
    static Result<std::shared_ptr<Poll>> open(Reactor& reactor, Fd fd);
    // The same for one whose reader waits only after a read that took less than it had room for, or
    // EAGAIN: on TCP it is watched by its edges (edges.h), which costs less.
    static Result<std::shared_ptr<Poll>> open_drained(Reactor& reactor, Fd fd);
    ~Poll();

    struct Wait {
        std::shared_ptr<Poll> poll;
        Direction direction;
        TimePoint deadline;
        bool await_ready() const;
        void await_suspend(std::coroutine_handle<> handle) const;
        Ready await_resume() const;
    };
    Wait readable(TimePoint deadline) { return {shared_from_this(), kRead, deadline}; }
    Wait writable(TimePoint deadline) { return {shared_from_this(), kWrite, deadline}; }

    // Awaited: makes `transfer` in the loop's next step (Reactor::in_step), together with those of
    // others; `transfer.done` says what became of it.
    struct Making {
        Poll& poll;
        Transfer& transfer;
        bool await_ready() const { return false; }
        void await_suspend(std::coroutine_handle<> handle) const;
        void await_resume() const {}
    };
    Making make(Transfer& transfer) { return {*this, transfer}; }

    // While nobody waits for it, readability calls `on_readable`, once per arm_read() at least. It
    // says whether it read; otherwise who waits next is told at once.
    void watch(std::function<bool()> on_readable) { on_readable_ = std::move(on_readable); }
    void arm_read();
    // Nothing came since the last read, as far as the loop knows. Always false where edges are not
    // watched.
    bool is_quiet() const { return edge_ && !sides_[kRead].ready && !ended_; }
    // The peer has sent urgent data: a read stops at its mark, although more may be there.
    bool may_stop_early() const { return urgent_; }
    // Ends the reader's wait with kReady although nothing may have come.
    void wake_reader();
    // Closes the descriptor; waits end with kClosed, on the loop. Idempotent.
    void close();
    bool is_open() const { return open_; }
    int fd() const { return fd_; }
    Reactor& reactor() { return reactor_; }

    Poll(Reactor& reactor, int fd);
    // Called by Edges: `events` as of epoll_wait(2).
    void on_edge(std::uint32_t events);

  private:
    struct Side {
        bool armed = false;  // Asio will report its next readiness; not used with edges
        bool ready = false;  // reported while nobody waited
        std::coroutine_handle<> waiting;
        Ready outcome = Ready::kReady;
        TimePoint deadline;
    };
    void arm(Direction direction);
    void arm_timer(TimePoint deadline);
    void on_event(Direction direction, bool aborted);
    void on_ready(Side& side);
    void on_timer();
    void resume(Side& side, Ready outcome);

    Reactor& reactor_;
    std::optional<boost::asio::posix::stream_descriptor> descriptor_;
    std::optional<std::uint32_t> edge_;  // instead of descriptor_: the number in Edges
    boost::asio::steady_timer timer_;
    TimePoint timer_until_ = TimePoint::max();
    std::array<Side, 2> sides_;
    std::function<bool()> on_readable_;
    int fd_;
    bool open_ = true;
    bool ended_ = false;  // an edge told of the end, of which there is no other
    bool urgent_ = false;
};

// Ends a Poll with its owner.
class PollOwner {
  public:
    explicit PollOwner(std::shared_ptr<Poll> poll) : poll_(std::move(poll)) {}
    PollOwner(const PollOwner&) = delete;
    PollOwner& operator=(const PollOwner&) = delete;
    ~PollOwner() { poll_->close(); }
    Poll* operator->() const { return poll_.get(); }

  private:
    std::shared_ptr<Poll> poll_;
};

// Lets one coroutine through at a time, in order of arrival. Thread: the reactor's.
class Turnstile {
  public:
    explicit Turnstile(Reactor& reactor) : reactor_(reactor) {}
    auto enter() {
        struct Awaiter {
            Turnstile& turnstile;
            bool await_ready() const { return !std::exchange(turnstile.busy_, true); }
            void await_suspend(std::coroutine_handle<> h) const { turnstile.waiting_.push_back(h); }
            void await_resume() const {}
        };
        return Awaiter{*this};
    }
    void leave();
    std::size_t waiting() const { return waiting_.size(); }

  private:
    Reactor& reactor_;
    bool busy_ = false;
    std::vector<std::coroutine_handle<>> waiting_;  // few: one connection's writers
};

// Calls turnstile.leave() at the end of a scope.
class Turn {
  public:
    explicit Turn(Turnstile& turnstile) : turnstile_(turnstile) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { turnstile_.leave(); }

  private:
    Turnstile& turnstile_;
};

// Accepts on `listener` until it is closed and hands each connection over (close-on-exec,
// non-blocking, TCP_NODELAY). Out of descriptors or memory it pauses (kAcceptPause) and calls
// `on_exhausted` first, which may let something go.
Task<void> accept_loop(std::shared_ptr<Poll> listener, std::function<void(Fd)> on_connection,
                       std::function<void()> on_exhausted = {});

// A connected descriptor. Errors: kUnavailable (detail names the endpoint), kTimeout, kExhausted
// (descriptors.h).
Task<Result<Fd>> connect_fd(Reactor* reactor, Endpoint endpoint, TimePoint deadline);
// The same for any address, `name` standing for it in errors. `watch` is given what is waited for,
// so that closing it ends the attempt (kTimeout).
struct Address;
Task<Result<Fd>> connect_address(Reactor* reactor, Address address, std::string name,
                                 TimePoint deadline,
                                 std::function<void(const std::shared_ptr<Poll>&)> watch);

// Who is at the other end of a connected socket; what the kernel does not tell stays empty.
Peer peer_of(int fd);

// Writes `head` then `body`, from the loop's next step on. `leaves` is asked before the first byte
// goes, and lives until the end. Errors: kUnavailable (peer gone), kTimeout, kCancelled (closed
// here, or `leaves` said no, or `holds`), kExhausted (the peer does not take all of it now, and
// `waits`, which lives until the end, has no room for it). `holds` (Responder::only_while), which
// may be null and lives until the end, is asked while it waits; a no resets the connection when it
// is closed.
class Charge;
Task<Status> write_socket(std::shared_ptr<Poll> poll, std::string head, std::string body,
                          TimePoint deadline, const std::function<bool()>* leaves = nullptr,
                          Charge* waits = nullptr, const std::function<bool()>* holds = nullptr);

Status closed_error();  // kCancelled: this side closed it

}  // namespace writ::net
