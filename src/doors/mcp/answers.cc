#include "doors/mcp/answers.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "base/ids.h"
#include "base/limits.h"
#include "json/node.h"
#include "json/value.h"
#include "json/writer.h"

namespace writ::mcp {

namespace {

constexpr json::ParseLimits kAnswerLimits{.bytes_max = kMaxUpstreamMessageBytes + 4096,
                                          .depth_max = kMaxJsonDepth};

void append_member(std::string& out, std::string_view key, std::string_view raw) {
    if (out.back() != '{') out += ',';
    json::append_string(out, key);
    out += ':';
    out += raw;
}

// Appends the members of `meta`, foreign, that are not under our prefix.
void append_foreign(std::string& out, const json::Value& meta) {
    for (const auto& [key, value] : meta.members())
        if (!key.starts_with(kMetaPrefix)) append_member(out, key, value.raw());
}

// A definition under the name it is called by; empty if it is not an object (the catalog refuses
// those).
std::string exposed_definition(const catalog::Tool& tool, ToolNames names) {
    const auto document = json::parse(tool.definition, kAnswerLimits);
    if (!document || !document->root().is_object()) return {};
    std::string out = "{";
    for (const auto& [key, value] : document->root().members()) {
        if (key == "icons" || key == "execution") continue;
        if (key == "name") {
            std::string name;
            json::append_string(name, names == ToolNames::kOwn ? tool.name : tool.exposed());
            append_member(out, key, name);
        } else if (key == "_meta" && value.is_object()) {
            std::string meta = "{";
            append_foreign(meta, value);
            append_member(out, key, meta + "}");
        } else {
            append_member(out, key, value.raw());
        }
    }
    out += '}';
    return out;
}

void put_receipt(json::Writer& out, const evidence::Receipt& receipt) {
    out.open('{').member("event", receipt.event).key("index").number(receipt.index);
    out.member("leaf", receipt.leaf).member("origin", receipt.origin).close('}');
}

// `result`, an object whose `_meta` is `theirs`, with `meta` in it.
std::string with_meta(const json::Value& result, const std::optional<json::Value>& theirs,
                      std::string_view meta) {
    std::string object = "{";
    if (theirs) append_foreign(object, *theirs);
    if (object.back() != '{' && !meta.empty()) object += ',';
    object += meta;
    object += '}';

    const std::string_view whole = result.raw();
    std::string out;
    out.reserve(whole.size() + object.size() + 16);
    if (theirs) {
        const auto raw = theirs->raw();
        const auto at = static_cast<std::size_t>(raw.data() - whole.data());
        out += whole.substr(0, at);
        out += object;
        out += whole.substr(at + raw.size());
        return out;
    }
    out += whole.substr(0, whole.size() - 1);  // without the closing brace
    if (result.size() != 0) out += ',';
    out += R"("_meta":)";
    out += object;
    out += '}';
    return out;
}

}  // namespace

std::string receipt_json(const evidence::Receipt& receipt) {
    json::Writer out(256);
    put_receipt(out, receipt);
    return out.take();
}

std::string call_meta(const CallId& call, const evidence::Receipt& receipt) {
    json::Writer out(384);
    out.key(kMetaCall).id(call).key(kMetaReceipt);
    put_receipt(out, receipt);
    return out.take();
}

std::string tools_result(const std::vector<std::shared_ptr<const catalog::Tool>>& tools,
                         ToolNames names) {
    std::string out = R"({"tools":[)";
    for (const auto& tool : tools) {
        const std::string definition = exposed_definition(*tool, names);
        if (definition.empty()) continue;
        if (out.back() != '[') out += ',';
        out += definition;
    }
    out += "]}";
    return out;
}

std::uint64_t tools_digest(const std::vector<std::shared_ptr<const catalog::Tool>>& tools) {
    std::uint64_t digest = tools.size();
    const auto mix = [&digest](std::uint64_t value) {
        digest = (digest ^ value) * 0x9e3779b97f4a7c15ULL;
        digest ^= digest >> 29;
    };
    for (const auto& tool : tools) {
        mix(std::hash<std::string>{}(tool->server));
        mix(std::hash<std::string>{}(tool->name));
        for (const auto byte : tool->pin) mix(static_cast<std::uint64_t>(byte));
    }
    return digest;
}

std::string initialize_result(std::string_view version, std::string_view writ_version) {
    json::Node node = json::Node::object();
    node["protocolVersion"] = version;
    node["capabilities"]["logging"] = json::Node::object();
    node["capabilities"]["tools"]["listChanged"] = true;
    node["serverInfo"]["name"] = "writ";
    node["serverInfo"]["version"] = writ_version;
    return node.dump();
}

std::optional<LogLevel> log_level_from(std::string_view name) {
    static constexpr std::string_view kNames[] = {"debug", "info",     "notice", "warning",
                                                  "error", "critical", "alert",  "emergency"};
    const auto it = std::ranges::find(kNames, name);
    if (it == std::end(kNames)) return std::nullopt;
    return static_cast<LogLevel>(it - std::begin(kNames));
}

std::optional<std::string> log_params(const json::Value& params, std::string_view server,
                                      LogLevel level) {
    const auto name = params.string("level");
    const auto severity = name ? log_level_from(*name) : std::nullopt;
    const auto data = params.find("data");
    const auto logger = params.find("logger");
    if (!severity || *severity < level || !data || (logger && !logger->is_string()))
        return std::nullopt;
    std::string from(server);
    if (logger) (from += '/') += *logger->as_string();
    std::string out = "{";
    append_member(out, "level", params.find("level")->raw());
    std::string quoted;
    json::append_string(quoted, from);
    append_member(out, "logger", quoted);
    append_member(out, "data", data->raw());
    return out + "}";
}

std::string refused_result(std::string_view text, const std::optional<CallId>& call,
                           const evidence::Receipt* receipt) {
    json::Node block = json::Node::object();
    block["type"] = "text";
    block["text"] = text;
    json::Node node = json::Node::object();
    node["content"].push_back(std::move(block));
    node["isError"] = true;
    if (call) node["_meta"][kMetaCall] = call->text();
    if (receipt != nullptr) node["_meta"][kMetaReceipt] = json::Node::raw(receipt_json(*receipt));
    return node.dump();
}

Result<ToolResult> read_tool_result(std::string bytes, std::string_view meta,
                                    const std::optional<json::Value>& read) {
    std::optional<json::Document> anew;
    if (!read || read->raw() != bytes) {
        auto document = json::parse(bytes, kAnswerLimits);
        if (!document) return fail(document.error());
        anew = std::move(*document);
    }
    const json::Value root = anew ? anew->root() : *read;
    if (!root.is_object()) return fail(ErrorCode::kInvalid, "`result` is not an object");
    const auto theirs = root.find("_meta");
    if (theirs && !theirs->is_object())
        return fail(ErrorCode::kInvalid, "`result._meta` is not an object");
    const auto flag = root.find("isError");
    if (flag && !flag->is_bool())
        return fail(ErrorCode::kInvalid, "`result.isError` is not a boolean");
    std::string told = with_meta(root, theirs, meta);
    return ToolResult{flag && *flag->as_bool(), std::move(bytes), std::move(told)};
}

}  // namespace writ::mcp
