// OpenSSL's ciphers as gcm.cc and xaes.cc use them. Inner header of the room.
#pragma once

#include <openssl/evp.h>

#include <memory>

#include "base/check.h"

namespace writ::crypto {

struct FreeContext {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

inline Context new_context() {
    Context context(EVP_CIPHER_CTX_new());
    WRIT_CHECK(context != nullptr);
    return context;
}

// To be fetched once and kept: a look-up in the provider costs more than sealing 1 KiB.
inline const EVP_CIPHER* fetched(const char* name) {
    EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, name, nullptr);
    WRIT_CHECK(cipher != nullptr);
    return cipher;
}

}  // namespace writ::crypto
