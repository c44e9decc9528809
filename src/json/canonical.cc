// The canonical form of RFC 8785: strings, numbers, and whole values.
#include "json/canonical.h"

#include <emmintrin.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "json/node.h"
#include "json/utf8.h"

namespace writ::json {

namespace {

Status append_value(std::string& out, const Value& value);

Status append_members(std::string& out, const Value& value) {
    std::vector<Member> members = value.members();
    std::sort(members.begin(), members.end(),
              [](const Member& a, const Member& b) { return utf16_less(a.key, b.key); });
    out += '{';
    bool first = true;
    for (const Member& member : members) {
        if (!first) out += ',';
        first = false;
        append_string(out, member.key);
        out += ':';
        if (Status done = append_value(out, member.value); !done) return done;
    }
    out += '}';
    return {};
}

Status append_elements(std::string& out, const Value& value) {
    out += '[';
    bool first = true;
    for (const Value& element : value.elements()) {
        if (!first) out += ',';
        first = false;
        if (Status done = append_value(out, element); !done) return done;
    }
    out += ']';
    return {};
}

// Recursion is bounded by the depth limit that the value was parsed under.
Status append_value(std::string& out, const Value& value) {
    switch (value.kind()) {
        case Kind::kObject:
            return append_members(out, value);
        case Kind::kArray:
            return append_elements(out, value);
        case Kind::kString:
            append_string(out, *value.as_string());
            return {};
        case Kind::kNumber: {
            std::optional<double> number = value.as_double();
            if (!number) return fail(ErrorCode::kInvalid, "number beyond the range of a double");
            append_number(out, *number);
            return {};
        }
        case Kind::kBool:
        case Kind::kNull:
            out += value.raw();
            return {};
    }
    return {};
}

void append_escape(std::string& out, char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            return;
        case '\\':
            out += "\\\\";
            return;
        case '\b':
            out += "\\b";
            return;
        case '\t':
            out += "\\t";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\f':
            out += "\\f";
            return;
        case '\r':
            out += "\\r";
            return;
        default:
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    }
}

// Whether none of the bytes needs a look: printable ASCII other than `"` and `\`.
bool plain_sixteen(const char* text) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
    // Signed: bytes beyond ASCII are negative, and so below the space as well.
    const __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    return _mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, backslash))) == 0;
}

bool plain_eight(const char* text) {
    std::array<char, 16> both;
    std::memcpy(both.data(), text, 8);
    std::memcpy(both.data() + 8, text, 8);
    return plain_sixteen(both.data());
}

bool is_plain(std::string_view text) {
    const char* const begin = text.data();
    const char* const end = begin + text.size();
    if (text.size() >= 16) {
        const char* at = begin;
        for (; end - at >= 16; at += 16)
            if (!plain_sixteen(at)) return false;
        return plain_sixteen(end - 16);
    }
    if (text.size() >= 8) return plain_eight(begin) && plain_eight(end - 8);
    return std::all_of(begin, end, [](char c) { return c >= 0x20 && c != '"' && c != '\\'; });
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
    out += '"';
    // OPTIMIZATION: events are mostly short plain words; the rest is looked at byte by byte.
    if (is_plain(text)) {
        out.append(text);
        out += '"';
        return;
    }
    std::size_t run = 0;  // start of what is not yet appended
    std::size_t at = 0;
    while (at < text.size()) {
        while (at + 16 <= text.size() && plain_sixteen(text.data() + at)) at += 16;
        if (at == text.size()) break;
        char c = text[at];
        auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\') {
            ++at;
            continue;
        }
        if (std::size_t length = byte < 0x80 ? 0 : utf8_sequence(text, at); length != 0) {
            at += length;
            continue;
        }
        out.append(text, run, at - run);
        if (byte < 0x80) {
            append_escape(out, c);
        } else {
            out += "\xef\xbf\xbd";
        }
        run = ++at;
    }
    out.append(text, run, at - run);
    out += '"';
}

void append_number(std::string& out, double number) {
    if (!std::isfinite(number)) {
        out += "null";
        return;
    }
    if (number == 0) {  // and minus zero
        out += '0';
        return;
    }
    // d[.ddd]e±xx, the shortest digits that round trip, the closest of them.
    char buffer[32];
    auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, std::abs(number),
                                      std::chars_format::scientific);
    std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
    std::size_t e = text.find('e');
    std::string digits(1, text[0]);
    if (e > 1) digits += text.substr(2, e - 2);
    int exponent = std::atoi(std::string(text.substr(e + 1)).c_str());

    // ECMA-262 Number::toString: k digits, value = 0.digits × 10^n.
    int k = static_cast<int>(digits.size());
    int n = exponent + 1;
    if (number < 0) out += '-';
    if (k <= n && n <= 21) {
        out += digits;
        out.append(static_cast<std::size_t>(n - k), '0');
    } else if (0 < n && n <= 21) {
        out.append(digits, 0, static_cast<std::size_t>(n));
        out += '.';
        out.append(digits, static_cast<std::size_t>(n));
    } else if (-6 < n && n <= 0) {
        out += "0.";
        out.append(static_cast<std::size_t>(-n), '0');
        out += digits;
    } else {
        out += digits[0];
        if (k > 1) out += '.';
        out.append(digits, 1);
        fmt::format_to(std::back_inserter(out), "e{:+}", n - 1);
    }
}

Result<std::string> canonicalize(const Value& value) {
    std::string out;
    out.reserve(value.raw().size());
    if (Status done = append_value(out, value); !done) return fail(done.error());
    return out;
}

}  // namespace writ::json
