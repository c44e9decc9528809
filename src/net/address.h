// Between endpoints and the kernel's socket addresses. Loopback TCP and unix paths only.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

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
    static Address local(int fd);  // family AF_UNSPEC when there is none
    static Address remote(int fd);
    int family() const { return any.sa_family; }
    bool is_loopback() const;  // 127.0.0.0/8 or ::1
    Endpoint endpoint() const;
};

}  // namespace writ::net
