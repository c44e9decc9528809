// Who keeps the tenant's key: a file that only its owner reads, a passphrase, or a PKCS#11 token.
// The key file's magic says which; docs/spec/evidence/vault.md, section 1.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "base/secret.h"

namespace writ::evidence {

inline constexpr std::size_t kVaultKeyBytes = 32;
inline constexpr std::size_t kKeyMagicBytes = 8;  // at the head of a key file

class Custody {
  public:
    virtual ~Custody() = default;
    // The first eight bytes of a key file under it.
    virtual std::string_view magic() const = 0;
    // The whole content of a key file for `key`.
    virtual Result<Bytes> wrap(ByteView key) const = 0;
    // Errors: kForbidden (wrong passphrase or token), kCorrupt, kUnavailable.
    virtual Result<SecretBytes> unwrap(ByteView file) const = 0;
};

// `WRITKEY1`, the key.
std::shared_ptr<const Custody> file_custody();
// `WRITKEY2`, u32 passes, u32 KiB, 16 bytes of salt, the key sealed under argon2id's. Each call of
// wrap and unwrap costs argon2id once. The parameters are for tests.
std::shared_ptr<const Custody> passphrase_custody(SecretBytes passphrase, std::uint32_t passes = 0,
                                                  std::uint32_t memory_kib = 0);

// What the configuration says.
struct CustodySpec {
    std::string kind = "file";       // file | passphrase | pkcs11
    std::string passphrase_file;     // first line; for pkcs11 the PIN
    std::string module, token, key;  // of PKCS#11
    bool operator==(const CustodySpec&) const = default;
};
// Errors: kInvalid (unknown kind), kNotFound (no passphrase), kUnavailable (token).
Result<std::shared_ptr<const Custody>> make_custody(const CustodySpec& spec);

}  // namespace writ::evidence
