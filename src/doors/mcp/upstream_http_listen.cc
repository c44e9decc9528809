// The GET stream of an HTTP tool server, which belongs to no call: it says that tools changed. One
// session of a server holds it for all.
#include <algorithm>
#include <utility>

#include "doors/mcp/upstream_http.h"
#include "doors/mcp/upstream_session.h"

namespace writ::mcp {

namespace {

constexpr net::Millis kFirstPause{1'000};
// How often a session that rests looks whether it has ended.
constexpr net::Millis kTurn{200};

}  // namespace

// Takes the place if it is free, else waits for it.
void HttpUpstream::want_to_listen() {
    ListenPlace& place = *where_.place;
    place.waiting.erase(this);
    if (!alive() || !notifies_ || !options_.on_tools_changed || place.holder == this) return;
    if (place.holder != nullptr) {
        place.waiting.insert(this);
        return;
    }
    place.holder = this;
    reactor_.spawn(listen(shared_from_this()));
}

void HttpUpstream::leave_place() {
    ListenPlace& place = *where_.place;
    place.holder = nullptr;
    while (place.holder == nullptr && !place.waiting.empty())
        (*place.waiting.begin())->want_to_listen();
}

// Holds the place while the session lives and the server has such a stream.
net::Task<void> HttpUpstream::listen(Self self) {
    net::Millis pause = kFirstPause;
    std::string last_id;
    std::uint64_t epoch = self->epoch_;
    while (self->alive() && self->notifies_) {
        if (epoch != self->epoch_) {  // ids of events are the session's
            epoch = self->epoch_;
            last_id.clear();
        }
        if (!co_await hear(self, &last_id, &pause)) break;
        co_await rest(self, pause);
        pause = std::min(pause * 2, kMaxListenPause);
    }
    self->leave_place();
}

// Opens the stream once and reads it to its end. False: the server has none.
net::Task<bool> HttpUpstream::hear(Self self, std::string* last_id, net::Millis* pause) {
    const std::uint64_t epoch = self->epoch_;
    const net::Headers fields = self->stream_fields(*self->session_, *last_id);
    auto head =
        net::HttpHead::make("GET", self->where_.target, self->where_.pool->authority(), fields);
    if (!head) co_return false;
    const auto http = self->listening_ = self->where_.pool->call();
    const auto begin_by = std::chrono::steady_clock::now() + self->options_.start_timeout;
    const Status begun = co_await http->begin(std::move(*head), {}, begin_by, nullptr);
    if (begun && (http->status() != 200 || !has_type(*http, "text/event-stream"))) {
        http->close();
        const bool again = co_await listens_again(self, epoch, http->status());
        co_return again;
    }
    if (!begun) co_return true;
    // Tools may have changed while nobody listened.
    if (std::exchange(self->where_.place->gap, true)) self->options_.on_tools_changed();
    net::SseParser events(self->options_.message_bytes_max + kSlackBytes);
    // What is junk must wait ever longer for its next turn; so must a server that ends sessions.
    const bool sound = co_await read_events(self, http, &events);
    if (sound && !self->renewing_ && self->epoch_ == epoch) *pause = kFirstPause;
    http->close();
    if (!events.last_id().empty()) *last_id = events.last_id();
    if (const auto retry = events.retry_ms()) *pause = std::max(*pause, net::Millis(*retry));
    co_return true;
}

// Whether a stream that was answered by `status` is worth another try. 405 says that there is none.
// So does 404, unless it means that the session is gone: another request tells, and makes the
// session anew if it is.
net::Task<bool> HttpUpstream::listens_again(Self self, std::uint64_t epoch, int status) {
    if (status == 405) co_return false;
    if (self->session_->id.empty()) co_return status != 404;
    if (status != 404 && status != 400) co_return true;
    std::string method = "ping", params = "{}";
    const auto answer = co_await self->request(std::move(method), std::move(params),
                                               self->options_.list_timeout, nullptr, nullptr);
    const bool stands =
        self->epoch_ == epoch && (answer.has_value() || answer.error().code == ErrorCode::kInvalid);
    co_return status == 400 || !stands;
}

// Reads the stream to its end, or until it brings too much that belongs to nobody. True: something
// came, and nothing of it was junk.
net::Task<bool> HttpUpstream::read_events(Self self, net::HttpCallPtr http,
                                          net::SseParser* events) {
    const auto stream = std::make_shared<Flight>();
    bool some = false, whole = true;
    for (int pieces = 1; stream->stray <= kMaxStrayLines; ++pieces) {
        if (pieces % kPiecesInARow == 0) co_await self->reactor_.sleep(net::Millis(1));
        auto piece = co_await http->read(net::Deadline::max());
        if (!piece || piece->empty()) break;
        whole = events->put(*piece).has_value();
        if (!whole) break;
        some = true;
        while (stream->stray <= kMaxStrayLines) {
            auto event = events->next();
            if (!event) break;
            if (!event->data.empty()) (void)self->take(std::move(event->data), stream);
        }
    }
    self->tell_strays(*stream);
    const bool sound = some && whole && stream->stray == 0;
    co_return sound;
}

// The wait before the stream is opened again. A new session does not shorten it: a server that
// knows no session for long would be asked without end.
net::Task<void> HttpUpstream::rest(Self self, net::Millis pause) {
    const auto until = std::chrono::steady_clock::now() + pause;
    while (self->alive() && (self->renewing_ || std::chrono::steady_clock::now() < until))
        co_await self->reactor_.sleep(std::min(pause, kTurn));
}

}  // namespace writ::mcp
