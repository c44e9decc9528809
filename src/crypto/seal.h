// Authenticated encryption of blobs at rest: XChaCha20-Poly1305 (libsodium). The nonce is the
// caller's choice because the payload vault derives it from the plaintext (docs/spec/evidence).
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/secret.h"

namespace writ::crypto {

inline constexpr std::size_t kSealKeyBytes = 32;
inline constexpr std::size_t kSealNonceBytes = 24;

// nonce || ciphertext || tag. `key` is kSealKeyBytes, `nonce` kSealNonceBytes long (else a broken
// invariant).
Bytes seal(ByteView key, ByteView nonce, ByteView plain, ByteView associated = {});
// Errors: kCorrupt when the tag does not match or the blob is too short.
Result<Bytes> open(ByteView key, ByteView sealed, ByteView associated = {});

}  // namespace writ::crypto
