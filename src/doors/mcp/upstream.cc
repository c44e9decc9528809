#include "doors/mcp/upstream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/inert.h"
#include "doors/mcp/http_rules.h"
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

Upstream::Upstream(net::Reactor& reactor, std::string server, UpstreamOptions options)
    : reactor_(reactor), server_(std::move(server)), options_(std::move(options)) {}

Upstream::~Upstream() = default;

pid_t Upstream::pid() const {
    return child_ ? child_->pid() : -1;
}

Upstream::Counters Upstream::counters() const {
    Counters out = counters_;
    out.in_flight = pending_.size();
    return out;
}

net::Task<Result<std::shared_ptr<Upstream>>> Upstream::start(net::Reactor& reactor,
                                                             std::string server,
                                                             net::ChildSpec spec,
                                                             UpstreamOptions options) {
    struct Made : Upstream {  // the constructor is private
        Made(net::Reactor& r, std::string s, UpstreamOptions o)
            : Upstream(r, std::move(s), std::move(o)) {}
    };
    const std::shared_ptr<Upstream> self =
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

net::Task<Status> Upstream::shake_hands() {
    json::Node params = json::Node::object();
    params["protocolVersion"] = kVersions.front();
    params["capabilities"] = json::Node::object();
    params["clientInfo"]["name"] = "writ";
    params["clientInfo"]["version"] = options_.version;
    const auto reply =
        co_await request("initialize", params.dump(), options_.start_timeout, nullptr);
    if (!reply) co_return fail(reply.error());
    if (reply->error) co_return fail(ErrorCode::kUnsupported, "it refused `initialize`");
    const auto document = json::parse(reply->bytes);
    if (!document) co_return fail(document.error());
    const auto version = document->root().string("protocolVersion");
    if (!version || !supported_version(*version))
        co_return fail(ErrorCode::kUnsupported,
                       fmt::format("it speaks revision `{}`, not one of 2024-11-05 to 2025-11-25",
                                   inert(version.value_or("none"), 40)));
    const auto capabilities = document->root().find("capabilities");
    if (!capabilities || !capabilities->is_object())
        co_return fail(ErrorCode::kInvalid, "its `initialize` answer has no `capabilities`");
    has_tools_ = capabilities->find("tools").has_value();
    send({notification_text("notifications/initialized"), std::nullopt, nullptr});
    co_return Status{};
}

net::Task<Result<std::string>> Upstream::list_tools() {
    const auto self = shared_from_this();
    std::string out = "[";
    if (!has_tools_) co_return out + "]";
    std::string params = "{}";
    std::size_t tools = 0;
    for (std::size_t page = 0; page < kMaxListPages; ++page) {
        const auto reply = co_await request("tools/list", params, options_.list_timeout, nullptr);
        if (!reply) co_return fail(reply.error());
        if (reply->error) co_return fail(ErrorCode::kInvalid, "it answered tools/list by an error");
        const auto document = json::parse(reply->bytes, {.bytes_max = options_.message_bytes_max});
        if (!document) co_return fail(document.error());
        const auto list = document->root().find("tools");
        if (!list || !list->is_array())
            co_return fail(ErrorCode::kInvalid, "its tools/list answer has no array `tools`");
        tools += list->size();
        if (tools > kMaxToolsPerServer)
            co_return fail(ErrorCode::kTooLarge,
                           fmt::format("it lists more than {} tools", kMaxToolsPerServer));
        for (const json::Value tool : list->elements()) {
            if (out.size() > 1) out += ',';
            out += tool.raw();
        }
        if (out.size() > options_.message_bytes_max)
            co_return fail(ErrorCode::kTooLarge, "its tools are larger than one message may be");
        const auto cursor = document->root().find("nextCursor");
        if (!cursor || cursor->is_null()) co_return out + "]";
        if (!cursor->is_string()) co_return fail(ErrorCode::kInvalid, "`nextCursor` is no string");
        params = R"({"cursor":)";
        params += cursor->raw();
        params += '}';
    }
    co_return fail(ErrorCode::kTooLarge, fmt::format("more than {} pages", kMaxListPages));
}

net::Task<Result<Reply>> Upstream::call(std::string tool, std::string arguments,
                                        net::Millis timeout, Depart depart) {
    const auto self = shared_from_this();
    std::string params = R"({"name":)";
    json::append_string(params, tool);
    params += R"(,"arguments":)";
    params += arguments;
    params += '}';
    auto reply = co_await request("tools/call", std::move(params), timeout, std::move(depart));
    co_return reply;
}

net::Task<Result<Reply>> Upstream::request(std::string method, std::string params,
                                           net::Millis timeout, Depart depart) {
    if (!alive_)
        co_return fail(ErrorCode::kUnavailable,
                       fmt::format("it has ended ({}); nothing was sent", why_ended_));
    if (pending_.size() >= kMaxInFlight)
        co_return fail(ErrorCode::kExhausted,
                       fmt::format("{} calls are in flight; nothing was sent", kMaxInFlight));
    const std::int64_t id = next_id_++;
    net::Promise<Result<Reply>> promise(reactor_);
    pending_.emplace(id, Pending{promise, std::chrono::steady_clock::now() + timeout, false,
                                 method != "initialize"});
    send({one_line(request_text(id, method, params)), id, std::move(depart)});
    if (!std::exchange(ticking_, true)) reactor_.spawn(tick(shared_from_this()));
    Result<Reply> reply = co_await promise.wait();
    co_return reply;
}

void Upstream::send(Outgoing outgoing) {
    if (!alive_) return;
    if (outbox_.size() >= kMaxOutbox) return stop("it asks faster than it reads");
    outbox_.push_back(std::move(outgoing));
    if (!std::exchange(pumping_, true)) reactor_.spawn(pump(shared_from_this()));
}

net::Task<void> Upstream::pump(std::shared_ptr<Upstream> self) {
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
            self->stop(written.error().code == ErrorCode::kTimeout ? "it stopped reading"
                                                                   : "its input is closed");
    }
    self->pumping_ = false;
}

net::Task<void> Upstream::listen(std::shared_ptr<Upstream> self) {
    while (self->alive_) {
        auto line = co_await self->child_->read_line(self->options_.message_bytes_max, kReadTurn);
        if (!self->alive_) break;
        if (line) {
            self->take(std::move(*line));
        } else if (line.error().code == ErrorCode::kTooLarge) {
            self->stop("it wrote a message over the limit");
        } else if (line.error().code != ErrorCode::kTimeout) {
            const std::string how = self->child_->exited();
            self->stop(how.empty() ? "it closed its output" : how);
        }
    }
    self->options_.ticket.reset();
}

net::Task<void> Upstream::tick(std::shared_ptr<Upstream> self) {
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
        for (const auto id : overdue) self->expire(id);
    }
    self->ticking_ = false;
}

void Upstream::expire(std::int64_t id) {
    const auto pending = pending_.find(id);
    if (pending == pending_.end()) return;
    if (!pending->second.sent)
        return resolve(id, fail(ErrorCode::kTimeout, "it did not read; nothing was sent"));
    if (abandoned_.size() >= kMaxAbandoned) abandoned_.erase(abandoned_.begin());
    abandoned_.insert(id);
    if (pending->second.cancellable)
        send({notification_text("notifications/cancelled",
                                fmt::format(R"({{"reason":"timeout","requestId":{}}})", id)),
              std::nullopt, nullptr});
    resolve(id, fail(ErrorCode::kTimeout, "it did not answer in time; the outcome is unknown"));
}

void Upstream::resolve(std::int64_t id, Result<Reply> reply) {
    const auto pending = pending_.find(id);
    if (pending == pending_.end()) return;
    const auto promise = pending->second.promise;
    pending_.erase(pending);
    promise.set(std::move(reply));
}

void Upstream::stop(std::string why) {
    if (!alive_) return;
    alive_ = false;
    why_ended_ = std::move(why);
    outbox_.clear();
    for (const auto& [id, pending] : std::exchange(pending_, {}))
        pending.promise.set(
            fail(ErrorCode::kUnavailable,
                 fmt::format("it ended ({}); {}", why_ended_,
                             pending.sent ? "the outcome is unknown" : "nothing was sent")));
    if (child_) child_->kill();
}

void Upstream::end() {
    stop("ended");
    child_.reset();  // closes its input, then asks, then kills; running operations fail
}

}  // namespace writ::mcp
