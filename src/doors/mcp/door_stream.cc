#include "doors/mcp/door_stream.h"

#include <algorithm>
#include <utility>

namespace writ::mcp {

std::string event_text(std::string_view json) {
    static constexpr std::string_view kField = "data: ";
    std::string out;
    out.reserve(kField.size() + json.size() + 2);
    out += kField;
    out += json;
    // A line break cannot stand inside a JSON string, so a raw one is white space between tokens.
    std::replace_if(out.begin(), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    out += "\n\n";
    return out;
}

net::Headers event_headers() {
    net::Headers out;
    out.add("Content-Type", "text/event-stream");
    out.add("Cache-Control", "no-store");
    out.add("X-Accel-Buffering", "no");
    return out;
}

AnswerStream::AnswerStream(net::Reactor& reactor, net::Responder& responder, Release release)
    : reactor_(reactor), responder_(responder), release_(std::move(release)) {}

bool AnswerStream::say(std::string message) {
    if (closed_ || broken_ || responder_.peer_gone()) return false;
    if (queue_.size() >= kMaxQueuedMessages || queued_bytes_ + message.size() > kMaxQueuedBytes)
        return false;
    queued_bytes_ += message.size();
    queue_.push_back(std::move(message));
    if (!std::exchange(pumping_, true)) reactor_.spawn(pump(shared_from_this()));
    return true;
}

net::Task<void> AnswerStream::pump(std::shared_ptr<AnswerStream> self) {
    while (!self->queue_.empty() && !self->broken_) {
        std::string message = std::move(self->queue_.front());
        self->queue_.pop_front();
        self->queued_bytes_ -= message.size();
        auto releasing = self->release_(std::move(message));
        self->releasing_ = true;
        const auto released = co_await std::move(releasing);
        self->releasing_ = false;
        if (self->gave_up_) self->hushed();
        if (!released) {
            self->broken_ = true;
            break;
        }
        if (released->empty()) continue;  // all of it is withheld
        if (!std::exchange(self->begun_, true)) {
            auto headers = event_headers();
            (void)co_await self->responder_.begin(200, std::move(headers));
        }
        std::string event = event_text(*released);
        if (!co_await self->responder_.chunk(std::move(event))) self->broken_ = true;
    }
    self->drop_queue();
    self->pumping_ = false;
    self->hushed();
    if (self->drained_) self->drained_->set(true);
}

void AnswerStream::drop_queue() {
    queue_.clear();
    queued_bytes_ = 0;
}

void AnswerStream::hushed() {
    if (const auto waiting = std::exchange(hushed_, std::nullopt)) waiting->set(true);
}

net::Task<void> AnswerStream::hush() {
    closed_ = true;
    if (!pumping_) co_return;
    hushed_.emplace(reactor_);
    const auto waiting = *hushed_;
    reactor_.spawn(give_up(shared_from_this()));
    (void)co_await waiting.wait();
}

net::Task<void> AnswerStream::give_up(std::shared_ptr<AnswerStream> self) {
    co_await self->reactor_.sleep(kHushTime);
    if (!self->hushed_) co_return;
    self->drop_queue();
    self->gave_up_ = true;
    if (!self->releasing_) self->hushed();
}

net::Task<void> AnswerStream::finish(std::string message, net::Headers fields) {
    closed_ = true;
    if (pumping_) {
        drained_.emplace(reactor_);
        const auto drained = *drained_;
        (void)co_await drained.wait();
    }
    if (!std::exchange(begun_, true)) {
        auto headers = event_headers();
        for (const auto [name, value] : fields)
            if (headers.count(name) == 0) headers.add(name, value);
        (void)co_await responder_.begin(200, std::move(headers));
    }
    if (!message.empty()) {
        std::string event = event_text(message);
        (void)co_await responder_.chunk(std::move(event));
    }
    // The client may have gone meanwhile: what was done is done and recorded.
    (void)co_await responder_.end();
}

void Listening::tell(Why why) {
    if (reactor_.on_this_thread()) return note(why);
    mailbox_->post([self = shared_from_this(), why] { self->note(why); });
}

void Listening::gone() {
    gone_ = true;
    news_.over = true;
    wake();
}

void Listening::note(Why why) {
    news_.over |= why == Why::kDead || why == Why::kCancelled;
    news_.catalog |= why == Why::kCatalog;
    news_.beat |= why == Why::kBeat;
    wake();
}

void Listening::wake() {
    if (!waiting_) return;
    const auto waiting = *waiting_;
    waiting_.reset();
    waiting.set(true);
}

net::Task<Listening::News> Listening::next() {
    if (!news_.over && !news_.catalog && !news_.beat) {
        waiting_.emplace(reactor_);
        const auto waiting = *waiting_;
        (void)co_await waiting.wait();
    }
    co_return std::exchange(news_, News{.over = news_.over});
}

}  // namespace writ::mcp
