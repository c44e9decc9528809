// XAES-256-GCM (https://c2sp.org/XAES-256-GCM): AES-256-GCM with a nonce of 24 bytes. Every message
// is sealed under a key of its own, derived from the first half of its nonce, so that nonces may be
// random, or derived from what is sealed, for as many messages as anyone will have. With the
// processor's AES (gcm.h). docs/spec/evidence/vault.md says what is sealed so.
//
// It does not commit to its key: whoever makes keys can make a message that opens under two.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/error.h"

namespace writ::crypto {

inline constexpr std::size_t kXaesKeyBytes = 32;
inline constexpr std::size_t kXaesNonceBytes = 24;

// A key made ready. It lies expanded in OpenSSL's memory, which is wiped when the XaesKey goes.
// Where gcm.h has OpenSSL only, each thread keeps the derived key of the last message it sealed or
// opened, which opens that one only. Thread: any, also at once.
class XaesKey {
  public:
    // `key` is kXaesKeyBytes long (else a broken invariant); wiping it is the caller's duty.
    explicit XaesKey(ByteView key);
    XaesKey(XaesKey&& other) noexcept;
    XaesKey& operator=(XaesKey&& other) noexcept;
    ~XaesKey();

    // nonce || ciphertext || tag (16 bytes). `nonce` is kXaesNonceBytes long, and `plain` and
    // `associated` less than 2 GiB (else a broken invariant). Cost: 0.35 us for 1 KiB.
    Bytes seal(ByteView nonce, ByteView plain, ByteView associated = {}) const;
    // Errors: kCorrupt when the tag does not match or `sealed` is too short or has 2 GiB.
    Result<Bytes> open(ByteView sealed, ByteView associated = {}) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace writ::crypto
