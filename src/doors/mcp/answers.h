// What this door answers with: MCP results built or completed as JSON texts. Results of a tool
// server are passed on byte for byte; only the named envelope member `_meta` is rewritten
// (docs/architecture.md, rule 2).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "catalog/catalog.h"
#include "evidence/event.h"
#include "json/value.h"

namespace writ::mcp {

// Our keys in `_meta`; a server's own members under this prefix are taken out, never passed on.
inline constexpr std::string_view kMetaPrefix = "dev.writ/";
inline constexpr std::string_view kMetaCall = "dev.writ/call";
inline constexpr std::string_view kMetaReceipt = "dev.writ/receipt";

// `{"event":…,"index":…,"leaf":…,"origin":…}`: the proof that the decision is in the ledger.
std::string receipt_json(const evidence::Receipt& receipt);
// The members that a call's result gets in its `_meta`: kMetaCall and kMetaReceipt, raw.
std::string call_meta(const CallId& call, const evidence::Receipt& receipt);

// How tools are called: `server__tool`, or by their own names where one server is served alone.
enum class ToolNames : std::uint8_t { kPrefixed, kOwn };

// The `tools` result: the pinned definitions with the names to call them by, without icons (a
// remote icon is a tracking beacon), `execution` (tasks are not offered) and members under our
// prefix.
std::string tools_result(const std::vector<std::shared_ptr<const catalog::Tool>>& tools,
                         ToolNames names = ToolNames::kPrefixed);
// The same for the same list of tools (names, pins, order), most likely not for another.
std::uint64_t tools_digest(const std::vector<std::shared_ptr<const catalog::Tool>>& tools);

// The result of `initialize`.
std::string initialize_result(std::string_view version, std::string_view writ_version);

// Severities of notifications/message, rising (RFC 5424); kNone: above all of them.
enum class LogLevel : std::uint8_t {
    kDebug,
    kInfo,
    kNotice,
    kWarning,
    kError,
    kCritical,
    kAlert,
    kEmergency,
    kNone
};
std::optional<LogLevel> log_level_from(std::string_view name);
// The params of notifications/message for a client that wants `level` and above: `params`, foreign,
// with the tool server's name before its logger's. Nothing if it is below, or not such params.
std::optional<std::string> log_params(const json::Value& params, std::string_view server,
                                      LogLevel level);

// `{"content":[{"text":…,"type":"text"}],"isError":true}` with the call and its receipt in `_meta`.
std::string refused_result(std::string_view text, const std::optional<CallId>& call,
                           const evidence::Receipt* receipt);

// A tool's result as it came from the server, and as it is told to the client.
struct ToolResult {
    bool is_error = false;
    std::string bytes;  // the raw object
    std::string told;   // the same with `meta` in its `_meta`
};
// Reads a raw `result` strictly and adds `meta` (raw members, e.g. `"k":1`). What the server wrote
// under our prefix is left out of `told`. `read` may be what these bytes were when they came; if
// they are other bytes by now, they are read anew. Errors: kInvalid (not an object, `isError` not a
// boolean, `_meta` not an object).
Result<ToolResult> read_tool_result(std::string bytes, std::string_view meta,
                                    const std::optional<json::Value>& read = std::nullopt);

}  // namespace writ::mcp
