#include "desks/launch/proc.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <string>

namespace writ::launch {
namespace {

struct Stat {
    Process self;
    pid_t parent = 0;
};

Error cannot_look(pid_t pid, int error) {
    if (error == ENOENT || error == ESRCH)
        return {ErrorCode::kNotFound, fmt::format("no process {}", pid), {}};
    Error out = io_error(fmt::format("cannot look at process {}", pid), error);
    out.code = ErrorCode::kUnavailable;
    return out;
}

// proc(5): `pid (comm) state ppid … starttime`; comm may hold anything, so what counts begins
// behind the last `)`, with field 3.
Result<Stat> stat_of(pid_t pid) {
    const Fd file(open(fmt::format("/proc/{}/stat", pid).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return fail(cannot_look(pid, errno));
    std::array<char, 2048> buffer{};  // some 300 bytes; the kernel gives them in one piece
    const ssize_t size = read(file.get(), buffer.data(), buffer.size());
    if (size < 0) return fail(cannot_look(pid, errno));
    const std::string text(buffer.data(), static_cast<std::size_t>(size));
    const auto end = text.rfind(')');
    if (end == std::string::npos) return fail(cannot_look(pid, ESRCH));
    std::istringstream fields(text.substr(end + 1));
    std::string word;
    Stat out;
    out.self.pid = pid;
    for (int field = 3; field <= 22 && fields >> word; ++field) {
        if (field == 4) out.parent = static_cast<pid_t>(std::strtol(word.c_str(), nullptr, 10));
        if (field == 22) out.self.start = std::strtoull(word.c_str(), nullptr, 10);
    }
    return out;
}

}  // namespace

Result<Child> pin_child(pid_t pid, pid_t parent) {
    Child out;
    out.pidfd = Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!out.pidfd.valid()) return fail(cannot_look(pid, errno));
    const auto stat = stat_of(pid);
    if (!stat) return fail(stat.error());
    if (stat->parent != parent)
        return fail(ErrorCode::kForbidden,
                    fmt::format("process {} is not a child of the launcher", pid));
    const auto above = stat_of(parent);
    if (!above) return fail(above.error());
    out.self = stat->self;
    out.parent = above->self;
    return out;
}

Result<std::vector<Process>> lineage(pid_t pid) {
    std::vector<Process> out;
    while (pid > 1) {
        if (out.size() >= static_cast<std::size_t>(kMaxAncestors))
            return fail(ErrorCode::kTooLarge, "too many ancestors");
        const auto stat = stat_of(pid);
        if (!stat) return fail(stat.error());
        out.push_back(stat->self);
        pid = stat->parent;
    }
    return out;
}

bool is_gone(const Process& process) {
    const auto stat = stat_of(process.pid);
    if (!stat) return stat.error().code == ErrorCode::kNotFound;
    return stat->self != process;
}

}  // namespace writ::launch
