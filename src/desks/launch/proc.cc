#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "desks/launch/desk.h"

namespace writ::launch {
namespace {

// The number after `key:` in a /proc file of `key:\tvalue` lines.
std::optional<long> proc_field(const std::string& file, std::string_view key) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ':')
            continue;
        char* end = nullptr;
        const char* begin = line.c_str() + key.size() + 1;
        const long value = std::strtol(begin, &end, 10);
        if (end != begin) return value;
    }
    return std::nullopt;
}

}  // namespace

Result<net::Fd> pin_child(pid_t pid, pid_t parent) {
    net::Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd.valid()) return fail(ErrorCode::kNotFound, fmt::format("no process {}", pid));
    const auto actual = parent_of(pid);
    if (!actual) return fail(actual.error());
    if (*actual != parent)
        return fail(ErrorCode::kForbidden,
                    fmt::format("process {} is not a child of the launcher", pid));
    return pidfd;
}

Result<pid_t> parent_of(pid_t pid) {
    const auto parent = proc_field(fmt::format("/proc/{}/status", pid), "PPid");
    if (!parent) return fail(ErrorCode::kNotFound, fmt::format("no process {}", pid));
    return static_cast<pid_t>(*parent);
}

}  // namespace writ::launch
