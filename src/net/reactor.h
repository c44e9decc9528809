// One reactor = one thread that runs an event loop and owns what was made on it. Nothing on it
// blocks; blocking work goes through offload(). Other threads reach it only by post().
#pragma once

#include <chrono>
#include <coroutine>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "net/task.h"

namespace writ::net {

using Millis = std::chrono::milliseconds;

class Reactor;

// Threads of the pool behind offload(): child starts and small files, never a second disk's worth
// of parallel work.
inline constexpr int kBlockingThreads = 4;

// Posts to a reactor that may be gone by then: what comes too late is dropped. Thread: any.
class Mailbox {
  public:
    void post(std::function<void()> work);

  private:
    friend class Reactor;
    std::mutex
        mutex_;  // guards reactor_; held while posting, so that the reactor outlives the post
    Reactor* reactor_ = nullptr;
};

// Everything made on a reactor (servers, clients, streams, children) is destroyed before it, or
// belongs to a task spawned on it. A started task runs to its end or dies with its reactor: never
// destroy a Task that has begun to run. The first reactor makes the process ignore SIGPIPE, so that
// writing to a peer that left is an error and not the end; children get the default back.
class Reactor {
  public:
    Reactor();
    ~Reactor();
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;

    // Runs the loop on the calling thread until stop(). What is still queued is dropped at
    // destruction.
    void run();
    void stop();  // Thread: any.
    // Queues `work` for the loop. Thread: any.
    void post(std::function<void()> work);
    bool on_this_thread() const;
    // Starts `task` on the loop and owns it until it ends. Thread: any.
    void spawn(Task<void> task);
    // Runs the loop on this thread until `task` is done, then returns its value. For tools and
    // tests.
    template <class T>
    T run_until(Task<T> task);

    // Suspends for `delay`; resumes on this reactor.
    Task<void> sleep(Millis delay);
    // Continues the awaiting coroutine on this reactor: `co_await other.hop();`
    auto hop() {
        struct Awaiter {
            Reactor& to;
            bool await_ready() const { return to.on_this_thread(); }
            void await_suspend(std::coroutine_handle<> h) const {
                to.post([h] { h.resume(); });
            }
            void await_resume() const {}
        };
        return Awaiter{*this};
    }

    // Continues the awaiting coroutine once the loop's present work is done, together with all
    // others that wait here by then, in their order: a step that many take then finds its code in
    // the processor's cache, where all steps of each in turn would drive it out (cohort scheduling;
    // Larus and Parkes, 2002). To be awaited on this reactor, between such steps. Costs some 50 ns.
    auto in_step() {
        struct Awaiter {
            Reactor& reactor;
            bool await_ready() const { return false; }
            void await_suspend(std::coroutine_handle<> h) const { reactor.add_step(h); }
            void await_resume() const {}
        };
        return Awaiter{*this};
    }

    // Runs `work` on the process-wide pool of kBlockingThreads and resumes here with its value. For
    // disk, DNS, child start.
    template <class F>
    auto offload(F work) -> Task<decltype(work())>;

    // A way to post that outlives this reactor.
    std::shared_ptr<Mailbox> mailbox();

    struct Impl;  // Asio's io_context, seen by net's own .cc files only
    Impl& impl() { return *impl_; }

  private:
    void add_step(std::coroutine_handle<> one);

    std::unique_ptr<Impl> impl_;
};

// The pool behind offload(): bounded threads, unbounded only by callers that are themselves
// bounded.
void run_blocking(std::function<void()> work);

// A value that one thread sets once and one coroutine awaits; resumes on the reactor it was made
// for. set() may come before or after the await. Thread: set() from any, await on `reactor`.
template <class T>
class Promise {
  public:
    explicit Promise(Reactor& reactor) : state_(std::make_shared<State>(reactor)) {}
    // Copyable handle for callbacks.
    void set(T value) const {
        auto state = state_;
        auto boxed = std::make_shared<T>(std::move(value));
        state->mailbox->post([state, boxed] {
            state->value.emplace(std::move(*boxed));
            if (state->waiting) std::exchange(state->waiting, nullptr).resume();
        });
    }
    // The same on the reactor itself, from a place that may be entered again: the coroutine goes on
    // before this returns.
    void set_here(T value) const {
        const auto state = state_;  // the coroutine may be the last to hold it
        state->value.emplace(std::move(value));
        if (state->waiting) std::exchange(state->waiting, nullptr).resume();
    }
    auto wait() const {
        struct Awaiter {
            std::shared_ptr<State> state;
            bool await_ready() const { return state->value.has_value(); }
            void await_suspend(std::coroutine_handle<> h) const { state->waiting = h; }
            T await_resume() const { return std::move(*state->value); }
        };
        return Awaiter{state_};
    }

  private:
    struct State {
        explicit State(Reactor& reactor) : mailbox(reactor.mailbox()) {}
        std::shared_ptr<Mailbox> mailbox;  // set() may come after the reactor's end
        std::optional<T> value;
        std::coroutine_handle<> waiting;
    };
    std::shared_ptr<State> state_;
};

template <class T>
T Reactor::run_until(Task<T> task) {
    if constexpr (std::is_void_v<T>) {
        bool done = false;
        struct Run {
            static Task<void> go(Task<void> t, bool* d, Reactor* r) {
                co_await std::move(t);
                *d = true;
                r->stop();
            }
        };
        spawn(Run::go(std::move(task), &done, this));
        run();
        WRIT_CHECK(done);
    } else {
        std::optional<T> out;
        struct Run {
            static Task<void> go(Task<T> t, std::optional<T>* o, Reactor* r) {
                o->emplace(co_await std::move(t));
                r->stop();
            }
        };
        spawn(Run::go(std::move(task), &out, this));
        run();
        WRIT_CHECK(out.has_value());
        return std::move(*out);
    }
}

template <class F>
auto Reactor::offload(F work) -> Task<decltype(work())> {
    using T = decltype(work());
    if constexpr (std::is_void_v<T>) {
        Promise<bool> promise(*this);
        run_blocking([promise, work = std::move(work)]() mutable {
            work();
            promise.set(true);
        });
        co_await promise.wait();
    } else {
        Promise<T> promise(*this);
        run_blocking([promise, work = std::move(work)]() mutable { promise.set(work()); });
        co_return co_await promise.wait();
    }
}

}  // namespace writ::net
