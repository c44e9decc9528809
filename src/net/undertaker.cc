// The thread that watches children: it alone reaps them, through their pidfds.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "base/check.h"
#include "net/asio_impl.h"
#include "net/child_process.h"

namespace writ::net {
namespace {

constexpr auto kPidfd = static_cast<idtype_t>(3);  // P_PIDFD of newer headers

class Undertaker {
  public:
    Undertaker() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        WRIT_CHECK(wake_.valid());
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        std::thread([this] { work(); }).detach();
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    void watch(std::shared_ptr<ChildProcess> process, std::function<void(std::string)> on_exit) {
        const std::lock_guard lock(mutex_);
        charges_.push_back({std::move(process), std::move(on_exit)});
        wake();
    }

    void end(const std::shared_ptr<ChildProcess>& process) {
        const std::lock_guard lock(mutex_);
        for (Charge& charge : charges_) {
            if (charge.process != process) continue;
            charge.ending = true;
            charge.term_at = deadline_in(kTermAfter);
            charge.kill_at = deadline_in(kKillAfter);
        }
        wake();
    }

    void hurry(TimePoint term_at, TimePoint kill_at) {
        const std::lock_guard lock(mutex_);
        for (Charge& charge : charges_) {
            if (!charge.ending) continue;
            // One that has passed is not there any more.
            if (charge.term_at != TimePoint::max())
                charge.term_at = std::min(charge.term_at, term_at);
            if (charge.kill_at != TimePoint::max())
                charge.kill_at = std::min(charge.kill_at, kill_at);
        }
        wake();
    }

    std::size_t ending() {
        const std::lock_guard lock(mutex_);
        return static_cast<std::size_t>(std::ranges::count_if(charges_, &Charge::ending));
    }

  private:
    struct Charge {
        std::shared_ptr<ChildProcess> process;
        std::function<void(std::string)> on_exit;
        TimePoint term_at = TimePoint::max();
        TimePoint kill_at = TimePoint::max();
        bool ending = false;
    };

    void wake() const {
        const std::uint64_t one = 1;
        // Full only if a wake-up is pending already.
        if (write(wake_.get(), &one, sizeof one) < 0) return;
    }

    [[noreturn]] void work() {
        for (;;) {
            std::vector<pollfd> watched = {{wake_.get(), POLLIN, 0}};
            const int timeout_ms = prepare(watched);
            ::poll(watched.data(), watched.size(), timeout_ms);
            std::uint64_t count = 0;
            if (read(wake_.get(), &count, sizeof count) < 0) count = 0;
            bury_the_dead();
            escalate();
        }
    }

    // Adds the pidfds to `watched`; returns how long to wait.
    int prepare(std::vector<pollfd>& watched) {
        const std::lock_guard lock(mutex_);
        TimePoint next = TimePoint::max();
        for (const Charge& charge : charges_) {
            watched.push_back({charge.process->pidfd(), POLLIN, 0});
            next = std::min({next, charge.term_at, charge.kill_at});
        }
        if (next == TimePoint::max()) return -1;
        const auto left = std::chrono::ceil<Millis>(next - std::chrono::steady_clock::now());
        return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    }

    void bury_the_dead() {
        std::vector<std::pair<Charge, std::string>> dead;
        {
            const std::lock_guard lock(mutex_);
            std::erase_if(charges_, [&](Charge& charge) {
                std::string how = charge.process->bury();
                if (how.empty()) return false;
                dead.emplace_back(std::move(charge), std::move(how));
                return true;
            });
        }
        for (auto& [charge, how] : dead) charge.on_exit(std::move(how));
    }

    void escalate() {
        const std::lock_guard lock(mutex_);
        const auto now = std::chrono::steady_clock::now();
        for (Charge& charge : charges_) {
            if (charge.term_at <= now) {
                charge.process->signal(SIGTERM);
                charge.term_at = TimePoint::max();
            }
            if (charge.kill_at <= now) {
                charge.process->signal(SIGKILL);
                charge.kill_at = TimePoint::max();
            }
        }
    }

    const Fd wake_;
    std::mutex mutex_;  // guards charges_; taken before a ChildProcess's own
    std::vector<Charge> charges_;
};

Undertaker& undertaker() {
    static auto* const one = new Undertaker;  // never destroyed: its thread uses it to the end
    return *one;
}

}  // namespace

void ChildProcess::signal(int number) {
    const std::lock_guard lock(mutex_);
    if (!reaped_) ::kill(-pid_, number);
}

std::string ChildProcess::bury() {
    const std::lock_guard lock(mutex_);
    siginfo_t info = {};
    const auto id = static_cast<id_t>(pidfd_.get());
    if (reaped_) return {};
    if (waitid(kPidfd, id, &info, WEXITED | WNOWAIT | WNOHANG) != 0 && errno == ECHILD) {
        reaped_ = true;  // somebody else in this process has reaped it
        return "unknown";
    }
    if (info.si_pid == 0) return {};
    // While the dead leader is not reaped its number cannot be anybody else's group.
    ::kill(-pid_, SIGKILL);
    waitid(kPidfd, id, &info, WEXITED | WNOHANG);
    reaped_ = true;
    return fmt::format("{} {}", info.si_code == CLD_EXITED ? "exit" : "signal", info.si_status);
}

Custody::~Custody() {
    if (process_) end_child(process_);
}

void watch_child(std::shared_ptr<ChildProcess> process, std::function<void(std::string)> on_exit) {
    undertaker().watch(std::move(process), std::move(on_exit));
}

void end_child(std::shared_ptr<ChildProcess> process) {
    undertaker().end(process);
}

void hurry_children(TimePoint term_at, TimePoint kill_at) {
    undertaker().hurry(term_at, kill_at);
}

std::size_t children_ending() {
    return undertaker().ending();
}

}  // namespace writ::net
