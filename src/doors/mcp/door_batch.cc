// Batches, which revision 2025-03-26 has and no other: an array of messages, each decided by
// itself, answered by an array. A batch with a member that is none, or with `initialize`, is
// refused whole and nothing of it happens.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "doors/mcp/door.h"
#include "doors/mcp/door_visit.h"
#include "doors/mcp/http_rules.h"
#include "json/value.h"

namespace writ::mcp {

namespace {

// Errors: kInvalid (why it is none).
Result<std::vector<MessagePtr>> read_batch(std::string_view text) {
    const auto no = [](std::string why) { return fail(ErrorCode::kInvalid, std::move(why)); };
    const auto document = json::parse(text);
    if (!document) return fail(document.error());
    const json::Value root = document->root();
    if (!root.is_array() || root.size() == 0 || root.size() > kMaxBatch)
        return no(fmt::format("a batch has 1 to {} messages", kMaxBatch));
    std::vector<MessagePtr> out;
    for (const json::Value member : root.elements()) {
        auto message = parse_message(std::string(member.raw()));
        if (!message) return no("a member of the batch: " + message.error().detail);
        const Message& m = **message;
        if (m.method == "initialize") return no("`initialize` is never batched");
        if (m.kind == MessageKind::kResponse) return no("nothing was asked that this could answer");
        const bool twice = !m.id.empty() && std::ranges::any_of(out, [&](const MessagePtr& o) {
            return !o->id.empty() && flight_key(o->id) == flight_key(m.id);
        });
        if (twice) return no("two requests of the batch have the same id");
        out.push_back(std::move(*message));
    }
    return out;
}

}  // namespace

net::Task<Door::Response> Door::batch(Visit& visit, net::HttpRequest request) {
    auto found = protocol(visit, request);
    if (!found) co_return std::move(found.error());
    visit.protocol = std::move(*found);
    if (visit.protocol->terms().version != kBatchVersion)
        co_return Response::json(400, error_text({}, kInvalidRequest, "batches are not accepted"));
    auto messages = read_batch(request.body);
    if (!messages)
        co_return Response::json(400, error_text({}, kInvalidRequest, messages.error().detail));

    // One answer for all: nothing is said before the results.
    const Accepts accepted = std::exchange(visit.accepts, Accepts{.json = true, .events = false});
    std::string out = "[";
    for (MessagePtr& message : *messages) {
        const bool asks = message->kind == MessageKind::kRequest;
        Response response;
        if (asks)
            response = co_await dispatch(visit, std::move(message));
        else
            response = notified(visit, *message);
        if (asks && response.status != 200 && response.status != 400) co_return response;
        if (response.body.empty()) continue;
        if (out.size() > 1) out += ',';
        out += response.body;
    }
    visit.accepts = accepted;
    if (out.size() > 1) co_return Response::json(200, out + "]");
    Response nothing;
    nothing.status = 202;
    co_return nothing;
}

}  // namespace writ::mcp
