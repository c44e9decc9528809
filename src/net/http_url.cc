#include "net/http_url.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/decimal.h"
#include "net/http_head.h"

namespace writ::net {

namespace {

constexpr std::size_t kMaxHostBytes = 253;

Result<Url> bad_url(std::string_view text, std::string_view why) {
    return fail(ErrorCode::kInvalid,
                fmt::format("url `{}` {}: write `http://127.0.0.1:PORT/PATH` or "
                            "`https://HOST/PATH`",
                            text, why));
}

bool is_address(const std::string& host, int family) {
    std::array<unsigned char, 16> out{};
    return inet_pton(family, host.c_str(), out.data()) == 1;
}

// A registered name: letters, digits, `-` and `.`, no empty label.
bool is_host_name(std::string_view host) {
    if (host.empty() || host.size() > kMaxHostBytes || host.front() == '-' || host.front() == '.' ||
        host.find("..") != std::string_view::npos)
        return false;
    return std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    });
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
    Url out;
    std::string_view rest = text;
    if (rest.starts_with("https://"))
        out.tls = true;
    else if (!rest.starts_with("http://"))
        return bad_url(text, "is neither http nor https");
    rest.remove_prefix(out.tls ? 8 : 7);
    const auto slash = std::min(rest.find_first_of("/?#"), rest.size());
    std::string_view authority = rest.substr(0, slash);
    if (slash < rest.size()) out.target = rest.substr(slash);
    if (out.target.find('#') != std::string::npos) return bad_url(text, "has a fragment");
    if (!is_origin_form(out.target)) return bad_url(text, "has a path that cannot be sent");
    if (authority.find('@') != std::string_view::npos)
        return bad_url(text, "names a user; secrets come from the environment");
    out.port = out.tls ? 443 : 80;
    const auto bracket = authority.rfind(']');
    const auto colon = authority.rfind(':');
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
        out.port = from_decimal<std::uint16_t>(authority.substr(colon + 1)).value_or(0);
        if (out.port == 0)
            return bad_url(text, "has a port that is not a plain number from 1 to 65535");
        authority = authority.substr(0, colon);
    }
    const bool v6 = authority.starts_with('[') && authority.ends_with(']');
    out.host = v6 ? authority.substr(1, authority.size() - 2) : authority;
    std::transform(out.host.begin(), out.host.end(), out.host.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (v6 ? !is_address(out.host, AF_INET6) : !is_host_name(out.host))
        return bad_url(text, "has no valid host");
    if (!out.tls && !out.is_loopback())
        return bad_url(text, "would cross the network in the clear");
    return out;
}

bool Url::is_loopback() const {
    return host == "127.0.0.1" || host == "::1" || host == "localhost";
}

std::string Url::authority() const {
    const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
    return port == (tls ? 443 : 80) ? name : fmt::format("{}:{}", name, port);
}

std::string Url::origin() const {
    return fmt::format("{}://{}", tls ? "https" : "http", authority());
}

}  // namespace writ::net
