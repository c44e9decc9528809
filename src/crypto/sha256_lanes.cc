#include "crypto/sha256_lanes.h"

#include <string.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace writ::crypto {

namespace {

// FIPS 180-4 section 5.3.3.
constexpr std::array<std::uint32_t, 8> kBeginning = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

#if defined(__x86_64__)

// Section 4.2.2.
alignas(16) constexpr std::array<std::uint32_t, 64> kRounds = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// The registers of one lane, in the order that the instructions want: a b e f, and c d g h.
struct Registers {
    __m128i abef, cdgh;
    __m128i words[4];  // the last sixteen of the message schedule
};

#define WRIT_SHA __attribute__((target("sha,sse4.1")))

WRIT_SHA inline __m128i load(const void* at) {
    return _mm_loadu_si128(static_cast<const __m128i*>(at));
}

WRIT_SHA inline void take(Registers& r, const std::uint32_t* state) {
    const __m128i cdab = _mm_shuffle_epi32(load(state), 0xb1);
    const __m128i efgh = _mm_shuffle_epi32(load(state + 4), 0x1b);
    r.abef = _mm_alignr_epi8(cdab, efgh, 8);
    r.cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
}

WRIT_SHA inline void give(const Registers& r, std::uint32_t* state) {
    const __m128i feba = _mm_shuffle_epi32(r.abef, 0x1b);
    const __m128i dchg = _mm_shuffle_epi32(r.cdgh, 0xb1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(state), _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

// Rounds 4 * `group` to 4 * `group` + 3 over the block at `data`.
WRIT_SHA inline void four_rounds(Registers& r, std::size_t group, const std::uint8_t* data) {
    __m128i& words = r.words[group % 4];
    if (group < 4) {
        const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
        words = _mm_shuffle_epi8(load(data + 16 * group), big_endian);
    } else {
        const __m128i newest = r.words[(group + 3) % 4], before = r.words[(group + 2) % 4];
        const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(words, r.words[(group + 1) % 4]),
                                          _mm_alignr_epi8(newest, before, 4));
        words = _mm_sha256msg2_epu32(sum, newest);
    }
    const __m128i keyed = _mm_add_epi32(words, load(kRounds.data() + 4 * group));
    r.cdgh = _mm_sha256rnds2_epu32(r.cdgh, r.abef, keyed);
    r.abef = _mm_sha256rnds2_epu32(r.abef, r.cdgh, _mm_shuffle_epi32(keyed, 0x0e));
}

// `blocks` of each lane's message, into its state (section 6.2.2).
template <std::size_t kLanes>
WRIT_SHA void compress(const std::array<std::uint32_t*, kLanes>& states,
                       std::array<const std::uint8_t*, kLanes> at, std::size_t blocks) {
    Registers lanes[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) take(lanes[i], states[i]);
    for (; blocks > 0; --blocks) {
        Registers before[kLanes];
        for (std::size_t i = 0; i < kLanes; ++i) before[i] = lanes[i];
#pragma clang loop unroll(full)
        for (std::size_t group = 0; group < 16; ++group) {
            for (std::size_t i = 0; i < kLanes; ++i) four_rounds(lanes[i], group, at[i]);
        }
        for (std::size_t i = 0; i < kLanes; ++i) {
            lanes[i].abef = _mm_add_epi32(lanes[i].abef, before[i].abef);
            lanes[i].cdgh = _mm_add_epi32(lanes[i].cdgh, before[i].cdgh);
            at[i] += kShaBlockBytes;
        }
    }
    for (std::size_t i = 0; i < kLanes; ++i) give(lanes[i], states[i]);
}

#else

template <std::size_t kLanes>
void compress(const std::array<std::uint32_t*, kLanes>&, std::array<const std::uint8_t*, kLanes>,
              std::size_t) {
    WRIT_CHECK(false);  // has_sha_instructions() said no
}

#endif

void put_big_endian(std::uint8_t* to, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i)
        to[i] = static_cast<std::uint8_t>(value >> (8 * (bytes - 1 - i)));
}

}  // namespace

bool has_sha_instructions() {
#if defined(__x86_64__)
    static const bool has = [] {
        // Not every compiler's __builtin_cpu_supports() knows these: leaf 7, EBX bit 29.
        unsigned a = 0, b = 0, c = 0, d = 0;
        return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b >> 29 & 1U) != 0 &&
               __builtin_cpu_supports("sse4.1") != 0;
    }();
    return has;
#else
    return false;
#endif
}

ShaLane::ShaLane(ByteView data)
    : ShaLane(ByteView(reinterpret_cast<const std::uint8_t*>(kBeginning.data()), sizeof kBeginning),
              0, data) {}

// Section 5.1.1: a bit, zeros, and the length in bits.
ShaLane::ShaLane(ByteView state, std::size_t before, ByteView data)
    : at_(data.data()), blocks_(data.size() / kShaBlockBytes) {
    WRIT_CHECK(state.size() == sizeof state_);
    std::memcpy(state_.data(), state.data(), sizeof state_);
    const ByteView rest = data.subspan(blocks_ * kShaBlockBytes);
    std::ranges::copy(rest, tail_.begin());
    tail_[rest.size()] = 0x80;
    constexpr std::size_t kLengthBytes = 8;
    tail_blocks_ = rest.size() + 1 + kLengthBytes <= kShaBlockBytes ? 1 : 2;
    put_big_endian(tail_.data() + tail_blocks_ * kShaBlockBytes - kLengthBytes,
                   8 * std::uint64_t{before + data.size()}, kLengthBytes);
    if (blocks_ == 0) next_part();
}

ShaLane::~ShaLane() {
    ::explicit_bzero(state_.data(), sizeof state_);
    ::explicit_bzero(tail_.data(), tail_.size());
}

void ShaLane::next_part() {
    at_ = tail_.data();
    blocks_ = std::exchange(tail_blocks_, 0);
}

void ShaLane::passed(std::size_t blocks) {
    at_ += blocks * kShaBlockBytes;
    blocks_ -= blocks;
    if (blocks_ == 0) next_part();
}

void ShaLane::run(ShaLane& a, ShaLane& b) {
    while (a.blocks_ > 0 && b.blocks_ > 0) {
        const std::size_t n = std::min(a.blocks_, b.blocks_);
        compress<2>({a.state_.data(), b.state_.data()}, {a.at_, b.at_}, n);
        a.passed(n);
        b.passed(n);
    }
    a.run();
    b.run();
}

void ShaLane::run() {
    while (blocks_ > 0) {
        const std::size_t n = blocks_;
        compress<1>({state_.data()}, {at_}, n);
        passed(n);
    }
}

Sha256 ShaLane::digest() const {
    Sha256 out;
    for (std::size_t i = 0; i < state_.size(); ++i)
        put_big_endian(out.data() + i * sizeof state_[i], state_[i], sizeof state_[i]);
    return out;
}

}  // namespace writ::crypto
