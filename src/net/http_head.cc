#include "net/http_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace writ::net {
namespace {

constexpr Refusal kBadForm{400, "malformed request head"};
constexpr Refusal kBadField{400, "malformed header field"};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// What each byte may be in a head; a table, because every byte of every message is looked up.
enum : std::uint8_t { kToken = 1, kControl = 2, kHost = 4 };
constexpr auto kClasses = [] {
    std::array<std::uint8_t, 256> out{};
    const auto add = [&](std::string_view chars, std::uint8_t what) {
        for (const char c : chars) out[static_cast<unsigned char>(c)] |= what;
    };
    for (unsigned c = 0; c < 0x20; ++c) out[c] = kControl;
    out[0x7f] = kControl;
    constexpr std::string_view kAlphanumeric =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    add(kAlphanumeric, kToken | kHost);
    add("!#$%&'*+-.^_`|~", kToken);  // with the former: tchar of RFC 9110 section 5.6.2
    add(".-_:[]%", kHost);
    return out;
}();

bool is_a(char c, std::uint8_t what) {
    return (kClasses[static_cast<unsigned char>(c)] & what) != 0;
}

bool is_token_char(char c) {
    return is_a(c, kToken);
}

bool is_control(char c) {
    return is_a(c, kControl);
}

// Offset of the first control character at or after `at`; text.size() if there is none.
std::size_t find_control(std::string_view text, std::size_t at) {
    constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101, kHighs = kOnes << 7;
    // OPTIMIZATION: eight bytes a step. Bytes beyond ASCII stop it as well; they are looked at one
    // by one.
    for (std::uint64_t block = 0; text.size() - at >= sizeof block; at += sizeof block) {
        std::memcpy(&block, text.data() + at, sizeof block);
        const std::uint64_t deleted = block ^ (kOnes * 0x7f);
        if ((((block - kOnes * 0x20) | (deleted - kOnes) | block) & kHighs) == 0) continue;
        for (std::size_t i = 0; i < sizeof block; ++i)
            if (is_control(text[at + i])) return at + i;
    }
    while (at < text.size() && !is_control(text[at])) ++at;
    return at;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// The next line without its CRLF; `rest` moves behind it.
std::string_view take_line(std::string_view& rest) {
    const auto end = rest.find("\r\n");
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    return line;
}

// Field lines up to the empty one. `name: value` only: no folding, no space before the colon.
Refusal parse_fields(std::string_view rest, Headers& out) {
    for (;;) {
        const std::string_view line = take_line(rest);
        if (line.empty()) return rest.empty() ? Refusal{} : kBadForm;
        if (line.front() == ' ' || line.front() == '\t')
            return {400, "folded header fields are not accepted"};
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) return kBadField;
        const std::string_view name = line.substr(0, colon);
        const std::string_view value = trim(line.substr(colon + 1));
        if (!is_header_name(name)) return kBadField;
        if (!is_header_value(value)) return {400, "control character in a header field"};
        if (out.size() >= kMaxHeaders) return {431, "too many header fields"};
        out.add(name, value);
    }
}

// The comma-separated words of a field's value, given to `each`.
template <class F>
void for_each_word(std::string_view rest, F each) {
    while (!rest.empty()) {
        const auto comma = std::min(rest.find(','), rest.size());
        each(trim(rest.substr(0, comma)));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
}

Refusal parse_length(std::string_view text, Framing& out) {
    const Refusal bad{400, "malformed content-length"};
    if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return bad;
    if (text.size() > 1 && text.front() == '0') return bad;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range) return {413, "body too large"};
    if (error != std::errc() || end != text.data() + text.size()) return bad;
    out.length = value;
    return {};
}

// RFC 9112 section 6: exactly one way to know where the body ends.
Refusal parse_framing(const Headers& headers, Framing& out) {
    constexpr std::array<std::string_view, 4> kOnce = {"content-length", "transfer-encoding",
                                                       "host", "authorization"};
    std::array<std::optional<std::string_view>, kOnce.size()> once;
    bool keep = false;
    bool close = out.http10;
    bool odd = false;
    for (const auto [name, value] : headers) {
        for (std::size_t i = 0; i < kOnce.size(); ++i) {
            if (!equals_ignoring_case(name, kOnce[i])) continue;
            if (std::exchange(once[i], value))
                return {400, "a header field that may occur once is repeated"};
        }
        if (!equals_ignoring_case(name, "connection") &&
            !equals_ignoring_case(name, "proxy-connection"))
            continue;
        for_each_word(value, [&](std::string_view word) {
            odd |= !word.empty() && !is_header_name(word);
            close |= equals_ignoring_case(word, "close");
            keep |= equals_ignoring_case(word, "keep-alive");
        });
    }
    const auto [length, coding, host, authorization] = once;
    if (length && coding) return {400, "content-length and transfer-encoding together"};
    if (coding) {
        if (out.http10) return {400, "transfer-encoding in HTTP/1.0"};
        if (*coding != "chunked") return {501, "the only transfer-encoding offered is `chunked`"};
        out.chunked = true;
    }
    if (length) {
        const Refusal bad = parse_length(*length, out);
        if (bad) return bad;
    }
    if (odd) return {400, "malformed Connection header field"};
    if (out.http10 && keep) return {400, "keep-alive in HTTP/1.0 is not accepted"};
    out.keep_alive = !close;
    return {};
}

// uri-host [":" port] by its characters; which hosts are ours is for the doors to say.
bool is_host(std::string_view host) {
    return host.size() <= 255 &&
           std::all_of(host.begin(), host.end(), [](char c) { return is_a(c, kHost); });
}

Refusal parse_request_line(std::string_view line, RequestHead& out) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return kBadForm;
    const std::string_view method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (!is_header_name(method)) return kBadForm;
    if (version == "HTTP/1.0")
        out.framing.http10 = true;
    else if (version != "HTTP/1.1")
        return {400, "only HTTP/1.1 is spoken here"};
    if (method == "CONNECT") return {400, "CONNECT is not offered"};
    if (!is_origin_form(target)) return {400, "the request target must be an absolute path"};
    out.method = method;
    out.target = target;
    return {};
}

}  // namespace

void Headers::add(std::string_view name, std::string_view value) {
    if (places_.empty()) {  // what a usual message has
        text_.reserve(512);
        places_.reserve(12);
    }
    places_.push_back({text_.size(), name.size(), value.size()});
    text_.append(name).append(value);
}

// Most names are told apart by their length.
bool Headers::is_named(const Place& place, std::string_view name) const {
    return place.name_size == name.size() && equals_ignoring_case(field(place).name, name);
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
    for (const Place& place : places_)
        if (is_named(place, name)) return field(place).value;
    return std::nullopt;
}

Headers::Found Headers::find(std::string_view name) const {
    Found out;
    for (const Place& place : places_) {
        if (!is_named(place, name)) continue;
        if (out.count++ == 0) out.value = field(place).value;
    }
    return out;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                              [](char x, char y) { return lower(x) == lower(y); });
}

bool is_header_name(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), is_token_char);
}

bool is_header_value(std::string_view value) {
    for (std::size_t at = 0; (at = find_control(value, at)) < value.size(); ++at)
        if (value[at] != '\t') return false;
    return true;
}

bool is_origin_form(std::string_view target) {
    return target.starts_with('/') && std::all_of(target.begin(), target.end(), [](char c) {
               return c > ' ' && c < 0x7f && c != '#';
           });
}

HeadEnd find_head_end(std::string_view bytes, std::size_t* scanned, std::size_t bytes_max) {
    const Refusal too_large{431, "request head too large"};
    std::size_t at = *scanned;
    const std::size_t to = std::min(bytes.size(), bytes_max);
    for (;; ++at) {
        at = find_control(bytes.substr(0, to), at);
        if (at >= to) break;
        const char c = bytes[at];
        if (c == '\t') continue;
        if (c == '\r') {
            if (at + 1 == bytes.size()) break;  // judged when the next byte is there
            if (bytes[at + 1] != '\n') return {0, kBadForm};
        } else if (c != '\n' || at == 0 || bytes[at - 1] != '\r') {
            return {0, kBadForm};
        } else if (at == 1) {
            return {0, kBadForm};  // a message does not begin with an empty line
        } else if (at >= 3 && bytes.substr(at - 3, 4) == "\r\n\r\n") {
            *scanned = 0;
            return {at + 1, {}};
        }
    }
    *scanned = at;
    return {0, bytes.size() >= bytes_max ? too_large : Refusal{}};
}

Refusal parse_request_head(std::string_view raw, RequestHead& out) {
    std::string_view rest = raw;
    if (const Refusal bad = parse_request_line(take_line(rest), out)) return bad;
    if (const Refusal bad = parse_fields(rest, out.headers)) return bad;
    if (const Refusal bad = parse_framing(out.headers, out.framing)) return bad;
    const auto host = out.headers.get("host");
    if (!host && !out.framing.http10) return {400, "the Host header field is missing"};
    if (host && !is_host(*host)) return {400, "malformed Host header field"};
    if (const auto expect = out.headers.get("expect")) {
        if (!equals_ignoring_case(*expect, "100-continue") || out.headers.count("expect") != 1)
            return {417, "the only expectation met is 100-continue"};
        out.framing.expects_continue = !out.framing.http10;
    }
    return {};
}

Refusal parse_response_head(std::string_view raw, ResponseHead& out) {
    std::string_view rest = raw;
    const std::string_view line = take_line(rest);
    // `HTTP/1.1 200 OK`, the reason may be empty and its space may be missing.
    if (line.size() < 12 || (line.size() > 12 && line[12] != ' ')) return kBadForm;
    if (line.starts_with("HTTP/1.0 "))
        out.framing.http10 = true;
    else if (!line.starts_with("HTTP/1.1 "))
        return kBadForm;
    for (const char c : line.substr(9, 3)) {
        if (!is_digit(c)) return kBadForm;
        out.status = out.status * 10 + (c - '0');
    }
    if (out.status < 100 || out.status > 599) return kBadForm;
    if (const Refusal bad = parse_fields(rest, out.headers)) return bad;
    return parse_framing(out.headers, out.framing);
}

}  // namespace writ::net
