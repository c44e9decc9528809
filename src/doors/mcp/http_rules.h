// The rules of the streamable HTTP transport that hold before a message is read (revision
// 2025-11-25, section "transports"; digest mcp.md, sections 3.3 and 9): which Host, Origin, Accept,
// Content-Type and protocol version a request may carry, and how a refusal at this level looks.
// Against DNS rebinding and pages in a browser: only loopback names pass, with our own port.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

namespace writ::mcp {

// Newest first; what a client may ask for in `initialize` and name in MCP-Protocol-Version.
inline constexpr std::array<std::string_view, 4> kVersions = {"2025-11-25", "2025-06-18",
                                                              "2025-03-26", "2024-11-05"};
bool supported_version(std::string_view version);

// Why a request is refused before its body is read.
struct HttpRefusal {
    int status = 400;
    std::string error;        // short and stable: `forbidden`, `not_acceptable`, …
    std::string description;  // what to do instead
};

// Host and Origin. `port` is the listener's; 0 accepts any. A unix socket has no port.
std::optional<HttpRefusal> check_source(const net::HttpRequest& request, std::uint16_t port);
// Content-Type (415) and Accept (406) of a POST. `*/*` is taken for JSON.
std::optional<HttpRefusal> check_content(const net::HttpRequest& request);
// MCP-Protocol-Version after initialize: absent or a supported one (400).
std::optional<HttpRefusal> check_version(const net::HttpRequest& request);

// `{"error":…,"error_description":…}` with that status.
net::HttpResponse refuse(const HttpRefusal& refusal);
// 401 with the challenge of RFC 6750 section 3 and RFC 9728 section 5.1.
net::HttpResponse unauthenticated(std::string_view resource_metadata, std::string_view reason);

}  // namespace writ::mcp
