// The vault's keys: one random key per tenant, from which everything else derives, so that deleting
// its file makes content, commitments and equality of all that was sealed under it unrecoverable.
// docs/spec/evidence/vault.md, section 1, has the labels and the file.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "base/error.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/xaes.h"
#include "evidence/custody.h"

namespace writ::evidence {

// What a subject's key seals by; its name says which. `k2-` is only read: until version 2 of the
// format all were such.
enum class SubjectCipher : std::uint8_t { kXChaCha20Poly1305, kXaes256Gcm };
// Nothing where `kid` does not name a subject's key.
std::optional<SubjectCipher> subject_cipher(std::string_view kid);

// What derives from one key. `kid` names the key and is itself derived, so that a key file that was
// changed or belongs to another tenant does not pass for the one it is named after. Thread: any.
struct VaultKeys {
    std::string kid;
    std::string bound;                                   // what a blob is bound to: tenant and kid
    std::variant<SecretBytes, crypto::XaesKey> sealing;  // XChaCha20-Poly1305, or XAES-256-GCM
    crypto::HmacKey nonce, commit;
    SecretBytes pseudonym, wrap, tag;  // of a tenant's key only

    // HMAC of `plain`: what `com` shows of it.
    Sha256 commitment(std::string_view plain) const;
    // The blob of `plain`. `nonce_mac` is `nonce`'s MAC of its commitment, so that equal content
    // seals to equal bytes, and no nonce is ever used for two contents.
    Bytes seal(std::string_view plain, const Sha256& nonce_mac) const;
    // The plain bytes of a blob. Errors: kCorrupt.
    Result<Bytes> open(ByteView blob) const;
};
// `k1-…`.
VaultKeys derive_keys(ByteView tenant_key, std::string_view tenant);
// Of the key of one subject and month: `k2-…` or `k3-…`.
VaultKeys derive_subject_keys(ByteView key, std::string_view tenant, SubjectCipher cipher);

// The folder of key files. Thread: any.
class KeyRing {
  public:
    // Opens or creates `dir`; makes a key if there is no current one. A key file in the plain goes
    // under `custody` where that is another. Errors: kIo, kCorrupt, those of the custody.
    static Result<std::unique_ptr<KeyRing>> open(std::filesystem::path dir, std::string tenant,
                                                 std::shared_ptr<const Custody> custody);

    const VaultKeys& current() const { return *current_; }
    // Errors: kForbidden (no such key file: shredded), kCorrupt, kIo.
    Result<std::shared_ptr<const VaultKeys>> find(std::string_view kid);

  private:
    KeyRing(std::filesystem::path dir, std::string tenant, std::shared_ptr<const Custody> custody)
        : dir_(std::move(dir)), tenant_(std::move(tenant)), custody_(std::move(custody)) {}
    Status choose_current();
    Status make_key();
    Result<std::shared_ptr<const VaultKeys>> load(std::string_view kid) const;
    std::filesystem::path file(std::string_view kid) const;

    const std::filesystem::path dir_;
    const std::string tenant_;
    const std::shared_ptr<const Custody> custody_;
    std::shared_ptr<const VaultKeys> current_;  // set once, before the ring is shared
    std::mutex mutex_;                          // guards loaded_
    std::map<std::string, std::shared_ptr<const VaultKeys>, std::less<>> loaded_;
};

}  // namespace writ::evidence
