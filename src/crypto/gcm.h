// AES-256-GCM (NIST SP 800-38D) of one message under a key of its own, for xaes.cc. Inner header of
// the room. By ipsec-mb where it was there when Writ was built and the processor has what it needs:
// OpenSSL takes three quarters of the time of 1 KiB to set its key and to fetch its tag. The same
// bytes either way.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace writ::crypto {

inline constexpr std::size_t kGcmKeyBytes = 32;
inline constexpr std::size_t kGcmNonceBytes = 12;
inline constexpr std::size_t kGcmTagBytes = 16;

struct GcmMessage {
    const std::array<std::uint8_t, kGcmKeyBytes>& key;
    ByteView nonce;  // kGcmNonceBytes
    ByteView associated;
};

// Writes ciphertext and tag to `out`, which has room for both. Thread: any.
void gcm_seal(const GcmMessage& message, ByteView plain, std::uint8_t* out);
// Writes the plain bytes to `out`, of the size of `cipher`. False: the tag is not theirs, and what
// stands at `out` is void. Thread: any.
bool gcm_open(const GcmMessage& message, ByteView cipher, ByteView tag, std::uint8_t* out);

// One of the ways; tests compare them.
struct Gcm {
    void (*seal)(const GcmMessage& message, ByteView plain, std::uint8_t* out);
    bool (*open)(const GcmMessage& message, ByteView cipher, ByteView tag, std::uint8_t* out);
};
const Gcm& gcm_of_openssl();
// Null where it cannot be had.
const Gcm* gcm_of_ipsec_mb();

}  // namespace writ::crypto
