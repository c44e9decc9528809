// A disk that fails, put under a program with LD_PRELOAD. WRIT_SHIM="<call>:<errno>:<after>" lets
// the first <after> calls through and fails all later ones: `fdatasync:5:20`, `pwrite:28:100`,
// `open:30:0` (opens for writing only). Only files below WRIT_SHIM_DIR are touched.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Plan {
    char call[16] = {};
    int error = 0;
    long after = 0;
    const char* dir = nullptr;
};

const Plan& plan() {
    static const Plan out = [] {
        Plan made;
        const char* text = std::getenv("WRIT_SHIM");
        if (text != nullptr)
            std::sscanf(text, "%15[a-z]:%d:%ld", made.call, &made.error, &made.after);
        made.dir = std::getenv("WRIT_SHIM_DIR");
        return made;
    }();
    return out;
}

bool below_dir(const char* path) {
    return plan().dir != nullptr && std::strncmp(path, plan().dir, std::strlen(plan().dir)) == 0;
}

bool of_dir(int fd) {
    char name[64];
    char path[4096];
    std::snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(name, path, sizeof path - 1);
    if (n <= 0) return false;
    path[n] = '\0';
    return below_dir(path);
}

// Whether this call is one that fails.
bool fails(const char* call) {
    static std::atomic<long> calls = 0;
    if (std::strcmp(plan().call, call) != 0) return false;
    if (calls.fetch_add(1) < plan().after) return false;
    errno = plan().error;
    return true;
}

template <class F>
F* real(const char* name) {
    return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int fdatasync(int fd) {
    static auto* const next = real<int(int)>("fdatasync");
    return of_dir(fd) && fails("fdatasync") ? -1 : next(fd);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
    static auto* const next = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
    return of_dir(fd) && fails("pwrite") ? -1 : next(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
    return pwrite(fd, data, size, offset);
}

int open(const char* path, int flags, ...) {
    static auto* const next = real<int(const char*, int, ...)>("open");
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    const bool writes = (flags & O_ACCMODE) != O_RDONLY;
    if (writes && below_dir(path) && fails("open")) return -1;
    return next(path, flags, mode);
}

}  // extern "C"
