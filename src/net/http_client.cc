// The HTTP client: one keep-alive connection, one request at a time. A request whose bytes have
// been sent is never repeated: the upstream may have acted on it.
#include <fmt/format.h>
#include <sys/socket.h>

#include "net/asio_impl.h"
#include "net/http_head.h"
#include "net/http_message.h"
#include "net/http_wire.h"

namespace writ::net {
namespace {

constexpr int kInterimMax = 8;  // 1xx answers before the real one

struct State {
    State(Reactor& r, Endpoint e) : reactor(r), endpoint(std::move(e)), turn(r) {}
    Reactor& reactor;
    Endpoint endpoint;
    Turnstile turn;
    std::unique_ptr<Wire> wire;
    bool closed = false;

    void disconnect() {
        if (wire) wire->poll->close();
        wire.reset();
    }
    Error error(ErrorCode code, std::string_view why) const {
        return Error{code, fmt::format("`{}`: {}", endpoint.text(), why)};
    }
};

using StatePtr = std::shared_ptr<State>;

// Between two answers a sound connection is silent: an end or unasked bytes mean a new one.
bool is_usable(const Wire& wire) {
    if (!wire.in.empty() || wire.ended || !wire.poll->is_open()) return false;
    char byte = 0;
    return recv(wire.poll->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

Result<std::string> request_head(const HttpRequest& request, const Endpoint& endpoint) {
    if (!is_header_name(request.method) || !is_origin_form(request.target))
        return fail(ErrorCode::kInvalid, "a method or target that cannot be sent");
    std::string out = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
    if (request.headers.count("host") == 0)
        out +=
            fmt::format("Host: {}\r\n", endpoint.unix_path.empty() ? endpoint.text() : "localhost");
    for (const auto& [name, value] : request.headers.fields()) {
        if (is_codec_field(name) || equals_ignoring_case(name, "expect")) continue;
        if (!is_header_name(name) || !is_header_value(value))
            return fail(ErrorCode::kInvalid, "a header field that cannot be sent");
        out.append(name).append(": ").append(value).append("\r\n");
    }
    const bool has_body = !request.body.empty() || request.method == "POST" ||
                          request.method == "PUT" || request.method == "PATCH";
    if (has_body) out += fmt::format("Content-Length: {}\r\n", request.body.size());
    return out + "\r\n";
}

// The head of the final answer at the front of wire->in, interim ones skipped.
struct GotHead {
    ResponseHead head;
    std::size_t size = 0;
};

Task<Result<GotHead>> read_head(StatePtr state, TimePoint deadline) {
    Wire* const wire = state->wire.get();
    std::size_t scanned = 0;
    for (int interim = 0; interim <= kInterimMax;) {
        const HeadEnd end = find_head_end(wire->in, &scanned, kMaxHeaderBytes);
        if (end.refusal) co_return fail(state->error(ErrorCode::kInvalid, "malformed answer"));
        if (end.size == 0) {
            const Fill filled = co_await fill(wire, deadline);
            if (filled == Fill::kTimeout)
                co_return fail(state->error(ErrorCode::kTimeout, "no answer in time"));
            if (filled == Fill::kClosed) co_return fail(closed_error().error());
            if (filled == Fill::kEnd)
                co_return fail(state->error(ErrorCode::kUnavailable, "closed without an answer"));
            continue;
        }
        GotHead out;
        out.size = end.size;
        const auto raw = std::string_view(wire->in).substr(0, end.size);
        if (parse_response_head(raw, out.head) || out.head.status == 101)
            co_return fail(state->error(ErrorCode::kInvalid, "malformed answer"));
        if (out.head.status >= 200) co_return std::move(out);
        wire->in.erase(0, end.size);
        ++interim;
    }
    co_return fail(state->error(ErrorCode::kInvalid, "too many interim answers"));
}

Task<Result<std::string>> read_body(StatePtr state, GotHead got, bool head_only,
                                    TimePoint deadline) {
    Wire* const wire = state->wire.get();
    const auto message = std::make_unique<Message<false>>(kMaxUpstreamMessageBytes, head_only);
    if (!message->put_head(std::string_view(wire->in).substr(0, got.size), got.head.framing))
        co_return fail(state->error(ErrorCode::kInvalid, "malformed answer"));
    wire->in.erase(0, got.size);
    for (;;) {
        const Body body = message->put_body(wire->in);
        if (body == Body::kDone) co_return message->take_body();
        if (body == Body::kTooLarge)
            co_return fail(state->error(ErrorCode::kTooLarge, "answer too large"));
        if (body == Body::kMalformed)
            co_return fail(state->error(ErrorCode::kInvalid, "malformed answer"));
        const Fill filled = co_await fill(wire, deadline);
        if (filled == Fill::kBytes) continue;
        if (filled == Fill::kTimeout)
            co_return fail(state->error(ErrorCode::kTimeout, "no whole answer in time"));
        if (filled == Fill::kClosed) co_return fail(closed_error().error());
        if (message->put_end()) co_return message->take_body();
        co_return fail(state->error(ErrorCode::kUnavailable, "closed in the middle of an answer"));
    }
}

Task<Status> connect(StatePtr state, TimePoint deadline) {
    if (state->closed) co_return closed_error();
    if (state->wire && is_usable(*state->wire)) co_return Status();
    state->disconnect();
    Endpoint endpoint = state->endpoint;
    auto fd = co_await connect_fd(&state->reactor, std::move(endpoint), deadline);
    if (!fd) co_return fail(fd.error());
    if (state->closed) co_return closed_error();
    auto poll = Poll::open(state->reactor, std::move(*fd));
    if (!poll) co_return fail(poll.error());
    state->wire = std::make_unique<Wire>(std::move(*poll));
    co_return Status();
}

Task<Result<HttpResponse>> exchange(StatePtr state, HttpRequest request, TimePoint deadline) {
    auto head = request_head(request, state->endpoint);
    if (!head) co_return fail(head.error());
    const Status connected = co_await connect(state, deadline);
    if (!connected) co_return fail(connected.error());
    const bool head_only = request.method == "HEAD";
    const Status sent = co_await write_socket(state->wire->poll, std::move(*head),
                                              std::move(request.body), deadline);
    // A server may refuse before it has read everything; its answer is worth more than the error.
    if (!sent && sent.error().code != ErrorCode::kUnavailable) co_return fail(sent.error());
    auto got = co_await read_head(state, deadline);
    if (!got) co_return fail(got.error());
    HttpResponse out;
    out.status = got->head.status;
    out.headers = got->head.headers;
    const bool keep = got->head.framing.keep_alive && sent.has_value();
    auto body = co_await read_body(state, std::move(*got), head_only, deadline);
    if (!body) co_return fail(body.error());
    out.body = std::move(*body);
    if (!keep) state->disconnect();
    co_return std::move(out);
}

Task<Result<HttpResponse>> in_turn(StatePtr state, HttpRequest request, TimePoint deadline) {
    co_await state->turn.enter();
    const Turn held(state->turn);
    auto out = co_await exchange(state, std::move(request), deadline);
    if (!out) state->disconnect();  // what may still come belongs to nobody
    co_return std::move(out);
}

}  // namespace

struct HttpClient::Impl {
    StatePtr state;
};

HttpClient::HttpClient(Reactor& reactor, Endpoint endpoint)
    : impl_(std::make_unique<Impl>(Impl{std::make_shared<State>(reactor, std::move(endpoint))})) {}

HttpClient::~HttpClient() {
    impl_->state->closed = true;
    if (impl_->state->wire) impl_->state->wire->poll->close();
}

Task<Result<HttpResponse>> HttpClient::request(HttpRequest request, Millis timeout) {
    return in_turn(impl_->state, std::move(request), deadline_in(timeout));
}

}  // namespace writ::net
