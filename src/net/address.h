// Between endpoints and the kernel's socket addresses. Endpoints are loopback TCP and unix paths
// only; other addresses come from a Url that an operator wrote (http_pool.h).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "net/socket.h"

namespace writ::net {

// A socket address of any family we speak.
struct Address {
    union {
        sockaddr any;
        sockaddr_in v4;
        sockaddr_in6 v6;
        sockaddr_un path;
        sockaddr_storage storage;
    };
    socklen_t size = sizeof storage;
    Address() : storage{} {}

    // Errors: kInvalid as Endpoint::parse.
    static Result<Address> of(const Endpoint& endpoint);
    // A numeric IPv4 or IPv6 address; nothing if `ip` is none.
    static std::optional<Address> of_ip(const std::string& ip, std::uint16_t port);
    // An AF_INET or AF_INET6 address with another port; nothing for other families.
    static std::optional<Address> of_sockaddr(const sockaddr* address, socklen_t size,
                                              std::uint16_t port);
    static Address local(int fd);  // family AF_UNSPEC when there is none
    static Address remote(int fd);
    int family() const { return any.sa_family; }
    bool is_loopback() const;  // 127.0.0.0/8 or ::1
    Endpoint endpoint() const;
};

}  // namespace writ::net
