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
// The only one of them that has batches.
inline constexpr std::string_view kBatchVersion = "2025-03-26";
bool supported_version(std::string_view version);

// Why a request is refused before its body is read.
struct HttpRefusal {
    int status = 400;
    std::string error;        // short and stable: `forbidden`, `not_acceptable`, …
    std::string description;  // what to do instead
};

// Longest server name (catalog: `[a-z0-9][a-z0-9-]{0,30}`).
inline constexpr std::size_t kMaxServerNameBytes = 31;

// Host and Origin. `port` is the listener's; 0 accepts any. A unix socket has no port.
std::optional<HttpRefusal> check_source(const net::HttpRequest& request, std::uint16_t port);
// The forms of an answer that a request takes (its Accept). Of weights only 0, "not acceptable",
// counts.
struct Accepts {
    bool json = false;    // one object
    bool events = false;  // text/event-stream
};
Accepts accepts(const net::HttpRequest& request);
// Content-Type (415) and Accept (406: neither form) of a POST.
std::optional<HttpRefusal> check_content(const net::HttpRequest& request, Accepts accepted);
// MCP-Protocol-Version after initialize: absent or a supported one (400).
std::optional<HttpRefusal> check_version(const net::HttpRequest& request);

// What stands behind the endpoint's own path: nothing (every server the session may use), or one
// server's name. Nothing at all if `target` is not this endpoint or one of its servers.
struct Scope {
    std::string_view server;  // of `target`
};
std::optional<Scope> scope_behind(std::string_view path, std::string_view target);
// The same for a `path` that is a secret: compared in constant time.
std::optional<Scope> scope_behind_secret(std::string_view path, std::string_view target);

// `{"error":…,"error_description":…}` with that status.
net::HttpResponse refuse(const HttpRefusal& refusal);
// 404. The same bytes whatever is not there, or not for this caller.
net::HttpResponse not_found();
// The token of the one `Authorization: Bearer …`, or nothing.
std::optional<std::string_view> bearer(const net::HttpRequest& request);
// Why a caller gets 401. Without a credential there is nothing to call invalid (RFC 6750
// section 3.1).
enum class Credential : std::uint8_t { kAbsent, kInvalid };
// 401 with the challenge of RFC 6750 section 3 and RFC 9728 section 5.1. `metadata` is the URL of
// the protected resource metadata, or empty.
net::HttpResponse unauthenticated(Credential credential, std::string_view metadata,
                                  std::string_view reason);

// The protected resource metadata (RFC 9728 section 3.2) of `<public_url>/mcp` or one server behind
// it. `target` begins with `/.well-known/oauth-protected-resource`; nothing for a path that no
// resource of ours can have. Any well-formed server name is answered alike: a stranger learns
// nothing from it.
inline constexpr std::string_view kMetadataPath = "/.well-known/oauth-protected-resource";
std::optional<std::string> resource_metadata(std::string_view public_url, std::string_view target);

}  // namespace writ::mcp
