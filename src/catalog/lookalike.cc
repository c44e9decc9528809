#include "catalog/lookalike.h"

#include <array>
#include <cstdint>

#include "json/utf8.h"

namespace writ::catalog {

namespace {

constexpr std::string_view kPrintable =
    " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz"
    "{|}~";

constexpr std::string_view ascii(char32_t c) {
    return kPrintable.substr(c - 0x20, 1);
}

struct Fold {
    char32_t from;
    std::string_view to;
};
// What matters in paths, URLs and numbers; characters that only resemble ASCII do not.
constexpr std::array kFolds = {
    Fold{0x2044, "/"},  Fold{0x2215, "/"},   Fold{0x29f8, "/"},  Fold{0x2216, "\\"},
    Fold{0x29f5, "\\"}, Fold{0x29f9, "\\"},  Fold{0xfe68, "\\"}, Fold{0x2024, "."},
    Fold{0x2025, ".."}, Fold{0x2026, "..."}, Fold{0xfe52, "."},  Fold{0xfe19, "..."},
    Fold{0xfe30, ".."}, Fold{0x3002, "."},   Fold{0xff61, "."},  Fold{0xfe6a, "%"},
    Fold{0xfe55, ":"},  Fold{0xfe13, ":"},   Fold{0xfe6b, "@"},  Fold{0xfe5f, "#"},
    Fold{0xfe56, "?"},  Fold{0xfe16, "?"},   Fold{0x2212, "-"},  Fold{0xfe63, "-"},
    Fold{0xfe62, "+"},  Fold{0x00b9, "1"},   Fold{0x00b2, "2"},  Fold{0x00b3, "3"},
    Fold{0x2070, "0"},
};
// First of ten decimal digits each.
constexpr std::array<char32_t, 24> kDigits = {
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6,  0xa66,  0xae6,  0xb66,  0xbe6,  0xc66,  0xce6,  0xd66,
    0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0xa620, 0xa8d0, 0xa900};

}  // namespace

Scalar scalar_at(std::string_view text, std::size_t at) {
    const std::size_t length = json::utf8_sequence(text, at);
    if (length == 0) return {};
    const auto byte = [&](std::size_t k) { return static_cast<std::uint8_t>(text[at + k]); };
    if (length == 1) return {byte(0), 1};
    char32_t value = byte(0) & (0xffu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) value = value << 6 | (byte(k) & 0x3fu);
    return {value, length};
}

std::string_view ascii_lookalike(char32_t c) {
    if (c < 0x80) return "";
    if (c >= 0xff01 && c <= 0xff5e) return ascii(c - 0xff00 + 0x20);
    if (c == 0xa0 || (c >= 0x2000 && c <= 0x200a) || c == 0x202f || c == 0x205f || c == 0x3000 ||
        c == 0x1680)
        return " ";
    for (const Fold& fold : kFolds)
        if (fold.from == c) return fold.to;
    if (c >= 0x2080 && c <= 0x2089) return ascii('0' + (c - 0x2080));
    if (c >= 0x2074 && c <= 0x2079) return ascii('0' + (c - 0x2070));
    if (c >= 0x1d7ce && c <= 0x1d7ff) return ascii('0' + (c - 0x1d7ce) % 10);
    if (c >= 0x1d400 && c <= 0x1d6a3) {  // mathematical letters: thirteen alphabets
        const char32_t at = (c - 0x1d400) % 52;
        return ascii(at < 26 ? 'A' + at : 'a' + (at - 26));
    }
    return "";
}

std::string_view foreign_digit(char32_t c) {
    for (const char32_t zero : kDigits)
        if (c >= zero && c < zero + 10) return ascii('0' + (c - zero));
    return "";
}

bool is_invisible(char32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x34f || c == 0x61c ||
           c == 0x115f || c == 0x1160 || c == 0x17b4 || c == 0x17b5 ||
           (c >= 0x180b && c <= 0x180f) || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0x3164 ||
           (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff || c == 0xffa0 ||
           (c >= 0xfff0 && c <= 0xfffd) || (c >= 0xe0000 && c <= 0xe0fff);
}

}  // namespace writ::catalog
