// The pool behind Reactor::offload(). Its threads live until the process ends: children that they
// start are tied to them (PR_SET_PDEATHSIG watches the thread that forked).
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>

#include "base/thread.h"
#include "net/reactor.h"

namespace writ::net {
namespace {

class Pool {
  public:
    Pool() {
        // Signals are for the threads that ask for them, never for these.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (int i = 0; i < kBlockingThreads; ++i)
            std::thread([this] {
                name_this_thread("writ-blocking");
                work();
            }).detach();
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    void add(std::function<void()> job) {
        {
            const std::lock_guard lock(mutex_);
            jobs_.push_back(std::move(job));
        }
        some_.notify_one();
    }

  private:
    [[noreturn]] void work() {
        for (;;) {
            std::function<void()> job;
            {
                std::unique_lock lock(mutex_);
                some_.wait(lock, [this] { return !jobs_.empty(); });
                job = std::move(jobs_.front());
                jobs_.pop_front();
            }
            job();
        }
    }

    std::mutex mutex_;  // guards jobs_
    std::condition_variable some_;
    std::deque<std::function<void()>> jobs_;
};

}  // namespace

void run_blocking(std::function<void()> work) {
    static Pool* const pool = new Pool;  // never destroyed: its threads use it to the end
    pool->add(std::move(work));
}

}  // namespace writ::net
