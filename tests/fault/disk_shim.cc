// A disk that fails, put under a program with LD_PRELOAD. WRIT_SHIM="<call>:<errno>:<after>" lets
// the first <after> calls through and fails all later ones: `fdatasync:5:20`, `pwrite:28:100`,
// `open:30:0` (opens for writing only). While the file named by WRIT_SHIM_FULL exists, the disk is
// full: no file can be made or grow, while what was written before can be written again. Only files
// below WRIT_SHIM_DIR are touched.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
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

bool is_full() {
    static const char* const name = std::getenv("WRIT_SHIM_FULL");
    return name != nullptr && access(name, F_OK) == 0;
}

// Whether writing `size` bytes at `offset` (-1: where the file stands) would need room there is
// not.
bool no_room(int fd, size_t size, off_t offset) {
    if (!is_full() || !of_dir(fd)) return false;
    struct stat about{};
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) return false;
    if (offset < 0) {
        const bool appends = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
        offset = appends ? about.st_size : lseek(fd, 0, SEEK_CUR);
    }
    if (offset + static_cast<off_t>(size) <= about.st_size) return false;
    errno = ENOSPC;
    return true;
}

bool no_room_to_make(const char* path, int flags) {
    if ((flags & O_CREAT) == 0 || !is_full() || !below_dir(path) || access(path, F_OK) == 0)
        return false;
    errno = ENOSPC;
    return true;
}

}  // namespace

extern "C" {

int fdatasync(int fd) {
    static auto* const next = real<int(int)>("fdatasync");
    return of_dir(fd) && fails("fdatasync") ? -1 : next(fd);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
    static auto* const next = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
    if (no_room(fd, size, offset)) return -1;
    return of_dir(fd) && fails("pwrite") ? -1 : next(fd, data, size, offset);
}

ssize_t write(int fd, const void* data, size_t size) {
    static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
    return no_room(fd, size, -1) ? -1 : next(fd, data, size);
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
    static auto* const next = real<ssize_t(int, const struct iovec*, int)>("writev");
    size_t size = 0;
    for (int i = 0; i < count; ++i) size += parts[i].iov_len;
    return no_room(fd, size, -1) ? -1 : next(fd, parts, count);
}

int ftruncate(int fd, off_t size) {
    static auto* const next = real<int(int, off_t)>("ftruncate");
    return no_room(fd, 0, size) ? -1 : next(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    return ftruncate(fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
    static auto* const next = real<int(int, int, off_t, off_t)>("fallocate");
    return no_room(fd, static_cast<size_t>(size), offset) ? -1 : next(fd, mode, offset, size);
}

int posix_fallocate(int fd, off_t offset, off_t size) {
    static auto* const next = real<int(int, off_t, off_t)>("posix_fallocate");
    return no_room(fd, static_cast<size_t>(size), offset) ? ENOSPC : next(fd, offset, size);
}

int mkdir(const char* path, mode_t mode) {
    static auto* const next = real<int(const char*, mode_t)>("mkdir");
    return no_room_to_make(path, O_CREAT) ? -1 : next(path, mode);
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
    if (no_room_to_make(path, flags)) return -1;
    const bool writes = (flags & O_ACCMODE) != O_RDONLY;
    if (writes && below_dir(path) && fails("open")) return -1;
    return next(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open(path, flags, mode);
}

}  // extern "C"
