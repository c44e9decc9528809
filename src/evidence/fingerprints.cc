// Open addressing with linear probing over SipHash-1-3 values.
#include "evidence/fingerprints.h"

#include <bit>
#include <cstring>

namespace writ::evidence {

namespace {

constexpr std::size_t kFirstSlots = 1 << 12;

// SipHash-1-3 (Aumasson, Bernstein): one compression round a word, three at the end.
struct Sip {
    std::uint64_t v0, v1, v2, v3;
    Sip(std::uint64_t k0, std::uint64_t k1)
        : v0(k0 ^ 0x736f6d6570736575U),
          v1(k1 ^ 0x646f72616e646f6dU),
          v2(k0 ^ 0x6c7967656e657261U),
          v3(k1 ^ 0x7465646279746573U) {}
    void round() {
        v0 += v1;
        v1 = std::rotl(v1, 13) ^ v0;
        v0 = std::rotl(v0, 32);
        v2 += v3;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 += v3;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 += v1;
        v1 = std::rotl(v1, 17) ^ v2;
        v2 = std::rotl(v2, 32);
    }
    void word(std::uint64_t m) {
        v3 ^= m;
        round();
        v0 ^= m;
    }
    std::uint64_t finish() {
        v2 ^= 0xff;
        round();
        round();
        round();
        return v0 ^ v1 ^ v2 ^ v3;
    }
};

}  // namespace

FingerprintKey::FingerprintKey() {
    const Bytes key = random_bytes(sizeof key_);
    std::memcpy(key_, key.data(), sizeof key_);
}

std::uint64_t FingerprintKey::of(std::uint8_t domain, std::string_view id) const {
    Sip sip(key_[0], key_[1] ^ domain);
    std::uint64_t word = 0;
    std::size_t at = 0;
    for (; at + 8 <= id.size(); at += 8) {
        std::memcpy(&word, id.data() + at, 8);
        sip.word(word);
    }
    word = static_cast<std::uint64_t>(id.size()) << 56;
    std::memcpy(&word, id.data() + at, id.size() - at);
    sip.word(word);
    const std::uint64_t out = sip.finish();
    return out == 0 ? 1 : out;
}

Fingerprints::Fingerprints() : slots_(kFirstSlots) {}

std::size_t Fingerprints::place(std::uint64_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = static_cast<std::size_t>(hash) & mask;
    while (slots_[at] != 0 && slots_[at] != hash) at = (at + 1) & mask;
    return at;
}

bool Fingerprints::insert(std::uint8_t domain, std::string_view id) {
    const std::uint64_t value = key_.of(domain, id);
    std::size_t at = place(value);
    if (slots_[at] != 0) return false;
    if ((size_ + 1) * 5 > slots_.size() * 4) {
        grow();
        at = place(value);
    }
    slots_[at] = value;
    ++size_;
    return true;
}

bool Fingerprints::contains(std::uint8_t domain, std::string_view id) const {
    return slots_[place(key_.of(domain, id))] != 0;
}

void Fingerprints::grow() {
    std::vector<std::uint64_t> old(slots_.size() * 2);
    old.swap(slots_);
    for (const std::uint64_t value : old) {
        if (value != 0) slots_[place(value)] = value;
    }
}

}  // namespace writ::evidence
