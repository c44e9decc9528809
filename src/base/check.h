// WRIT_CHECK: an invariant of the program itself. Alive in release builds; a broken one ends the
// process with the place and the condition on stderr. Untrusted input, the network and the disk
// never reach it: they give a Result.
#pragma once

namespace writ {

// Prints `condition` with its place and aborts. Never returns.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace writ

#define WRIT_CHECK(condition) \
    ((condition) ? static_cast<void>(0) : ::writ::check_failed(#condition, __FILE__, __LINE__))
