// What a tool server writes: answers, requests, notifications, and lines that are none of them.
#include <charconv>
#include <utility>

#include "base/inert.h"
#include "base/log.h"
#include "doors/mcp/upstream.h"

namespace writ::mcp {

namespace {

// The id of an answer, if it can be one of ours: a plain positive integer.
std::optional<std::int64_t> our_id(std::string_view raw) {
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), id);
    if (error != std::errc{} || end != raw.data() + raw.size() || id <= 0) return std::nullopt;
    return id;
}

}  // namespace

void Upstream::take(std::string line) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) return;  // an empty line says nothing
    const auto message = parse_message(std::move(line), {.bytes_max = options_.message_bytes_max});
    if (!message) return take_malformed(message.error());
    switch ((*message)->kind) {
        case MessageKind::kResponse:
            return take_response(**message);
        case MessageKind::kRequest:
            return take_request(**message);
        case MessageKind::kNotification:
            return take_notification(**message);
    }
}

void Upstream::take_response(const Message& message) {
    const auto id = our_id(message.id);
    if (!id) return stray("an answer without an id of ours");
    const auto pending = pending_.find(*id);
    if (pending == pending_.end() || !pending->second.sent) {
        if (abandoned_.erase(*id) == 0) return stray("an answer that nobody awaits");
        ++counters_.late;
        return;
    }
    const bool failed = message.error.has_value();
    const json::Value& value = failed ? *message.error : *message.result;
    resolve(*id, Reply{failed, std::string(value.raw())});
}

// A line that is no message. If it names a call in flight, that call has got its (bad) answer.
void Upstream::take_malformed(const Malformed& malformed) {
    if (const auto id = our_id(malformed.id)) {
        const auto pending = pending_.find(*id);
        if (pending != pending_.end() && pending->second.sent)
            resolve(*id, fail(ErrorCode::kInvalid, "its answer is not valid: " + malformed.detail));
    }
    stray(malformed.detail);
}

void Upstream::take_request(const Message& message) {
    if (message.method == "ping") {
        send({one_line(result_text(message.id, "{}")), std::nullopt, nullptr});
        return;
    }
    // Sampling, elicitation and roots were not offered: our capabilities are empty.
    ++counters_.asked;
    send({one_line(error_text(message.id, kMethodNotFound, "not offered by this client")),
          std::nullopt, nullptr});
}

void Upstream::take_notification(const Message& message) {
    if (message.method == "notifications/tools/list_changed" && options_.on_tools_changed)
        return options_.on_tools_changed();
    ++counters_.dropped;
}

void Upstream::stray(std::string_view why) {
    if (++counters_.stray > kMaxStrayLines) return stop("it wrote too much that is no answer");
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
