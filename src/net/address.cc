#include "net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <cstring>

#include "base/decimal.h"

namespace writ::net {
namespace {

constexpr std::string_view kAllowed =
    "allowed are `127.0.0.1:PORT`, `[::1]:PORT`, `localhost:PORT` and the absolute path of a unix "
    "socket";

Result<Endpoint> bad_endpoint(std::string_view text, std::string_view why) {
    return fail(ErrorCode::kInvalid, fmt::format("endpoint `{}` {}: {}", text, why, kAllowed));
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view text) {
    Endpoint out;
    if (text.find('\0') != std::string_view::npos) return bad_endpoint("", "contains a zero byte");
    if (text.starts_with("/")) {
        if (text.size() >= sizeof sockaddr_un{}.sun_path)
            return bad_endpoint(text, "is longer than 107 bytes");
        out.unix_path = text;
        return out;
    }
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return bad_endpoint(text, "has no port");
    const std::string_view host = text.substr(0, colon);
    const auto port = from_decimal<std::uint16_t>(text.substr(colon + 1));
    if (!port) return bad_endpoint(text, "has a port that is not a plain number up to 65535");
    out.port = *port;
    if (host == "127.0.0.1" || host == "localhost")
        out.host = "127.0.0.1";
    else if (host == "[::1]")
        out.host = "::1";
    else
        return bad_endpoint(text, "is not on the loopback interface");
    return out;
}

std::string Endpoint::text() const {
    if (!unix_path.empty()) return unix_path;
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                               : fmt::format("[{}]:{}", host, port);
}

Result<Address> Address::of(const Endpoint& endpoint) {
    Address out;
    if (!endpoint.unix_path.empty()) {
        const std::string& path = endpoint.unix_path;
        if (path.size() >= sizeof out.path.sun_path)
            return fail(ErrorCode::kInvalid, fmt::format("socket path `{}` is too long", path));
        out.path.sun_family = AF_UNIX;
        std::memcpy(static_cast<char*>(out.path.sun_path), path.c_str(), path.size() + 1);
        out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    } else if (const auto ip = of_ip(endpoint.host, endpoint.port)) {
        out = *ip;
    }
    if (out.family() != AF_UNIX && !out.is_loopback())
        return fail(ErrorCode::kInvalid,
                    fmt::format("host `{}` is not on the loopback interface", endpoint.host));
    return out;
}

std::optional<Address> Address::of_ip(const std::string& ip, std::uint16_t port) {
    Address out;
    if (inet_pton(AF_INET, ip.c_str(), &out.v4.sin_addr) == 1) {
        out.v4.sin_family = AF_INET;
        out.v4.sin_port = htons(port);
        out.size = sizeof out.v4;
    } else if (inet_pton(AF_INET6, ip.c_str(), &out.v6.sin6_addr) == 1) {
        out.v6.sin6_family = AF_INET6;
        out.v6.sin6_port = htons(port);
        out.size = sizeof out.v6;
    } else {
        return std::nullopt;
    }
    return out;
}

std::optional<Address> Address::of_sockaddr(const sockaddr* address, socklen_t size,
                                            std::uint16_t port) {
    Address out;
    if (size > sizeof out.storage) return std::nullopt;
    std::memcpy(&out.storage, address, size);
    out.size = size;
    if (out.family() == AF_INET)
        out.v4.sin_port = htons(port);
    else if (out.family() == AF_INET6)
        out.v6.sin6_port = htons(port);
    else
        return std::nullopt;
    return out;
}

Address Address::local(int fd) {
    Address out;
    if (getsockname(fd, &out.any, &out.size) != 0) out.any.sa_family = AF_UNSPEC;
    return out;
}

Address Address::remote(int fd) {
    Address out;
    if (getpeername(fd, &out.any, &out.size) != 0) out.any.sa_family = AF_UNSPEC;
    return out;
}

bool Address::is_loopback() const {
    if (family() == AF_INET) return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
    return family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

Endpoint Address::endpoint() const {
    Endpoint out;
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (family() == AF_UNIX && size > offsetof(sockaddr_un, sun_path)) {
        const auto bytes = size - offsetof(sockaddr_un, sun_path);
        const auto* start = static_cast<const char*>(path.sun_path);
        out.unix_path = std::string(start, strnlen(start, bytes));
    } else if (family() == AF_INET) {
        out.host = inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
        out.port = ntohs(v4.sin_port);
    } else if (family() == AF_INET6) {
        out.host = inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
        out.port = ntohs(v6.sin6_port);
    }
    return out;
}

}  // namespace writ::net
