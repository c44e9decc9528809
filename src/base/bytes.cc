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

void put_hex(char* at, ByteView bytes) {
    for (const std::uint8_t b : bytes) {
        std::memcpy(at, kHexPairs[b].data(), 2);
        at += 2;
    }
}

}  // namespace

std::string to_hex(ByteView bytes) {
    std::string out(bytes.size() * 2, '\0');
    put_hex(out.data(), bytes);
    return out;
}

std::optional<Bytes> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    const auto value = [](char c) -> int {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        return -1;
    };
    Bytes out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = value(text[i]);
        const int low = value(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out.push_back(static_cast<std::uint8_t>(high << 4 | low));
    }
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
    const auto bytes = from_hex(text.substr(7));
    if (!bytes || bytes->size() != 32) return std::nullopt;
    Sha256 out;
    std::copy(bytes->begin(), bytes->end(), out.begin());
    return out;
}

}  // namespace writ
