// A started child as the system sees it: how it is started, and who buries it. No reactor here; the
// undertaker is one thread of the process that watches pidfds, ends process groups and reaps.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/error.h"
#include "net/child.h"
#include "net/socket.h"

namespace writ::net {

// One child and its process group. Its number stays its own until bury() has reaped it, so signals
// never reach a stranger that got the number later. Thread: any.
class ChildProcess {
  public:
    ChildProcess(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
    pid_t pid() const { return pid_; }
    int pidfd() const { return pidfd_.get(); }
    // To every process of the group; nothing once it is reaped.
    void signal(int number);
    // If it has exited: kills what is left of its group, reaps it and returns how it ended
    // (`exit 1`, `signal 9`); empty while it runs.
    std::string bury();

  private:
    const pid_t pid_;
    const Fd pidfd_;
    std::mutex mutex_;  // orders signals with reaping
    bool reaped_ = false;
};

// Whoever holds it answers for the child; letting go ends it (end_child).
class Custody {
  public:
    explicit Custody(std::shared_ptr<ChildProcess> process) : process_(std::move(process)) {}
    Custody(Custody&&) noexcept = default;
    Custody& operator=(Custody&&) = delete;
    ~Custody();
    ChildProcess* operator->() const { return process_.get(); }
    const std::shared_ptr<ChildProcess>& process() const { return process_; }

  private:
    std::shared_ptr<ChildProcess> process_;
};

// A started child and our ends of its pipes.
struct Started {
    Custody custody;
    Fd in;
    Fd out;
    Fd error;
};

// Watched from its start: `on_exit` is called once, on the undertaker's thread, after the child was
// reaped. Starts `spec` with only its environment and descriptors 0-2, in a session of its own,
// killed when the calling thread ends: call it on a thread that lives as long as the process.
// Blocks. Errors: kNotFound (program or working directory; detail names it),
// kExhausted (descriptors.h), kIo.
Result<Started> start_child(const ChildSpec& spec, std::function<void(std::string)> on_exit);

void watch_child(std::shared_ptr<ChildProcess> process, std::function<void(std::string)> on_exit);
// Ends the group: SIGTERM after kTermAfter, SIGKILL after kKillAfter, unless it exits by itself.
void end_child(std::shared_ptr<ChildProcess> process);
// The same for all that are ending, at these times where they are earlier. Thread: any.
void hurry_children(std::chrono::steady_clock::time_point term_at,
                    std::chrono::steady_clock::time_point kill_at);
// How many are ending and not reaped yet. Thread: any.
std::size_t children_ending();

inline constexpr Millis kTermAfter{2'000};
inline constexpr Millis kKillAfter{4'000};

}  // namespace writ::net
