// The payload vault: prompts, arguments and outputs, sealed outside the ledger under a key per
// tenant, subject and month. The leaf holds `cid` (digest of the sealed blob) and `com` (HMAC of
// the plain bytes under a key that dies with `kid`), so that deleting one key makes content,
// commitment and equality unrecoverable while every proof still verifies.
// docs/spec/evidence/vault.md has the derivations and the file format.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "evidence/custody.h"

namespace writ::evidence {

// Where a payload went, as it stands in the event.
struct PayloadRef {
    std::string cid;  // sha256:…
    std::string com;  // hmac-sha256:…
    std::string kid;
    std::uint64_t bytes = 0;
};

// Whose payload it is: a person's pseudonym or an agent's SPIFFE id, and when. Without a subject it
// is the tenant's own (tool lists, policies), sealed under the tenant's key.
struct PayloadOwner {
    std::string_view subject;
    std::int64_t t_us = 0;
};

// What a shredding deletes, or would.
struct Shredding {
    std::vector<std::string> kids, months;
};

class Vault {
  public:
    // Opens or creates `dir` (mode 0700) for `tenant`; the tenant key is `dir`/keys/<kid>.key, mode
    // 0600. Errors: kIo, kCorrupt.
    static Result<std::unique_ptr<Vault>> open(
        std::filesystem::path dir, std::string tenant,
        std::shared_ptr<const Custody> custody = file_custody());
    virtual ~Vault() = default;  // writes what is queued

    // A payload that is to be kept, and what became of it.
    struct Put {
        std::string_view plain;
        PayloadOwner owner = {};
        Result<PayloadRef> ref = fail(Error{});
    };
    // Seals each and queues its blob for writing (a thread of its own; synced at least every
    // second). Identical content under one key has one cid and is stored once a pack file. Errors:
    // kTooLarge (kMaxUpstreamMessageBytes), kExhausted when the queue is full, kUnavailable after a
    // disk error. Thread: any. Cost: see crypto::mac_each(); many together cost less than each.
    virtual void put_each(std::span<Put> puts) = 0;
    Result<PayloadRef> put(std::string_view plain, const PayloadOwner& owner = {}) {
        Put one{plain, owner};
        put_each({&one, 1});
        return std::move(one.ref);
    }
    // What put() would have said, without `cid`: nothing is stored. So that an event commits to a
    // payload even where the vault cannot take it. Thread: any.
    virtual PayloadRef commit_only(std::string_view plain, const PayloadOwner& owner = {}) = 0;
    // The plain bytes. Errors: kNotFound (missing: tampering or loss), kForbidden (its key was
    // shredded), kCorrupt. Blocks.
    virtual Result<std::string> get(std::string_view cid, std::string_view kid) = 0;
    // Whether `com` commits to `plain`.
    virtual bool commits(std::string_view kid, std::string_view com, std::string_view plain) = 0;
    virtual Status flush() = 0;
    // What put() has taken and the disk does not have yet. Thread: any.
    struct Backlog {
        std::size_t blobs = 0;  // waiting or being written
        std::size_t bytes = 0;  // of those that wait
        bool failing = false;   // the last attempt to write failed
    };
    virtual Backlog backlog() const { return {}; }
    // Which keys of `subject` from months before `before` (`2026-11`; empty: all) there are.
    // Blocks. Errors: kForbidden (a legal hold: the subject stands in `dir`/holds), kInvalid, kIo.
    virtual Result<Shredding> plan_shredding(std::string_view subject, std::string_view before) = 0;
    // Deletes them for good; what comes later gets a new key. Blocks. Errors: kForbidden, kIo (ask
    // again).
    virtual Status shred(std::string_view subject, const Shredding& plan) = 0;
    // Key for pseudonyms; 32 bytes derived from the tenant key.
    virtual ByteView pseudonym_key() const = 0;
};

// `ps:` + 16 hex digits: HMAC of issuer and subject under the tenant's pseudonym key, so that
// leaves name no person.
std::string pseudonym(const Vault& vault, std::string_view issuer, std::string_view subject);

}  // namespace writ::evidence
