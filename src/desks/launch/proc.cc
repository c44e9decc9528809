#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "desks/launch/desk.h"

namespace writ::launch {
namespace {

// How far up a process tree descends() walks; Linux allows no deeper nesting of pid namespaces
// times sane trees.
constexpr int kMaxAncestors = 128;

struct Stat {
    pid_t parent = 0;
    std::uint64_t start = 0;
};

// proc(5): `pid (comm) state ppid … starttime`; comm may hold anything, so what counts begins
// behind the last `)`, with field 3.
Result<Stat> stat_of(pid_t pid) {
    std::ifstream in(fmt::format("/proc/{}/stat", pid));
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const auto end = text.rfind(')');
    if (end == std::string::npos)
        return fail(ErrorCode::kNotFound, fmt::format("no process {}", pid));
    std::istringstream fields(text.substr(end + 1));
    std::string word;
    Stat out;
    for (int field = 3; field <= 22 && fields >> word; ++field) {
        if (field == 4) out.parent = static_cast<pid_t>(std::strtol(word.c_str(), nullptr, 10));
        if (field == 22) out.start = std::strtoull(word.c_str(), nullptr, 10);
    }
    return out;
}

}  // namespace

Result<Child> pin_child(pid_t pid, pid_t parent) {
    Child out;
    out.pidfd = net::Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!out.pidfd.valid()) return fail(ErrorCode::kNotFound, fmt::format("no process {}", pid));
    const auto stat = stat_of(pid);
    if (!stat) return fail(stat.error());
    if (stat->parent != parent)
        return fail(ErrorCode::kForbidden,
                    fmt::format("process {} is not a child of the launcher", pid));
    out.start = stat->start;
    return out;
}

Result<pid_t> parent_of(pid_t pid) {
    const auto stat = stat_of(pid);
    if (!stat) return fail(stat.error());
    return stat->parent;
}

bool descends(pid_t pid, const std::vector<pid_t>& at, const std::vector<pid_t>& above) {
    const auto among = [](const std::vector<pid_t>& all, pid_t one) {
        return std::find(all.begin(), all.end(), one) != all.end();
    };
    for (int i = 0; i < kMaxAncestors && pid > 1; ++i) {
        if (among(at, pid) || (i > 0 && among(above, pid))) return true;
        const auto parent = parent_of(pid);
        if (!parent) return true;  // vanished while we looked: not a person we can vouch for
        pid = *parent;
    }
    return false;
}

}  // namespace writ::launch
