// CRC-32C with the processor's instruction (SSE 4.2), or by table where there is none. One
// instruction takes 8 bytes and has its result after 3 cycles, but another can begin in each: long
// data is cut into three lanes that advance side by side and are joined by table.
#include <array>
#include <cstring>

#include "crypto/hash.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace writ::crypto {

namespace {

constexpr std::uint32_t kPolynomial = 0x82f6'3b78;  // 0x1edc6f41, bits reversed

constexpr std::array<std::uint32_t, 256> kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ kPolynomial : crc >> 1;
        table[i] = crc;
    }
    return table;
}();

std::uint32_t by_table(std::uint32_t crc, ByteView data) {
    for (std::uint8_t byte : data) crc = kTable[(crc ^ byte) & 0xff] ^ crc >> 8;
    return crc;
}

#if defined(__x86_64__)
constexpr std::size_t kLaneBytes = 128;

// kShift[i][b]: what `b` in byte i of a CRC has become after kLaneBytes zeros.
constexpr auto kShift = [] {
    std::array<std::array<std::uint32_t, 256>, 4> shift{};
    for (unsigned bit = 0; bit < 32; ++bit) {
        std::uint32_t crc = std::uint32_t{1} << bit;
        for (std::size_t i = 0; i < kLaneBytes; ++i) crc = kTable[crc & 0xff] ^ crc >> 8;
        auto& of_byte = shift[bit / 8];
        for (std::size_t b = 0; b < 256; ++b)
            if ((b >> bit % 8 & 1) != 0) of_byte[b] ^= crc;
    }
    return shift;
}();

std::uint64_t shifted(std::uint64_t crc) {
    return kShift[0][crc & 0xff] ^ kShift[1][crc >> 8 & 0xff] ^ kShift[2][crc >> 16 & 0xff] ^
           kShift[3][crc >> 24 & 0xff];
}

std::uint64_t word_at(ByteView data, std::size_t at) {
    std::uint64_t word = 0;
    std::memcpy(&word, data.data() + at, sizeof word);
    return word;
}

__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::uint32_t crc, ByteView data) {
    std::uint64_t wide = crc;
    std::size_t at = 0;
    for (; data.size() - at >= 3 * kLaneBytes; at += 3 * kLaneBytes) {
        std::uint64_t second = 0;
        std::uint64_t third = 0;
        for (std::size_t i = at; i < at + kLaneBytes; i += 8) {
            wide = _mm_crc32_u64(wide, word_at(data, i));
            second = _mm_crc32_u64(second, word_at(data, i + kLaneBytes));
            third = _mm_crc32_u64(third, word_at(data, i + 2 * kLaneBytes));
        }
        wide = shifted(shifted(wide) ^ second) ^ third;
    }
    for (; data.size() - at >= 8; at += 8) wide = _mm_crc32_u64(wide, word_at(data, at));
    auto narrow = static_cast<std::uint32_t>(wide);
    for (; at < data.size(); ++at) narrow = _mm_crc32_u8(narrow, data[at]);
    return narrow;
}
#endif

}  // namespace

std::uint32_t crc32c_by_table(ByteView data, std::uint32_t seed) {
    return ~by_table(~seed, data);
}

std::uint32_t crc32c(ByteView data, std::uint32_t seed) {
#if defined(__x86_64__)
    static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
    if (has_instruction) return ~by_instruction(~seed, data);
#endif
    return crc32c_by_table(data, seed);
}

}  // namespace writ::crypto
