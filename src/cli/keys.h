// The node's own signing keys, made at first start and kept in `<data>/keys` with mode 0600.
#pragma once

#include <filesystem>

#include "base/error.h"
#include "crypto/sign.h"

namespace writ::cli {

// Of the log (Ed25519). Errors: kIo, kCorrupt (not a key; restore it from a backup, a new one would
// be another log).
Result<crypto::Ed25519Key> load_log_key(const std::filesystem::path& data);
// Of a witness (Ed25519), in `<dir>/keys`.
Result<crypto::Ed25519Key> load_witness_key(const std::filesystem::path& dir);
// Of the issuer of writs (ES256).
Result<crypto::Es256Key> load_issuer_key(const std::filesystem::path& data);

}  // namespace writ::cli
