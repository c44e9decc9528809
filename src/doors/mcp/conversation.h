// What is said about one tool call while it runs: the seam between the door, which speaks with the
// client, and the upstream, which speaks with the tool server.
//
//   auto conversation = Conversation::make(here, {
//       .on_notice = [out](Notice n) { out->push(std::move(n)); },     // progress, log messages
//       .on_ask = [admission](Ask a) { return decide(admission, std::move(a)); },
//       .progress_token = R"("tok-1")"});                             // the client's, raw JSON
//   auto reply = co_await upstreams.call(target, {.tool = …, .conversation = conversation});
//   …meanwhile, on the same reactor: conversation->cancel("the client asked for it");
//
// What holds:
//   - Notices come in the order the server sent them, all before call() resumes, on the reactor the
//     conversation was made for. They are foreign, bounded in size, rate and number waiting; what
//     is over a bound is dropped and counted, never queued.
//   - A progress notice carries the client's own token again. The server sees one of ours (the id
//     of its request), and only if the client gave one: without `progress_token` none is asked for
//     and none is delivered.
//   - A request of the server to the client (sampling/createMessage, elicitation/create,
//     roots/list) that belongs to this call is given to on_ask; what that answers goes back to the
//     server. Without on_ask, or where nobody can say to which call it belongs, it is refused.
//   - cancel() tells the server (notifications/cancelled, if the request was sent) and makes call()
//     end with kCancelled without waiting for it; its late answer is recognised and dropped.
//   - After call() has returned no callback begins. An on_ask that began before may still run: it
//     owns what it uses.
//
// The final message is handed over whole (Reply), bounded by kMaxUpstreamMessageBytes: the gate
// must read a result before any of it is released, so pieces would only be collected again.
//
// Thread: made, cancelled and listened to on the door's reactor; the other half (upstream side) on
// the reactor of the instance. Messages travel between the two by post(), so nothing here locks.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "doors/mcp/message.h"
#include "net/reactor.h"
#include "net/task.h"

namespace writ::mcp {

// Params of one notice. Progress carries a sentence, a log message a few lines.
inline constexpr std::size_t kMaxNoticeBytes = 16 << 10;
// Notices of one call on their way to the door's reactor.
inline constexpr std::size_t kMaxNoticesWaiting = 64;
// Notices of one call a second. People and models read them; fifty are more than enough.
inline constexpr std::size_t kMaxNotices_per_s = 50;
// Requests of a server to the client that one call may have open at once.
inline constexpr std::size_t kMaxAsksAtOnce = 4;

// The raw `result` or `error` object of an answer.
struct Reply {
    bool error = false;
    std::string bytes;
    // The message that they stand in, where it was read: so that they are not read again.
    std::shared_ptr<const Message> read = nullptr;
};

// A notification of the tool server about the call.
struct Notice {
    enum class Kind : std::uint8_t { kProgress, kLog };
    Kind kind = Kind::kProgress;
    std::string params;  // one JSON object, foreign; kProgress: rebuilt, with the client's token
};
// `notifications/progress` or `notifications/message`.
std::string_view method(Notice::Kind kind);

// A request of the tool server to the client.
struct Ask {
    std::string method;
    std::string params = "{}";  // raw JSON object, foreign
};

// An error Reply for an Ask, e.g. (-32601, "not offered by this client").
Reply refuse_ask(int code, std::string_view why);

class Conversation : public std::enable_shared_from_this<Conversation> {
  public:
    struct Ears {
        std::function<void(Notice)> on_notice;
        std::function<net::Task<Reply>(Ask)> on_ask;
        std::string progress_token;  // raw JSON string or integer; empty: no progress is wanted
    };
    static std::shared_ptr<Conversation> make(net::Reactor& reactor, Ears ears);

    // Door side. Ends the call; harmless when it has ended. `reason` is told to the server.
    void cancel(std::string reason);
    std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

    // Used by Upstreams, on the door's reactor: where the call is made, and that it is over.
    void begin(net::Reactor& upstream);
    void end();

    // Used by an Upstream, on its reactor.
    bool wants_progress() const { return !ears_.progress_token.empty() && ears_.on_notice; }
    // `params` of notifications/progress resp. notifications/message.
    void progress(std::string_view params);
    void log(std::string_view params);
    // What on_ask answers; resumes on `back`.
    static net::Task<Reply> ask(std::shared_ptr<Conversation> self, Ask ask, net::Reactor* back);
    // Calls `on_cancel(reason)` once when the door cancels, at once if it did already. One at a
    // time: a later one replaces it, null removes it.
    void bind(std::function<void(std::string)> on_cancel);
    bool cancelled() const { return cancelled_; }

  private:
    Conversation(net::Reactor& reactor, Ears ears);
    bool admit_notice(std::size_t bytes);
    void deliver(Notice notice);

    net::Reactor& door_;
    const Ears ears_;
    // Of the door's reactor.
    net::Reactor* upstream_ = nullptr;
    bool over_ = false;
    // Of the upstream's reactor.
    std::function<void(std::string)> on_cancel_;
    bool cancelled_ = false;
    std::string reason_;
    std::size_t asking_ = 0;
    std::chrono::steady_clock::time_point second_{};
    std::size_t this_second_ = 0;
    // Of both.
    std::atomic<std::size_t> waiting_{0};
    std::atomic<std::uint64_t> dropped_{0};
};
using ConversationPtr = std::shared_ptr<Conversation>;

}  // namespace writ::mcp
