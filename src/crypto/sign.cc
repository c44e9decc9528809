#include "crypto/sign.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "crypto/hash.h"

namespace writ::crypto {

namespace {

constexpr std::size_t kCoordinateBytes = 32;
constexpr std::size_t kDerSignatureMax = 72;  // SEQUENCE of two INTEGERs of at most 33 bytes

template <auto free_function>
struct Free {
    template <class T>
    void operator()(T* p) const {
        free_function(p);
    }
};
using Pkey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using Pkcs8 = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Free<PKCS8_PRIV_KEY_INFO_free>>;
using BigNumber = std::unique_ptr<BIGNUM, Free<BN_free>>;

// Leaves OpenSSL's per-thread error queue empty, so that TLS code on the same thread reads no stale
// error.
struct ErrorQueueGuard {
    ErrorQueueGuard() = default;
    ErrorQueueGuard(const ErrorQueueGuard&) = delete;
    ErrorQueueGuard& operator=(const ErrorQueueGuard&) = delete;
    ~ErrorQueueGuard() { ERR_clear_error(); }
};

bool read_coordinate(const EVP_PKEY* key, const char* name, std::span<std::uint8_t> out) {
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) return false;
    BigNumber number(raw);
    return BN_bn2binpad(raw, out.data(), static_cast<int>(out.size())) >= 0;
}

bool is_p256(const EVP_PKEY* key) {
    char group[32] = {};
    return EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_group_name(key, group, sizeof group, nullptr) == 1 &&
           std::strcmp(group, SN_X9_62_prime256v1) == 0;
}

// One INTEGER of a DER signature: the big-endian `number` (32 bytes) without leading zeros, never
// negative.
std::uint8_t* put_integer(std::uint8_t* out, ByteView number) {
    while (number.size() > 1 && number[0] == 0) number = number.subspan(1);
    bool pad = (number[0] & 0x80) != 0;
    *out++ = 0x02;
    *out++ = static_cast<std::uint8_t>(number.size() + (pad ? 1 : 0));
    if (pad) *out++ = 0;
    return std::copy(number.begin(), number.end(), out);
}

std::size_t to_der(ByteView signature, std::array<std::uint8_t, kDerSignatureMax>& out) {
    std::uint8_t* end = put_integer(out.data() + 2, signature.first(kCoordinateBytes));
    end = put_integer(end, signature.last(kCoordinateBytes));
    auto size = static_cast<std::size_t>(end - out.data());
    out[0] = 0x30;
    out[1] = static_cast<std::uint8_t>(size - 2);
    return size;
}

// The same backwards, for what OpenSSL itself has just written.
const std::uint8_t* take_integer(const std::uint8_t* in, std::uint8_t* out) {
    std::size_t size = in[1];
    in += 2;
    if (size == kCoordinateBytes + 1) {
        ++in;
        --size;
    }
    WRIT_CHECK(size <= kCoordinateBytes);
    std::copy(in, in + size, out + (kCoordinateBytes - size));
    return in + size;
}

// A key for EVP from its point; null if the point is not on the curve.
Pkey build_public(const Es256Key::Public& key) {
    std::array<std::uint8_t, 1 + 2 * kCoordinateBytes> point;
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    std::copy(key.x.begin(), key.x.end(), point.begin() + 1);
    std::copy(key.y.begin(), key.y.end(), point.begin() + 1 + kCoordinateBytes);
    char group[] = SN_X9_62_prime256v1;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
        OSSL_PARAM_construct_end()};
    thread_local PkeyContext builder(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
    WRIT_CHECK(builder != nullptr && EVP_PKEY_fromdata_init(builder.get()) == 1);
    EVP_PKEY* out = nullptr;
    if (EVP_PKEY_fromdata(builder.get(), &out, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        return nullptr;
    return Pkey(out);
}

// A context ready to verify with `key`; null if it is no point of the curve.
// OPTIMIZATION: the last key of each thread is kept, since nearly all tokens of a gateway are its
// own: saves 15 us of 80.
EVP_PKEY_CTX* verifier_of(const Es256Key::Public& key) {
    struct Last {
        Es256Key::Public key;
        PkeyContext context;
    };
    thread_local Last last;
    if (last.context != nullptr && last.key == key) return last.context.get();
    Pkey built = build_public(key);
    if (built == nullptr) return nullptr;
    PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, built.get(), nullptr));
    WRIT_CHECK(context != nullptr && EVP_PKEY_verify_init(context.get()) == 1);
    last = {key, std::move(context)};
    return last.context.get();
}

}  // namespace

// ---- Ed25519

Ed25519Key Ed25519Key::generate() {
    SecretBytes seed = SecretBytes::random(crypto_sign_SEEDBYTES);
    return std::move(*from_seed(seed.view()));
}

Result<Ed25519Key> Ed25519Key::from_seed(ByteView seed) {
    if (seed.size() != crypto_sign_SEEDBYTES) {
        return fail(ErrorCode::kInvalid, "an Ed25519 seed has 32 bytes");
    }
    Ed25519Key key;
    key.seed_ = SecretBytes(seed);
    key.secret_ = SecretBytes(crypto_sign_SECRETKEYBYTES);
    crypto_sign_seed_keypair(key.public_.data(), key.secret_.span().data(), seed.data());
    return key;
}

Signature Ed25519Key::sign(ByteView message) const {
    WRIT_CHECK(!secret_.empty());
    Signature out;
    crypto_sign_detached(out.data(), nullptr, message.data(), message.size(),
                         secret_.view().data());
    return out;
}

bool ed25519_verify(const Ed25519Key::Public& key, ByteView message, ByteView signature) {
    return signature.size() == crypto_sign_BYTES &&
           crypto_sign_verify_detached(signature.data(), message.data(), message.size(),
                                       key.data()) == 0;
}

// ---- ES256

struct Es256Key::Impl {
    Pkey key;
    Public point;

    // Takes a P-256 key with both halves. Null for anything else.
    static std::shared_ptr<const Impl> of(Pkey key) {
        auto impl = std::make_shared<Impl>();
        if (key == nullptr || !is_p256(key.get()) ||
            !read_coordinate(key.get(), OSSL_PKEY_PARAM_EC_PUB_X, impl->point.x) ||
            !read_coordinate(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y, impl->point.y)) {
            return nullptr;
        }
        impl->key = std::move(key);
        return impl;
    }
};

Es256Key Es256Key::generate() {
    Es256Key out;
    out.impl_ = Impl::of(Pkey(EVP_EC_gen("P-256")));
    WRIT_CHECK(out.impl_ != nullptr);
    return out;
}

Result<Es256Key> Es256Key::from_private_der(ByteView der) {
    ErrorQueueGuard guard;
    const std::uint8_t* at = der.data();
    Pkcs8 box(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())));
    if (box == nullptr || at != der.data() + der.size()) {
        return fail(ErrorCode::kInvalid, "private key is not PKCS#8 DER");
    }
    Pkey key(EVP_PKCS82PKEY(box.get()));
    if (key == nullptr || !is_p256(key.get())) {
        return fail(ErrorCode::kInvalid, "private key is not of the curve P-256");
    }
    PkeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    if (check == nullptr || EVP_PKEY_check(check.get()) != 1) {
        return fail(ErrorCode::kInvalid,
                    "private and public half of the key do not belong together");
    }
    Es256Key out;
    out.impl_ = Impl::of(std::move(key));
    if (out.impl_ == nullptr)
        return fail(ErrorCode::kInvalid, "private key without a public point");
    return out;
}

SecretBytes Es256Key::private_der() const {
    WRIT_CHECK(impl_ != nullptr);
    Pkcs8 box(EVP_PKEY2PKCS8(impl_->key.get()));
    WRIT_CHECK(box != nullptr);
    std::uint8_t* der = nullptr;
    int size = i2d_PKCS8_PRIV_KEY_INFO(box.get(), &der);
    WRIT_CHECK(size > 0);
    SecretBytes out(ByteView(der, static_cast<std::size_t>(size)));
    OPENSSL_clear_free(der, static_cast<std::size_t>(size));
    return out;
}

const Es256Key::Public& Es256Key::public_key() const {
    WRIT_CHECK(impl_ != nullptr);
    return impl_->point;
}

Signature Es256Key::sign(ByteView message) const {
    WRIT_CHECK(impl_ != nullptr);
    Sha256 digest = sha256(message);
    PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, impl_->key.get(), nullptr));
    WRIT_CHECK(context != nullptr && EVP_PKEY_sign_init(context.get()) == 1);
    std::array<std::uint8_t, kDerSignatureMax> der{};
    std::size_t size = der.size();
    WRIT_CHECK(EVP_PKEY_sign(context.get(), der.data(), &size, digest.data(), digest.size()) == 1);
    WRIT_CHECK(der[0] == 0x30 && size == std::size_t{2} + der[1]);
    Signature out{};
    const std::uint8_t* s = take_integer(der.data() + 2, out.data());
    take_integer(s, out.data() + kCoordinateBytes);
    return out;
}

bool es256_verify(const Es256Key::Public& key, ByteView message, ByteView signature) {
    if (signature.size() != 2 * kCoordinateBytes) return false;
    ErrorQueueGuard guard;
    EVP_PKEY_CTX* verifier = verifier_of(key);
    if (verifier == nullptr) return false;
    Sha256 digest = sha256(message);
    std::array<std::uint8_t, kDerSignatureMax> der;
    std::size_t size = to_der(signature, der);
    return EVP_PKEY_verify(verifier, der.data(), size, digest.data(), digest.size()) == 1;
}

}  // namespace writ::crypto
