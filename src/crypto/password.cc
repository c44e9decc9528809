#include "crypto/password.h"

#include <sodium.h>

namespace writ::crypto {

namespace {

// A file that asks for more than this is not ours.
constexpr std::uint32_t kMaxMemory_kib = 4U << 20;
constexpr std::uint32_t kMaxPasses = 64;

}  // namespace

Result<SecretBytes> password_key(ByteView passphrase, ByteView salt, std::uint32_t passes,
                                 std::uint32_t memory_kib) {
    static_assert(kPasswordSaltBytes == crypto_pwhash_SALTBYTES);
    const bool fits = salt.size() == kPasswordSaltBytes && passes >= 1 && passes <= kMaxPasses &&
                      memory_kib >= 8 && memory_kib <= kMaxMemory_kib;
    if (!fits) return fail(ErrorCode::kInvalid, "argon2id: parameters out of bounds");
    SecretBytes key(32);
    const int code = crypto_pwhash(key.span().data(), key.size(),
                                   reinterpret_cast<const char*>(passphrase.data()),
                                   passphrase.size(), salt.data(), passes,
                                   std::size_t{memory_kib} * 1024, crypto_pwhash_ALG_ARGON2ID13);
    if (code != 0) return fail(ErrorCode::kExhausted, "argon2id: not enough memory");
    return key;
}

}  // namespace writ::crypto
