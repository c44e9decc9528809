// The address of an HTTP server as an operator writes it: `http://127.0.0.1:3001/mcp`,
// `https://tools.example.com/mcp`. Nothing else is dialled: no user, no fragment, and plain `http`
// only on the loopback interface, where nobody listens in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace writ::net {

struct Url {
    bool tls = false;
    std::string host;  // a name in lower case, or an address without brackets
    std::uint16_t port = 0;
    std::string target = "/";  // path and query

    // Errors: kInvalid, with what to write instead.
    static Result<Url> parse(std::string_view text);
    bool is_loopback() const;       // 127.0.0.1, ::1 or localhost
    std::string authority() const;  // for Host; the port is left out where it is the usual one
    std::string origin() const;     // `https://host:port`, for people
};

}  // namespace writ::net
