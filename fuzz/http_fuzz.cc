// The HTTP request reader against itself, as the server drives it:
// - whatever pieces the bytes come in, the same request or the same refusal comes out;
// - Beast agrees on the framing and the body of everything that is accepted;
// - what is accepted has one Host, at most one framing, and no control character in a field;
// - a response head, read the same way, never crashes.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "net/http_body.h"
#include "net/http_head.h"
#include "net/http_oracle.h"

namespace {

using writ::net::find_head_end;
using writ::net::Framing;
using writ::net::Headers;
using writ::net::RequestHead;
using writ::net::ResponseHead;

constexpr std::size_t kBodyMax = 4096;

struct Outcome {
    int status = -1;  // -1: more bytes are needed; 0: a whole request; else the refusal
    std::string target;
    std::string body;
    std::string rest;
    bool operator==(const Outcome&) const = default;
};

// Beast reads the same framing and the same body.
void check_oracle(std::string_view whole, const RequestHead& head, const std::string& body) {
    const auto other = writ::net::beast_reads(whole);
    WRIT_CHECK(other && other->chunked == head.framing.chunked &&
               other->length == head.framing.length && other->body == body);
}

void check_accepted(const RequestHead& head) {
    const Headers& headers = head.headers;
    WRIT_CHECK(headers.count("host") <= 1 && headers.count("content-length") <= 1);
    WRIT_CHECK(headers.count("transfer-encoding") + headers.count("content-length") <= 1);
    WRIT_CHECK(head.framing.http10 || headers.count("host") == 1);
    WRIT_CHECK(writ::net::is_origin_form(head.target));
    for (const auto [name, value] : headers)
        WRIT_CHECK(writ::net::is_header_name(name) && writ::net::is_header_value(value));
}

Outcome read_in_pieces(std::string_view bytes, std::size_t piece) {
    const std::string_view all = bytes;
    std::string in;
    std::size_t scanned = 0;
    Outcome out;
    const auto more = [&] {
        const std::string_view next = bytes.substr(0, piece);
        in += next;
        bytes.remove_prefix(next.size());
        return !next.empty();
    };
    writ::net::HeadEnd end;
    do {
        end = find_head_end(in, &scanned, writ::kMaxHeaderBytes);
        if (end.refusal) {
            out.status = end.refusal.status;
            return out;
        }
    } while (end.size == 0 && more());
    if (end.size == 0) return out;
    RequestHead head;
    const auto raw = std::string_view(in).substr(0, end.size);
    out.status = writ::net::parse_request_head(raw, head).status;
    if (out.status != 0) return out;
    check_accepted(head);
    writ::net::RequestBody body(head.framing, kBodyMax);
    in.erase(0, end.size);
    using writ::net::Body;
    for (Body got = body.put(in); got != Body::kDone; got = body.put(in)) {
        out.status = got == Body::kMore ? -1 : 400;
        if (got != Body::kMore || !more()) return out;
    }
    out.status = 0;
    out.target = head.target;
    out.body = body.take();
    WRIT_CHECK(out.body.size() <= kBodyMax);
    WRIT_CHECK(!head.framing.length || *head.framing.length == out.body.size());
    out.rest = in + std::string(bytes);
    check_oracle(all.substr(0, all.size() - out.rest.size()), head, out.body);
    return out;
}

void read_response(std::string_view bytes) {
    std::size_t scanned = 0;
    const auto end = find_head_end(bytes, &scanned, writ::kMaxHeaderBytes);
    if (end.refusal || end.size == 0) return;
    ResponseHead head;
    if (writ::net::parse_response_head(bytes.substr(0, end.size), head)) return;
    WRIT_CHECK(head.status >= 100 && head.status <= 599);
    WRIT_CHECK(!head.framing.chunked || !head.framing.length);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t piece = 1 + data[0] % 64;
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    const Outcome whole = read_in_pieces(bytes, std::max<std::size_t>(bytes.size(), 1));
    const Outcome pieces = read_in_pieces(bytes, piece);
    // A flaw may be seen before the byte that would have shown the whole to be incomplete.
    if (whole.status == 0 || pieces.status == 0) WRIT_CHECK(whole == pieces);
    read_response(bytes);
    return 0;
}
