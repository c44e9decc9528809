#include "cedar/ipaddr.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace writ::cedar {
namespace {

constexpr std::size_t kTextMax = 43;  // `ffff:…:ffff/128`
constexpr std::size_t kGroups = 8;

// Four decimal octets without leading zeros.
std::optional<IpNet> parse_v4(std::string_view text) {
    IpNet out;
    out.prefix = 32;
    for (std::size_t i = 0; i < 4; ++i) {
        const std::size_t dot = i < 3 ? text.find('.') : text.size();
        if (dot == std::string_view::npos || dot == 0 || dot > 3) return std::nullopt;
        const std::string_view octet = text.substr(0, dot);
        if (octet.size() > 1 && octet[0] == '0') return std::nullopt;
        unsigned value = 0;
        const auto read = std::from_chars(octet.data(), octet.data() + octet.size(), value);
        if (read.ec != std::errc() || read.ptr != octet.data() + octet.size() || value > 255)
            return std::nullopt;
        out.address[i] = static_cast<std::uint8_t>(value);
        text.remove_prefix(std::min(text.size(), dot + 1));
    }
    return out;
}

// Groups of one to four hex digits; `::` once, for at least one group of zeros.
std::optional<IpNet> parse_v6(std::string_view text) {
    std::array<std::uint16_t, kGroups> groups{};
    std::size_t count = 0;
    std::optional<std::size_t> gap;  // the groups read before `::`
    if (text.starts_with("::")) {
        gap = 0;
        text.remove_prefix(2);
    }
    while (!text.empty()) {
        if (count == kGroups) return std::nullopt;
        const std::size_t end = std::min(text.find(':'), text.size());
        unsigned value = 0;
        const auto read = std::from_chars(text.data(), text.data() + end, value, 16);
        if (end == 0 || end > 4 || read.ec != std::errc() || read.ptr != text.data() + end)
            return std::nullopt;
        groups[count++] = static_cast<std::uint16_t>(value);
        text.remove_prefix(end);
        if (text.empty()) break;
        text.remove_prefix(1);
        if (text.starts_with(':')) {
            if (gap) return std::nullopt;
            gap = count;
            text.remove_prefix(1);
        } else if (text.empty()) {
            return std::nullopt;  // a single colon at the end
        }
    }
    if (gap ? count >= kGroups : count != kGroups) return std::nullopt;
    if (gap) {
        const auto at = static_cast<std::ptrdiff_t>(*gap);
        std::rotate(groups.begin() + at, groups.begin() + static_cast<std::ptrdiff_t>(count),
                    groups.end());
    }
    IpNet out;
    out.v6 = true;
    out.prefix = 128;
    for (std::size_t i = 0; i < kGroups; ++i) {
        out.address[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8);
        out.address[2 * i + 1] = static_cast<std::uint8_t>(groups[i] & 0xff);
    }
    return out;
}

Parsed<std::uint8_t> parse_prefix(std::string_view text, bool v6) {
    const std::size_t length_max = v6 ? 3 : 2;
    const unsigned max = v6 ? 128 : 32;
    const auto refuse = [](std::string why) {
        return tl::make_unexpected("error parsing prefix" + why);
    };
    if (text.size() > length_max)
        return refuse(fmt::format(": string length {} is too large", text.size()));
    if (text.find_first_not_of("0123456789") != std::string_view::npos)
        return refuse(": encountered non-digit character");
    if (text.size() > 1 && text[0] == '0') return refuse(": leading zero(s)");
    if (text.empty()) return refuse(" from the string ``: cannot parse integer from empty string");
    unsigned value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    if (value > max) return refuse(fmt::format(": {} is larger than the limit {}", value, max));
    return static_cast<std::uint8_t>(value);
}

// Whether the first `bits` bits of both addresses are the same.
bool same_prefix(const IpNet& a, const IpNet& b, unsigned bits) {
    for (std::size_t i = 0; bits > 0; ++i) {
        const unsigned take = std::min(bits, 8U);
        const auto mask = static_cast<std::uint8_t>(0xff00U >> take);
        if ((a.address[i] & mask) != (b.address[i] & mask)) return false;
        bits -= take;
    }
    return true;
}

}  // namespace

bool IpNet::in_range(const IpNet& other) const {
    return v6 == other.v6 && prefix >= other.prefix && same_prefix(*this, other, other.prefix);
}

bool IpNet::is_loopback() const {
    IpNet range;
    range.v6 = v6;
    range.prefix = v6 ? 128 : 8;
    if (v6)
        range.address[15] = 1;
    else
        range.address[0] = 127;
    return in_range(range);
}

bool IpNet::is_multicast() const {
    IpNet range;
    range.v6 = v6;
    range.prefix = v6 ? 8 : 4;
    range.address[0] = v6 ? 0xff : 224;
    return in_range(range);
}

std::string IpNet::text() const {
    if (!v6)
        return fmt::format("{}.{}.{}.{}/{}", address[0], address[1], address[2], address[3],
                           prefix);
    std::string out;
    for (std::size_t i = 0; i < kGroups; ++i)
        out += fmt::format("{}{:x}", i == 0 ? "" : ":", address[2 * i] << 8 | address[2 * i + 1]);
    return fmt::format("{}/{}", out, prefix);
}

Parsed<IpNet> parse_ip(std::string_view text) {
    if (text.size() > kTextMax)
        return tl::make_unexpected(fmt::format(
            "error parsing IP address from string: string length {} is too large", text.size()));
    const auto colons = std::count(text.begin(), text.end(), ':');
    if (colons >= 2 && std::count(text.begin(), text.end(), '.') >= 2)
        return tl::make_unexpected(
            fmt::format("error parsing IP address from string: We do not accept IPv4 embedded in "
                        "IPv6 (e.g., ::ffff:127.0.0.1). Found: `{}`",
                        text));
    const std::size_t slash = text.find('/');
    const std::string_view address = text.substr(0, slash);
    auto net = parse_v4(address);
    if (!net) net = parse_v6(address);
    if (!net) return tl::make_unexpected(fmt::format("invalid IP address: {}", address));
    if (slash != std::string_view::npos) {
        const auto prefix = parse_prefix(text.substr(slash + 1), net->v6);
        if (!prefix) return tl::make_unexpected(prefix.error());
        net->prefix = *prefix;
    }
    return *net;
}

}  // namespace writ::cedar
