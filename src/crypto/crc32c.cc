// CRC-32C with the processor's instruction (SSE 4.2, 8 bytes in 3 cycles), or by table where there
// is none.
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
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::uint32_t crc, ByteView data) {
    std::uint64_t wide = crc;
    std::size_t at = 0;
    for (; data.size() - at >= 8; at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, data.data() + at, 8);
        wide = _mm_crc32_u64(wide, word);
    }
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
