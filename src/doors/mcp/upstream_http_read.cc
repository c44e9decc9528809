// What an HTTP tool server sends: one JSON answer or an event stream, on the call's own connection
// or on a stream taken up again. The GET stream is read in upstream_http_listen.cc.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/inert.h"
#include "base/log.h"
#include "doors/mcp/http_rules.h"
#include "doors/mcp/upstream_http.h"
#include "doors/mcp/upstream_session.h"

namespace writ::mcp {

namespace {

// What a server may take to end a stream after the answer.
constexpr std::chrono::milliseconds kDrainTime{100};

// Many servers say 400 with an error that names no request where the specification says 404: they
// know no such session, hence did not act.
bool names_no_session(std::string_view body) {
    const auto document = json::parse(body);
    const auto error = document ? document->root().find("error") : std::nullopt;
    if (!error || !error->is_object() || error->i64("code") != -32000) return false;
    const auto id = document->root().find("id");
    return !id || id->is_null();
}

}  // namespace

net::Task<Result<Reply>> HttpUpstream::receive(Self self, FlightPtr flight) {
    const int status = flight->http->status();
    Result<Reply> reply = fail(Error{});
    if (status == 404 && !flight->session->id.empty()) {
        flight->lost_session = true;
        reply = fail(ErrorCode::kUnavailable, "its session is gone; nothing was done");
    } else if (status == 200 && has_type(*flight->http, "application/json")) {
        reply = co_await receive_json(self, flight);
    } else if (status == 200 && has_type(*flight->http, "text/event-stream")) {
        reply = co_await receive_stream(self, flight);
    } else {
        reply = co_await refused(self, flight);
    }
    co_return reply;
}

net::Task<Result<Reply>> HttpUpstream::receive_json(Self self, FlightPtr flight) {
    auto body = co_await flight->http->read_all(self->options_.message_bytes_max + kSlackBytes,
                                                flight->deadline);
    if (!body) co_return fail(self->outcome(*flight, body.error().code, body.error().detail));
    auto reply = self->take(std::move(*body), flight);
    if (reply) co_return std::move(*reply);
    co_return fail(
        self->outcome(*flight, ErrorCode::kInvalid, "its answer is to nothing we asked"));
}

// A status that is no answer. Servers of this protocol put JSON-RPC errors there, too.
net::Task<Result<Reply>> HttpUpstream::refused(Self self, FlightPtr flight) {
    const int status = flight->http->status();
    std::string why = fmt::format("it answered HTTP status {}", status);
    ErrorCode code = status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kInvalid;
    if (status >= 300 && status < 400) why += ", a redirect, which is never followed";
    if (status == 401 || status == 403) why += ": it refuses the gateway's credential";
    if (status == 200) why = "its answer is neither JSON nor an event stream";
    if (status == 202) why = "it accepted the request and gave no answer";
    if (has_type(*flight->http, "application/json")) {
        auto body = co_await flight->http->read_all(kSlackBytes, flight->deadline);
        if (body && status == 400 && !flight->session->id.empty() && names_no_session(*body)) {
            flight->lost_session = true;
            co_return fail(ErrorCode::kUnavailable, "its session is gone; nothing was done");
        }
        const auto message = body ? parse_message(std::move(*body)) : nullptr;
        if (message && *message && (*message)->error && our_id((*message)->id) == flight->id)
            co_return Reply{true, std::string((*message)->error->raw())};
    }
    flight->http->close();
    co_return fail(self->outcome(*flight, code, why));
}

net::Task<Result<Reply>> HttpUpstream::receive_stream(Self self, FlightPtr flight) {
    std::string last_id;
    for (int resumes = 0;; ++resumes) {
        net::SseParser events(self->options_.message_bytes_max + kSlackBytes);
        Error why{ErrorCode::kUnavailable, "its stream ended without an answer", {}};
        for (int pieces = 1;; ++pieces) {
            if (pieces % kPiecesInARow == 0) co_await self->reactor_.sleep(net::Millis(0));
            auto piece = co_await flight->http->read(flight->deadline);
            // A server that never stops sending is never waited for, so no timer ends it.
            if (piece && std::chrono::steady_clock::now() >= flight->deadline)
                piece = fail(ErrorCode::kTimeout, "its stream does not end");
            if (!piece) why = piece.error();
            if (!piece || piece->empty()) break;
            flight->stream_bytes += piece->size();
            Status put = events.put(*piece);
            if (put && flight->stream_bytes > kMaxStreamBytes)
                put = fail(ErrorCode::kTooLarge, "its stream does not end");
            while (auto event = put ? events.next() : std::nullopt) {
                if (event->data.empty()) continue;  // a priming event
                auto reply = self->take(std::move(event->data), flight);
                if (flight->stray > kMaxStrayLines) break;
                if (!reply) continue;
                self->reactor_.spawn(drain(flight->http));
                co_return std::move(*reply);
            }
            if (put && flight->stray > kMaxStrayLines)
                put = fail(ErrorCode::kInvalid, "it sends too much that is no answer");
            if (!put) {
                flight->http->close();
                co_return fail(self->outcome(*flight, ErrorCode::kInvalid, put.error().detail));
            }
        }
        if (!events.last_id().empty()) last_id = events.last_id();
        const bool again = why.code == ErrorCode::kUnavailable && !flight->given_up &&
                           self->alive_ && !last_id.empty() && resumes < kMaxResumes;
        if (!again) co_return fail(self->outcome(*flight, why.code, why.detail));
        const auto retry = events.retry_ms();
        const auto pause = retry ? net::Millis(*retry) : kDefaultRetry;
        if (auto failed = co_await resume(self, flight, last_id, pause))
            co_return fail(self->outcome(*flight, failed->code, failed->detail));
    }
}

// Usually the end of a stream comes right after the answer, and its connection is used again.
net::Task<void> HttpUpstream::drain(net::HttpCallPtr http) {
    (void)co_await http->read(std::chrono::steady_clock::now() + kDrainTime);
    http->close();
}

net::Headers HttpUpstream::stream_fields(const Session& session, std::string_view last_id) const {
    net::Headers fields = where_.fields;
    fields.add("Accept", "text/event-stream");
    if (!session.version.empty()) fields.add("MCP-Protocol-Version", session.version);
    if (!session.id.empty()) fields.add("MCP-Session-Id", session.id);
    if (!last_id.empty()) fields.add("Last-Event-ID", last_id);
    return fields;
}

// Takes up the stream of a call again; nothing is asked twice by it.
net::Task<std::optional<Error>> HttpUpstream::resume(Self self, FlightPtr flight,
                                                     std::string last_id, net::Millis pause) {
    auto left = std::min(flight->deadline, std::chrono::steady_clock::now() + pause);
    while (std::chrono::steady_clock::now() < left && self->alive_ && !flight->given_up)
        co_await self->reactor_.sleep(
            std::min(net::Millis(50),
                     std::chrono::ceil<net::Millis>(left - std::chrono::steady_clock::now())));
    if (!self->alive_ || flight->given_up) co_return Error{ErrorCode::kCancelled, {}, {}};
    const net::Headers fields = self->stream_fields(*flight->session, last_id);
    auto head =
        net::HttpHead::make("GET", self->where_.target, self->where_.pool->authority(), fields);
    if (!head) co_return Error{ErrorCode::kInvalid, "its event id cannot be sent back", {}};
    // The POST has been sent whatever becomes of this: outcome() must go on saying so.
    const net::HttpCallPtr posted = std::exchange(flight->http, self->where_.pool->call());
    const Status begun =
        co_await flight->http->begin(std::move(*head), {}, flight->deadline, nullptr);
    const bool good =
        begun && flight->http->status() == 200 && has_type(*flight->http, "text/event-stream");
    if (good) co_return std::nullopt;
    const std::string why =
        begun ? fmt::format("its stream cannot be taken up again (HTTP status {})",
                            flight->http->status())
              : begun.error().detail;
    flight->http->close();
    flight->http = posted;
    const bool timed_out = !begun && begun.error().code == ErrorCode::kTimeout;
    co_return Error{timed_out ? ErrorCode::kTimeout : ErrorCode::kUnavailable, why, {}};
}

// What came in one piece. An answer to `flight` is returned; everything else is dealt with here.
std::optional<Result<Reply>> HttpUpstream::take(std::string text, const FlightPtr& flight) {
    const Session& session = flight->session ? *flight->session : *session_;
    if (is_batch(text) && session.version == kBatchVersion) return take_batch(text, flight);
    return take_message(std::move(text), flight);
}

std::optional<Result<Reply>> HttpUpstream::take_batch(std::string_view text,
                                                      const FlightPtr& flight) {
    auto members = batch_members(text, options_.message_bytes_max);
    if (!members) {
        stray(flight, members.error().detail);
        return std::nullopt;
    }
    std::optional<Result<Reply>> reply;
    for (std::string& member : *members) {
        if (flight->stray > kMaxStrayLines) break;
        auto got = take_message(std::move(member), flight);
        if (!reply) reply = std::move(got);
    }
    return reply;
}

void HttpUpstream::stray(const FlightPtr& flight, std::string_view why) {
    ++counters_.stray;
    ++flight->stray;
    flight->last_stray = inert(why, 200);
}

std::optional<Result<Reply>> HttpUpstream::take_message(std::string text, const FlightPtr& flight) {
    auto message = parse_message(std::move(text), {.bytes_max = options_.message_bytes_max});
    if (!message) {
        if (our_id(message.error().id) == flight->id)
            return fail(outcome(*flight, ErrorCode::kInvalid,
                                "its answer is not valid: " + message.error().detail));
        stray(flight, message.error().detail);
        return std::nullopt;
    }
    const Message& got = **message;
    if (got.kind == MessageKind::kRequest) {
        take_request(got, flight);
    } else if (got.kind == MessageKind::kNotification) {
        take_notification(got, flight);
    } else if (const auto id = our_id(got.id); id == flight->id) {
        const json::Value& value = got.error ? *got.error : *got.result;
        const bool error = got.error.has_value();
        std::string bytes(value.raw());
        return Reply{error, std::move(bytes), std::move(*message)};
    } else if (id && abandoned_.erase(*id) > 0) {
        ++counters_.late;
    } else {
        stray(flight, "an answer that nobody awaits");
    }
    return std::nullopt;
}

// One line for a whole stream, so that a server cannot fill the log.
void HttpUpstream::tell_strays(const Flight& flight) const {
    const bool closed = flight.stray > kMaxStrayLines;
    if (flight.last_stray.empty() && !closed) return;
    log::warn("mcp", "tool server `{}` sent {} messages that belong to nobody on one stream{}{}{}",
              server_, flight.stray, closed ? ", which is closed" : "",
              flight.last_stray.empty() ? "" : "; the last: ", flight.last_stray);
}

void HttpUpstream::take_request(const Message& message, const FlightPtr& flight) {
    const bool ping = message.method == "ping";
    if (!ping) ++counters_.asked;
    if (flight->answering >= kMaxAnswersAtOnce) {
        ++flight->stray;
        flight->last_stray = "a request, before its earlier ones were answered";
        return;
    }
    ++flight->answering;
    if (ping) {
        reactor_.spawn(answer(shared_from_this(), flight, result_text(message.id, "{}")));
        return;
    }
    const bool mine = flight->conversation && is_inward(message.method);
    if (!mine) {
        ++flight->stray;  // each costs us a request: not without end
        reactor_.spawn(
            answer(shared_from_this(), flight,
                   error_text(message.id, kMethodNotFound, "not offered by this client")));
        return;
    }
    Ask ask{std::string(message.method),
            message.params ? std::string(message.params->raw()) : std::string("{}")};
    reactor_.spawn(pass_on(shared_from_this(), flight, std::string(message.id), std::move(ask)));
}

net::Task<void> HttpUpstream::pass_on(Self self, FlightPtr flight, std::string id, Ask ask) {
    ConversationPtr to = flight->conversation;
    const Reply reply = co_await Conversation::ask(std::move(to), std::move(ask), &self->reactor_);
    std::string text = R"({"jsonrpc":"2.0","id":)" + id;
    text += reply.error ? R"(,"error":)" : R"(,"result":)";
    text += reply.bytes;
    text += '}';
    co_await answer(self, std::move(flight), std::move(text));
}

net::Task<void> HttpUpstream::answer(Self self, FlightPtr flight, std::string text) {
    net::HttpHeadPtr head = self->post_;
    co_await post_aside(self, std::move(head), std::move(text));
    --flight->answering;
}

void HttpUpstream::take_notification(const Message& message, const FlightPtr& flight) {
    if (message.method == "notifications/tools/list_changed" && options_.on_tools_changed)
        return options_.on_tools_changed();
    const std::string_view params = message.params ? message.params->raw() : "{}";
    if (flight->conversation && message.params) {
        if (message.method == "notifications/progress" &&
            message.params->i64("progressToken") == flight->id)
            return flight->conversation->progress(params);
        if (message.method == "notifications/message") return flight->conversation->log(params);
    }
    ++counters_.dropped;
}

}  // namespace writ::mcp
