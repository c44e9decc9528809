// Authenticated encryption at rest: XChaCha20-Poly1305 (libsodium), for keys, and for the payload
// vault's blobs under a tenant's own key and under those of version 1
// (docs/spec/evidence/vault.md). The nonce is the caller's choice because the vault derives it from
// the plaintext. What is sealed in numbers is sealed by xaes.h.
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
