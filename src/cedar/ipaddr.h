// The ipaddr extension: an IPv4 or IPv6 address with a prefix length. Host bits are kept.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "cedar/decimal.h"

namespace writ::cedar {

struct IpNet {
    bool v6 = false;
    std::array<std::uint8_t, 16> address{};  // the first 4 for IPv4
    std::uint8_t prefix = 0;
    auto operator<=>(const IpNet&) const = default;

    bool is_loopback() const;   // the whole range is
    bool is_multicast() const;  // the whole range is
    // Every address of this range is in `other`; false across families.
    bool in_range(const IpNet& other) const;
    std::string text() const;  // always with the prefix
};

// Strict: no leading zeros, no zone, no IPv4 inside IPv6; at most 43 bytes.
Parsed<IpNet> parse_ip(std::string_view text);

}  // namespace writ::cedar
