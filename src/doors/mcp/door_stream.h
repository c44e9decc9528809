// Event streams towards agents (MCP 2025-11-25, streamable HTTP; digest mcp.md, sections 3.3 and
// 3.5): how a message becomes an event, the answer of a POST that has something to say before its
// result, and the stream of a GET.
//
// Events carry no `id`: a stream that breaks is not resumed (an answer kept for whoever asks again
// would be output outside the call that was decided), so nobody is told that it could be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "doors/mcp/protocol_sessions.h"
#include "net/http.h"
#include "net/reactor.h"
#include "net/task.h"

namespace writ::mcp {

// What one answer keeps for a client that reads slowly. Beyond it messages that only inform
// (progress, log) are dropped; the result never is.
inline constexpr std::size_t kMaxQueuedMessages = 32;
inline constexpr std::size_t kMaxQueuedBytes = 256 << 10;
// How long the end of a call waits for its client to take them: one that reads has taken them at
// once, and one that does not must not keep the outcome from the record.
inline constexpr net::Millis kHushTime{250};

// `data: …` with its empty line. Line breaks between the tokens of `json`, which would end the
// event, become spaces.
std::string event_text(std::string_view json);
// Of a stream: text/event-stream, not stored, not buffered by proxies.
net::Headers event_headers();

// The answer of one POST. Thread: the reactor of its connection. `responder` outlives finish().
class AnswerStream final : public std::enable_shared_from_this<AnswerStream> {
  public:
    // What every message passes before it leaves (door_flight.h, release()): what may be told of
    // it. An error ends the stream.
    using Release = std::function<net::Task<Result<std::string>>(std::string)>;

    AnswerStream(net::Reactor& reactor, net::Responder& responder, Release release);

    // Queues one message. False: dropped.
    bool say(std::string message);
    // Takes no more, and waits until what was said has left, or cannot, or kHushTime has passed;
    // then what is queued is given up. `release` is not called after it.
    net::Task<void> hush();
    // The last message (nothing, if empty) and the end. A stream that has not begun begins, with
    // those of `fields` that it does not have itself: initialize names the protocol session there.
    net::Task<void> finish(std::string message, net::Headers fields);
    // Whether bytes have left: the status of the answer is settled.
    bool begun() const { return begun_; }

  private:
    static net::Task<void> pump(std::shared_ptr<AnswerStream> self);
    static net::Task<void> give_up(std::shared_ptr<AnswerStream> self);
    void hushed();
    void drop_queue();

    net::Reactor& reactor_;
    net::Responder& responder_;
    Release release_;
    std::deque<std::string> queue_;
    std::size_t queued_bytes_ = 0;
    bool begun_ = false;
    bool closed_ = false;     // takes no more
    bool releasing_ = false;  // `release` is being awaited
    bool gave_up_ = false;    // hush() did
    bool broken_ = false;     // nothing more may leave, or can
    bool pumping_ = false;
    std::optional<net::Promise<bool>> hushed_, drained_;  // hush() waits; finish() does
};

// What wakes the stream of a GET. tell() from any thread; the rest on the stream's reactor.
class Listening final : public Told, public std::enable_shared_from_this<Listening> {
  public:
    explicit Listening(net::Reactor& reactor) : reactor_(reactor), mailbox_(reactor.mailbox()) {}

    struct News {
        bool over = false;  // dead, or the peer is gone
        bool catalog = false;
        bool beat = false;
    };
    void tell(Why why) override;
    void gone();  // the peer
    bool is_gone() const { return gone_; }
    // Waits until there is news, and takes it.
    net::Task<News> next();

  private:
    void note(Why why);
    void wake();

    net::Reactor& reactor_;
    const std::shared_ptr<net::Mailbox> mailbox_;
    News news_;
    bool gone_ = false;
    std::optional<net::Promise<bool>> waiting_;
};

}  // namespace writ::mcp
