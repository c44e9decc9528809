#include "doors/mcp/door_flight.h"

#include <utility>

#include "doors/mcp/answers.h"
#include "doors/mcp/message.h"
#include "json/value.h"

namespace writ::mcp {

net::Task<Result<std::string>> release(gate::Admission* admission, std::string message) {
    auto released = co_await admission->aside(std::move(message));
    co_return released;
}

net::Task<void> refuse_inward(gate::Admission* admission, std::string method, std::string params) {
    gate::Inward request{.method = std::move(method), .params = std::move(params)};
    auto deciding = admission->inward(std::move(request));
    const auto decided = co_await std::move(deciding);
    static_cast<void>(decided);
}

void Door::Flight::tell(Why why) {
    if (reactor_.on_this_thread()) return note(why);
    mailbox_->post([self = shared_from_this(), why] { self->note(why); });
}

void Door::Flight::note(Why why) {
    if (left_ || why_ || (why != Why::kCancelled && why != Why::kDead)) return;
    why_ = why;
    if (conversation_)
        conversation_->cancel(why == Why::kDead ? "the task has ended" : "cancelled by the client");
}

ConversationPtr Door::Flight::converse(gate::AdmissionPtr admission) {
    admission_ = std::move(admission);
    Conversation::Ears ears;
    // OPTIMIZATION: plain pointers fit into the functions without an allocation. No callback begins
    // after call() has returned, and a question that is still open keeps the flight itself alive.
    if (visit_.accepts.events) {
        ears.on_notice = [self = this](Notice notice) { self->hear(notice); };
        ears.progress_token = token_;
    }
    ears.on_ask = [self = this](Ask question) {
        return ask(self->shared_from_this(), std::move(question));
    };
    conversation_ = Conversation::make(reactor_, std::move(ears));
    return conversation_;
}

void Door::Flight::hear(const Notice& notice) {
    if (left_) return;
    const auto document = json::parse(notice.params);
    if (!document || !document->root().is_object()) return;
    const json::Value params = document->root();
    if (notice.kind == Notice::Kind::kLog) {
        auto message = log_params(params, admission_->tool().server, visit_.protocol->log_level());
        if (message) say(notification_text(method(notice.kind), *message));
        return;
    }
    // Strictly rising; a server that says otherwise is not repeated (section "progress").
    const auto value = params.find("progress");
    const auto number = value ? value->as_double() : std::nullopt;
    if (!number || (progress_ && *number <= *progress_)) return;
    if (say(notification_text(method(notice.kind), notice.params))) progress_ = number;
}

bool Door::Flight::say(std::string message) {
    if (!visit_.stream) {
        // Inspected like every other byte, each message by itself; the admission outlives quiet().
        visit_.stream = std::make_shared<AnswerStream>(
            reactor_, *visit_.responder, [admission = admission_.get()](std::string bytes) {
                return release(admission, std::move(bytes));
            });
    }
    return visit_.stream->say(std::move(message));
}

net::Task<void> Door::Flight::quiet() {
    if (visit_.stream) co_await visit_.stream->hush();
}

net::Task<Reply> Door::Flight::ask(std::shared_ptr<Flight> self, Ask ask) {
    auto refusing =
        refuse_inward(self->admission_.get(), std::move(ask.method), std::move(ask.params));
    co_await std::move(refusing);
    co_return refuse_ask(kMethodNotFound, "not offered by this client");
}

}  // namespace writ::mcp
