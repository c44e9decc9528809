#include "doors/mcp/http_rules.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/secret.h"
#include "json/node.h"

namespace writ::mcp {

namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trimmed(std::string_view s) {
    const auto first = s.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return s.substr(first, s.find_last_not_of(" \t") - first + 1);
}

// A media type without its parameters.
std::string_view media_type(std::string_view value) {
    return trimmed(value.substr(0, value.find(';')));
}

// `localhost`, `127.0.0.1` or `[::1]` with or without a port; nothing else, and no user info.
struct Authority {
    std::optional<std::uint16_t> port;
};

std::optional<Authority> loopback(std::string_view text) {
    static constexpr std::string_view kNames[] = {"localhost", "127.0.0.1", "[::1]"};
    for (const auto name : kNames) {
        if (text.size() < name.size() || !same(text.substr(0, name.size()), name)) continue;
        const std::string_view rest = text.substr(name.size());
        if (rest.empty()) return Authority{};
        if (rest[0] != ':' || rest.size() < 2 || rest.size() > 6) return std::nullopt;
        std::uint16_t port = 0;
        const auto [end, error] =
            std::from_chars(rest.data() + 1, rest.data() + rest.size(), port, 10);
        if (error != std::errc{} || end != rest.data() + rest.size()) return std::nullopt;
        return Authority{port};
    }
    return std::nullopt;
}

bool loopback_origin(std::string_view origin) {
    for (const std::string_view scheme : {"http://", "https://"})
        if (origin.starts_with(scheme)) return loopback(origin.substr(scheme.size())).has_value();
    return false;
}

// Whether a media range has the weight 0: "not acceptable" (RFC 9110 section 12.4.2).
bool is_ruled_out(std::string_view range) {
    for (auto at = range.find(';'); at != std::string_view::npos;) {
        const auto next = range.find(';', at + 1);
        const auto parameter = trimmed(range.substr(at + 1, next - at - 1));
        if (parameter.size() > 2 && same(parameter.substr(0, 2), "q=")) {
            const auto weight = parameter.substr(2);
            return weight == "0" || (weight.starts_with("0.") && weight.size() <= 5 &&
                                     weight.find_first_not_of('0', 2) == std::string_view::npos);
        }
        at = next;
    }
    return false;
}

// Whether a form is accepted: the most specific range that covers it says so (RFC 9110
// section 12.5.1), so that `text/event-stream;q=0, */*` takes everything else.
struct Consent {
    bool given = false;
    int rank = 0;  // of the range that said it

    // `ranges` cover the form, the most general one first.
    void hear(std::string_view type, bool good, std::initializer_list<std::string_view> ranges) {
        int r = 0;
        for (const auto range : ranges) {
            ++r;
            if (r < rank || !same(type, range)) continue;
            given = good || (r == rank && given);
            rank = r;
        }
    }
};

// A name that a tool server can have (catalog/catalog.h).
bool server_name(std::string_view name) {
    const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (name.empty() || name.size() > kMaxServerNameBytes || !good(name[0])) return false;
    return std::ranges::all_of(name, [&](char c) { return good(c) || c == '-'; });
}

// `rest` is what follows the endpoint's path.
std::optional<Scope> scope_of(std::string_view rest) {
    if (rest.empty()) return Scope{};
    if (rest[0] != '/' || !server_name(rest.substr(1))) return std::nullopt;
    return Scope{rest.substr(1)};
}

std::string body_of(std::string_view error, std::string_view description) {
    json::Node node = json::Node::object();
    node["error"] = error;
    node["error_description"] = description;
    return node.dump();
}

}  // namespace

bool supported_version(std::string_view version) {
    return std::ranges::find(kVersions, version) != kVersions.end();
}

std::optional<HttpRefusal> check_source(const net::HttpRequest& request, std::uint16_t port) {
    const auto& headers = request.headers;
    const auto hosts = headers.find("host");
    if (hosts.count != 1)
        return HttpRefusal{400, "invalid_request", "exactly one `Host` is needed"};
    const auto host = loopback(trimmed(hosts.value));
    if (!host) return HttpRefusal{403, "forbidden", "`Host` is not a loopback name"};
    if (!request.peer.is_unix && port != 0 && host->port.value_or(80) != port)
        return HttpRefusal{403, "forbidden", "`Host` names another port"};
    const auto origins = headers.find("origin");
    if (origins.count > 1 || (origins.count == 1 && !loopback_origin(trimmed(origins.value))))
        return HttpRefusal{403, "forbidden", "`Origin` is not a loopback origin"};
    return std::nullopt;
}

Accepts accepts(const net::HttpRequest& request) {
    Consent json, events;
    for (const auto [name, value] : request.headers) {  // a list, and it may be given several times
        if (!same(name, "accept")) continue;
        for (std::string_view rest = value; !rest.empty();) {
            const auto comma = rest.find(',');
            const auto range = rest.substr(0, comma);
            const auto type = media_type(range);
            const bool good = !is_ruled_out(range);
            json.hear(type, good, {"*/*", "application/*", "application/json"});
            events.hear(type, good, {"*/*", "text/*", "text/event-stream"});
            rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
        }
    }
    return {.json = json.given, .events = events.given};
}

std::optional<HttpRefusal> check_content(const net::HttpRequest& request, Accepts accepted) {
    const auto type = request.headers.find("content-type");
    if (type.count != 1 || !same(media_type(type.value), "application/json"))
        return HttpRefusal{415, "unsupported_media_type", "send `Content-Type: application/json`"};
    if (!accepted.json && !accepted.events)
        return HttpRefusal{406, "not_acceptable",
                           "send `Accept: application/json, text/event-stream`"};
    return std::nullopt;
}

std::optional<HttpRefusal> check_version(const net::HttpRequest& request) {
    const auto version = request.headers.find("mcp-protocol-version");
    if (version.count == 0) return std::nullopt;
    if (version.count == 1 && supported_version(trimmed(version.value))) return std::nullopt;
    return HttpRefusal{400, "unsupported_protocol_version",
                       "`MCP-Protocol-Version` is one of 2025-11-25, 2025-06-18, 2025-03-26, "
                       "2024-11-05"};
}

std::optional<Scope> scope_behind(std::string_view path, std::string_view target) {
    if (!target.starts_with(path)) return std::nullopt;
    return scope_of(target.substr(path.size()));
}

std::optional<Scope> scope_behind_secret(std::string_view path, std::string_view target) {
    if (target.size() < path.size()) return std::nullopt;
    if (!constant_time_equal(as_bytes(path), as_bytes(target.substr(0, path.size()))))
        return std::nullopt;
    return scope_of(target.substr(path.size()));
}

net::HttpResponse refuse(const HttpRefusal& refusal) {
    auto response =
        net::HttpResponse::json(refusal.status, body_of(refusal.error, refusal.description));
    if (refusal.status == 405) response.headers.add("Allow", "GET, POST, DELETE");
    return response;
}

net::HttpResponse not_found() {
    return refuse({404, "not_found", "there is nothing here"});
}

net::HttpResponse unauthenticated(Credential credential, std::string_view metadata,
                                  std::string_view reason) {
    const bool absent = credential == Credential::kAbsent;
    auto response =
        net::HttpResponse::json(401, body_of(absent ? "unauthorized" : "invalid_token", reason));
    std::string challenge = "Bearer ";
    if (!metadata.empty()) {
        challenge += "resource_metadata=\"";
        challenge += metadata;
        challenge += '"';
    }
    if (!absent) {
        if (!metadata.empty()) challenge += ", ";
        challenge += "error=\"invalid_token\", error_description=\"";
        challenge += reason;  // our own fixed words: no quote, no backslash
        challenge += '"';
    } else if (metadata.empty()) {
        challenge += "realm=\"writ\"";  // a challenge has at least one parameter
    }
    response.headers.add("WWW-Authenticate", std::move(challenge));
    return response;
}

std::optional<std::string> resource_metadata(std::string_view public_url, std::string_view target) {
    if (!target.starts_with(kMetadataPath)) return std::nullopt;
    std::string_view behind = target.substr(kMetadataPath.size());
    // The root form serves clients that look there only (digest mcp.md, section 9, rule 4).
    if (behind.empty()) behind = "/mcp";
    if (!scope_behind("/mcp", behind)) return std::nullopt;
    json::Node node = json::Node::object();
    node["resource"] = std::string(public_url) + std::string(behind);
    node["resource_name"] = "Writ";
    node["authorization_servers"].push_back(json::Node(public_url));
    node["bearer_methods_supported"].push_back(json::Node(std::string_view("header")));
    return node.dump();
}

std::optional<std::string_view> bearer(const net::HttpRequest& request) {
    static constexpr std::string_view kScheme = "bearer ";
    const auto found = request.headers.find("authorization");
    if (found.count != 1) return std::nullopt;
    std::string_view value = found.value;
    if (value.size() <= kScheme.size()) return std::nullopt;
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c; };
    if (!std::ranges::equal(value.substr(0, kScheme.size()), kScheme, {}, lower))
        return std::nullopt;
    value.remove_prefix(kScheme.size());
    const auto first = value.find_first_not_of(' ');
    if (first == std::string_view::npos) return std::nullopt;
    return value.substr(first);
}

}  // namespace writ::mcp
