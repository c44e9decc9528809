// What clients and tool servers can make of a JSON-RPC message, against itself:
// - what parse_message accepts is one message: its id and method are read again from its one line,
//   and its id is one key however it is spelt;
// - an event of a stream is one event, whatever white space the message has;
// - a tool's result with our members in `_meta` is valid, keeps everything else, and none of the
//   server's members under our prefix survives;
// - log messages are rebuilt validly; and the rules for paths and header fields accept nothing that
//   they would not produce.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "doors/mcp/answers.h"
#include "doors/mcp/door_stream.h"
#include "doors/mcp/http_rules.h"
#include "doors/mcp/message.h"
#include "doors/mcp/protocol_sessions.h"
#include "json/value.h"

namespace {

using writ::mcp::Message;
using writ::mcp::MessageKind;
namespace json = writ::json;

// Exactly one event with exactly one line of data.
void check_event(std::string_view text) {
    const std::string event = writ::mcp::event_text(text);
    WRIT_CHECK(event.starts_with("data: ") && event.ends_with("\n\n"));
    WRIT_CHECK(event.find('\n') == event.size() - 2 && event.find('\r') == std::string::npos);
}

void check_same(const Message& a, const Message& b) {
    WRIT_CHECK(a.kind == b.kind && a.id == b.id && a.method == b.method);
    WRIT_CHECK(a.params.has_value() == b.params.has_value());
    WRIT_CHECK(a.result.has_value() == b.result.has_value());
    WRIT_CHECK(a.error.has_value() == b.error.has_value());
}

void check_message(const Message& m) {
    WRIT_CHECK(m.kind != MessageKind::kRequest || (!m.id.empty() && !m.method.empty()));
    WRIT_CHECK(m.kind != MessageKind::kNotification || m.id.empty());
    WRIT_CHECK(m.kind != MessageKind::kResponse || m.result.has_value() != m.error.has_value());
    WRIT_CHECK(m.id.size() <= writ::mcp::kMaxIdBytes);
    const std::string line = writ::mcp::one_line(m.text);
    WRIT_CHECK(line.find('\n') == std::string::npos);
    const auto again = writ::mcp::parse_message(line, {.bytes_max = 1 << 20});
    WRIT_CHECK(again.has_value());
    if (m.id.find("\xe2\x80") == std::string_view::npos &&
        m.id.find("\xc2\x85") == std::string_view::npos)
        check_same(m, **again);
    check_event(m.text);
    if (!m.id.empty()) {
        const std::string key = writ::mcp::flight_key(m.id);
        WRIT_CHECK(!key.empty() && key == writ::mcp::flight_key((*again)->id));
        // An id travels back as it came.
        for (const auto& answer :
             {writ::mcp::result_text(m.id, "{}"),
              writ::mcp::error_text(m.id, writ::mcp::kInternalError, m.method)}) {
            const auto back = writ::mcp::parse_message(answer);
            WRIT_CHECK(back.has_value() && (*back)->id == m.id);
        }
    }
    if (m.params) {
        const auto log = writ::mcp::log_params(*m.params, "fs", writ::mcp::LogLevel::kDebug);
        if (log) {
            const auto rebuilt = json::parse(*log);
            WRIT_CHECK(rebuilt.has_value() && rebuilt->root().size() == 3);
            WRIT_CHECK(rebuilt->root().string("logger")->starts_with("fs"));
        }
    }
}

void check_result(std::string_view text) {
    const auto result = writ::mcp::read_tool_result(std::string(text), R"("dev.writ/call":1)");
    if (!result) return;
    WRIT_CHECK(result->bytes == text);
    const auto before = json::parse(result->bytes);
    const auto after = json::parse(result->told);
    if (!before) return;  // larger than the default limits
    WRIT_CHECK(after.has_value());
    const auto meta = after->root().find("_meta");
    WRIT_CHECK(meta && meta->is_object());
    std::size_t ours = 0;
    for (const auto& [key, value] : meta->members()) ours += key.starts_with("dev.writ/") ? 1 : 0;
    WRIT_CHECK(ours == 1 && meta->find("dev.writ/call"));
    for (const auto& [key, value] : before->root().members())
        if (key != "_meta") WRIT_CHECK(after->root().find(key)->raw() == value.raw());
}

// The bytes as a path, and as one header field after the other.
void check_rules(std::string_view text) {
    const auto scope = writ::mcp::scope_behind("/mcp", text);
    const auto secret = writ::mcp::scope_behind_secret("/mcp", text);
    WRIT_CHECK(scope.has_value() == secret.has_value());
    if (scope) {
        std::string whole = "/mcp";
        if (!scope->server.empty()) (whole += '/') += scope->server;
        WRIT_CHECK(whole == text && scope->server == secret->server);
    }
    const auto metadata = writ::mcp::resource_metadata("http://127.0.0.1:1", text);
    if (metadata) WRIT_CHECK(json::parse(*metadata).has_value());
    writ::net::HttpRequest request;
    request.headers.add("Host", std::string(text));
    if (!writ::mcp::check_source(request, 7420))
        WRIT_CHECK(text.find("7420") != std::string_view::npos && text.size() < 20);
    writ::net::HttpRequest other;
    other.headers.add("Host", "127.0.0.1:7420");
    other.headers.add("Origin", std::string(text));
    if (!writ::mcp::check_source(other, 7420))
        WRIT_CHECK(text.find("http") != std::string_view::npos &&
                   text.find('@') == std::string_view::npos);
    other.headers.add("Accept", std::string(text));
    (void)writ::mcp::accepts(other);
    (void)writ::mcp::check_content(other, writ::mcp::accepts(other));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto message = writ::mcp::parse_message(std::string(text));
    if (message)
        check_message(**message);
    else if (!message.error().id.empty())
        WRIT_CHECK(json::parse(message.error().id).has_value());
    check_result(text);
    check_rules(text);
    return 0;
}
