#include "net/http_connection.h"

#include <sys/socket.h>

#include "net/http_body.h"

namespace writ::net {
namespace {

// After a refusal the peer may still be sending: closing at once would reset the connection and
// destroy the answer on its way. What it sends is thrown away, up to this much and this long.
constexpr std::size_t kDrainBytes = 16 << 20;
constexpr Millis kDrainTime{1'000};
// Beyond the first of it a pause after each read holds the sender back, so that the limits are
// reached together: a fast one would meet the reset before it has looked at the answer.
constexpr std::size_t kDrainFastBytes = 1 << 20;
constexpr Millis kDrainPause{4};

}  // namespace

Connection::Connection(std::shared_ptr<Poll> poll, Peer peer,
                       std::shared_ptr<const HttpHandler> handler, const HttpServerOptions& options,
                       Budgets budgets)
    : wire_(std::move(poll)),
      peer_(std::move(peer)),
      handler_(std::move(handler)),
      options_(options),
      budgets_(std::move(budgets)),
      accepted_at_(std::chrono::steady_clock::now()),
      idle_since_(accepted_at_) {
    // While a handler runs, input is read ahead: that is how a peer that left is noticed.
    wire_.poll->watch([this] {
        if (exchange_ == nullptr) return false;
        if (wire_.in.size() >= kReadAheadBytes) {
            wire_.full_read = true;  // the rest waits in the kernel
            return false;
        }
        slurp(wire_);
        if (wire_.ended)
            exchange_->note_gone();
        else
            wire_.poll->arm_read();
        return true;
    });
}

Connection::Got Connection::refused(Refusal why) {
    refusal_ = why;
    return Got::kRefused;
}

Task<void> Connection::serve(std::shared_ptr<Connection> self) {
    for (bool more = true; more;) {
        const Got got = co_await self->read_request();
        if (got == Got::kNothing) break;
        if (got == Got::kRefused) {
            self->charge(0);  // the body is gone, whatever the peer still sends
            co_await self->refuse();
            break;
        }
        more = co_await self->answer();
        self->charge(0);
        self->first_ = false;
    }
    self->wire_.poll->close();
}

void Connection::finish() {
    finishing_ = true;
    if (exchange_ != nullptr) exchange_->close_after();
    if (is_idle()) wire_.poll->close();
}

std::optional<TimePoint> Connection::idle_since() const {
    if (!is_idle() || finishing_) return std::nullopt;
    return idle_since_;
}

bool Connection::charge(std::size_t bytes) {
    Budget& bodies = *budgets_.bodies;
    if (bytes > charged_ && bytes - charged_ > bodies.max - bodies.used) return false;
    bodies.used = bodies.used - charged_ + bytes;
    charged_ = bytes;
    return true;
}

Task<Connection::Got> Connection::read_request() {
    const Got got = co_await read_head();
    if (got != Got::kRequest) co_return got;
    co_return co_await read_body();
}

Task<Connection::Got> Connection::read_head() {
    idle_ = wire_.in.empty();
    if (idle_ && finishing_) co_return Got::kNothing;
    if (idle_ && !first_) idle_since_ = std::chrono::steady_clock::now();
    TimePoint deadline = deadline_in(idle_ ? options_.idle_timeout : options_.head_timeout);
    if (first_) deadline = accepted_at_ + options_.head_timeout;
    HeadEnd end;
    for (;;) {
        end = find_head_end(wire_.in, &scanned_, options_.header_bytes_max);
        if (end.refusal) co_return refused(end.refusal);
        if (end.size != 0) break;
        const Fill filled = co_await fill(&wire_, deadline);
        if (filled == Fill::kTimeout && !idle_)
            co_return refused({408, "the request head took too long"});
        if (filled != Fill::kBytes) co_return Got::kNothing;
        if (idle_ && !first_) deadline = deadline_in(options_.head_timeout);
        idle_ = false;
    }
    idle_ = false;
    head_ = RequestHead();
    const Refusal bad = parse_request_head(std::string_view(wire_.in).substr(0, end.size), head_);
    if (bad) co_return refused(bad);
    scanned_ = end.size;  // where the body begins
    co_return Got::kRequest;
}

Task<Connection::Got> Connection::read_body() {
    const auto head_size = std::exchange(scanned_, 0);
    RequestBody body(head_.framing, options_.body_bytes_max);
    wire_.in.erase(0, head_size);
    request_ = HttpRequest{std::move(head_.method), std::move(head_.target),
                           std::move(head_.headers), std::string(), peer_};
    const TimePoint deadline = deadline_in(options_.body_timeout);
    std::size_t received = 0;
    bool asked = false;
    for (bool invited = !head_.framing.expects_continue;; invited = true) {
        const std::size_t before = wire_.in.size();
        const Body got = body.put(wire_.in);
        received += before - wire_.in.size();
        if (got == Body::kDone) break;
        if (got == Body::kTooLarge) co_return refused({413, "request body too large"});
        if (got == Body::kMalformed) co_return refused({400, "malformed request body"});
        if (!asked && options_.wants_body && !options_.wants_body(request_)) {
            unread_ = true;
            co_return Got::kRequest;
        }
        asked = true;
        // OPTIMIZATION: a body that came with its head is never counted; it is here already.
        if (!charge(received))
            co_return refused({503, "too many request bodies at once; try later"});
        if (!invited && wire_.in.empty()) {
            std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
            std::string none;
            const Status sent =
                co_await write_socket(wire_.poll, std::move(go_on), std::move(none), deadline);
            if (!sent) co_return Got::kNothing;
        }
        const Fill filled = co_await fill(&wire_, deadline);
        if (filled == Fill::kTimeout) co_return refused({408, "the request body took too long"});
        if (filled != Fill::kBytes) co_return Got::kNothing;
    }
    request_.body = body.take();
    co_return Got::kRequest;
}

Task<bool> Connection::answer() {
    Exchange exchange(wire_, head_.framing, request_.method == "HEAD", options_.write_timeout,
                      budgets_.answers);
    if (finishing_ || unread_) exchange.close_after();
    exchange_ = &exchange;
    wire_.poll->arm_read();
    HttpRequest request = std::move(request_);
    co_await (*handler_)(std::move(request), exchange);
    const bool more = co_await exchange.finish();
    exchange_ = nullptr;
    if (!more && !exchange.peer_gone() && (unread_ || !wire_.in.empty())) co_await drain();
    co_return more;
}

Task<void> Connection::refuse() {
    std::string head = refusal_response(refusal_.status, refusal_.text);
    std::string none;
    const TimePoint deadline = deadline_in(options_.write_timeout);
    const Status sent =
        co_await write_socket(wire_.poll, std::move(head), std::move(none), deadline);
    if (sent) co_await drain();
}

Task<void> Connection::drain() {
    shutdown(wire_.poll->fd(), SHUT_WR);
    const TimePoint deadline = deadline_in(kDrainTime);
    for (std::size_t thrown = 0; thrown < kDrainBytes; thrown += wire_.in.size()) {
        wire_.in.clear();
        const Fill filled = co_await fill(&wire_, deadline);
        if (filled != Fill::kBytes) break;
        if (thrown >= kDrainFastBytes) co_await wire_.poll->reactor().sleep(kDrainPause);
    }
}

}  // namespace writ::net
