// SHA-256, HMAC-SHA256 (RFC 2104), HKDF (RFC 5869) and CRC-32C. The hash goes through OpenSSL's
// low-level functions: the same assembly as behind EVP without the cost of a context per message (a
// Merkle node: 0.12 us, one-shot EVP 3 to 5 times as much).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
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
// What many messages begin with, hashed once: `prefix` followed by `data`.
class HashedBeginning {
  public:
    HashedBeginning(ByteView prefix, ByteView data);
    // sha256(prefix, `data`), where `data` begins with the one it was made of; that is not looked
    // at. Cost: that of the bytes behind it.
    Sha256 digest(ByteView data) const;

  private:
    alignas(8) std::array<std::uint8_t, 112> state_;  // OpenSSL's SHA256_CTX behind it
    std::size_t hashed_;                              // bytes of `data` in it
};
// SHA-256(0x01 || left || right), RFC 6962 section 2.1.
Sha256 merkle_node(const Sha256& left, const Sha256& right);

Sha256 hmac_sha256(ByteView key, ByteView data);
struct Mac;
// A key of HMAC-SHA256 that is used often: the two compressions of the key itself are done once,
// and only what they left is kept. Without a key, until one is moved into it, mac() is a broken
// invariant. Thread: any. Cost: see crypto_bench.
class HmacKey {
  public:
    HmacKey() = default;
    explicit HmacKey(ByteView key);
    Sha256 mac(ByteView data) const;

  private:
    friend void mac_each(std::span<const Mac> macs, std::span<Sha256> out);
    SecretBytes states_;
};
// Many at once, each as sha256() and mac() would: `out` has as many places as there are messages,
// and none of them stands in it.
// Where the processor has instructions for SHA-256, in little more than half the time. Thread: any.
void sha256_each(std::span<const ByteView> messages, std::span<Sha256> out);
struct Mac {
    const HmacKey* key;
    ByteView data;
};
void mac_each(std::span<const Mac> macs, std::span<Sha256> out);
// `size` bytes of HKDF-SHA256 with an empty salt. More than 255 * 32 bytes are a broken invariant.
SecretBytes hkdf(ByteView key, std::string_view info, std::size_t size);

// CRC-32C (Castagnoli), as in the write-ahead log's frames. Chains: crc32c(b, crc32c(a)) is that of
// a and b joined.
std::uint32_t crc32c(ByteView data, std::uint32_t seed = 0);
// The same without the processor's instruction: where there is none, and as a second opinion in
// tests.
std::uint32_t crc32c_by_table(ByteView data, std::uint32_t seed = 0);

}  // namespace writ::crypto
