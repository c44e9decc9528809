#include "desks/launch/lookout.h"

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/log.h"
#include "base/thread.h"

namespace writ::launch {

Lookout::Lookout() {
    // Signals are for the threads that ask for them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { work(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Lookout::~Lookout() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    some_.notify_one();
    thread_.join();
}

void Lookout::work() {
    name_this_thread("writ-lookout");
    // What is open elsewhere stays open there; the copies here go.
    if (unshare(CLONE_FILES) == 0)
        close_range(STDERR_FILENO + 1, ~0U, 0);
    else
        log::warn("launch", "no descriptors are kept for looking at processes: {}",
                  std::strerror(errno));
    std::unique_lock lock(mutex_);
    for (;;) {
        some_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        Job* const job = jobs_.front();
        jobs_.pop_front();
        lock.unlock();
        job->look();
        lock.lock();
        job->done = true;
        done_.notify_all();
    }
}

void Lookout::run(const std::function<void()>& look) {
    Job job{look};
    std::unique_lock lock(mutex_);
    jobs_.push_back(&job);
    some_.notify_one();
    done_.wait(lock, [&job] { return job.done; });
}

}  // namespace writ::launch
