#include "cli/keys.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/secret.h"
#include "net/socket.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxKeyBytes = 4096;

// The file's bytes; empty if there is no such file.
Result<SecretBytes> read_key(const fs::path& file) {
    const net::Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.valid()) {
        if (errno == ENOENT) return SecretBytes();
        return fail(io_error(fmt::format("cannot read the key `{}`", file.string()), errno));
    }
    struct stat info{};
    if (fstat(fd.get(), &info) != 0) return fail(io_error("fstat", errno));
    if ((info.st_mode & 077) != 0)
        return fail(ErrorCode::kForbidden,
                    fmt::format("the key `{}` can be read by others: chmod 600 it, and think about "
                                "who may have it",
                                file.string()));
    if (info.st_size <= 0 || static_cast<std::size_t>(info.st_size) > kMaxKeyBytes)
        return fail(ErrorCode::kCorrupt, fmt::format("`{}` is not a key", file.string()));
    SecretBytes out(static_cast<std::size_t>(info.st_size));
    if (read(fd.get(), out.span().data(), out.size()) != static_cast<ssize_t>(out.size()))
        return fail(io_error(fmt::format("cannot read the key `{}`", file.string()), errno));
    return out;
}

// Written whole and synced before its name exists, so that a crash leaves no half key.
Status write_key(const fs::path& file, ByteView bytes) {
    const fs::path temp = file.string() + ".new";
    const net::Fd fd(
        open(temp.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid()) return fail(io_error(fmt::format("cannot write `{}`", temp.string()), errno));
    if (write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
        fsync(fd.get()) != 0 || rename(temp.c_str(), file.c_str()) != 0)
        return fail(io_error(fmt::format("cannot write `{}`", file.string()), errno));
    const net::Fd dir(open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir.valid() || fsync(dir.get()) != 0) return fail(io_error("fsync", errno));
    return {};
}

Result<fs::path> keys_dir(const fs::path& data) {
    const fs::path dir = data / "keys";
    std::error_code error;
    fs::create_directories(dir, error);
    if (error)
        return fail(ErrorCode::kIo,
                    fmt::format("cannot make `{}`: {}", dir.string(), error.message()));
    fs::permissions(dir, fs::perms::owner_all, error);
    return dir;
}

Error not_a_key(const fs::path& file) {
    return {ErrorCode::kCorrupt,
            fmt::format("`{}` is not a key: restore it from a backup", file.string()),
            {}};
}

}  // namespace

namespace {

Result<crypto::Ed25519Key> load_ed25519(const fs::path& data, const char* name) {
    const auto dir = keys_dir(data);
    if (!dir) return fail(dir.error());
    const fs::path file = *dir / name;
    const auto stored = read_key(file);
    if (!stored) return fail(stored.error());
    if (!stored->empty()) {
        auto key = crypto::Ed25519Key::from_seed(stored->view());
        if (!key) return fail(not_a_key(file));
        return key;
    }
    auto key = crypto::Ed25519Key::generate();
    if (const auto done = write_key(file, key.seed()); !done) return fail(done.error());
    return key;
}

}  // namespace

Result<crypto::Ed25519Key> load_log_key(const fs::path& data) {
    return load_ed25519(data, "log.ed25519");
}

Result<crypto::Ed25519Key> load_witness_key(const fs::path& dir) {
    return load_ed25519(dir, "witness.ed25519");
}

Result<crypto::Es256Key> load_issuer_key(const fs::path& data) {
    const auto dir = keys_dir(data);
    if (!dir) return fail(dir.error());
    const fs::path file = *dir / "issuer.p256";
    const auto stored = read_key(file);
    if (!stored) return fail(stored.error());
    if (!stored->empty()) {
        auto key = crypto::Es256Key::from_private_der(stored->view());
        if (!key) return fail(not_a_key(file));
        return key;
    }
    auto key = crypto::Es256Key::generate();
    const SecretBytes der = key.private_der();
    if (const auto done = write_key(file, der.view()); !done) return fail(done.error());
    return key;
}

}  // namespace writ::cli
