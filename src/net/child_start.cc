// fork and exec of a child. The child's side runs in a copy of this process in which no lock may be
// taken and nothing allocated: everything it needs is prepared before.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "net/child_process.h"
#include "net/descriptors.h"

namespace writ::net {
namespace {

// What failed in the child, told through a pipe that a successful exec closes.
enum class Step : int { kDescriptors, kSession, kFolder, kExec };
struct Report {
    Step step;
    int errno_value;
};

// Everything the child's side uses.
struct Plan {
    const char* path;
    const char* folder;
    char* const* argv;
    char* const* env;
    std::array<int, 3> standard;
    int report;
    pid_t parent;
    const rlimit* descriptors;  // its limit; null: ours
};

[[noreturn]] void give_up(int report, Step step) {
    const Report why = {step, errno};
    if (write(report, &why, sizeof why) < 0) _exit(126);
    _exit(127);
}

// The child's side: async-signal-safe calls only.
[[noreturn]] void become(const Plan& plan) {
    constexpr int kReport = 3;
    for (int target = 0; target < 3; ++target)
        if (dup2(plan.standard[static_cast<std::size_t>(target)], target) < 0)
            give_up(plan.report, Step::kDescriptors);
    if (dup3(plan.report, kReport, O_CLOEXEC) < 0) give_up(plan.report, Step::kDescriptors);
    if (syscall(SYS_close_range, kReport + 1, ~0U, 0) != 0) give_up(kReport, Step::kDescriptors);

    // A session of its own is a process group of its own without a terminal to write to.
    if (setsid() < 0) give_up(kReport, Step::kSession);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(kReport, Step::kSession);
    if (getppid() != plan.parent) _exit(127);  // the parent died before the line above

    // Ignored signals and the mask would survive the exec.
    struct sigaction normal = {};
    normal.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) sigaction(number, &normal, nullptr);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);

    if (plan.descriptors != nullptr && setrlimit(RLIMIT_NOFILE, plan.descriptors) != 0)
        give_up(kReport, Step::kDescriptors);
    if (chdir(plan.folder) != 0) give_up(kReport, Step::kFolder);
    execve(plan.path, plan.argv, plan.env);
    give_up(kReport, Step::kExec);
}

bool is_program(const std::string& path) {
    struct stat file = {};
    return stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) &&
           access(path.c_str(), X_OK) == 0;
}

Result<std::string> find_program(const ChildSpec& spec) {
    if (spec.argv.empty() || spec.argv[0].empty())
        return fail(ErrorCode::kNotFound, "no program is named");
    const std::string& name = spec.argv[0];
    if (name.find('/') != std::string::npos) return name;
    const auto path = spec.env.find("PATH");
    if (path == spec.env.end())
        return fail(ErrorCode::kNotFound,
                    fmt::format("no program `{}`: its environment has no PATH", name));
    std::string_view rest = path->second;
    while (!rest.empty()) {
        const auto colon = std::min(rest.find(':'), rest.size());
        const std::string candidate = fmt::format("{}/{}", rest.substr(0, colon), name);
        // Relative entries would mean another program in another working directory.
        if (candidate.front() == '/' && colon > 0 && is_program(candidate)) return candidate;
        rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
    return fail(ErrorCode::kNotFound,
                fmt::format("no program `{}` in PATH `{}`", name, path->second));
}

Error no_descriptors() {
    return Error{ErrorCode::kExhausted,
                 "all descriptors but those kept for people are in use (LimitNOFILE, ulimit -n)"};
}

struct Pipe {
    Fd out;
    Fd in;
};

// A close-on-exec pipe whose numbers stay clear of the standard ones.
Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(io_error("cannot make a pipe", errno));
    Pipe out{Fd(ends[0]), Fd(ends[1])};
    for (Fd* end : {&out.out, &out.in}) {
        if (end->get() > 3) continue;
        Fd moved(fcntl(end->get(), F_DUPFD_CLOEXEC, 4));
        if (!moved.valid()) return fail(io_error("cannot make a pipe", errno));
        *end = std::move(moved);
    }
    if (is_kept_descriptor(out.out.get()) || is_kept_descriptor(out.in.get()))
        return fail(no_descriptors());
    return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

// vfork(): the child borrows this thread and its memory until the exec, which costs the same
// however large the gateway is. Signals are held off meanwhile, so that no handler runs in there.
[[gnu::noinline]] pid_t fork_into(const Plan& plan) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
    const pid_t pid = vfork();
#pragma clang diagnostic pop
    if (pid == 0) become(plan);
    const int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = error;
    return pid;
}

Error start_error(const ChildSpec& spec, const std::string& path, const Report& why) {
    const bool missing = why.errno_value == ENOENT || why.errno_value == ENOTDIR;
    if (why.step == Step::kFolder)
        return missing
                   ? Error{ErrorCode::kNotFound, fmt::format("no folder `{}`", spec.cwd)}
                   : io_error(fmt::format("cannot enter folder `{}`", spec.cwd), why.errno_value);
    if (why.step == Step::kExec && missing)
        return Error{ErrorCode::kNotFound, fmt::format("no program `{}`", path)};
    return io_error(fmt::format("cannot start `{}`", path), why.errno_value);
}

}  // namespace

Result<Started> start_child(const ChildSpec& spec, std::function<void(std::string)> on_exit) {
    const auto path = find_program(spec);
    if (!path) return fail(path.error());
    auto in = make_pipe();
    auto out = make_pipe();
    auto error = make_pipe();
    auto report = make_pipe();
    for (const auto* made : {&in, &out, &error, &report})
        if (!*made) return fail(made->error());

    std::vector<std::string> args = spec.argv;
    std::vector<std::string> variables;
    for (const auto& [name, value] : spec.env) variables.push_back(name + "=" + value);
    const std::vector<char*> argv = pointers(args);
    const std::vector<char*> env = pointers(variables);
    const Plan plan = {path->c_str(),
                       spec.cwd.empty() ? "/" : spec.cwd.c_str(),
                       argv.data(),
                       env.data(),
                       {in->out.get(), out->in.get(), error->in.get()},
                       report->in.get(),
                       getpid(),
                       descriptor_limit_before()};
    const pid_t pid = fork_into(plan);
    if (pid < 0) return fail(io_error("cannot fork", errno));
    // Not reaped yet, so the number is still the child's.
    auto process =
        std::make_shared<ChildProcess>(pid, Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))));

    report->in = Fd();
    Report why = {};
    ssize_t got = 0;
    do got = read(report->out.get(), &why, sizeof why);
    while (got < 0 && errno == EINTR);
    const bool kept = is_kept_descriptor(process->pidfd());
    if (got == static_cast<ssize_t>(sizeof why) || process->pidfd() < 0 || kept) {
        process->signal(SIGKILL);
        siginfo_t info = {};
        waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED);
        if (got != static_cast<ssize_t>(sizeof why) && kept) return fail(no_descriptors());
        if (got != static_cast<ssize_t>(sizeof why))
            return fail(ErrorCode::kIo, "cannot watch a child: no pidfd");
        return fail(start_error(spec, *path, why));
    }
    watch_child(process, std::move(on_exit));
    return Started{Custody(std::move(process)), std::move(in->in), std::move(out->out),
                   std::move(error->out)};
}

}  // namespace writ::net
