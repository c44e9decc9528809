#include "doors/mcp/conversation.h"

#include <array>
#include <optional>
#include <utility>

#include "doors/mcp/message.h"
#include "json/node.h"
#include "json/value.h"

namespace writ::mcp {

std::string_view method(Notice::Kind kind) {
    return kind == Notice::Kind::kProgress ? "notifications/progress" : "notifications/message";
}

Reply refuse_ask(int code, std::string_view why) {
    json::Node error = json::Node::object();
    error["code"] = code;
    error["message"] = why;
    return {true, error.dump()};
}

Conversation::Conversation(net::Reactor& reactor, Ears ears)
    : door_(reactor), ears_(std::move(ears)) {}

std::shared_ptr<Conversation> Conversation::make(net::Reactor& reactor, Ears ears) {
    struct Made : Conversation {  // the constructor is private
        Made(net::Reactor& r, Ears e) : Conversation(r, std::move(e)) {}
    };
    return std::make_shared<Made>(reactor, std::move(ears));
}

void Conversation::begin(net::Reactor& upstream) {
    upstream_ = &upstream;
}

void Conversation::end() {
    over_ = true;
}

void Conversation::cancel(std::string reason) {
    if (over_) return;
    if (upstream_ == nullptr) {  // not begun: nobody else looks yet
        if (!std::exchange(cancelled_, true)) reason_ = std::move(reason);
        return;
    }
    upstream_->post([self = shared_from_this(), reason = std::move(reason)]() mutable {
        if (std::exchange(self->cancelled_, true)) return;
        self->reason_ = std::move(reason);
        if (const auto told = std::exchange(self->on_cancel_, nullptr)) told(self->reason_);
    });
}

void Conversation::bind(std::function<void(std::string)> on_cancel) {
    if (cancelled_ && on_cancel) return on_cancel(reason_);
    on_cancel_ = std::move(on_cancel);
}

// A notice has the right size and its turn; otherwise it is dropped.
bool Conversation::admit_notice(std::size_t bytes) {
    const auto now = std::chrono::steady_clock::now();
    if (now - second_ >= std::chrono::seconds(1)) {
        second_ = now;
        this_second_ = 0;
    }
    const bool fits = ears_.on_notice && !cancelled_ && bytes <= kMaxNoticeBytes &&
                      this_second_ < kMaxNotices_per_s &&
                      waiting_.load(std::memory_order_relaxed) < kMaxNoticesWaiting;
    if (fits)
        ++this_second_;
    else
        dropped_.fetch_add(1, std::memory_order_relaxed);
    return fits;
}

// MCP 2025-11-25, "Progress". Members we do not know stay behind, as does the token we gave.
void Conversation::progress(std::string_view params) {
    if (!wants_progress() || !admit_notice(params.size())) return;
    const auto document = json::parse(params);
    const auto progress = document ? document->root().find("progress") : std::nullopt;
    if (!progress || !progress->is_number()) {
        dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    std::string out = R"({"progressToken":)" + ears_.progress_token;
    out += R"(,"progress":)";
    out += progress->raw();
    if (const auto total = document->root().find("total"); total && total->is_number()) {
        out += R"(,"total":)";
        out += total->raw();
    }
    if (const auto text = document->root().find("message"); text && text->is_string()) {
        out += R"(,"message":)";
        out += text->raw();
    }
    deliver({Notice::Kind::kProgress, out + "}"});
}

void Conversation::log(std::string_view params) {
    if (admit_notice(params.size())) deliver({Notice::Kind::kLog, std::string(params)});
}

void Conversation::deliver(Notice notice) {
    if (door_.on_this_thread()) {
        if (!over_) ears_.on_notice(std::move(notice));
        return;
    }
    waiting_.fetch_add(1, std::memory_order_relaxed);
    door_.post([self = shared_from_this(), notice = std::move(notice)]() mutable {
        self->waiting_.fetch_sub(1, std::memory_order_relaxed);
        if (!self->over_) self->ears_.on_notice(std::move(notice));
    });
}

net::Task<Reply> Conversation::ask(std::shared_ptr<Conversation> self, Ask ask,
                                   net::Reactor* back) {
    if (!self->ears_.on_ask || self->cancelled_)
        co_return refuse_ask(kMethodNotFound, "not offered by this client");
    if (self->asking_ >= kMaxAsksAtOnce)
        co_return refuse_ask(kInternalError, "too many requests are open for this call");
    ++self->asking_;
    co_await self->door_.hop();
    Reply reply = refuse_ask(kInternalError, "the call is over");
    if (!self->over_) reply = co_await self->ears_.on_ask(std::move(ask));
    co_await back->hop();
    --self->asking_;
    co_return reply;
}

}  // namespace writ::mcp
