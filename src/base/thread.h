// The names of this process's threads, so that `top -H`, `perf` and a debugger say who is working.
#pragma once

namespace writ {

// Names the calling thread; Linux keeps the first 15 bytes of `name`.
void name_this_thread(const char* name);

}  // namespace writ
