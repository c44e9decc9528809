// The payload vault: prompts, arguments and outputs, sealed outside the ledger under a key per
// tenant. The leaf holds `cid` (digest of the sealed blob) and `com` (HMAC of the plain bytes under
// a key that dies with `kid`), so that deleting one key makes content, commitment and equality
// unrecoverable while every proof still verifies. docs/spec/evidence/vault.md has the derivations
// and the file format.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/error.h"

namespace writ::evidence {

// Where a payload went, as it stands in the event.
struct PayloadRef {
    std::string cid;  // sha256:…
    std::string com;  // hmac-sha256:…
    std::string kid;
    std::uint64_t bytes = 0;
};

class Vault {
  public:
    // Opens or creates `dir` (mode 0700) for `tenant`; the tenant key is `dir`/keys/<kid>.key, mode
    // 0600. Errors: kIo, kCorrupt.
    static Result<std::unique_ptr<Vault>> open(std::filesystem::path dir, std::string tenant);
    virtual ~Vault() = default;  // writes what is queued

    // Seals `plain` and queues the blob for writing (a thread of its own; synced at least every
    // second). Identical content under one key has one cid and is stored once a pack file. Errors:
    // kTooLarge (kMaxUpstreamMessageBytes), kExhausted when the queue is full, kUnavailable after a
    // disk error. Thread: any.
    virtual Result<PayloadRef> put(std::string_view plain) = 0;
    // What put() would have said, without `cid`: nothing is stored. So that an event commits to a
    // payload even where the vault cannot take it. Thread: any.
    virtual PayloadRef commit_only(std::string_view plain) const = 0;
    // The plain bytes. Errors: kNotFound (missing: tampering or loss), kForbidden (its key was
    // shredded), kCorrupt. Blocks.
    virtual Result<std::string> get(std::string_view cid, std::string_view kid) = 0;
    // Whether `com` commits to `plain`.
    virtual bool commits(std::string_view kid, std::string_view com, std::string_view plain) = 0;
    virtual Status flush() = 0;
    // Key for pseudonyms; 32 bytes derived from the tenant key.
    virtual ByteView pseudonym_key() const = 0;
};

}  // namespace writ::evidence
