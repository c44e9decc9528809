// Ed25519 (RFC 8032, libsodium) and ES256 = ECDSA P-256 with SHA-256 (OpenSSL), as values.
// Signatures of ES256 are the 64 bytes r || s that JOSE uses (RFC 7518 section 3.4).
#pragma once

#include <array>
#include <memory>

#include "base/bytes.h"
#include "base/error.h"
#include "base/secret.h"

namespace writ::crypto {

using Signature = std::array<std::uint8_t, 64>;

class Ed25519Key {
  public:
    using Public = std::array<std::uint8_t, 32>;
    static Ed25519Key generate();
    // `seed`: 32 bytes. Errors: kInvalid.
    static Result<Ed25519Key> from_seed(ByteView seed);
    ByteView seed() const { return seed_.view(); }
    const Public& public_key() const { return public_; }
    Signature sign(ByteView message) const;  // 20 us

  private:
    SecretBytes seed_, secret_;
    Public public_{};
};

bool ed25519_verify(const Ed25519Key::Public& key, ByteView message, ByteView signature);  // 57 us

class Es256Key {
  public:
    struct Public {
        std::array<std::uint8_t, 32> x{}, y{};
        bool operator==(const Public&) const = default;
    };
    static Es256Key generate();
    // PKCS#8 DER, as private_der() gives. Errors: kInvalid (not P-256, malformed).
    static Result<Es256Key> from_private_der(ByteView der);
    SecretBytes private_der() const;
    const Public& public_key() const;
    Signature sign(ByteView message) const;  // 29 us

  private:
    struct Impl;
    std::shared_ptr<const Impl> impl_;
};

// False also for a point that is not on the curve. Cost: 80 us, 15 us of it building the key.
bool es256_verify(const Es256Key::Public& key, ByteView message, ByteView signature);

}  // namespace writ::crypto
