// The session of an HTTP tool server: handshake, requests, renewal, end. What a server sends is
// read in upstream_http_read.cc.
#include "doors/mcp/upstream_http.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/inert.h"
#include "doors/mcp/http_rules.h"
#include "doors/mcp/upstream_session.h"
#include "json/node.h"

namespace writ::mcp {

namespace {

net::Deadline in(net::Millis timeout) {
    return std::chrono::steady_clock::now() + timeout;
}

// Visible ASCII, as the specification says; what cannot be sent back is no session id.
bool is_session_id(std::string_view text) {
    return !text.empty() && text.size() <= kMaxSessionIdBytes &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x21 && c <= 0x7e; });
}

}  // namespace

HttpUpstream::HttpUpstream(net::Reactor& reactor, std::string server, Where where,
                           UpstreamOptions options)
    : reactor_(reactor),
      server_(std::move(server)),
      where_(std::move(where)),
      options_(std::move(options)),
      awaiting_renewal_(reactor, fail(ErrorCode::kTimeout, "it did not answer in time")) {}

HttpUpstream::~HttpUpstream() {
    where_.place->waiting.erase(this);
}

Upstream::Counters HttpUpstream::counters() const {
    Counters out = counters_;
    out.in_flight = flights_.size();
    return out;
}

net::Task<Result<std::shared_ptr<HttpUpstream>>> HttpUpstream::start(net::Reactor& reactor,
                                                                     std::string server,
                                                                     Where where,
                                                                     UpstreamOptions options) {
    struct Made : HttpUpstream {  // the constructor is private
        Made(net::Reactor& r, std::string s, Where w, UpstreamOptions o)
            : HttpUpstream(r, std::move(s), std::move(w), std::move(o)) {}
    };
    const Self self =
        std::make_shared<Made>(reactor, std::move(server), std::move(where), std::move(options));
    self->alive_ = true;
    Status ready = self->make_heads();
    if (ready) ready = co_await self->shake_hands();
    if (!ready) {
        self->end();
        co_return fail(ready.error().in(fmt::format("tool server `{}`", self->server_)));
    }
    co_return self;
}

Status HttpUpstream::make_heads() {
    net::Headers fields = where_.fields;
    fields.add("Content-Type", "application/json");
    fields.add("Accept", "application/json, text/event-stream");
    const std::string host = where_.pool->authority();
    auto first = net::HttpHead::make("POST", where_.target, host, fields);
    if (!first) return fail(first.error());
    first_ = std::move(*first);
    if (!session_->version.empty()) fields.add("MCP-Protocol-Version", session_->version);
    if (!session_->id.empty()) fields.add("MCP-Session-Id", session_->id);
    auto post = net::HttpHead::make("POST", where_.target, host, fields);
    auto remove = net::HttpHead::make("DELETE", where_.target, host, fields);
    if (!post || !remove) return fail(ErrorCode::kInvalid, "a header field that cannot be sent");
    post_ = std::move(*post);
    delete_ = std::move(*remove);
    return {};
}

net::Task<Status> HttpUpstream::shake_hands() {
    const Self self = shared_from_this();
    auto flight = std::make_shared<Flight>();
    flight->id = next_id_++;
    flight->deadline = in(options_.start_timeout);
    std::string method = "initialize";
    std::string params = initialize_params(options_.version);
    const auto reply =
        co_await attempt(self, flight, std::move(method), std::move(params), nullptr);
    if (!reply) co_return fail(reply.error());
    const auto agreed = read_agreement(*reply);
    if (!agreed) co_return fail(agreed.error());
    session_ = std::make_shared<Session>(Session{agreed->version, flight->session->id});
    has_tools_ = agreed->tools;
    notifies_ = agreed->tools_change;
    ++epoch_;
    if (Status made = make_heads(); !made) co_return made;
    // Accepted or not: a server that minds will say so at the next request.
    std::string text = notification_text("notifications/initialized");
    net::HttpHeadPtr head = post_;
    co_await post_aside(self, std::move(head), std::move(text));
    want_to_listen();
    co_return Status{};
}

net::Task<Result<std::string>> HttpUpstream::list_tools() {
    const Self self = shared_from_this();
    if (!has_tools_) co_return "[]";
    Asker ask = [self](std::string method, std::string params) {
        return self->request(std::move(method), std::move(params), self->options_.list_timeout,
                             nullptr, nullptr);
    };
    auto tools = co_await list_all_tools(std::move(ask), options_.message_bytes_max);
    co_return tools;
}

net::Task<Result<Reply>> HttpUpstream::call(Outbound call) {
    const Self self = shared_from_this();
    std::string method = "tools/call";
    std::string params = call_params(call, std::nullopt);
    auto reply = co_await request(std::move(method), std::move(params), call.timeout,
                                  std::move(call.depart), call.conversation);
    if (call.conversation) call.conversation->bind(nullptr);
    co_return reply;
}

net::Task<Result<Reply>> HttpUpstream::request(std::string method, std::string params,
                                               net::Millis timeout, Depart depart,
                                               ConversationPtr conversation) {
    const Self self = shared_from_this();
    const net::Deadline deadline = in(timeout);
    for (int tries = 0;; ++tries) {
        if (!alive())
            co_return fail(ErrorCode::kUnavailable,
                           fmt::format("it has ended ({}); nothing was sent", why_ended_));
        if (conversation && conversation->cancelled())
            co_return fail(ErrorCode::kCancelled, "cancelled; nothing was sent");
        if (flights_.size() >= options_.in_flight_max)
            co_return fail(
                ErrorCode::kExhausted,
                fmt::format("{} calls are in flight; nothing was sent", options_.in_flight_max));
        auto flight = std::make_shared<Flight>();
        flight->id = next_id_++;
        flight->conversation = conversation;
        flight->deadline = deadline;
        const std::uint64_t epoch = epoch_;
        Result<Reply> reply = co_await attempt(self, flight, method, params, depart);
        if (!flight->lost_session || tries > 0) co_return reply;
        const Status renewed = co_await renew(self, epoch, deadline, conversation);
        if (!renewed)
            co_return fail(renewed.error().code,
                           "its session ended and it gave no new one: " + renewed.error().detail);
    }
}

net::Task<Result<Reply>> HttpUpstream::attempt(Self self, FlightPtr flight, std::string method,
                                               std::string params, Depart depart) {
    flight->http = self->where_.pool->call();
    self->flights_.emplace(flight->id, flight);
    const bool first = method == "initialize";
    flight->session = first ? std::make_shared<Session>() : self->session_;
    const bool progress = flight->conversation && flight->conversation->wants_progress();
    if (progress) {  // our token is the request's id; `params` is an object that ends in `}`
        params.pop_back();
        params += fmt::format(R"(,"_meta":{{"progressToken":{}}}}})", flight->id);
    }
    if (flight->conversation)
        flight->conversation->bind([weak = std::weak_ptr(self), flight](const std::string& reason) {
            if (const auto upstream = weak.lock()) upstream->give_up(flight, reason);
        });
    std::string body = request_text(flight->id, method, params);
    net::HttpHeadPtr head = first ? self->first_ : self->post_;
    const Status begun = co_await flight->http->begin(std::move(head), std::move(body),
                                                      flight->deadline, std::move(depart));
    // The stream may have to be taken up again before it is answered.
    const auto id = begun && first ? flight->http->headers().get("mcp-session-id") : std::nullopt;
    Result<Reply> reply = fail(Error{});
    if (id && !is_session_id(*id)) {
        flight->http->close();
        reply = fail(ErrorCode::kInvalid, "its session id is not one");
    } else if (begun) {
        if (id) flight->session = std::make_shared<Session>(Session{{}, std::string(*id)});
        reply = co_await receive(self, flight);
        self->tell_strays(*flight);
    } else {
        const ErrorCode code = begun.error().code;
        reply = fail(code == ErrorCode::kUnauthenticated || code == ErrorCode::kForbidden
                         ? begun.error()  // depart's
                         : self->outcome(*flight, code, begun.error().detail));
    }
    self->flights_.erase(flight->id);
    if (!begun && !flight->http->sent() && begun.error().code == ErrorCode::kUnavailable)
        self->falter(begun.error().detail);
    else if (self->retired_ && self->flights_.empty())
        self->end();
    if (!reply && reply.error().code == ErrorCode::kTimeout && flight->http->sent() && !first)
        self->tell_cancelled(*flight, "timeout");
    co_return reply;
}

// The words of an error say whether anything was sent; a call given up ends as that.
Error HttpUpstream::outcome(const Flight& flight, ErrorCode code, std::string_view why) const {
    const bool sent = flight.http && flight.http->sent();
    const auto then = sent ? "the outcome is unknown" : "nothing was sent";
    if (flight.given_up) return {*flight.given_up, fmt::format("cancelled; {}", then), {}};
    if (code == ErrorCode::kCancelled)
        return {ErrorCode::kUnavailable, fmt::format("it ended ({}); {}", why_ended_, then), {}};
    if (code == ErrorCode::kTimeout)
        return {code, fmt::format("it did not answer in time; {}", then), {}};
    return {code, fmt::format("{}; {}", why, then), {}};
}

// Waits for a session newer than `epoch`, which is made for all who need it.
net::Task<Status> HttpUpstream::renew(Self self, std::uint64_t epoch, net::Deadline deadline,
                                      ConversationPtr conversation) {
    if (self->epoch_ != epoch) co_return Status{};
    const auto turn = self->awaiting_renewal_.add(deadline);
    if (!std::exchange(self->renewing_, true)) self->reactor_.spawn(make_anew(self));
    if (conversation)
        conversation->bind(
            [turn](const std::string&) { turn.set(fail(ErrorCode::kCancelled, "cancelled")); });
    Status renewed = co_await turn.wait();
    if (conversation) conversation->bind(nullptr);
    co_return renewed;
}

net::Task<void> HttpUpstream::make_anew(Self self) {
    if (self->listening_) self->listening_->close();
    const Status renewed = co_await self->shake_hands();
    self->renewing_ = false;
    if (!renewed)
        self->falter("its session ended: " + renewed.error().detail);
    else if (self->options_.on_tools_changed)
        self->options_.on_tools_changed();  // a server that forgot us may be another version
    self->awaiting_renewal_.set(renewed);
}

void HttpUpstream::give_up(const FlightPtr& flight, std::string_view reason) {
    if (flight->given_up) return;
    flight->given_up = ErrorCode::kCancelled;
    tell_cancelled(*flight, reason);
    flight->http->close();
}

void HttpUpstream::tell_cancelled(const Flight& flight, std::string_view reason) {
    if (!flight.http->sent() || !alive_) return;
    if (abandoned_.size() >= kMaxAbandoned) abandoned_.erase(abandoned_.begin());
    abandoned_.insert(flight.id);
    std::string params = R"({"reason":)";
    json::append_string(params, reason);
    params += fmt::format(R"(,"requestId":{}}})", flight.id);
    reactor_.spawn(post_aside(shared_from_this(), post_,
                              notification_text("notifications/cancelled", params)));
}

// A request whose answer says nothing to us.
net::Task<void> HttpUpstream::post_aside(Self self, net::HttpHeadPtr head, std::string body) {
    const auto deadline = in(kAsideTimeout);
    const auto http = self->where_.pool->call();
    const Status begun = co_await http->begin(std::move(head), std::move(body), deadline, nullptr);
    if (begun) (void)co_await http->read_all(64 << 10, deadline);
}

// Nobody there, or no session: the next one that needs the server starts anew, with its backoff.
// Calls in flight have connections of their own, and their answers may still come.
void HttpUpstream::falter(std::string why) {
    if (flights_.empty()) return stop(std::move(why));
    if (!alive()) return;
    retired_ = true;
    why_ended_ = inert(why, 200);
    if (listening_) listening_->close();
    where_.place->waiting.erase(this);
}

void HttpUpstream::stop(std::string why) {
    if (!std::exchange(alive_, false)) return;
    if (!retired_) why_ended_ = inert(why, 200);
    for (const auto& [id, flight] : flights_) flight->http->close();
    if (listening_) listening_->close();
    where_.place->waiting.erase(this);
    options_.ticket.reset();
}

void HttpUpstream::end() {
    const bool had_session = alive_ && !session_->id.empty();
    stop("ended");
    if (had_session) reactor_.spawn(post_aside(shared_from_this(), delete_, {}));
}

}  // namespace writ::mcp
