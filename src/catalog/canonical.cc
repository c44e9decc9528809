#include "catalog/canonical.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "catalog/lookalike.h"
#include "json/node.h"

namespace writ::catalog {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_alpha(char c) {
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

// Value of two hexadecimal digits of either case at `at`; nothing if they are not.
std::optional<unsigned> hex_pair(std::string_view text, std::size_t at) {
    unsigned value = 0;
    if (at + 2 > text.size()) return std::nullopt;
    for (std::size_t i = at; i < at + 2; ++i) {
        const char c = text[i];
        const int digit = is_digit(c)              ? c - '0'
                          : (c >= 'a' && c <= 'f') ? c - 'a' + 10
                          : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                                   : -1;
        if (digit < 0) return std::nullopt;
        value = value * 16 + static_cast<unsigned>(digit);
    }
    return value;
}

// An encoding that a second decoding turns into structure.
bool hides_structure(unsigned byte) {
    return byte == '/' || byte == '\\' || byte == '.' || byte == '%' || byte < 0x20 || byte == 0x7f;
}

// What no path may hold, wherever it stands.
std::string characters_fault(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const Scalar c = scalar_at(text, at);
        if (c.length == 0) return "is not valid UTF-8";
        if (is_invisible(c.value)) return "has a control or invisible character";
        if (c.value == '\\') return "has a backslash";
        const auto like = c.value == ' ' ? " " : ascii_lookalike(c.value);
        // Inside a name a space is a space; around a text some readers trim it.
        if (like == " " && (at == 0 || at + c.length == text.size()))
            return "has a space at its start or end";
        if (!like.empty() && like != " ")
            return fmt::format("has a character that may be read as `{}`", like);
        if (c.value == '%') {
            const auto byte = hex_pair(text, at + 1);
            if (byte && hides_structure(*byte))
                return fmt::format("has the percent-encoding `{}`", text.substr(at, 3));
        }
        at += c.length;
    }
    return "";
}

// Segments of a path without the slash at its start.
std::string segments_fault(std::string_view path) {
    for (std::size_t at = 0; at <= path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        const auto segment = path.substr(at, end - at);
        if (segment == "." || segment == "..") return fmt::format("has a `{}` segment", segment);
        if (segment.empty()) return end == path.size() ? "ends with `/`" : "has `//`";
        at = end + 1;
    }
    return "";
}

std::string path_fault(std::string_view text, std::string_view relative) {
    if (text.size() > kMaxUriBytes) return fmt::format("is longer than {} bytes", kMaxUriBytes);
    if (auto fault = characters_fault(text); !fault.empty()) return fault;
    return segments_fault(relative);
}

std::string host_fault(std::string_view host) {
    if (host.empty()) return "has no host";
    if (host.starts_with('[')) {
        const auto inside = [](char c) {
            return is_digit(c) || (c >= 'a' && c <= 'f') || c == ':';
        };
        const bool good = host.ends_with(']') && host.size() > 3 &&
                          std::all_of(host.begin() + 1, host.end() - 1, inside);
        return good ? "" : "has a host that is not canonical";
    }
    for (const char c : host)
        if (!is_lower(c) && !is_digit(c) && c != '-' && c != '.' && c != '_')
            return "has a host that is not lower-case ASCII";
    if (host.starts_with('.') || host.ends_with('.') || host.find("..") != std::string_view::npos)
        return "has a host with an empty label";
    // WHATWG: a host whose last label is a number is an IPv4 address, in whatever notation.
    const auto last = host.substr(host.rfind('.') + 1);
    const bool number = std::all_of(last.begin(), last.end(), is_digit) || last.starts_with("0x");
    if (!number) return "";
    int labels = 0;
    for (std::size_t at = 0; at <= host.size(); ++labels) {
        const auto end = std::min(host.find('.', at), host.size());
        const auto label = host.substr(at, end - at);
        const bool octet = label.size() <= 3 && std::all_of(label.begin(), label.end(), is_digit) &&
                           (label == "0" || label[0] != '0') &&
                           (label.size() < 3 || label <= "255");
        if (!octet) return "has a numeric host that is not dotted decimal";
        at = end + 1;
    }
    return labels == 4 ? "" : "has a numeric host that is not dotted decimal";
}

std::string port_fault(std::string_view scheme, std::string_view port) {
    const bool good = !port.empty() && port.size() <= 5 && port[0] != '0' &&
                      std::all_of(port.begin(), port.end(), is_digit) &&
                      (port.size() < 5 || port <= "65535");
    if (!good) return "has a port that is not canonical";
    const bool by_default = (scheme == "http" && port == "80") ||
                            (scheme == "ws" && port == "80") ||
                            (scheme == "https" && port == "443") ||
                            (scheme == "wss" && port == "443") || (scheme == "ftp" && port == "21");
    return by_default ? "names its default port" : "";
}

std::string authority_fault(std::string_view scheme, std::string_view authority) {
    if (authority.find('@') != std::string_view::npos) return "names a user";
    auto colon = authority.rfind(':');
    if (authority.ends_with(']')) colon = std::string_view::npos;
    if (auto fault = host_fault(authority.substr(0, colon)); !fault.empty()) return fault;
    return colon == std::string_view::npos ? "" : port_fault(scheme, authority.substr(colon + 1));
}

// The percent-encodings of a URL: upper case, and only where RFC 3986 section 6.2.2.2 wants them.
std::string encoding_fault(std::string_view text) {
    for (auto at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
        const auto byte = hex_pair(text, at + 1);
        if (!byte) return "has a `%` that encodes nothing";
        if (is_lower(text[at + 1]) || is_lower(text[at + 2]))
            return "has a percent-encoding in lower case";
        const char c = static_cast<char>(*byte);
        const bool plain = is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '~';
        // `%25` is a percent sign; before two digits it is a second encoding.
        const bool twice = *byte == '%' && hex_pair(text, at + 3);
        if (plain || twice || (*byte != '%' && hides_structure(*byte)))
            return fmt::format("has the percent-encoding `{}`", text.substr(at, 3));
    }
    return "";
}

enum class Looks { kPlain, kPath, kUrl, kNumber };

// Length of a scheme at the start (`https` of `https:…`), 0 if there is none.
std::size_t scheme_length(std::string_view text) {
    if (text.empty() || !is_alpha(text[0])) return 0;
    const auto end = std::find_if_not(text.begin(), text.end(), [](char c) {
        return is_alpha(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
    });
    return end != text.end() && *end == ':' ? static_cast<std::size_t>(end - text.begin()) : 0;
}

bool looks_like_url(std::string_view text) {
    const std::size_t scheme = scheme_length(text);
    if (scheme == 0) return false;
    if (text.substr(scheme).starts_with(":/") || text.substr(scheme).starts_with(":\\"))
        return scheme > 1;  // one letter is a drive
    std::string lower(text.substr(0, scheme));
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return lower == "http" || lower == "https" || lower == "file" || lower == "javascript" ||
           lower == "data" || lower == "ftp";
}

bool looks_like_path(std::string_view text) {
    if (text.find_first_of("/\\~") == 0 || text == "." || text == "..") return true;
    if (scheme_length(text) == 1 && text.size() > 2 && (text[2] == '/' || text[2] == '\\'))
        return true;  // a drive
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find_first_of("/\\", at), text.size());
        const auto segment = text.substr(at, end - at);
        if ((segment == "." || segment == "..") && segment.size() < text.size()) return true;
        at = end + 1;
    }
    if (text.find(' ') != std::string_view::npos) return false;
    if (text.find_first_of("/\\") != std::string_view::npos) return true;
    for (auto at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
        const auto byte = hex_pair(text, at + 1);
        if (byte && hides_structure(*byte)) return true;
    }
    return false;
}

// What number parsers of common languages take for one: signs, `1_000`, `1,000`, `0x1f`, `1e3`.
bool looks_like_number(std::string_view text) {
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    const auto any_digit = std::any_of(text.begin(), text.end(), is_digit);
    if (text.size() > 2 && text[0] == '0' && std::string_view("xXoObB").find(text[1]) < 6)
        return std::all_of(text.begin() + 2, text.end(),
                           [](char c) { return is_digit(c) || is_alpha(c) || c == '_'; });
    std::size_t dots = 0, exponents = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (is_digit(c) || ((c == '_' || c == ',') && i > 0)) continue;
        if (c == '.' && exponents == 0 && dots++ == 0) continue;
        if ((c == 'e' || c == 'E') && i > 0 && exponents++ == 0) {
            if (i + 1 < text.size() && (text[i + 1] == '+' || text[i + 1] == '-')) ++i;
            continue;
        }
        return false;
    }
    return any_digit;
}

Looks looks(std::string_view text) {
    const std::string seen = skeleton(text);
    if (looks_like_url(seen)) return Looks::kUrl;
    if (looks_like_number(seen)) return Looks::kNumber;
    if (looks_like_path(seen)) return Looks::kPath;
    return Looks::kPlain;
}

std::string text_fault(std::string_view text) {
    std::string fault;
    switch (looks(text)) {
        case Looks::kPlain:
            return "";
        case Looks::kUrl:
            fault = url_fault(text);
            return fault.empty() ? "" : "is a URL that " + fault;
        case Looks::kNumber:
            fault = number_fault(text);
            return fault.empty() ? "" : "is a number that " + fault;
        case Looks::kPath:
            fault = text.starts_with('/') ? absolute_path_fault(text) : relative_path_fault(text);
            return fault.empty() ? "" : "is a path that " + fault;
    }
    return "is not readable";
}

}  // namespace

std::string skeleton(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const Scalar c = scalar_at(text, at);
        if (c.length == 0) return out;
        if (!is_invisible(c.value)) {
            auto like = ascii_lookalike(c.value);
            if (like.empty()) like = foreign_digit(c.value);
            out += like.empty() ? text.substr(at, c.length) : like;
        }
        at += c.length;
    }
    const auto first = out.find_first_not_of(' ');
    if (first == std::string::npos) return "";
    return out.substr(first, out.find_last_not_of(' ') - first + 1);
}

std::string absolute_path_fault(std::string_view text) {
    if (!text.starts_with('/')) return "does not start with `/`";
    if (text == "/") return "";
    return path_fault(text, text.substr(1));
}

std::string relative_path_fault(std::string_view text) {
    if (text.empty()) return "is empty";
    if (text.starts_with('/')) return "starts with `/`";
    if (text.starts_with('~')) return "starts with `~`";
    if (scheme_length(text) == 1) return "starts with a drive";
    return path_fault(text, text);
}

std::string url_fault(std::string_view text) {
    if (text.size() > kMaxUriBytes) return fmt::format("is longer than {} bytes", kMaxUriBytes);
    for (const char c : text)
        if (c <= 0x20 || c >= 0x7f || std::string_view("\"<>\\^`{|}").find(c) < 9)
            return "has a character that must be percent-encoded";
    const auto colon = text.find("://");
    const auto scheme = text.substr(0, colon);
    if (colon == std::string_view::npos || scheme_length(text) != colon)
        return "does not start with `scheme://`";
    if (std::any_of(scheme.begin(), scheme.end(), [](char c) { return c >= 'A' && c <= 'Z'; }))
        return "has a scheme in upper case";
    const auto rest = text.substr(colon + 3);
    const auto hierarchy = rest.substr(0, rest.find_first_of("?#"));
    const auto slash = std::min(hierarchy.find('/'), hierarchy.size());
    const auto authority = hierarchy.substr(0, slash);
    const auto path = hierarchy.substr(slash);
    if (scheme == "file") return authority.empty() ? absolute_path_fault(path) : "names a host";
    if (auto fault = authority_fault(scheme, authority); !fault.empty()) return fault;
    if (path.empty() && rest.size() > hierarchy.size()) return "has no `/` before its query";
    if (path.size() > 1) {
        // Unlike a file's, a URL's path may end with a slash.
        auto inner = path.substr(1);
        if (inner.ends_with('/')) inner.remove_suffix(1);
        if (auto fault = segments_fault(inner); !fault.empty()) return fault;
    }
    return encoding_fault(rest);
}

std::string number_fault(std::string_view text) {
    constexpr std::string_view kWanted = "is not written plainly, as in `-12.5`";
    auto digits = text;
    if (digits.starts_with('-')) digits.remove_prefix(1);
    const auto dot = std::min(digits.find('.'), digits.size());
    const auto whole = digits.substr(0, dot);
    auto fraction = digits.substr(dot);
    const bool has_fraction = !fraction.empty();
    if (has_fraction) fraction.remove_prefix(1);
    const bool good = !whole.empty() && std::all_of(whole.begin(), whole.end(), is_digit) &&
                      (whole == "0" || whole[0] != '0') &&
                      std::all_of(fraction.begin(), fraction.end(), is_digit) &&
                      (!has_fraction || (!fraction.empty() && fraction.back() != '0')) &&
                      text != "-0";
    return good ? "" : std::string(kWanted);
}

std::string sensitive_fault(const json::Value& value) {
    switch (value.kind()) {
        case json::Kind::kNull:
        case json::Kind::kBool:
            return "";
        case json::Kind::kString:
            return text_fault(*value.as_string());
        case json::Kind::kNumber: {
            const auto canonical = json::canonicalize(value);
            return canonical && *canonical == value.raw()
                       ? ""
                       : "is a number that is not written plainly";
        }
        case json::Kind::kArray:
            for (const json::Value& element : value.elements())
                if (auto fault = sensitive_fault(element); !fault.empty()) return fault;
            return "";
        case json::Kind::kObject:
            for (const auto& [key, member] : value.members()) {
                if (auto fault = text_fault(key); !fault.empty()) return fault;
                if (auto fault = sensitive_fault(member); !fault.empty()) return fault;
            }
            return "";
    }
    return "is not readable";
}

}  // namespace writ::catalog
