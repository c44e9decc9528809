// Why the deprecated functions: EVP costs an initialisation of about 100 ns per message even with a
// prefetched algorithm and a reused context, and a Merkle node is two compressions of 60 ns.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.h"

#include <openssl/sha.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "base/check.h"
#include "crypto/sha256_lanes.h"

namespace writ::crypto {

namespace {

static_assert(kShaBlockBytes == SHA256_CBLOCK);
constexpr std::size_t kHkdfBlocksMax = 255;  // RFC 5869 section 2.3

// SHA-256 after the first block of either hash of HMAC (RFC 2104): the key ^ ipad, and ^ opad.
struct HmacStates {
    SHA256_CTX inner, outer;
};
constexpr std::size_t kStatesBytes = sizeof(HmacStates);

// OPTIMIZATION: glibc's is a memset that stays; OPENSSL_cleanse() takes a loop of a dozen turns.
void wipe(void* at, std::size_t size) {
    ::explicit_bzero(at, size);
}

HmacStates absorb(ByteView key) {
    std::array<std::uint8_t, kShaBlockBytes> pad{};
    if (key.size() > kShaBlockBytes) {
        Sha256 short_key = sha256(key);
        std::copy(short_key.begin(), short_key.end(), pad.begin());
        wipe(short_key.data(), short_key.size());
    } else {
        std::copy(key.begin(), key.end(), pad.begin());
    }
    HmacStates out;
    for (std::uint8_t& byte : pad) byte ^= 0x36;
    SHA256_Init(&out.inner);
    SHA256_Update(&out.inner, pad.data(), pad.size());
    for (std::uint8_t& byte : pad) byte ^= 0x36 ^ 0x5c;
    SHA256_Init(&out.outer);
    SHA256_Update(&out.outer, pad.data(), pad.size());
    wipe(pad.data(), pad.size());
    return out;
}

// H(key ^ opad, H(key ^ ipad, parts...)). Uses up `states`.
template <class... Parts>
Sha256 finish(HmacStates& states, const Parts&... parts) {
    Sha256 out;
    (SHA256_Update(&states.inner, parts.data(), parts.size()), ...);
    SHA256_Final(out.data(), &states.inner);
    SHA256_Update(&states.outer, out.data(), out.size());
    SHA256_Final(out.data(), &states.outer);
    wipe(&states, kStatesBytes);
    return out;
}

template <class... Parts>
Sha256 hmac(ByteView key, const Parts&... parts) {
    HmacStates states = absorb(key);
    return finish(states, parts...);
}

// A digest of what is not secret, so without the wiping.
template <class... Parts>
Sha256 digest_of(const Parts&... parts) {
    SHA256_CTX state;
    SHA256_Init(&state);
    (SHA256_Update(&state, parts.data(), parts.size()), ...);
    Sha256 out;
    SHA256_Final(out.data(), &state);
    return out;
}

}  // namespace

Sha256 sha256(ByteView data) {
    return digest_of(data);
}

Sha256 sha256(ByteView prefix, ByteView data) {
    return digest_of(prefix, data);
}

HashedBeginning::HashedBeginning(ByteView prefix, ByteView data) : hashed_(data.size()) {
    static_assert(sizeof(SHA256_CTX) == sizeof state_);
    SHA256_CTX state;
    SHA256_Init(&state);
    SHA256_Update(&state, prefix.data(), prefix.size());
    SHA256_Update(&state, data.data(), data.size());
    std::memcpy(state_.data(), &state, sizeof state);
}

Sha256 HashedBeginning::digest(ByteView data) const {
    WRIT_CHECK(data.size() >= hashed_);
    SHA256_CTX state;
    std::memcpy(&state, state_.data(), sizeof state);
    SHA256_Update(&state, data.data() + hashed_, data.size() - hashed_);
    Sha256 out;
    SHA256_Final(out.data(), &state);
    return out;
}

Sha256 merkle_node(const Sha256& left, const Sha256& right) {
    std::array<std::uint8_t, 65> joined;  // one update is cheaper than three
    joined[0] = 0x01;
    std::memcpy(joined.data() + 1, left.data(), left.size());
    std::memcpy(joined.data() + 33, right.data(), right.size());
    return digest_of(joined);
}

Sha256 hmac_sha256(ByteView key, ByteView data) {
    return hmac(key, data);
}

HmacKey::HmacKey(ByteView key) : states_(kStatesBytes) {
    HmacStates states = absorb(key);
    std::memcpy(states_.span().data(), &states, kStatesBytes);
    wipe(&states, kStatesBytes);
}

Sha256 HmacKey::mac(ByteView data) const {
    WRIT_CHECK(states_.view().size() == kStatesBytes);
    HmacStates states;
    std::memcpy(&states, states_.view().data(), kStatesBytes);
    return finish(states, data);
}

namespace {

// Two by two; the last of an odd number alone.
template <class MakeLane>
void run_each(std::size_t n, MakeLane make, std::span<Sha256> out) {
    for (std::size_t i = 0; i + 1 < n; i += 2) {
        ShaLane a = make(i), b = make(i + 1);
        ShaLane::run(a, b);
        out[i] = a.digest();
        out[i + 1] = b.digest();
    }
    if (n % 2 == 0) return;
    ShaLane last = make(n - 1);
    last.run();
    out[n - 1] = last.digest();
}

}  // namespace

void sha256_each(std::span<const ByteView> messages, std::span<Sha256> out) {
    WRIT_CHECK(out.size() == messages.size());
    if (messages.size() < 2 || !has_sha_instructions()) {
        std::ranges::transform(messages, out.begin(), [](ByteView data) { return sha256(data); });
        return;
    }
    run_each(messages.size(), [&](std::size_t i) { return ShaLane(messages[i]); }, out);
}

void mac_each(std::span<const Mac> macs, std::span<Sha256> out) {
    WRIT_CHECK(out.size() == macs.size());
    if (macs.size() < 2 || !has_sha_instructions()) {
        std::ranges::transform(macs, out.begin(),
                               [](const Mac& mac) { return mac.key->mac(mac.data); });
        return;
    }
    // Straight from where the key's states are kept, so that no copy of them is left.
    const auto from = [&](std::size_t i, std::size_t which, ByteView data) {
        const ByteView kept = macs[i].key->states_.view();
        WRIT_CHECK(kept.size() == kStatesBytes);
        const ByteView words = kept.subspan(which + offsetof(SHA256_CTX, h), sizeof SHA256_CTX::h);
        return ShaLane(words, kShaBlockBytes, data);
    };
    run_each(
        macs.size(),
        [&](std::size_t i) { return from(i, offsetof(HmacStates, inner), macs[i].data); }, out);
    run_each(
        macs.size(),
        [&](std::size_t i) { return from(i, offsetof(HmacStates, outer), ByteView(out[i])); }, out);
}

// RFC 5869: PRK = HMAC(salt, key) with a salt of zeros; T(i) = HMAC(PRK, T(i-1) || info || i).
SecretBytes hkdf(ByteView key, std::string_view info, std::size_t size) {
    WRIT_CHECK(size <= kHkdfBlocksMax * SHA256_DIGEST_LENGTH);
    Sha256 prk = hmac(Sha256{}, key);
    SecretBytes out(size);
    Sha256 block{};
    std::size_t done = 0;
    for (std::uint8_t counter = 1; done < size; ++counter) {
        ByteView previous = counter == 1 ? ByteView() : ByteView(block);
        block = hmac(prk, previous, as_bytes(info), ByteView(&counter, 1));
        std::size_t part = std::min(block.size(), size - done);
        std::copy_n(block.begin(), part, out.span().begin() + static_cast<std::ptrdiff_t>(done));
        done += part;
    }
    wipe(prk.data(), prk.size());
    wipe(block.data(), block.size());
    return out;
}

}  // namespace writ::crypto
