#include "net/reactor.h"

#include <csignal>
#include <exception>

#include "net/asio_impl.h"

namespace writ::net {

// A spawned task: an eager wrapper that owns it, linked into its reactor until it ends.
struct DetachedPromise {
    DetachedPromise* next = nullptr;
    DetachedPromise* previous = nullptr;
    DetachedPromise** head = nullptr;

    std::coroutine_handle<DetachedPromise> get_return_object() {
        return std::coroutine_handle<DetachedPromise>::from_promise(*this);
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept {
        check_failed("an exception escaped a spawned coroutine", __FILE__, __LINE__);
    }

    void link(DetachedPromise** list) {
        head = list;
        next = *list;
        if (next != nullptr) next->previous = this;
        *list = this;
    }
    ~DetachedPromise() {
        if (head == nullptr) return;
        if (next != nullptr) next->previous = previous;
        (previous != nullptr ? previous->next : *head) = next;
    }
};

namespace {

thread_local Reactor* current = nullptr;

// Rounds in a row before the loop looks at its descriptors and timers again.
constexpr int kRoundsAtOnce = 8;

struct Detached {
    using promise_type = DetachedPromise;
    // NOLINTNEXTLINE(google-explicit-constructor): the promise hands out its handle
    Detached(std::coroutine_handle<DetachedPromise> h) : handle(h) {}
    std::coroutine_handle<DetachedPromise> handle;
};

Detached own(Reactor* reactor, Task<void> task) {
    co_await std::move(task);
    // The task may have hopped elsewhere; its frame is unlinked at home.
    co_await reactor->hop();
}

void ignore_sigpipe() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction ignore = {};
        ignore.sa_handler = SIG_IGN;  // NOLINT(cppcoreguidelines-pro-type-cstyle-cast)
        sigaction(SIGPIPE, &ignore, nullptr);
    });
}

}  // namespace

TimePoint deadline_in(Millis timeout) {
    if (timeout >= std::chrono::hours(24 * 365)) return TimePoint::max();
    return std::chrono::steady_clock::now() + timeout;
}

void Rounds::add(std::coroutine_handle<> one, Transfer* transfer) {
    waiting_.push_back({one, {}});
    if (transfer != nullptr) wanted_.push_back(transfer);
    wake();
}

void Rounds::add(std::function<void()> work) {
    waiting_.push_back({nullptr, std::move(work)});
    wake();
}

void Rounds::wake() {
    if (inside_ || std::exchange(posted_, true)) return;
    boost::asio::post(io_, [this] {
        posted_ = false;
        run();
    });
}

void Rounds::run() {
    inside_ = true;
    for (int round = 0; round < kRoundsAtOnce && !waiting_.empty(); ++round) {
        // Taken out while they run: one of them may run the loop.
        std::vector<Item> items = std::exchange(spare_, {});
        items.swap(waiting_);
        making_.swap(wanted_);
        transfers_.make(making_);
        making_.clear();
        for (const Item& one : items) {
            if (one.step)
                one.step.resume();
            else
                one.work();
        }
        items.clear();
        spare_ = std::move(items);
    }
    inside_ = false;
    if (!waiting_.empty()) wake();
}

std::coroutine_handle<> Reactor::Impl::adopt(Reactor& reactor, Task<void> task) {
    const auto handle = own(&reactor, std::move(task)).handle;
    handle.promise().link(&frames);
    return handle;
}

void Mailbox::post(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    if (reactor_ != nullptr) reactor_->post(std::move(work));
}

Reactor::Reactor() {
    ignore_sigpipe();
    try {
        impl_ = std::make_unique<Impl>();
    } catch (const std::exception&) {
        check_failed("the kernel refused an event loop", __FILE__, __LINE__);
    }
    impl_->mailbox = std::make_shared<Mailbox>();
    impl_->mailbox->reactor_ = this;
}

Reactor::~Reactor() {
    {
        const std::lock_guard lock(impl_->mailbox->mutex_);
        impl_->mailbox->reactor_ = nullptr;
    }
    while (impl_->frames != nullptr)
        std::coroutine_handle<DetachedPromise>::from_promise(*impl_->frames).destroy();
}

void Reactor::run() {
    Reactor* const outer = std::exchange(current, this);
    ++impl_->running;
    try {
        impl_->rounds.loop([this] { impl_->io.run(); });
    } catch (const std::exception&) {
        check_failed("an exception escaped an event handler", __FILE__, __LINE__);
    }
    --impl_->running;
    current = outer;
    // Not before run(): a stop() that came first must not be lost.
    impl_->io.restart();
}

void Reactor::stop() {
    impl_->io.stop();
}

void Reactor::post(std::function<void()> work) {
    if (on_this_thread())
        impl_->rounds.add(std::move(work));
    else
        boost::asio::post(
            impl_->io, [impl = impl_.get(), work = std::move(work)] { impl->rounds.handle(work); });
}

void Reactor::add_step(std::coroutine_handle<> one) {
    impl_->rounds.add(one);
}

bool Reactor::on_this_thread() const {
    return current == this;
}

void Reactor::spawn(Task<void> task) {
    if (on_this_thread()) {
        impl_->rounds.add(impl_->adopt(*this, std::move(task)));
        return;
    }
    boost::asio::post(impl_->io, [this, task = std::move(task)]() mutable {
        impl_->adopt(*this, std::move(task)).resume();
    });
}

Task<void> Reactor::sleep(Millis delay) {
    struct Awaiter {
        boost::asio::steady_timer timer;
        bool await_ready() const { return false; }
        void await_suspend(std::coroutine_handle<> h) {
            timer.async_wait([h](const boost::system::error_code& ec) {
                if (!ec) h.resume();
            });
        }
        void await_resume() const {}
    };
    Awaiter awaiter{boost::asio::steady_timer(impl_->io, delay)};
    co_await awaiter;
}

void on_reactor_thread(Reactor& reactor, std::function<void()> work) {
    if (reactor.on_this_thread() || reactor.impl().running == 0)
        work();
    else
        reactor.post(std::move(work));
}

std::shared_ptr<Mailbox> Reactor::mailbox() {
    return impl_->mailbox;
}

}  // namespace writ::net
