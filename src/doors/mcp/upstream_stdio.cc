#include "doors/mcp/upstream_stdio.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/inert.h"
#include "doors/mcp/http_rules.h"
#include "doors/mcp/upstream_session.h"
#include "json/node.h"

namespace writ::mcp {

namespace {

// How long one read waits before it looks whether the instance was ended; idleness is no error.
constexpr net::Millis kReadTurn{60'000};
// A server that failed to start has its last words on stderr; they arrive beside its end.
constexpr net::Millis kStderrTurn{50};
// Granularity of call deadlines.
constexpr std::chrono::milliseconds kTick{100};

}  // namespace

StdioUpstream::StdioUpstream(net::Reactor& reactor, std::string server, UpstreamOptions options)
    : reactor_(reactor), server_(std::move(server)), options_(std::move(options)) {}

StdioUpstream::~StdioUpstream() = default;

pid_t StdioUpstream::pid() const {
    return child_ ? child_->pid() : -1;
}

StdioUpstream::Counters StdioUpstream::counters() const {
    Counters out = counters_;
    out.in_flight = pending_.size();
    return out;
}

net::Task<Result<std::shared_ptr<StdioUpstream>>> StdioUpstream::start(net::Reactor& reactor,
                                                                       std::string server,
                                                                       net::ChildSpec spec,
                                                                       UpstreamOptions options) {
    struct Made : StdioUpstream {  // the constructor is private
        Made(net::Reactor& r, std::string s, UpstreamOptions o)
            : StdioUpstream(r, std::move(s), std::move(o)) {}
    };
    spec.ticket = std::exchange(options.ticket, nullptr);
    const std::shared_ptr<StdioUpstream> self =
        std::make_shared<Made>(reactor, std::move(server), std::move(options));
    auto child = co_await net::Child::spawn(reactor, std::move(spec));
    if (!child) co_return fail(child.error().in(fmt::format("tool server `{}`", self->server_)));
    self->child_ = std::move(*child);
    self->alive_ = true;
    reactor.spawn(listen(self));
    const Status ready = co_await self->shake_hands();
    if (!ready) {
        std::string detail = ready.error().detail;
        co_await reactor.sleep(kStderrTurn);
        if (ready.error().code == ErrorCode::kUnavailable) {
            const std::string how = self->child_->exited();
            detail = "it ended during the handshake";
            if (!how.empty()) detail += fmt::format(" ({})", how);
        }
        const std::string tail = inert(self->child_->stderr_tail(), 400);
        if (!tail.empty()) detail += ": stderr: " + tail;
        self->end();
        co_return fail(ready.error().code,
                       fmt::format("tool server `{}`: {}", self->server_, detail));
    }
    co_return self;
}

net::Task<Status> StdioUpstream::shake_hands() {
    std::string method = "initialize";
    std::string params = initialize_params(options_.version);
    const auto reply = co_await request(next_id_++, std::move(method), std::move(params),
                                        options_.start_timeout, nullptr, nullptr);
    if (!reply) co_return fail(reply.error());
    const auto agreed = read_agreement(*reply);
    if (!agreed) co_return fail(agreed.error());
    has_tools_ = agreed->tools;
    batches_ = agreed->version == kBatchVersion;
    send({notification_text("notifications/initialized"), std::nullopt, nullptr});
    co_return Status{};
}

net::Task<Result<std::string>> StdioUpstream::list_tools() {
    const auto self = shared_from_this();
    if (!has_tools_) co_return "[]";
    Asker ask = [self](std::string method, std::string params) {
        return self->request(self->next_id_++, std::move(method), std::move(params),
                             self->options_.list_timeout, nullptr, nullptr);
    };
    auto tools = co_await list_all_tools(std::move(ask), options_.message_bytes_max);
    co_return tools;
}

net::Task<Result<Reply>> StdioUpstream::call(Outbound call) {
    const auto self = shared_from_this();
    const std::int64_t id = next_id_++;
    const bool progress = call.conversation && call.conversation->wants_progress();
    std::string params = call_params(call, progress ? std::optional(id) : std::nullopt);
    std::string method = "tools/call";
    auto reply = co_await request(id, std::move(method), std::move(params), call.timeout,
                                  std::move(call.depart), call.conversation);
    if (call.conversation) call.conversation->bind(nullptr);
    co_return reply;
}

net::Task<Result<Reply>> StdioUpstream::request(std::int64_t id, std::string method,
                                                std::string params, net::Millis timeout,
                                                Depart depart, ConversationPtr conversation) {
    if (!alive_)
        co_return fail(ErrorCode::kUnavailable,
                       fmt::format("it has ended ({}); nothing was sent", why_ended_));
    if (conversation && conversation->cancelled())
        co_return fail(ErrorCode::kCancelled, "cancelled; nothing was sent");
    if (pending_.size() >= options_.in_flight_max)
        co_return fail(
            ErrorCode::kExhausted,
            fmt::format("{} calls are in flight; nothing was sent", options_.in_flight_max));
    net::Promise<Result<Reply>> promise(reactor_);
    pending_.emplace(id, Pending{promise, std::chrono::steady_clock::now() + timeout, false,
                                 method != "initialize", conversation});
    send({one_line(request_text(id, method, params)), id, std::move(depart)});
    if (!std::exchange(ticking_, true)) reactor_.spawn(tick(shared_from_this()));
    if (conversation)
        conversation->bind([weak = weak_from_this(), id](std::string reason) {
            if (const auto self = weak.lock())
                self->give_up(id, ErrorCode::kCancelled, reason, "cancelled");
        });
    Result<Reply> reply = co_await promise.wait();
    co_return reply;
}

void StdioUpstream::send(Outgoing outgoing) {
    if (!alive_) return;
    if (outbox_.size() >= kMaxOutbox) return break_off("it asks faster than it reads");
    outbox_.push_back(std::move(outgoing));
    if (!std::exchange(pumping_, true)) reactor_.spawn(pump(shared_from_this()));
}

net::Task<void> StdioUpstream::pump(std::shared_ptr<StdioUpstream> self) {
    while (self->alive_ && !self->outbox_.empty()) {
        Outgoing next = std::move(self->outbox_.front());
        self->outbox_.pop_front();
        if (next.id) {
            const auto pending = self->pending_.find(*next.id);
            if (pending == self->pending_.end()) continue;  // given up while it waited
            // The last look at the kill switch: nothing but the write itself follows.
            if (Status go = next.depart ? next.depart() : Status{}; !go) {
                self->resolve(*next.id, fail(go.error()));
                continue;
            }
            pending->second.sent = true;
        }
        const Status written =
            co_await self->child_->write_line(std::move(next.line), self->options_.write_timeout);
        if (!written && self->alive_)
            self->break_off(written.error().code == ErrorCode::kTimeout ? "it stopped reading"
                                                                        : "its input is closed");
    }
    self->pumping_ = false;
}

net::Task<void> StdioUpstream::listen(std::shared_ptr<StdioUpstream> self) {
    while (self->alive_) {
        auto line = co_await self->child_->read_line(self->options_.message_bytes_max, kReadTurn);
        if (!self->alive_) break;
        if (line) {
            self->take(std::move(*line));
        } else if (line.error().code == ErrorCode::kTooLarge) {
            self->break_off("it wrote a message over the limit");
        } else if (line.error().code != ErrorCode::kTimeout) {
            const std::string how = self->child_->exited();
            self->break_off(how.empty() ? "it closed its output" : how);
        }
    }
}

net::Task<void> StdioUpstream::tick(std::shared_ptr<StdioUpstream> self) {
    while (self->alive_ && !self->pending_.empty()) {
        auto first = Instant::max();
        for (const auto& [id, pending] : self->pending_) first = std::min(first, pending.deadline);
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(first - std::chrono::steady_clock::now());
        co_await self->reactor_.sleep(std::clamp(left, std::chrono::milliseconds(1), kTick));
        std::vector<std::int64_t> overdue;
        const auto now = std::chrono::steady_clock::now();
        for (const auto& [id, pending] : self->pending_)
            if (pending.deadline <= now) overdue.push_back(id);
        for (const auto id : overdue)
            self->give_up(id, ErrorCode::kTimeout, "timeout", "it did not answer in time");
    }
    self->ticking_ = false;
}

// Ends the wait for an answer; `reason` is what the server is told, `why` what the caller is.
void StdioUpstream::give_up(std::int64_t id, ErrorCode code, std::string_view reason,
                            std::string_view why) {
    const auto pending = pending_.find(id);
    if (pending == pending_.end()) return;
    if (!pending->second.sent) {  // its line must not hold a place that others need
        std::erase_if(outbox_, [id](const Outgoing& each) { return each.id == id; });
        return resolve(id, fail(code, fmt::format("{}; nothing was sent", why)));
    }
    if (abandoned_.size() >= kMaxAbandoned) abandoned_.erase(abandoned_.begin());
    abandoned_.insert(id);
    if (pending->second.cancellable) {
        std::string params = R"({"reason":)";
        json::append_string(params, reason);
        params += fmt::format(R"(,"requestId":{}}})", id);
        send({one_line(notification_text("notifications/cancelled", params)), std::nullopt,
              nullptr});
    }
    resolve(id, fail(code, fmt::format("{}; the outcome is unknown", why)));
}

void StdioUpstream::resolve(std::int64_t id, Result<Reply> reply) {
    const auto pending = pending_.find(id);
    if (pending == pending_.end()) return;
    const auto promise = pending->second.promise;
    pending_.erase(pending);
    promise.set(std::move(reply));
}

void StdioUpstream::stop(std::string why) {
    if (!alive_) return;
    alive_ = false;
    why_ended_ = std::move(why);
    outbox_.clear();
    for (const auto& [id, pending] : std::exchange(pending_, {}))
        pending.promise.set(
            fail(ErrorCode::kUnavailable,
                 fmt::format("it ended ({}); {}", why_ended_,
                             pending.sent ? "the outcome is unknown" : "nothing was sent")));
}

void StdioUpstream::break_off(std::string why) {
    stop(std::move(why));
    if (child_) child_->kill();
}

void StdioUpstream::end() {
    stop("ended");
    child_.reset();  // closes its input, then asks, then kills; running operations fail
}

void StdioUpstream::cut() {
    break_off("ended");
    child_.reset();
}

}  // namespace writ::mcp
