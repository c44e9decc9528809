#include "base/thread.h"

#include <pthread.h>

#include <string>

namespace writ {

void name_this_thread(const char* name) {
    constexpr std::size_t kNameBytesMax = 15;
    const std::string cut = std::string(name).substr(0, kNameBytesMax);
    pthread_setname_np(pthread_self(), cut.c_str());
}

}  // namespace writ
