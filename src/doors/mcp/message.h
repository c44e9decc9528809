// One JSON-RPC 2.0 message of MCP (revisions 2024-11-05 to 2025-11-25), parsed once and strictly.
//
// A message owns its text; `id` and the values are ranges of it, so that what was decided on is
// what is forwarded. An id is a string or an integer and is echoed byte for byte (`1` and `"1"`
// differ). Batches, null ids, positional params and members that contradict each other are refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/limits.h"
#include "json/value.h"

namespace writ::mcp {

inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternalError = -32603;

// Ids are echoed and kept while a call runs; peers use small integers or UUIDs.
inline constexpr std::size_t kMaxIdBytes = 256;

enum class MessageKind : std::uint8_t { kRequest, kNotification, kResponse };

struct Message {
    MessageKind kind = MessageKind::kRequest;
    std::string_view id;                // raw bytes; empty for notifications and for errors without
    std::string_view method;            // unescaped; empty for responses
    std::optional<json::Value> params;  // an object, when present
    std::optional<json::Value> result;  // responses: an object
    std::optional<json::Value> error;   // responses: an object with `code` and `message`

    std::string text;         // what the views point into
    json::Document document;  // of `text`
};
using MessagePtr = std::unique_ptr<const Message>;

// Why a text is not a message.
struct Malformed {
    int code = kParseError;  // kParseError or kInvalidRequest
    std::string detail;
    std::string id;  // raw bytes, when a usable one could be read
};

// Parses one message. Duplicate keys, invalid UTF-8, too deep nesting and over-long text are
// kParseError; everything that is JSON but not one JSON-RPC message is kInvalidRequest.
tl::expected<MessagePtr, Malformed> parse_message(std::string text,
                                                  const json::ParseLimits& limits = {});

// Whether a text is an array, hence a batch, if it is JSON at all.
bool is_batch(std::string_view text);

// `{"jsonrpc":"2.0","id":…,"method":…,"params":…}` with `params` spliced as it is.
std::string request_text(std::int64_t id, std::string_view method, std::string_view params);
// The same without id; `params` may be empty.
std::string notification_text(std::string_view method, std::string_view params = {});
// A response with raw id and raw result.
std::string result_text(std::string_view id, std::string_view result);
// An error response; an empty `id` is left out. `data` is raw JSON or empty.
std::string error_text(std::string_view id, int code, std::string_view message,
                       std::string_view data = {});

// `text`, one JSON text that parse() has accepted, as a single line for stdio framing (section
// "stdio" of the specification). Line breaks between tokens become spaces; U+0085, U+2028 and
// U+2029 inside strings, which some readers take for line ends, become `\u` escapes. Everything
// else stays byte for byte, and the decoded value is the same.
std::string one_line(std::string text);

}  // namespace writ::mcp
