// A draft and its place in the log, written as the canonical bytes of the leaf (RFC 8785
// restricted: integers within 2^53, valid UTF-8, ASCII member names). What breaks the restriction
// is carried as text rather than lost: a fraction or a huge integer becomes a string, invalid UTF-8
// becomes U+FFFD, a member name beyond ASCII is percent-encoded.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/hash.h"
#include "evidence/event.h"
#include "evidence/vault.h"
#include "json/writer.h"

namespace writ::evidence {

inline constexpr std::int64_t kMaxJsonInteger = json::kMaxSafeInteger;
// Bounds of the envelope, so that it always leaves room for data inside kMaxEventBytes.
inline constexpr std::size_t kMaxCauses = 32;
inline constexpr std::size_t kMaxPayloads = 16;
inline constexpr std::size_t kMaxBehalf = 16;
inline constexpr std::size_t kMaxEnvelopeText = 256;

// Where an event stands. The views are borrowed for the call.
struct Place {
    EventId id;
    std::int64_t t_us = 0;
    std::string_view tenant;
    std::string_view emitter, boot;
    std::uint64_t seq = 0;
    std::string_view chain;
    std::uint64_t chain_seq = 0;
    const Sha256* prev = nullptr;  // leaf hash of the chain's event before; null at its start
};

// What became of a payload.
struct StoredPayload {
    std::string_view role, media_type;  // the draft's
    std::string_view state;             // stored | unavailable | too_large; static text
    PayloadRef ref;                     // cid only if stored; com may be empty
    // What redaction did, where it did: state is `redacted` then.
    std::string redaction_profile = {};
    std::uint64_t redactions = 0;
};

// The leaf. If it would pass kMaxEventBytes, the strings and arrays of data are shortened, harder
// at each try, and `data.truncated` says how many. Errors: kTooLarge when even that does not fit.
Result<std::string> encode(const Draft& draft, const Place& place,
                           std::span<const StoredPayload> payloads);

// `actor` as it stands in a leaf.
std::string actor_text(const Actor& actor);

// What every leaf with that actor begins with, hashed.
crypto::HashedBeginning leaf_opening(std::string_view actor_text);

// The RFC 6962 leaf hash: what `chain.prev` of the next event is.
Sha256 leaf_hash(std::string_view leaf);

// At most `bytes_max` bytes of `text`, cut between characters and marked with `…`.
std::string shortened(std::string_view text, std::size_t bytes_max);

}  // namespace writ::evidence
