#include "base/thread.h"

#include <pthread.h>
#include <sched.h>

#include <string>

namespace writ {

void let_work_gather() {
    const sched_param none{};
    static_cast<void>(::pthread_setschedparam(::pthread_self(), SCHED_BATCH, &none));
}

void name_this_thread(const char* name) {
    constexpr std::size_t kNameBytesMax = 15;
    const std::string cut = std::string(name).substr(0, kNameBytesMax);
    pthread_setname_np(pthread_self(), cut.c_str());
}

}  // namespace writ
