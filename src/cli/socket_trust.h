// Whose sockets are believed. Other local users are strangers: one who can put a file into the
// folder of the sockets can put a gateway of his own in place of ours, and would be told what an
// operator says to it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "base/error.h"

namespace writ::cli {

// Whether a gateway of the user `us` may have its sockets in the folder `dir`: it belongs to `us`
// or root, and nobody else may write there, or the sticky bit keeps them from replacing what is not
// theirs. Errors: kForbidden with what to do, kIo.
Status check_socket_dir(const std::filesystem::path& dir, uid_t us);

// Whether the CLI of the user `us` may talk to the user `peer`, who listens on `socket`: root, `us`
// itself, or the owner of the socket's folder if nobody but root, `us` and he could have made that
// folder or anything in it. So a gateway that runs as a user of its own serves operators from
// /run/writ, and what somebody left in /tmp serves nobody. Errors: kForbidden with what to do.
Status check_gateway(const std::filesystem::path& socket, std::optional<uid_t> peer, uid_t us);

}  // namespace writ::cli
