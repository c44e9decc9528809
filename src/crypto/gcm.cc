#include "crypto/gcm.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "crypto/evp.h"

namespace writ::crypto {

namespace {

int int_size(ByteView bytes) {
    WRIT_CHECK(bytes.size() <= std::size_t{std::numeric_limits<int>::max()});
    return static_cast<int>(bytes.size());
}

// The thread's context in one direction, with key, nonce and associated bytes given.
// OPTIMIZATION: a context of each message's own costs another 60 ns.
EVP_CIPHER_CTX* begin(int encrypt, const GcmMessage& message) {
    static const EVP_CIPHER* const cipher = fetched("AES-256-GCM");
    thread_local const std::array<Context, 2> contexts = {new_context(), new_context()};
    EVP_CIPHER_CTX* const context = contexts[encrypt == 0 ? 0 : 1].get();
    const bool first = EVP_CIPHER_CTX_get0_cipher(context) == nullptr;
    const int set = EVP_CipherInit_ex2(context, first ? cipher : nullptr, message.key.data(),
                                       message.nonce.data(), encrypt, nullptr);
    WRIT_CHECK(set == 1);
    int done = 0;
    const ByteView bytes = message.associated;
    if (bytes.empty()) return context;  // a null pointer would mean something else
    WRIT_CHECK(EVP_CipherUpdate(context, nullptr, &done, bytes.data(), int_size(bytes)) == 1);
    return context;
}

void crypt(EVP_CIPHER_CTX* context, ByteView in, std::uint8_t* out) {
    int done = 0;
    if (in.empty()) return;
    WRIT_CHECK(EVP_CipherUpdate(context, out, &done, in.data(), int_size(in)) == 1 &&
               done == static_cast<int>(in.size()));
}

// The parameter that is the tag, at `tag`.
std::array<OSSL_PARAM, 2> tag_at(std::uint8_t* tag) {
    return {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, kGcmTagBytes),
            OSSL_PARAM_construct_end()};
}

void seal(const GcmMessage& message, ByteView plain, std::uint8_t* out) {
    EVP_CIPHER_CTX* const context = begin(1, message);
    crypt(context, plain, out);
    int none = 0;
    auto tag = tag_at(out + plain.size());
    WRIT_CHECK(EVP_CipherFinal_ex(context, out, &none) == 1 &&
               EVP_CIPHER_CTX_get_params(context, tag.data()) == 1);
}

bool open(const GcmMessage& message, ByteView cipher, ByteView tag, std::uint8_t* out) {
    EVP_CIPHER_CTX* const context = begin(0, message);
    std::array<std::uint8_t, kGcmTagBytes> expected;
    std::ranges::copy(tag, expected.begin());
    auto given = tag_at(expected.data());
    WRIT_CHECK(EVP_CIPHER_CTX_set_params(context, given.data()) == 1);
    crypt(context, cipher, out);
    int none = 0;
    if (EVP_CipherFinal_ex(context, expected.data(), &none) == 1) return true;
    ERR_clear_error();
    return false;
}

const Gcm& best() {
    static const Gcm& chosen = gcm_of_ipsec_mb() != nullptr ? *gcm_of_ipsec_mb() : gcm_of_openssl();
    return chosen;
}

}  // namespace

const Gcm& gcm_of_openssl() {
    static constexpr Gcm kGcm{seal, open};
    return kGcm;
}

void gcm_seal(const GcmMessage& message, ByteView plain, std::uint8_t* out) {
    WRIT_CHECK(message.nonce.size() == kGcmNonceBytes);
    best().seal(message, plain, out);
}

bool gcm_open(const GcmMessage& message, ByteView cipher, ByteView tag, std::uint8_t* out) {
    WRIT_CHECK(message.nonce.size() == kGcmNonceBytes && tag.size() == kGcmTagBytes);
    return best().open(message, cipher, tag, out);
}

}  // namespace writ::crypto
