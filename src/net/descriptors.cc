#include "net/descriptors.h"

namespace writ::net {
namespace {

rlimit g_before{};
bool g_raised = false;

}  // namespace

bool is_kept_descriptor(int fd) {
    rlimit limit = {};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return false;
    return static_cast<rlim_t>(fd) + kKeptDescriptors >= limit.rlim_cur;
}

void raise_descriptor_limit() {
    rlimit now{};
    if (getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur == now.rlim_max) return;
    rlimit raised = now;
    raised.rlim_cur = now.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) != 0) return;
    if (!g_raised) g_before = now;
    g_raised = true;
}

const rlimit* descriptor_limit_before() {
    return g_raised ? &g_before : nullptr;
}

}  // namespace writ::net
