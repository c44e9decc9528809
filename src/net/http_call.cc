// One request on a pooled connection, and its answer as it comes.
#include <algorithm>
#include <utility>

#include "net/http_chunked.h"
#include "net/http_head.h"
#include "net/http_pool_state.h"

namespace writ::net {

namespace {

enum class Until { kDone, kLength, kChunks, kClose };

class Call final : public HttpCall, public std::enable_shared_from_this<Call> {
  public:
    explicit Call(PoolState state) : state_(std::move(state)), chunks_(kMaxChunkBytes) {}
    ~Call() override {
        if (wire_) state_->drop(std::move(wire_));
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    Task<Status> begin(HttpHeadPtr head, std::string body, Deadline deadline,
                       std::function<Status()> depart) override {
        return run(shared_from_this(), std::move(head), std::move(body), deadline,
                   std::move(depart));
    }
    int status() const override { return head_.status; }
    const Headers& headers() const override { return head_.headers; }
    Task<Result<std::string>> read(Deadline deadline) override {
        return read_some(shared_from_this(), deadline);
    }
    Task<Result<std::string>> read_all(std::size_t bytes_max, Deadline deadline) override {
        return read_rest(shared_from_this(), bytes_max, deadline);
    }
    bool sent() const override { return sent_; }
    void close() override {
        closed_ = true;
        if (connecting_) {
            connecting_->closed = true;
            if (const auto poll = connecting_->poll.lock()) poll->close();
        }
        if (wire_) wire_->poll->close();
    }

  private:
    using Self = std::shared_ptr<Call>;

    static Task<Status> connect(Self self, TimePoint deadline);
    static Task<Status> run(Self self, HttpHeadPtr head, std::string body, TimePoint deadline,
                            std::function<Status()> depart);
    static Task<Status> read_head(Self self, TimePoint deadline);
    static Task<Result<std::string>> read_some(Self self, TimePoint deadline);
    static Task<Result<std::string>> read_rest(Self self, std::size_t bytes_max,
                                               TimePoint deadline);
    Result<std::string> take();  // what of the body is in wire_->in
    void frame(bool head_only);
    void finish();
    tl::unexpected<Error> broken(ErrorCode code, std::string_view why);

    PoolState state_;
    std::shared_ptr<Connecting> connecting_;
    std::unique_ptr<Wire> wire_;  // ours until the body is whole
    ResponseHead head_;
    ChunkedBody chunks_;
    Until until_ = Until::kDone;
    std::uint64_t left_ = 0;
    bool keep_ = true;
    bool sent_ = false;
    bool closed_ = false;
};

// What may still come on the connection belongs to nobody.
tl::unexpected<Error> Call::broken(ErrorCode code, std::string_view why) {
    if (wire_) state_->drop(std::move(wire_));
    wire_.reset();
    if (closed_) return fail(closed_error().error());
    return fail(state_->error(code, why));
}

Task<Status> Call::connect(Self self, TimePoint deadline) {
    PoolState state = self->state_;
    if (self->closed_ || state->closed) co_return closed_error();
    self->wire_ = state->take_idle();
    if (self->wire_) co_return Status();
    if (state->open >= state->options.connections_max)
        co_return fail(state->error(ErrorCode::kExhausted, "too many connections are open"));
    ++state->open;
    self->connecting_ = std::make_shared<Connecting>();
    auto connecting = self->connecting_;
    auto wire = co_await connect_wire(state, std::move(connecting), deadline);
    self->connecting_.reset();
    if (!wire) {
        --state->open;
        co_return fail(wire.error());
    }
    self->wire_ = std::move(*wire);
    if (self->closed_ || state->closed) co_return self->broken(ErrorCode::kCancelled, "closed");
    co_return Status();
}

Task<Status> Call::run(Self self, HttpHeadPtr head, std::string body, TimePoint deadline,
                       std::function<Status()> depart) {
    // In step until the connection is chosen; behind it only the send's own step is waited for, and
    // depart() is asked in that.
    co_await self->state_->reactor.in_step();
    const Status connected = co_await connect(self, deadline);
    if (!connected) co_return fail(connected.error());
    struct Leave {
        Call& call;
        const std::function<Status()>& depart;
        Status go = {};
    } leave{*self, depart};
    const std::function<bool()> leaves = [&leave] {
        if (leave.depart) leave.go = leave.depart();
        leave.call.sent_ = leave.go.has_value();
        return leave.call.sent_;
    };
    std::string text = head->text(body.size());
    Status wrote;
    if (self->wire_->tls) {
        text += body;
        if (leaves())
            wrote = co_await TlsSession::write(self->wire_->tls.get(), self->wire_->poll,
                                               std::move(text), deadline);
    } else {
        wrote = co_await write_socket(self->wire_->poll, std::move(text), std::move(body), deadline,
                                      &leaves);
    }
    if (!leave.go) {
        self->state_->give_back(std::move(self->wire_));
        co_return leave.go;
    }
    // A server may refuse before it has read everything; its answer is worth more than the error.
    if (!wrote && wrote.error().code != ErrorCode::kUnavailable)
        co_return self->broken(wrote.error().code, wrote.error().detail);
    self->keep_ = wrote.has_value();
    Status got = co_await read_head(self, deadline);
    if (got) self->frame(head->head_only());
    co_return got;
}

// The head of the final answer, interim ones skipped.
Task<Status> Call::read_head(Self self, TimePoint deadline) {
    Wire* const wire = self->wire_.get();
    std::size_t scanned = 0;
    for (int interim = 0; interim <= kMaxInterimAnswers;) {
        const HeadEnd end = find_head_end(wire->in, &scanned, kMaxHeaderBytes);
        if (end.refusal) co_return self->broken(ErrorCode::kInvalid, "malformed answer");
        if (end.size == 0) {
            const Fill filled = co_await fill(wire, deadline);
            if (filled == Fill::kTimeout)
                co_return self->broken(ErrorCode::kTimeout, "no answer in time");
            if (filled == Fill::kClosed) co_return self->broken(ErrorCode::kCancelled, "closed");
            if (filled == Fill::kEnd)
                co_return self->broken(ErrorCode::kUnavailable, "closed without an answer");
            continue;
        }
        self->head_ = ResponseHead();
        const auto raw = std::string_view(wire->in).substr(0, end.size);
        if (parse_response_head(raw, self->head_) || self->head_.status == 101)
            co_return self->broken(ErrorCode::kInvalid, "malformed answer");
        wire->in.erase(0, end.size);
        if (self->head_.status >= 200) co_return Status();
        ++interim;
    }
    co_return self->broken(ErrorCode::kInvalid, "too many interim answers");
}

// RFC 9112 section 6.3.
void Call::frame(bool head_only) {
    const Framing& framing = head_.framing;
    keep_ = keep_ && framing.keep_alive;
    if (head_only || is_bodiless(head_.status)) {
        until_ = Until::kDone;
    } else if (framing.chunked) {
        until_ = Until::kChunks;
    } else if (framing.length) {
        left_ = *framing.length;
        until_ = left_ == 0 ? Until::kDone : Until::kLength;
    } else {
        until_ = Until::kClose;
        keep_ = false;
    }
    if (until_ == Until::kDone) finish();
}

void Call::finish() {
    until_ = Until::kDone;
    auto wire = std::move(wire_);
    if (!wire) return;
    if (keep_ && wire->in.empty() && !wire->ended && wire->poll->is_open())
        state_->give_back(std::move(wire));
    else
        state_->drop(std::move(wire));
}

Result<std::string> Call::take() {
    std::string& in = wire_->in;
    if (until_ == Until::kChunks) {
        const Body body = chunks_.put(in);
        if (body == Body::kTooLarge) return broken(ErrorCode::kTooLarge, "a chunk is too large");
        if (body == Body::kMalformed) return broken(ErrorCode::kInvalid, "malformed answer");
        if (body == Body::kDone) finish();
        return chunks_.take();
    }
    std::string out;
    if (until_ == Until::kClose || in.size() <= left_) {
        out = std::exchange(in, {});
    } else {
        out = in.substr(0, static_cast<std::size_t>(left_));
        in.erase(0, out.size());
    }
    if (until_ == Until::kLength && (left_ -= out.size()) == 0) finish();
    return out;
}

Task<Result<std::string>> Call::read_some(Self self, TimePoint deadline) {
    while (self->until_ != Until::kDone) {
        if (!self->wire_) co_return fail(self->state_->error(ErrorCode::kUnavailable, "closed"));
        if (!self->wire_->in.empty()) {
            auto got = self->take();
            if (!got || !got->empty()) co_return got;
            if (self->until_ == Until::kDone) break;
        }
        const Fill filled = co_await fill(self->wire_.get(), deadline);
        if (filled == Fill::kBytes) continue;
        if (filled == Fill::kTimeout)
            co_return self->broken(ErrorCode::kTimeout, "no whole answer in time");
        if (filled == Fill::kClosed) co_return self->broken(ErrorCode::kCancelled, "closed");
        if (self->until_ != Until::kClose || self->wire_->cut)
            co_return self->broken(ErrorCode::kUnavailable, "closed in the middle of an answer");
        self->finish();
    }
    co_return std::string();
}

Task<Result<std::string>> Call::read_rest(Self self, std::size_t bytes_max, TimePoint deadline) {
    std::string out;
    if (self->until_ == Until::kLength) {
        if (self->left_ > bytes_max)
            co_return self->broken(ErrorCode::kTooLarge, "answer too large");
        if (self->wire_->in.size() < self->left_)
            out.reserve(static_cast<std::size_t>(self->left_));
    }
    for (;;) {
        auto piece = co_await read_some(self, deadline);
        if (!piece) co_return fail(piece.error());
        if (piece->empty()) co_return out;
        if (piece->size() > bytes_max - out.size())
            co_return self->broken(ErrorCode::kTooLarge, "answer too large");
        if (out.empty() && out.capacity() <= piece->size())
            out = std::move(*piece);
        else
            out += *piece;
    }
}

}  // namespace

HttpCallPtr HttpPool::call() {
    return std::make_shared<Call>(state_);
}

}  // namespace writ::net
