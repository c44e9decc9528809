// The names of this process's threads, so that `top -H`, `perf` and a debugger say who is working.
#pragma once

namespace writ {

// Names the calling thread; Linux keeps the first 15 bytes of `name`.
void name_this_thread(const char* name);

// Asks the scheduler not to run this thread the moment it is woken, in place of the one that woke
// it (SCHED_BATCH, sched(7)). For threads that gather work: what wakes them usually has more to
// come. They still run at once on an idle CPU. A kernel that refuses changes nothing.
void let_work_gather();

}  // namespace writ
