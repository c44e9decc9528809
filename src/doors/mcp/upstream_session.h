// What both transports say to a tool server in the same way: the handshake and the listing
// (MCP 2025-11-25, sections "Lifecycle" and "Tools").
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "doors/mcp/upstream.h"
#include "net/http_pool.h"
#include "net/task.h"

namespace writ::mcp {

// Sends one request and awaits its answer.
using Asker = std::function<net::Task<Result<Reply>>(std::string method, std::string params)>;

// Params of `initialize`: the newest revision, no capabilities, our name and `version`.
std::string initialize_params(std::string_view version);

// What a server's answer to `initialize` settles.
struct Agreement {
    std::string version;        // negotiated, one of ours
    bool tools = false;         // it offers tools at all
    bool tools_change = false;  // and says when they change
};
// Errors: kUnsupported (an error, or a revision we do not speak), kInvalid.
Result<Agreement> read_agreement(const Reply& reply);

// All pages of tools/list as one JSON array; the errors of Upstream::list_tools. `ask` and what it
// holds live until the end.
net::Task<Result<std::string>> list_all_tools(Asker ask, std::size_t message_bytes_max);

// Messages of one batch. As many as calls that may be in flight: a server can answer all at once.
inline constexpr std::size_t kMaxServerBatch = kMaxInFlight;
// Revision 2025-03-26 lets a server put several messages into one array: the text of each. Errors:
// kInvalid (no JSON, empty, over kMaxServerBatch), kTooLarge.
Result<std::vector<std::string>> batch_members(std::string_view text, std::size_t bytes_max);

// Params of tools/call. `token`: our progress token, if progress is wanted.
std::string call_params(const Outbound& call, std::optional<std::int64_t> token);

// The id of an answer, if it can be one of ours: a plain positive integer.
std::optional<std::int64_t> our_id(std::string_view raw);

// Text around a message in a body: white space, and field names of an event stream.
inline constexpr std::size_t kSlackBytes = 64 << 10;
// Pieces of a stream read in one go, so that a server that never stops lets others have a turn.
inline constexpr int kPiecesInARow = 16;

// Whether an answer's Content-Type is `type`, whatever its parameters.
bool has_type(const net::HttpCall& http, std::string_view type);

// Whether a server may put that question to a client at all.
bool is_inward(std::string_view method);

}  // namespace writ::mcp
