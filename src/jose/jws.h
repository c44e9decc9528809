// JWK (RFC 7517), thumbprints (RFC 7638) and compact JWS (RFC 7515) under the rules of RFC 8725:
// the algorithm comes from the key, never from the token; `none` and symmetric algorithms do not
// exist here; an unknown `crit` refuses.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "crypto/sign.h"
#include "json/node.h"

namespace writ::jose {

// A public key: ES256 (kty EC, crv P-256) or EdDSA (kty OKP, crv Ed25519).
struct Jwk {
    std::variant<crypto::Es256Key::Public, crypto::Ed25519Key::Public> key;
    std::string kid;
    std::string_view alg() const;  // "ES256" | "EdDSA"
    json::Node to_json() const;    // public members only, with kid, alg, use "sig"
    // Refuses private members, unknown kty/crv, coordinates of the wrong length, an `alg`, `use` or
    // `key_ops` that is not for verifying with this key. A missing kid becomes the thumbprint.
    // Errors: kInvalid.
    static Result<Jwk> parse(const json::Value& value);
    // RFC 7638 SHA-256 thumbprint, base64url.
    std::string thumbprint() const;
};

// Signs `payload` with header {"alg":"ES256","kid":kid,"typ":typ}. Cost: one ES256 signature (29
// us).
std::string sign_es256(const crypto::Es256Key& key, std::string_view kid, std::string_view typ,
                       std::string_view payload);

struct Verified {
    std::string payload;  // the bytes that were signed, decoded
    std::string kid;
};

// Most bytes of a compact JWS; a chain of kMaxChainDepth delegations stays below half of it.
inline constexpr std::size_t kMaxJwsBytes = 8 << 10;

// Verifies a compact JWS: three canonical base64url parts, header a JSON object without duplicate
// members, `typ` equal to `typ` (an optional `application/` prefix is ignored, RFC 7515
// section 4.1.9), `kid` naming one of `keys`, `alg` that of the key. Refuses headers that bring a
// key (`jwk`, `jku`, `x5u`, `x5c`) or change how the token is read
// (`crit`, `b64`, `zip`). Errors: kUnauthenticated with a detail that never contains the token.
// Cost: one signature verification (ES256: 41 us if the thread's last one was of the same key, else
// 55).
Result<Verified> verify(std::string_view token, std::string_view typ, const std::vector<Jwk>& keys);

}  // namespace writ::jose
