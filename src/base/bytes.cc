#include "base/bytes.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace writ {
namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode64(ByteView in, std::string_view alphabet, bool pad) {
    std::string out;
    out.reserve((in.size() + 2) / 3 * 4);
    std::size_t i = 0;
    for (; i + 3 <= in.size(); i += 3) {
        const unsigned v = static_cast<unsigned>(in[i] << 16 | in[i + 1] << 8 | in[i + 2]);
        for (int shift = 18; shift >= 0; shift -= 6) out += alphabet[v >> shift & 63];
    }
    const std::size_t rest = in.size() - i;
    if (rest == 0) return out;
    const unsigned v = static_cast<unsigned>(in[i] << 16 | (rest == 2 ? in[i + 1] << 8 : 0));
    out += alphabet[v >> 18 & 63];
    out += alphabet[v >> 12 & 63];
    if (rest == 2) out += alphabet[v >> 6 & 63];
    if (pad) out.append(rest == 2 ? 1 : 2, '=');
    return out;
}

std::optional<Bytes> decode64(std::string_view in, std::string_view alphabet, bool padded) {
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
    Bytes out;
    out.reserve(in.size() * 3 / 4);
    unsigned buffer = 0;
    int bits = 0;
    for (const char c : in) {
        const auto at = alphabet.find(c);
        if (at == std::string_view::npos) return std::nullopt;
        buffer = buffer << 6 | static_cast<unsigned>(at);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out.push_back(static_cast<std::uint8_t>(buffer >> bits & 0xff));
        }
    }
    if ((buffer & ((1u << bits) - 1)) != 0) return std::nullopt;
    return out;
}

// Both digits of every byte: an event has two dozen digests.
constexpr auto kHexPairs = [] {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<std::array<char, 2>, 256> out{};
    for (std::size_t b = 0; b < out.size(); ++b) out[b] = {digits[b >> 4], digits[b & 15]};
    return out;
}();

}  // namespace

void put_hex(char* to, ByteView bytes) {
    for (const std::uint8_t b : bytes) {
        std::memcpy(to, kHexPairs[b].data(), 2);
        to += 2;
    }
}

std::string to_hex(ByteView bytes) {
    std::string out(bytes.size() * 2, '\0');
    put_hex(out.data(), bytes);
    return out;
}

namespace {

// Whether `text` is the digits of exactly `out`.
bool read_hex(std::string_view text, std::span<std::uint8_t> out) {
    const auto value = [](char c) -> int {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    int wrong = 0;  // negative where a character is no digit
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int high = value(text[2 * i]), low = value(text[2 * i + 1]);
        wrong |= high | low;
        out[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return wrong >= 0;
}

}  // namespace

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

std::string digest_text(const Sha256& digest) {
    constexpr std::string_view kName = "sha256:";
    std::string out(kName.size() + digest.size() * 2, '\0');
    std::copy(kName.begin(), kName.end(), out.begin());
    put_hex(out.data() + kName.size(), digest);
    return out;
}

std::optional<Sha256> digest_from_text(std::string_view text) {
    if (!text.starts_with("sha256:")) return std::nullopt;
    Sha256 out;
    if (text.size() != 7 + 2 * out.size() || !read_hex(text.substr(7), out)) return std::nullopt;
    return out;
}

}  // namespace writ
