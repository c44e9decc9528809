#include "cli/socket_trust.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

constexpr const char* kElsewhere =
    "name a folder of your own with `agents_socket` and `operators_socket` under [listen]";

// Whether all that leads to `dir`, and `dir`, belongs to root, `us` or `owner`, and only its owner
// may write it.
bool made_by(const fs::path& dir, uid_t owner, uid_t us) {
    const auto known = [&](uid_t uid) { return uid == 0 || uid == us || uid == owner; };
    fs::path path;
    for (const fs::path& part : dir) {
        path /= part;
        struct stat link = {};
        struct stat folder = {};
        if (lstat(path.c_str(), &link) != 0 || stat(path.c_str(), &folder) != 0) return false;
        if (!known(link.st_uid) || !known(folder.st_uid)) return false;
        if ((folder.st_mode & kOthersWrite) != 0) return false;
    }
    return true;
}

// The owner of the folder `dir`, if he alone decides what is in it.
std::optional<uid_t> sole_owner(const fs::path& dir, uid_t us) {
    std::error_code error;
    const fs::path named = fs::absolute(dir, error);
    if (error) return std::nullopt;
    const fs::path real = fs::canonical(named, error);
    struct stat folder = {};
    if (error || stat(real.c_str(), &folder) != 0) return std::nullopt;
    // As it is named, too: who owns a link on the way decides where it leads.
    if (!made_by(named, folder.st_uid, us) || !made_by(real, folder.st_uid, us))
        return std::nullopt;
    return folder.st_uid;
}

}  // namespace

Status check_socket_dir(const fs::path& dir, uid_t us) {
    struct stat link = {};
    struct stat folder = {};
    if (lstat(dir.c_str(), &link) != 0 || stat(dir.c_str(), &folder) != 0)
        return fail(io_error(fmt::format("cannot use the folder `{}`", dir.string()), errno));
    for (const uid_t owner : {link.st_uid, folder.st_uid})
        if (owner != us && owner != 0)
            return fail(ErrorCode::kForbidden,
                        fmt::format("the folder of the sockets `{}` belongs to uid {}, who could "
                                    "put another gateway in place of this one: remove it, or {}",
                                    dir.string(), owner, kElsewhere));
    if ((folder.st_mode & kOthersWrite) != 0 && (folder.st_mode & S_ISVTX) == 0)
        return fail(ErrorCode::kForbidden,
                    fmt::format("others may write to the folder of the sockets `{}` and could put "
                                "another gateway in place of this one: `chmod go-w` it, or {}",
                                dir.string(), kElsewhere));
    return {};
}

Status check_gateway(const fs::path& socket, std::optional<uid_t> peer, uid_t us) {
    if (!peer)
        return fail(
            ErrorCode::kForbidden,
            fmt::format("nobody can say who answers on `{}`; nothing was sent", socket.string()));
    if (*peer == 0 || *peer == us || sole_owner(socket.parent_path(), us) == peer) return {};
    return fail(
        ErrorCode::kForbidden,
        fmt::format("uid {} answers on `{}`, and others than root, you and that uid could have put "
                    "the socket there; nothing was sent. If this is your gateway, run `writ` as "
                    "its user, or give it a folder such as /run/writ that it owns and nobody else "
                    "may write",
                    *peer, socket.string()));
}

}  // namespace writ::cli
