// Processes, as proc(5) tells of them. Everything here reads /proc: not on an I/O thread.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace writ::launch {

// How far up lineage() goes. No sane tree is deeper; whoever builds a deeper one hides in it.
inline constexpr int kMaxAncestors = 128;

// A process. Numbers are used again; together with the start they are a name.
struct Process {
    pid_t pid = 0;
    std::uint64_t start = 0;  // clock ticks after boot (stat field 22)
    auto operator<=>(const Process&) const = default;
};

// A live child process, held by a descriptor that tells when it exits.
struct Child {
    Fd pidfd;
    Process self, parent;
};

// Pins `pid`, a live child of `parent`. Errors: kNotFound (no such process), kForbidden (somebody
// else's), kUnavailable (cannot look now: no descriptor is left).
Result<Child> pin_child(pid_t pid, pid_t parent);

// `pid` and its ancestors, itself first, without the first process of the machine. Errors:
// kNotFound (one of them vanished meanwhile), kTooLarge (more than kMaxAncestors), kUnavailable
// (cannot look now).
Result<std::vector<Process>> lineage(pid_t pid);

// Whether it is certain that `process` is no more.
bool is_gone(const Process& process);

}  // namespace writ::launch
