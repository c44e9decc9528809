// Batches, which revision 2025-03-26 has and no other: an array of messages, each decided by
// itself, one after the other, answered by an array. A batch with a member that is none, or with
// `initialize`, is refused whole and nothing of it happens. All its requests are in flight from
// the start, so that the client can take back one that waits for its turn.
//
// What was carried out is answered, whatever becomes of the rest: a member that fails, in any way,
// fails alone. The one exception is death. A session that has ended gets no output (rule 5), of
// calls made before its end neither: the whole is 401, and its reason says how many answers are
// withheld. They stand in evidence.
#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "doors/mcp/door.h"
#include "doors/mcp/door_flight.h"
#include "doors/mcp/door_visit.h"
#include "doors/mcp/http_rules.h"
#include "json/value.h"

namespace writ::mcp {

// A message and, if it is a request, its flight: begun under `key` in `in`, ended with the member.
struct Door::Member {
    explicit Member(MessagePtr m) : message(std::move(m)) {}
    Member(Member&&) noexcept = default;
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;
    Member& operator=(Member&&) = delete;
    ~Member() { end(); }
    void end() {
        if (!in) return;
        flight->leave();
        in->end(key);
        in.reset();
    }

    MessagePtr message;
    ProtocolSessionPtr in;
    std::string key;
    std::shared_ptr<Flight> flight;
    std::string refused;  // why it could not begin
};

namespace {

// What the answers of one batch take of kMaxWaitingAnswersBytes while they wait for the others.
// Thread: any, one at a time.
class Waiting {
  public:
    explicit Waiting(std::shared_ptr<std::atomic<std::size_t>> all) : all_(std::move(all)) {}
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { *all_ -= bytes_; }
    // False: with what the others take that is too much.
    bool grow(std::size_t to) {
        if (to <= bytes_) return true;
        const std::size_t more = to - bytes_;
        if (all_->fetch_add(more) + more > kMaxWaitingAnswersBytes) {
            *all_ -= more;
            return false;
        }
        bytes_ = to;
        return true;
    }

  private:
    const std::shared_ptr<std::atomic<std::size_t>> all_;
    std::size_t bytes_ = 0;
};

// Errors: kInvalid (why it is none).
Result<std::vector<MessagePtr>> read_batch(const json::Value& root) {
    const auto no = [](std::string why) { return fail(ErrorCode::kInvalid, std::move(why)); };
    if (!root.is_array() || root.size() == 0 || root.size() > kMaxBatch)
        return no(fmt::format("a batch has 1 to {} messages", kMaxBatch));
    std::vector<MessagePtr> out;
    for (const json::Value member : root.elements()) {
        auto message = parse_message(std::string(member.raw()));
        if (!message) return no("a member of the batch: " + message.error().detail);
        const Message& m = **message;
        if (m.method == "initialize") return no("`initialize` is never batched");
        if (m.kind == MessageKind::kResponse) return no("nothing was asked that this could answer");
        out.push_back(std::move(*message));
    }
    return out;
}

}  // namespace

// The messages in order, all requests of them in flight; or why nothing is done.
tl::expected<std::vector<Door::Member>, Door::Response> Door::begin(
    Visit& visit, std::vector<MessagePtr> messages) {
    std::vector<Member> members;
    members.reserve(messages.size());
    for (MessagePtr& message : messages) {
        Member& member = members.emplace_back(std::move(message));
        if (member.message->kind != MessageKind::kRequest) continue;
        const std::string_view id = member.message->id;
        member.key = flight_key(id);
        member.flight = std::make_shared<Flight>(visit, std::string());
        const Status begun = visit.protocol->begin(member.key, member.flight);
        if (begun) {
            member.in = visit.protocol;
            continue;
        }
        const Error& why = begun.error();
        if (why.code == ErrorCode::kNotFound) return tl::unexpected(not_found());
        if (why.code == ErrorCode::kConflict)
            return tl::unexpected(Response::json(400, error_text(id, kInvalidRequest, why.detail)));
        member.refused = why.detail;
    }
    watch(visit.protocol);
    return members;
}

// The answer of a request whose turn has come, if it is not to be carried out.
std::optional<Door::Response> Door::passed_over(const Visit& visit, const Member& member,
                                                bool full) {
    const auto with = [&](int code, std::string_view why) {
        return Response::json(200, error_text(member.message->id, code, why));
    };
    if (!visit.session->live(clock_.boot_us())) return dead(visit, {});
    if (!member.refused.empty()) return with(kInternalError, member.refused);
    const auto stopped = member.flight->stopped();
    if (stopped == Told::Why::kCancelled) return with(kRequestCancelled, kCancelledByClient);
    if (stopped) return with(kInternalError, "the session has ended; nothing was done");
    if (full)
        return with(kInternalError,
                    "the answers in front of this one are too large to wait for it; nothing was "
                    "done, send it again alone");
    return std::nullopt;
}

net::Task<Door::Response> Door::batch(Visit& visit, net::HttpRequest request) {
    const auto document = json::parse(request.body);
    if (!document)
        co_return Response::json(400, error_text({}, kParseError, document.error().detail));
    auto found = protocol(visit, request);
    if (!found) co_return std::move(found.error());
    visit.protocol = std::move(*found);
    if (visit.protocol->terms().version != kBatchVersion)
        co_return Response::json(400, error_text({}, kInvalidRequest, "batches are not accepted"));
    auto messages = read_batch(document->root());
    if (!messages)
        co_return Response::json(400, error_text({}, kInvalidRequest, messages.error().detail));
    auto members = begin(visit, std::move(*messages));
    if (!members) co_return std::move(members.error());

    // One answer for all: nothing is said before the results.
    const Accepts accepted = std::exchange(visit.accepts, Accepts{.json = true, .events = false});
    std::string out = "[";
    Waiting waiting(waiting_answers_bytes_);
    bool full = false;
    std::size_t answered = 0;
    const auto died = [&] {
        return dead(visit, {},
                    answered == 0 ? std::string()
                                  : fmt::format("; the answers to {} of the batch's requests are "
                                                "withheld",
                                                answered));
    };
    for (Member& member : *members) {
        std::optional<Response> response;
        if (member.message->kind != MessageKind::kRequest) {
            response = notified(visit, *member.message);
        } else if (response = passed_over(visit, member, full); !response) {
            auto done = co_await dispatch(visit, std::move(member.message), member.flight);
            co_await visit.reactor->hop();
            response = std::move(done);
        }
        if (response->status == 401) co_return died();
        answered += member.flight ? 1 : 0;
        member.end();
        if (response->body.empty()) continue;
        // Whatever its status would say of a request alone (503), the body is a JSON-RPC answer.
        if (out.size() > 1) out += ',';
        out += response->body;
        full = full || out.size() >= kMaxBatchAnswersBytes || !waiting.grow(out.capacity());
    }
    if (!visit.session->live(clock_.boot_us())) co_return died();
    visit.accepts = accepted;
    Response response;
    response.status = 202;
    if (out.size() > 1) response = Response::json(200, std::move(out += ']'));
    co_return response;
}

}  // namespace writ::mcp
