// What this door answers with: MCP results built or completed as JSON texts. Results of a tool
// server are passed on byte for byte; only the named envelope member `_meta` is rewritten
// (docs/architecture.md, rule 2).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "catalog/catalog.h"
#include "evidence/event.h"

namespace writ::mcp {

// Our keys in `_meta`; a server's own members under this prefix are taken out, never passed on.
inline constexpr std::string_view kMetaPrefix = "dev.writ/";
inline constexpr std::string_view kMetaCall = "dev.writ/call";
inline constexpr std::string_view kMetaReceipt = "dev.writ/receipt";

// `{"event":…,"index":…,"leaf":…,"origin":…}`: the proof that the decision is in the ledger.
std::string receipt_json(const evidence::Receipt& receipt);

// The `tools` result: the pinned definitions with exposed names, without icons (a remote icon is a
// tracking beacon), `execution` (tasks are not offered) and members under our prefix.
std::string tools_result(const std::vector<std::shared_ptr<const catalog::Tool>>& tools);

// The result of `initialize`.
std::string initialize_result(std::string_view version, std::string_view writ_version);

// `{"content":[{"text":…,"type":"text"}],"isError":true}` with the call and its receipt in `_meta`.
std::string refused_result(std::string_view text, const std::optional<CallId>& call,
                           const evidence::Receipt* receipt);

// A tool's result as it came from the server.
struct ToolResult {
    bool is_error = false;
    std::string bytes;  // the raw object
};
// Reads a raw `result` strictly. Errors: kInvalid (not an object, `isError` not a boolean, `_meta`
// not an object).
Result<ToolResult> read_tool_result(std::string bytes);

// `result`, a raw object that read_tool_result has accepted, with `meta` (raw members, e.g.
// `"k":1`) added to its `_meta`.
Result<std::string> with_meta(std::string_view result, std::string_view meta);

}  // namespace writ::mcp
