// Looks at processes on a thread of its own whose table of descriptors is its own as well
// (unshare(2), CLONE_FILES). However many connections hold the descriptors of the gateway, /proc
// can be read here, and a person be told from an agent.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace writ::launch {

class Lookout {
  public:
    Lookout();
    // Nobody may be in run() any more.
    ~Lookout();
    Lookout(const Lookout&) = delete;
    Lookout& operator=(const Lookout&) = delete;

    // Calls `look` on the thread and waits for it: not on an I/O thread. Descriptors of the gateway
    // are not there: `look` opens what it needs, closes that, and wakes nobody.
    void run(const std::function<void()>& look);

  private:
    struct Job {
        const std::function<void()>& look;
        bool done = false;
    };
    void work();

    std::mutex mutex_;  // guards what follows, and the jobs' `done`
    std::condition_variable some_, done_;
    std::deque<Job*> jobs_;  // of callers that wait: no more than the pool has threads
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace writ::launch
