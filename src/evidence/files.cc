// POSIX calls that retry when interrupted and name the file in their errors.
#include "evidence/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace writ::evidence {

Status make_private_dir(const std::filesystem::path& dir) {
    std::error_code error;
    if (const auto parent = dir.parent_path(); !parent.empty()) {
        std::filesystem::create_directories(parent, error);
        if (error) return fail(io_error("cannot make `" + parent.string() + "`", error.value()));
    }
    if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
        return fail(io_error("cannot make `" + dir.string() + "`", errno));
    }
    return {};
}

Status write_at(int fd, ByteView bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
        const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(io_error("write", errno));
        bytes = bytes.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return {};
}

Result<bool> read_at(int fd, std::span<std::uint8_t> out, std::uint64_t offset) {
    while (!out.empty()) {
        const ssize_t n = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(io_error("read", errno));
        if (n == 0) return false;
        out = out.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return true;
}

Status replace_file(const std::filesystem::path& file, ByteView bytes) {
    const std::filesystem::path temporary = file.string() + ".new";
    const Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    const std::string what = "cannot write `" + file.string() + "`";
    if (!fd.valid()) return fail(io_error(what, errno));
    if (auto written = write_at(fd.get(), bytes, 0); !written) {
        return fail(written.error().in(what));
    }
    if (::fsync(fd.get()) != 0) return fail(io_error(what, errno));
    if (::rename(temporary.c_str(), file.c_str()) != 0) return fail(io_error(what, errno));
    return sync_dir(file.has_parent_path() ? file.parent_path() : ".");
}

Status sync_dir(const std::filesystem::path& dir) {
    const Fd fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid() || ::fsync(fd.get()) != 0) {
        return fail(io_error("cannot sync `" + dir.string() + "`", errno));
    }
    return {};
}

}  // namespace writ::evidence
