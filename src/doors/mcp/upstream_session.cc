#include "doors/mcp/upstream_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/inert.h"
#include "doors/mcp/http_rules.h"
#include "json/node.h"

namespace writ::mcp {

std::string initialize_params(std::string_view version) {
    json::Node params = json::Node::object();
    params["protocolVersion"] = kVersions.front();
    params["capabilities"] = json::Node::object();
    params["clientInfo"]["name"] = "writ";
    params["clientInfo"]["version"] = version;
    return params.dump();
}

Result<Agreement> read_agreement(const Reply& reply) {
    if (reply.error) return fail(ErrorCode::kUnsupported, "it refused `initialize`");
    const auto document = json::parse(reply.bytes);
    if (!document) return fail(document.error());
    const auto version = document->root().string("protocolVersion");
    if (!version || !supported_version(*version))
        return fail(ErrorCode::kUnsupported,
                    fmt::format("it speaks revision `{}`, not one of 2024-11-05 to 2025-11-25",
                                inert(version.value_or("none"), 40)));
    const auto capabilities = document->root().find("capabilities");
    if (!capabilities || !capabilities->is_object())
        return fail(ErrorCode::kInvalid, "its `initialize` answer has no `capabilities`");
    const auto tools = capabilities->find("tools");
    const bool changes =
        tools && tools->is_object() && tools->boolean("listChanged").value_or(false);
    return Agreement{std::string(*version), tools.has_value(), changes};
}

net::Task<Result<std::string>> list_all_tools(Asker ask, std::size_t message_bytes_max) {
    std::string out = "[";
    std::string params = "{}";
    std::size_t tools = 0;
    for (std::size_t page = 0; page < kMaxListPages; ++page) {
        std::string method = "tools/list";
        const auto reply = co_await ask(std::move(method), params);
        if (!reply) co_return fail(reply.error());
        if (reply->error) co_return fail(ErrorCode::kInvalid, "it answered tools/list by an error");
        const auto document = json::parse(reply->bytes, {.bytes_max = message_bytes_max});
        if (!document) co_return fail(document.error());
        const auto list = document->root().find("tools");
        if (!list || !list->is_array())
            co_return fail(ErrorCode::kInvalid, "its tools/list answer has no array `tools`");
        tools += list->size();
        if (tools > kMaxToolsPerServer)
            co_return fail(ErrorCode::kTooLarge,
                           fmt::format("it lists more than {} tools", kMaxToolsPerServer));
        for (const json::Value tool : list->elements()) {
            if (out.size() > 1) out += ',';
            out += tool.raw();
        }
        if (out.size() > message_bytes_max)
            co_return fail(ErrorCode::kTooLarge, "its tools are larger than one message may be");
        const auto cursor = document->root().find("nextCursor");
        if (!cursor || cursor->is_null()) co_return out + "]";
        if (!cursor->is_string()) co_return fail(ErrorCode::kInvalid, "`nextCursor` is no string");
        params = R"({"cursor":)";
        params += cursor->raw();
        params += '}';
    }
    co_return fail(ErrorCode::kTooLarge, fmt::format("more than {} pages", kMaxListPages));
}

Result<std::vector<std::string>> batch_members(std::string_view text, std::size_t bytes_max) {
    const auto document = json::parse(text, {.bytes_max = bytes_max});
    if (!document) return fail(document.error());
    const json::Value root = document->root();
    if (!root.is_array() || root.size() == 0 || root.size() > kMaxServerBatch)
        return fail(ErrorCode::kInvalid,
                    fmt::format("a batch has 1 to {} messages", kMaxServerBatch));
    std::vector<std::string> out;
    for (const json::Value member : root.elements()) out.emplace_back(member.raw());
    return out;
}

std::string call_params(const Outbound& call, std::optional<std::int64_t> token) {
    std::string params;
    params.reserve(call.arguments.size() + call.tool.size() + 80);
    params += R"({"name":)";
    json::append_string(params, call.tool);
    params += R"(,"arguments":)";
    params += call.arguments;
    if (token) params += fmt::format(R"(,"_meta":{{"progressToken":{}}})", *token);
    params += '}';
    return params;
}

std::optional<std::int64_t> our_id(std::string_view raw) {
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), id);
    if (error != std::errc{} || end != raw.data() + raw.size() || id <= 0) return std::nullopt;
    return id;
}

bool has_type(const net::HttpCall& http, std::string_view type) {
    const auto field = http.headers().get("content-type");
    if (!field) return false;
    std::string_view text = field->substr(0, field->find(';'));
    while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
    return std::equal(text.begin(), text.end(), type.begin(), type.end(), [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
    });
}

bool is_inward(std::string_view method) {
    return method == "sampling/createMessage" || method == "elicitation/create" ||
           method == "roots/list";
}

}  // namespace writ::mcp
