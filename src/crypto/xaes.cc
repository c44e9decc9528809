#include "crypto/xaes.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "base/check.h"
#include "crypto/evp.h"
#include "crypto/gcm.h"

namespace writ::crypto {

namespace {

constexpr std::size_t kAesBlockBytes = 16;
constexpr std::size_t kDerivingBytes = 12;  // of the nonce; the other 12 are GCM's nonce
static_assert(kXaesNonceBytes == 2 * kDerivingBytes && kDerivingBytes == kGcmNonceBytes);
constexpr std::size_t kMaxBytes = std::size_t{1} << 31;  // of a message

using Block = std::array<std::uint8_t, kAesBlockBytes>;
using DerivedKey = std::array<std::uint8_t, kXaesKeyBytes>;

}  // namespace

struct XaesKey::State {
    Context aes = new_context();
    Block k1{};        // of CMAC's (NIST SP 800-38B section 6.1)
    std::mutex mutex;  // guards aes, which OpenSSL lets one thread use at a time

    explicit State(ByteView key) {
        static const EVP_CIPHER* const cipher = fetched("AES-256-ECB");
        WRIT_CHECK(EVP_EncryptInit_ex2(aes.get(), cipher, key.data(), nullptr, nullptr) == 1);
        // L = AES-256_K(0^128); K1 = L << 1, with 0x87 subtracted where a bit falls out.
        WRIT_CHECK(EVP_Cipher(aes.get(), k1.data(), k1.data(), kAesBlockBytes) > 0);
        const auto fallen = static_cast<std::uint8_t>(-(k1[0] >> 7) & 0x87);
        for (std::size_t i = 0; i < k1.size(); ++i) {
            const int next = i + 1 < k1.size() ? k1[i + 1] >> 7 : 0;
            k1[i] = static_cast<std::uint8_t>(k1[i] << 1 | next);
        }
        k1[kAesBlockBytes - 1] ^= fallen;
    }
    ~State() { OPENSSL_cleanse(k1.data(), k1.size()); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    // AES-256_K(M1 ^ K1) || AES-256_K(M2 ^ K1), where Mi is 0, i, `X`, 0 and half the nonce.
    DerivedKey derive(ByteView nonce) {
        DerivedKey out;
        for (std::size_t i = 0; i < 2; ++i) {
            std::uint8_t* const m = out.data() + i * kAesBlockBytes;
            const std::uint8_t head[] = {0x00, static_cast<std::uint8_t>(i + 1), 'X', 0x00};
            std::memcpy(m, head, sizeof head);
            std::memcpy(m + sizeof head, nonce.data(), kDerivingBytes);
            for (std::size_t b = 0; b < kAesBlockBytes; ++b) m[b] ^= k1[b];
        }
        const std::lock_guard lock(mutex);
        WRIT_CHECK(EVP_Cipher(aes.get(), out.data(), out.data(), kXaesKeyBytes) > 0);
        return out;
    }
};

XaesKey::XaesKey(ByteView key) {
    WRIT_CHECK(key.size() == kXaesKeyBytes);
    state_ = std::make_unique<State>(key);
}
XaesKey::XaesKey(XaesKey&& other) noexcept = default;
XaesKey& XaesKey::operator=(XaesKey&& other) noexcept = default;
XaesKey::~XaesKey() = default;

Bytes XaesKey::seal(ByteView nonce, ByteView plain, ByteView associated) const {
    WRIT_CHECK(nonce.size() == kXaesNonceBytes && plain.size() < kMaxBytes &&
               associated.size() < kMaxBytes);
    Bytes out(kXaesNonceBytes + plain.size() + kGcmTagBytes);
    std::ranges::copy(nonce, out.begin());
    DerivedKey key = state_->derive(nonce);
    gcm_seal({key, nonce.subspan(kDerivingBytes), associated}, plain, out.data() + kXaesNonceBytes);
    OPENSSL_cleanse(key.data(), key.size());
    return out;
}

Result<Bytes> XaesKey::open(ByteView sealed, ByteView associated) const {
    if (sealed.size() < kXaesNonceBytes + kGcmTagBytes) {
        return fail(ErrorCode::kCorrupt, "sealed blob is too short");
    }
    if (sealed.size() >= kMaxBytes) return fail(ErrorCode::kCorrupt, "sealed blob is too large");
    const ByteView nonce = sealed.first(kXaesNonceBytes);
    const ByteView cipher =
        sealed.subspan(kXaesNonceBytes).first(sealed.size() - kXaesNonceBytes - kGcmTagBytes);
    Bytes out(cipher.size());
    DerivedKey key = state_->derive(nonce);
    const bool theirs = gcm_open({key, nonce.subspan(kDerivingBytes), associated}, cipher,
                                 sealed.last(kGcmTagBytes), out.data());
    OPENSSL_cleanse(key.data(), key.size());
    if (theirs) return out;
    std::ranges::fill(out, std::uint8_t{0});  // nobody vouches for it
    return fail(ErrorCode::kCorrupt, "sealed blob does not verify under this key");
}

}  // namespace writ::crypto
