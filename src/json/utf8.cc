#include "json/utf8.h"

#include <algorithm>

namespace writ::json {

namespace {

std::uint8_t byte_at(std::string_view text, std::size_t at) {
    return static_cast<std::uint8_t>(text[at]);
}

bool continues(std::string_view text, std::size_t at) {
    return at < text.size() && (byte_at(text, at) & 0xc0) == 0x80;
}

}  // namespace

std::size_t utf8_sequence(std::string_view text, std::size_t at) {
    std::uint8_t lead = byte_at(text, at);
    if (lead < 0x80) return 1;
    if (lead < 0xc2 || lead > 0xf4 || !continues(text, at + 1)) return 0;
    if (lead < 0xe0) return 2;
    std::uint8_t second = byte_at(text, at + 1);
    if (!continues(text, at + 2)) return 0;
    if (lead < 0xf0) {
        if (lead == 0xe0 && second < 0xa0) return 0;   // overlong
        if (lead == 0xed && second >= 0xa0) return 0;  // surrogate
        return 3;
    }
    if (lead == 0xf0 && second < 0x90) return 0;   // overlong
    if (lead == 0xf4 && second >= 0x90) return 0;  // above U+10FFFF
    return continues(text, at + 3) ? 4 : 0;
}

std::size_t first_invalid_utf8(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t length = utf8_sequence(text, at);
        if (length == 0) return at;
        at += length;
    }
    return at;
}

void append_utf8(std::string& out, std::uint32_t c) {
    auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xc0 | (c >> 6));
        put(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        put(0xe0 | (c >> 12));
        put(0x80 | ((c >> 6) & 0x3f));
        put(0x80 | (c & 0x3f));
    } else {
        put(0xf0 | (c >> 18));
        put(0x80 | ((c >> 12) & 0x3f));
        put(0x80 | ((c >> 6) & 0x3f));
        put(0x80 | (c & 0x3f));
    }
}

// UTF-8 sorts by code point. UTF-16 differs in one thing: supplementary characters (lead bytes F0
// to F4, surrogates D800 to DFFF) come before U+E000 to U+FFFF (lead bytes EE and EF). Two valid
// texts that differ first in bytes which are both at least EE differ in a lead byte, since
// continuation bytes end at BF.
bool utf16_less(std::string_view a, std::string_view b) {
    std::size_t common = std::min(a.size(), b.size());
    std::size_t i = 0;
    while (i < common && a[i] == b[i]) ++i;
    if (i == common) return a.size() < b.size();
    std::uint8_t x = byte_at(a, i);
    std::uint8_t y = byte_at(b, i);
    if (x >= 0xee && y >= 0xee && (x >= 0xf0) != (y >= 0xf0)) return x >= 0xf0;
    return x < y;
}

}  // namespace writ::json
