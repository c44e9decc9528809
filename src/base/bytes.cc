#include "base/bytes.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace writ {
namespace {

// An alphabet of base64 and the value of each of its characters; kNoDigit of any other.
struct Alphabet {
    std::array<char, 64> digits{};
    std::array<std::uint8_t, 256> values{};
};
constexpr std::uint8_t kNoDigit = 0xff;

constexpr Alphabet alphabet(std::string_view digits) {
    Alphabet out;
    out.values.fill(kNoDigit);
    for (std::size_t i = 0; i < out.digits.size(); ++i) {
        out.digits[i] = digits[i];
        out.values[static_cast<unsigned char>(digits[i])] = static_cast<std::uint8_t>(i);
    }
    return out;
}

constexpr Alphabet kStandard =
    alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
constexpr Alphabet kUrl =
    alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

std::string encode64(ByteView in, const Alphabet& in_use, bool pad) {
    const auto& digits = in_use.digits;
    const std::size_t rest = in.size() % 3;
    const std::size_t tail = rest == 0 ? 0 : pad ? 4 : rest + 1;
    std::string out(in.size() / 3 * 4 + tail, '=');
    char* at = out.data();
    std::size_t i = 0;
    for (; i + 3 <= in.size(); i += 3) {
        const unsigned v = static_cast<unsigned>(in[i] << 16 | in[i + 1] << 8 | in[i + 2]);
        for (int shift = 18; shift >= 0; shift -= 6) *at++ = digits[v >> shift & 63];
    }
    if (rest == 0) return out;
    const unsigned v = static_cast<unsigned>(in[i] << 16 | (rest == 2 ? in[i + 1] << 8 : 0));
    *at++ = digits[v >> 18 & 63];
    *at++ = digits[v >> 12 & 63];
    if (rest == 2) *at++ = digits[v >> 6 & 63];
    return out;
}

std::optional<Bytes> decode64(std::string_view in, const Alphabet& in_use, bool padded) {
    if (padded) {
        if (in.size() % 4 != 0) return std::nullopt;
        if (in.ends_with("==")) {
            in.remove_suffix(2);
            if (in.size() % 4 != 2) return std::nullopt;
        } else if (in.ends_with("=")) {
            in.remove_suffix(1);
        }
    }
    if (in.size() % 4 == 1) return std::nullopt;
    Bytes out(in.size() * 3 / 4);
    std::uint8_t* at = out.data();
    unsigned buffer = 0;
    int bits = 0;
    for (const char c : in) {
        const std::uint8_t value = in_use.values[static_cast<unsigned char>(c)];
        if (value == kNoDigit) return std::nullopt;
        buffer = buffer << 6 | value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *at++ = static_cast<std::uint8_t>(buffer >> bits & 0xff);
        }
    }
    if ((buffer & ((1u << bits) - 1)) != 0) return std::nullopt;
    return out;
}

// OPTIMIZATION: 16 at a time, in what SSE2 and NEON have: an event has two dozen digests and ids,
// and a digest takes a fifth of the instructions of a table.
using Chunk [[gnu::vector_size(16)]] = std::uint8_t;

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr auto kHexValues = [] {
    std::array<std::uint8_t, 256> out{};
    out.fill(kNoDigit);
    for (std::size_t i = 0; i < kHexDigits.size(); ++i) {
        out[static_cast<unsigned char>(kHexDigits[i])] = static_cast<std::uint8_t>(i);
    }
    return out;
}();

Chunk hex_digits(Chunk values) {
    const Chunk letters = reinterpret_cast<Chunk>(values > 9);
    return values + '0' + (letters & static_cast<std::uint8_t>('a' - '0' - 10));
}

// The values of 16 digits; a bit is set in `wrong` where a character is none.
Chunk hex_values(const char* text, Chunk& wrong) {
    Chunk c;
    std::memcpy(&c, text, sizeof c);
    const Chunk digit = c - '0', letter = c - 'a';
    const Chunk is_digit = reinterpret_cast<Chunk>(digit < 10);
    const Chunk is_letter = reinterpret_cast<Chunk>(letter < 6);
    wrong |= ~(is_digit | is_letter);
    return (digit & is_digit) | ((letter + 10) & is_letter);
}

}  // namespace

char* write_hex(ByteView bytes, char* out) {
    std::size_t i = 0;
    for (; i + sizeof(Chunk) <= bytes.size(); i += sizeof(Chunk)) {
        Chunk v;
        std::memcpy(&v, bytes.data() + i, sizeof v);
        const Chunk high = hex_digits(v >> 4), low = hex_digits(v & 15);
        const Chunk first = __builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                                    21, 6, 22, 7, 23);
        const Chunk second = __builtin_shufflevector(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12,
                                                     28, 13, 29, 14, 30, 15, 31);
        std::memcpy(out, &first, sizeof first);
        std::memcpy(out + sizeof first, &second, sizeof second);
        out += 2 * sizeof(Chunk);
    }
    for (; i < bytes.size(); ++i) {
        *out++ = kHexDigits[bytes[i] >> 4];
        *out++ = kHexDigits[bytes[i] & 15];
    }
    return out;
}

bool read_hex(std::string_view text, std::span<std::uint8_t> out) {
    if (text.size() != 2 * out.size()) return false;
    Chunk wrong{};
    std::size_t i = 0;
    for (; i + sizeof(Chunk) <= out.size(); i += sizeof(Chunk)) {
        const Chunk a = hex_values(text.data() + 2 * i, wrong);
        const Chunk b = hex_values(text.data() + 2 * i + sizeof(Chunk), wrong);
        const Chunk high = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22,
                                                   24, 26, 28, 30);
        const Chunk low = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23,
                                                  25, 27, 29, 31);
        const Chunk v = high << 4 | low;
        std::memcpy(out.data() + i, &v, sizeof v);
    }
    std::uint8_t bad = 0;
    for (; i < out.size(); ++i) {
        const std::uint8_t high = kHexValues[static_cast<unsigned char>(text[2 * i])];
        const std::uint8_t low = kHexValues[static_cast<unsigned char>(text[2 * i + 1])];
        bad |= (high | low) & 0xf0;
        out[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    std::array<std::uint64_t, 2> halves;
    std::memcpy(halves.data(), &wrong, sizeof wrong);
    return (halves[0] | halves[1] | bad) == 0;
}

std::string to_hex(ByteView bytes) {
    std::string out(2 * bytes.size(), '\0');
    write_hex(bytes, out.data());
    return out;
}

std::optional<Bytes> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    Bytes out(text.size() / 2);
    if (!read_hex(text, out)) return std::nullopt;
    return out;
}

std::string to_base64(ByteView bytes) {
    return encode64(bytes, kStandard, true);
}
std::optional<Bytes> from_base64(std::string_view text) {
    return decode64(text, kStandard, true);
}
std::string to_base64url(ByteView bytes) {
    return encode64(bytes, kUrl, false);
}
std::optional<Bytes> from_base64url(std::string_view text) {
    return decode64(text, kUrl, false);
}

namespace {

constexpr std::string_view kDigestName = "sha256:";

}  // namespace

std::string digest_text(const Sha256& digest) {
    std::string out(kDigestName.size() + digest.size() * 2, '\0');
    std::ranges::copy(kDigestName, out.begin());
    write_hex(digest, out.data() + kDigestName.size());
    return out;
}

std::optional<Sha256> digest_from_text(std::string_view text) {
    if (!text.starts_with(kDigestName)) return std::nullopt;
    Sha256 out;
    if (!read_hex(text.substr(kDigestName.size()), out)) return std::nullopt;
    return out;
}

}  // namespace writ
