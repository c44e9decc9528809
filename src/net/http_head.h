// The head of an HTTP/1.1 message, read strictly (RFC 9112): one form for everything, and whatever
// two parsers could read differently is refused. Pure functions over bytes; no I/O, no Beast.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

namespace writ::net {

// Why a message is refused: the status to answer with and a fixed text that echoes nothing.
struct Refusal {
    int status = 0;  // 0: fine
    const char* text = "";
    explicit operator bool() const { return status != 0; }
};

// What a head says about the message that it opens.
struct Framing {
    bool http10 = false;
    bool keep_alive = true;
    bool chunked = false;
    bool expects_continue = false;
    std::optional<std::uint64_t> length;
};

struct RequestHead {
    std::string method;
    std::string target;
    Headers headers;
    Framing framing;
};

struct ResponseHead {
    int status = 0;
    Headers headers;
    Framing framing;
};

// Finds the end of a head that grows in `bytes`, resuming at `*scanned`: the offset behind its
// empty line, 0 while it is incomplete. A byte that no head contains is refused before its end.
struct HeadEnd {
    std::size_t size = 0;
    Refusal refusal;
};
HeadEnd find_head_end(std::string_view bytes, std::size_t* scanned, std::size_t bytes_max);

// `raw` is a whole head with its empty line.
Refusal parse_request_head(std::string_view raw, RequestHead& out);
Refusal parse_response_head(std::string_view raw, ResponseHead& out);

// Whether a name and a value can be sent as a header field.
bool is_header_name(std::string_view name);
bool is_header_value(std::string_view value);
// Whether `target` is in origin form: `/` and visible ASCII without `#`.
bool is_origin_form(std::string_view target);
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace writ::net
