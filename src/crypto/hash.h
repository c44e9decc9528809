// SHA-256, HMAC-SHA256 and HKDF (RFC 5869). The OpenSSL algorithms are fetched once and contexts
// are reused per thread: a one-shot call costs 3 to 5 times as much (docs/architecture.md, section
// 6).
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"

namespace writ::crypto {

// Thread: any. Cost: 0.16 us for 65 bytes, 0.8 us for 1 KiB.
Sha256 sha256(ByteView data);
inline Sha256 sha256(std::string_view text) {
    return sha256(as_bytes(text));
}
// Digest of `prefix` followed by `data`, without joining them first (Merkle leaves).
Sha256 sha256(ByteView prefix, ByteView data);
// SHA-256(0x01 || left || right), RFC 6962 section 2.1.
Sha256 merkle_node(const Sha256& left, const Sha256& right);

Sha256 hmac_sha256(ByteView key, ByteView data);
// `size` bytes of HKDF-SHA256 with an empty salt.
SecretBytes hkdf(ByteView key, std::string_view info, std::size_t size);

// CRC-32C (Castagnoli), as in the write-ahead log's frames.
std::uint32_t crc32c(ByteView data, std::uint32_t seed = 0);

}  // namespace writ::crypto
