#include "base/inert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace writ {
namespace {

// Decodes one scalar value of strict UTF-8 at `text[i]`. Returns its length in bytes, 0 if it is
// not one.
std::size_t decode(std::string_view text, std::size_t i, char32_t& out) {
    const auto byte = [&](std::size_t k) { return static_cast<std::uint8_t>(text[k]); };
    const std::uint8_t first = byte(i);
    if (first < 0x80) {
        out = first;
        return 1;
    }
    const std::size_t length = first >= 0xf0 && first < 0xf5   ? 4
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xc2 && first < 0xe0 ? 2
                                                               : 0;
    if (length == 0 || i + length > text.size()) return 0;
    char32_t value = first & (0xffu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
        if ((byte(i + k) & 0xc0) != 0x80) return 0;
        value = value << 6 | (byte(i + k) & 0x3f);
    }
    const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
    if (overlong || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return 0;
    out = value;
    return length;
}

bool hides_or_moves(char32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x180e ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
           (c >= 0xe0000 && c <= 0xe007f);
}

}  // namespace

std::string inert(std::string_view text, std::size_t max_bytes) {
    // OPTIMIZATION: almost every text is short and plain, and then it is its own inert form.
    bool plain = text.size() <= max_bytes;
    for (const char c : text) plain &= c >= 0x20 && c < 0x7f;
    if (plain) return std::string(text);
    std::string out;
    out.reserve(std::min(text.size(), max_bytes));
    for (std::size_t i = 0; i < text.size();) {
        if (out.size() >= max_bytes) return out + "…";
        char32_t c = 0;
        const std::size_t length = decode(text, i, c);
        if (length == 0) {
            out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(text[i]));
            ++i;
            continue;
        }
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (hides_or_moves(c)) {
            out += c < 0x80 ? fmt::format("\\x{:02x}", static_cast<unsigned>(c))
                            : fmt::format("\\u{{{:x}}}", static_cast<unsigned>(c));
        } else {
            out += text.substr(i, length);
        }
        i += length;
    }
    return out;
}

std::string inert_json(std::string_view json) {
    std::string out;
    out.reserve(json.size());
    for (std::size_t i = 0; i < json.size();) {
        char32_t c = 0;
        const std::size_t length = decode(json, i, c);
        if (length == 0) {
            out += "\\ufffd";
            ++i;
            continue;
        }
        // White space between tokens: a carriage return would let a line be written over.
        if (c == '\n' || c == '\t' || !hides_or_moves(c)) {
            out += json.substr(i, length);
        } else if (c == '\r') {
            out += ' ';
        } else if (c < 0x10000) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            const auto pair = static_cast<unsigned>(c) - 0x10000;
            out +=
                fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (pair >> 10), 0xdc00 + (pair & 0x3ff));
        }
        i += length;
    }
    return out;
}

}  // namespace writ
