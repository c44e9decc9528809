#include "crypto/seal.h"

#include <sodium.h>

#include <algorithm>

#include "base/check.h"

namespace writ::crypto {

namespace {

constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(kSealKeyBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(kSealNonceBytes == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);

}  // namespace

Bytes seal(ByteView key, ByteView nonce, ByteView plain, ByteView associated) {
    WRIT_CHECK(key.size() == kSealKeyBytes && nonce.size() == kSealNonceBytes);
    Bytes out(kSealNonceBytes + plain.size() + kTagBytes);
    std::copy(nonce.begin(), nonce.end(), out.begin());
    crypto_aead_xchacha20poly1305_ietf_encrypt(out.data() + kSealNonceBytes, nullptr, plain.data(),
                                               plain.size(), associated.data(), associated.size(),
                                               nullptr, nonce.data(), key.data());
    return out;
}

Result<Bytes> open(ByteView key, ByteView sealed, ByteView associated) {
    WRIT_CHECK(key.size() == kSealKeyBytes);
    if (sealed.size() < kSealNonceBytes + kTagBytes) {
        return fail(ErrorCode::kCorrupt, "sealed blob is too short");
    }
    ByteView cipher = sealed.subspan(kSealNonceBytes);
    Bytes out(cipher.size() - kTagBytes);
    int bad = crypto_aead_xchacha20poly1305_ietf_decrypt(
        out.data(), nullptr, nullptr, cipher.data(), cipher.size(), associated.data(),
        associated.size(), sealed.data(), key.data());
    if (bad != 0) return fail(ErrorCode::kCorrupt, "sealed blob does not verify under this key");
    return out;
}

}  // namespace writ::crypto
