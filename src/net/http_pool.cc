#include "net/http_pool.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include "net/address.h"
#include "net/http_head.h"
#include "net/http_pool_state.h"
#include "net/resolver.h"

namespace writ::net {

namespace {

// Between two answers a sound connection is silent: an end or unasked bytes mean a new one. Reading
// through TLS also takes in what is not for us (session tickets).
bool is_usable(Wire& wire) {
    if (!wire.in.empty() || wire.ended || !wire.poll->is_open()) return false;
    char byte = 0;
    if (wire.tls) return wire.tls->read(&byte, 1) == -1;
    // What a reception that filled its room left behind raises no further event.
    if (!wire.full_read && wire.poll->is_quiet()) return true;
    return recv(wire.poll->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

Task<Result<Addresses>> addresses(PoolState state, TimePoint deadline) {
    if (!state->by_url) {
        auto one = Address::of(state->endpoint);
        if (!one) co_return fail(one.error());
        co_return Addresses{*one};
    }
    const Url& url = state->url;
    if (const auto literal =
            Address::of_ip(url.host == "localhost" ? "127.0.0.1" : url.host, url.port))
        co_return Addresses{*literal};
    const auto resolver =
        state->options.resolver ? state->options.resolver : Resolver::of_process();
    std::string host = url.host;
    auto found = co_await resolver->resolve(&state->reactor, std::move(host), url.port, deadline);
    co_return found;
}

}  // namespace

Error HttpPool::State::error(ErrorCode code, std::string_view why) const {
    return Error{code, fmt::format("`{}`: {}", name, why)};
}

std::unique_ptr<Wire> HttpPool::State::take_idle() {
    const auto oldest = std::chrono::steady_clock::now() - kMaxIdle_ms;
    while (!idle.empty()) {
        Idle last = std::move(idle.back());
        idle.pop_back();
        if (last.since >= oldest && is_usable(*last.wire)) return std::move(last.wire);
        drop(std::move(last.wire));
    }
    return nullptr;
}

void HttpPool::State::give_back(std::unique_ptr<Wire> wire) {
    if (closed || idle.size() >= options.idle_max) return drop(std::move(wire));
    // The oldest go while they are few: a burst leaves nothing behind.
    const auto now = std::chrono::steady_clock::now();
    while (!idle.empty() && idle.front().since < now - kMaxIdle_ms) {
        auto old = std::move(idle.front().wire);
        idle.erase(idle.begin());
        drop(std::move(old));
    }
    idle.push_back({std::move(wire), now});
}

void HttpPool::State::drop(std::unique_ptr<Wire> wire) {
    if (wire) wire->poll->close();
    --open;
}

Task<Result<std::unique_ptr<Wire>>> connect_wire(PoolState state,
                                                 std::shared_ptr<Connecting> connecting,
                                                 TimePoint deadline) {
    deadline = std::min(deadline, deadline_in(state->options.connect_timeout));
    auto found = co_await addresses(state, deadline);
    if (!found) co_return fail(found.error());
    Error last = state->error(ErrorCode::kUnavailable, "no address");
    for (const Address& address : *found) {
        if (connecting->closed) co_return fail(closed_error().error());
        auto watch = [connecting](const std::shared_ptr<Poll>& poll) { connecting->poll = poll; };
        auto fd = co_await connect_address(&state->reactor, address, state->name, deadline,
                                           std::move(watch));
        if (connecting->closed) co_return fail(closed_error().error());
        if (!fd) {
            last = fd.error();
            continue;
        }
        if (state->options.trusts)
            if (const Status trusted = state->options.trusts(peer_of(fd->get())); !trusted)
                co_return fail(trusted.error());
        auto poll = Poll::open_drained(state->reactor, std::move(*fd));
        if (!poll) co_return fail(poll.error());
        connecting->poll = *poll;
        auto wire = std::make_unique<Wire>(*poll);
        if (!state->tls) co_return std::move(wire);
        std::string host = state->url.host;
        auto tls = co_await TlsSession::connect(state->tls, *poll, std::move(host), deadline);
        if (tls) {
            wire->tls = std::move(*tls);
            co_return std::move(wire);
        }
        (*poll)->close();
        last = tls.error();
    }
    co_return fail(std::move(last));
}

HttpPool::HttpPool() = default;

HttpPool::HttpPool(Reactor& reactor, Endpoint endpoint, HttpPoolOptions options)
    : state_(std::make_shared<State>(reactor, std::move(options))) {
    state_->name = endpoint.text();
    state_->endpoint = std::move(endpoint);
}

Result<std::shared_ptr<HttpPool>> HttpPool::make(Reactor& reactor, Url url,
                                                 HttpPoolOptions options) {
    std::shared_ptr<HttpPool> out(new HttpPool());
    out->state_ = std::make_shared<State>(reactor, std::move(options));
    State& state = *out->state_;
    state.by_url = true;
    state.name = url.origin();
    if (url.tls) {
        auto tls = TlsContext::client(state.options.ca_file);
        if (!tls) return fail(tls.error());
        state.tls = std::move(*tls);
    }
    state.url = std::move(url);
    return out;
}

HttpPool::~HttpPool() {
    state_->closed = true;
    for (auto& each : std::exchange(state_->idle, {})) state_->drop(std::move(each.wire));
}

std::string HttpPool::authority() const {
    if (state_->by_url) return state_->url.authority();
    return state_->endpoint.unix_path.empty() ? state_->endpoint.text() : "localhost";
}

std::size_t HttpPool::connections() const {
    return state_->open;
}

std::size_t HttpPool::idle() const {
    return state_->idle.size();
}

Result<HttpHeadPtr> HttpHead::make(std::string_view method, std::string_view target,
                                   std::string_view host, const Headers& fields) {
    if (!is_header_name(method) || !is_origin_form(target))
        return fail(ErrorCode::kInvalid, "a method or target that cannot be sent");
    auto out = std::make_shared<HttpHead>();
    out->text_ = fmt::format("{} {} HTTP/1.1\r\n", method, target);
    if (fields.count("host") == 0) out->text_ += fmt::format("Host: {}\r\n", host);
    for (const auto [name, value] : fields) {
        if (is_codec_field(name) || equals_ignoring_case(name, "expect")) continue;
        if (!is_header_name(name) || !is_header_value(value))
            return fail(ErrorCode::kInvalid, "a header field that cannot be sent");
        out->text_.append(name).append(": ").append(value).append("\r\n");
    }
    out->has_body_ = method == "POST" || method == "PUT" || method == "PATCH";
    out->head_only_ = method == "HEAD";
    return HttpHeadPtr(std::move(out));
}

std::string HttpHead::text(std::size_t body_bytes) const {
    std::string out;
    out.reserve(text_.size() + 48);
    out = text_;
    if (has_body_ || body_bytes > 0)
        out.append("Content-Length: ").append(std::to_string(body_bytes)).append("\r\n");
    return out.append("\r\n");
}

}  // namespace writ::net
