#include "cedar/escape.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>

#include "json/utf8.h"

namespace writ::cedar {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// What one escape stands for, and how many bytes of the raw text it takes (valid or not).
struct Escape {
    std::optional<std::uint32_t> scalar;
    std::size_t length = 2;
};

Escape read_hex(std::string_view raw) {
    Escape out;
    out.length = std::min<std::size_t>(raw.size(), 4);
    if (raw.size() < 4) return out;
    const int high = hex_digit(raw[2]);
    const int low = hex_digit(raw[3]);
    if (high < 0 || high > 7 || low < 0) return out;
    out.scalar = static_cast<std::uint32_t>(high * 16 + low);
    return out;
}

// raw starts with `\u`.
Escape read_unicode(std::string_view raw) {
    Escape out;
    if (raw.size() < 3 || raw[2] != '{') return out;
    std::size_t at = 3;
    std::uint32_t value = 0;
    std::size_t digits = 0;
    bool valid = at < raw.size() && raw[at] != '_';
    for (; at < raw.size() && (raw[at] == '_' || hex_digit(raw[at]) >= 0); ++at) {
        if (raw[at] == '_') continue;
        if (++digits > 6) valid = false;
        if (valid) value = value * 16 + static_cast<std::uint32_t>(hex_digit(raw[at]));
    }
    const bool closed = at < raw.size() && raw[at] == '}';
    out.length = closed ? at + 1 : at;
    const bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (valid && closed && digits > 0 && value <= 0x10ffff && !surrogate) out.scalar = value;
    return out;
}

// raw starts with a backslash and is not empty after it (the lexer sees to that).
Escape read_escape(std::string_view raw) {
    Escape out;
    if (raw.size() < 2) {
        out.length = raw.size();
        return out;
    }
    switch (raw[1]) {
        case 'n':
            out.scalar = '\n';
            return out;
        case 'r':
            out.scalar = '\r';
            return out;
        case 't':
            out.scalar = '\t';
            return out;
        case '0':
            out.scalar = 0;
            return out;
        case '\\':
        case '\'':
        case '"':
            out.scalar = static_cast<std::uint32_t>(raw[1]);
            return out;
        case 'x':
            return read_hex(raw);
        case 'u':
            return read_unicode(raw);
        default:
            out.length = 1 + std::max<std::size_t>(1, json::utf8_sequence(raw, 1));
            return out;
    }
}

// Format characters that are invisible or turn the direction of what follows.
bool misleading(std::uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x180e ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xe0000 && c <= 0xe007f);
}

std::uint32_t decode(std::string_view text, std::size_t at, std::size_t length) {
    const auto byte = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + i]));
    };
    if (length == 1) return byte(0);
    std::uint32_t c = byte(0) & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) c = c << 6 | (byte(i) & 0x3fU);
    return c;
}

}  // namespace

Unescaped unescape(std::string_view raw, Literal kind) {
    Unescaped out;
    out.text.reserve(raw.size());
    const auto add = [&](std::uint32_t c) {
        if (kind == Literal::kPattern && c == '*')
            out.wildcards.push_back(out.text.size());
        else
            json::append_utf8(out.text, c);
    };
    for (std::size_t at = 0; at < raw.size();) {
        if (raw[at] == '\r') {
            out.errors.push_back({at,
                                  "a bare carriage return is not allowed in a string: write "
                                  "`\\r`"});
            ++at;
        } else if (raw[at] != '\\') {
            if (raw[at] == '*')
                add('*');
            else
                out.text += raw[at];
            ++at;
        } else if (kind == Literal::kPattern && at + 1 < raw.size() && raw[at + 1] == '*') {
            out.text += '*';
            at += 2;
        } else {
            const Escape escape = read_escape(raw.substr(at));
            if (escape.scalar)
                add(*escape.scalar);
            else
                out.errors.push_back({at, fmt::format("the input `{}` is not a valid escape",
                                                      raw.substr(at, escape.length))});
            at += escape.length;
        }
    }
    return out;
}

std::string escape(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = json::utf8_sequence(text, at);
        if (length == 0) {
            out += "\\u{fffd}";
            ++at;
            continue;
        }
        const std::uint32_t c = decode(text, at, length);
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            case 0:
                out += "\\0";
                break;
            default:
                if (misleading(c))
                    out += fmt::format("\\u{{{:x}}}", c);
                else
                    out += text.substr(at, length);
        }
        at += length;
    }
    return out;
}

std::string string_literal(std::string_view text) {
    return '"' + escape(text) + '"';
}

}  // namespace writ::cedar
