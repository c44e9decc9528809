// What a tool server writes: answers, requests, notifications, and lines that are none of them.
#include <utility>

#include "base/inert.h"
#include "base/log.h"
#include "doors/mcp/upstream_session.h"
#include "doors/mcp/upstream_stdio.h"

namespace writ::mcp {

void StdioUpstream::take(std::string line) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) {
        if (++empty_lines_ > kMaxEmptyLines) stray("an empty line");
        return;
    }
    if (!batches_ || !is_batch(line)) return take_message(std::move(line));
    auto members = batch_members(line, options_.message_bytes_max);
    if (!members) return stray(members.error().detail);
    for (std::string& member : *members)
        if (alive_) take_message(std::move(member));
}

void StdioUpstream::take_message(std::string text) {
    auto message = parse_message(std::move(text), {.bytes_max = options_.message_bytes_max});
    if (!message) return take_malformed(message.error());
    empty_lines_ = 0;
    switch ((*message)->kind) {
        case MessageKind::kResponse:
            return take_response(std::move(*message));
        case MessageKind::kRequest:
            return take_request(**message);
        case MessageKind::kNotification:
            return take_notification(**message);
    }
}

void StdioUpstream::take_response(MessagePtr message) {
    const auto id = our_id(message->id);
    if (!id) return stray("an answer without an id of ours");
    const auto pending = pending_.find(*id);
    if (pending == pending_.end() || !pending->second.sent) {
        if (abandoned_.erase(*id) == 0) return stray("an answer that nobody awaits");
        ++counters_.late;
        return;
    }
    const bool failed = message->error.has_value();
    std::string bytes(failed ? message->error->raw() : message->result->raw());
    resolve(*id, Reply{failed, std::move(bytes), std::move(message)});
}

// A line that is no message. If it names a call in flight, that call has got its (bad) answer.
void StdioUpstream::take_malformed(const Malformed& malformed) {
    if (const auto id = our_id(malformed.id)) {
        const auto pending = pending_.find(*id);
        if (pending != pending_.end() && pending->second.sent)
            resolve(*id, fail(ErrorCode::kInvalid, "its answer is not valid: " + malformed.detail));
    }
    stray(malformed.detail);
}

void StdioUpstream::take_request(const Message& message) {
    if (message.method == "ping") {
        send({one_line(result_text(message.id, "{}")), std::nullopt, nullptr});
        return;
    }
    ++counters_.asked;
    ConversationPtr to = is_inward(message.method) ? only_conversation() : nullptr;
    if (!to) {
        send({one_line(error_text(message.id, kMethodNotFound, "not offered by this client")),
              std::nullopt, nullptr});
        return;
    }
    Ask ask{std::string(message.method),
            message.params ? std::string(message.params->raw()) : std::string("{}")};
    reactor_.spawn(
        pass_on(shared_from_this(), std::move(to), std::string(message.id), std::move(ask)));
}

net::Task<void> StdioUpstream::pass_on(Self self, ConversationPtr to, std::string id, Ask ask) {
    const Reply reply = co_await Conversation::ask(std::move(to), std::move(ask), &self->reactor_);
    std::string text = R"({"jsonrpc":"2.0","id":)" + id;
    text += reply.error ? R"(,"error":)" : R"(,"result":)";
    self->send({one_line(text + reply.bytes + "}"), std::nullopt, nullptr});
}

// Whose a message without a name is: that of the only call in flight, where the instance serves one
// task. A log message or a question that comes after a call's end is attributed to the next one of
// the same task, never to another task's.
ConversationPtr StdioUpstream::only_conversation() const {
    if (options_.shared || pending_.size() != 1 || !pending_.begin()->second.sent) return nullptr;
    return pending_.begin()->second.conversation;
}

void StdioUpstream::take_notification(const Message& message) {
    if (message.method == "notifications/tools/list_changed" && options_.on_tools_changed)
        return options_.on_tools_changed();
    const std::string_view params = message.params ? message.params->raw() : "{}";
    if (message.method == "notifications/progress" && message.params) {
        const auto pending = pending_.find(message.params->i64("progressToken").value_or(0));
        if (pending != pending_.end() && pending->second.sent && pending->second.conversation)
            return pending->second.conversation->progress(params);
    } else if (message.method == "notifications/message") {
        if (const auto to = only_conversation()) return to->log(params);
    }
    ++counters_.dropped;
}

void StdioUpstream::stray(std::string_view why) {
    if (++counters_.stray > kMaxStrayLines) return break_off("it wrote too much that is no answer");
    log::warn("mcp", "tool server `{}` wrote a line that is ignored: {}", server_, inert(why, 200));
}

std::map<std::string, std::string> child_environment(
    const catalog::ServerSpec& spec,
    const std::function<std::optional<std::string>(const std::string&)>& lookup) {
    std::map<std::string, std::string> out = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
    for (const auto& name : spec.env)
        if (auto value = lookup(name)) out[name] = std::move(*value);
    for (const auto& [name, value] : spec.set) out[name] = value;
    return out;
}

}  // namespace writ::mcp
