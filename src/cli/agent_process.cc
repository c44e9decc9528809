#include "cli/agent_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

namespace writ::cli {
namespace {

constexpr std::chrono::milliseconds kGrace{2'000};
constexpr std::chrono::milliseconds kPoll{20};
// Rounds of SIGKILL: a tree that forks faster than it is killed is not chased for ever.
constexpr int kMaxRounds = 200;

[[noreturn]] void child_main(int read_end, std::vector<std::string> command) {
    std::string url;
    std::array<char, 512> buffer{};
    for (ssize_t n = 0; (n = read(read_end, buffer.data(), buffer.size())) > 0;)
        url.append(buffer.data(), static_cast<std::size_t>(n));
    close(read_end);
    if (url.empty()) _exit(1);
    setenv("WRIT_MCP_URL", url.c_str(), 1);
    unsetenv("WRIT_SOCKET");
    std::signal(SIGPIPE, SIG_DFL);  // the reactor ignores it; the agent must not inherit that
    std::vector<char*> argv;
    for (auto& word : command) argv.push_back(word.data());
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    fmt::print(stderr, "writ: cannot run `{}`: {}\n", command[0], std::strerror(errno));
    _exit(127);
}

// Processes whose parent is this one, by proc(5) stat field 4.
std::vector<pid_t> children() {
    std::vector<pid_t> out;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        std::ifstream in(entry.path() / "stat");
        std::string text;
        std::getline(in, text);
        const auto end = text.rfind(')');
        if (end == std::string::npos || end + 4 > text.size()) continue;
        const long parent = std::strtol(text.c_str() + end + 4, nullptr, 10);
        if (parent == getpid()) out.push_back(static_cast<pid_t>(std::stol(name)));
    }
    return out;
}

// Collects the dead; true if none is left alive. A child of ours cannot be another process by now:
// it is we who reap it.
bool signal_children(int number) {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    const auto left = children();
    for (const pid_t pid : left) kill(pid, number);
    return left.empty();
}

}  // namespace

Result<WaitingAgent> fork_waiting(const std::vector<std::string>& command) {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) return fail(io_error("pipe", errno));
    net::Fd read_end(ends[0]);
    net::Fd write_end(ends[1]);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const pid_t pid = fork();
    if (pid < 0) return fail(io_error("fork", errno));
    if (pid == 0) {
        close(write_end.get());
        child_main(read_end.get(), command);
    }
    WaitingAgent out;
    out.pid = pid;
    out.pidfd = net::Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    out.go = std::move(write_end);
    if (!out.pidfd.valid()) {
        const int error = errno;
        out.go = net::Fd();
        wait_for(pid);
        return fail(io_error("pidfd_open", error));
    }
    return out;
}

int wait_for(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void end_descendants() {
    if (signal_children(SIGTERM)) return;
    const auto patience = std::chrono::steady_clock::now() + kGrace;
    while (std::chrono::steady_clock::now() < patience) {
        std::this_thread::sleep_for(kPoll);
        if (signal_children(0)) return;
    }
    for (int round = 0; round < kMaxRounds; ++round) {
        if (signal_children(SIGKILL)) return;
        std::this_thread::sleep_for(kPoll);
    }
}

}  // namespace writ::cli
