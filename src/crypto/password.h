// A key from a passphrase: argon2id (RFC 9106, libsodium).
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/error.h"
#include "base/secret.h"

namespace writ::crypto {

inline constexpr std::size_t kPasswordSaltBytes = 16;
// libsodium's "moderate": about 0.7 s and 256 MiB. A passphrase is asked for once a start.
inline constexpr std::uint32_t kPasswordPasses = 3;
inline constexpr std::uint32_t kPasswordMemory_kib = 256 << 10;

// 32 bytes. Errors: kInvalid (parameters out of bounds), kExhausted (no memory).
Result<SecretBytes> password_key(ByteView passphrase, ByteView salt, std::uint32_t passes,
                                 std::uint32_t memory_kib);

}  // namespace writ::crypto
