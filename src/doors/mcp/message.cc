#include "doors/mcp/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "json/node.h"
#include "json/writer.h"

namespace writ::mcp {

namespace {

using Unusable = std::optional<std::string>;  // why, or nothing

bool usable_id(const json::Value& id) {
    if (id.raw().size() > kMaxIdBytes) return false;
    return id.is_string() || (id.is_number() && id.as_i64().has_value());
}

Unusable read_response(Message& m, const std::optional<json::Value>& id) {
    if (m.result.has_value() == m.error.has_value())
        return "a response has either `result` or `error`";
    if (m.params) return "a response has no `params`";
    if (m.result) {
        if (!id) return "a response without `id`";
        if (!m.result->is_object()) return "`result` is not an object";
        return std::nullopt;
    }
    if (!m.error->is_object() || !m.error->i64("code") || !m.error->string("message"))
        return "`error` needs an integer `code` and a string `message`";
    return std::nullopt;
}

Unusable read_envelope(Message& m, const json::Value& root, const std::optional<json::Value>& id) {
    if (root.string("jsonrpc") != "2.0") return "`jsonrpc` is not \"2.0\"";
    if (id && !usable_id(*id)) return "`id` is neither a string nor an integer";
    if (id) m.id = id->raw();
    m.params = root.find("params");
    m.result = root.find("result");
    m.error = root.find("error");
    const auto method = root.find("method");
    if (!method) {
        m.kind = MessageKind::kResponse;
        return read_response(m, id);
    }
    if (m.result || m.error) return "a request has neither `result` nor `error`";
    if (!method->is_string() || method->as_string()->empty()) return "`method` is not a string";
    if (m.params && !m.params->is_object()) return "`params` is not an object";
    m.method = *method->as_string();
    m.kind = id ? MessageKind::kRequest : MessageKind::kNotification;
    return std::nullopt;
}

}  // namespace

tl::expected<MessagePtr, Malformed> parse_message(std::string text,
                                                  const json::ParseLimits& limits) {
    auto m = std::make_unique<Message>();
    m->text = std::move(text);
    auto document = json::parse(m->text, limits);
    if (!document)
        return tl::unexpected(Malformed{kParseError, std::move(document.error().detail), {}});
    m->document = std::move(*document);
    const json::Value root = m->document.root();
    if (root.is_array())
        return tl::unexpected(Malformed{kInvalidRequest, "batches are not accepted", {}});
    if (!root.is_object())
        return tl::unexpected(Malformed{kInvalidRequest, "a message is an object", {}});
    const auto id = root.find("id");
    if (auto why = read_envelope(*m, root, id)) {
        std::string raw(id && usable_id(*id) ? id->raw() : std::string_view{});
        return tl::unexpected(Malformed{kInvalidRequest, std::move(*why), std::move(raw)});
    }
    return MessagePtr(std::move(m));
}

bool is_batch(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && text[first] == '[';
}

std::string request_text(std::int64_t id, std::string_view method, std::string_view params) {
    json::Writer out(method.size() + params.size() + 80);
    out.open('{').member("jsonrpc", "2.0").key("id").number(id).member("method", method);
    return out.key("params").verbatim(params.empty() ? "{}" : params).close('}').take();
}

std::string notification_text(std::string_view method, std::string_view params) {
    std::string out = R"({"jsonrpc":"2.0","method":)";
    json::append_string(out, method);
    if (!params.empty()) {
        out += R"(,"params":)";
        out += params;
    }
    out += '}';
    return out;
}

std::string result_text(std::string_view id, std::string_view result) {
    std::string out;
    out.reserve(id.size() + result.size() + 40);
    out += R"({"jsonrpc":"2.0","id":)";
    out += id;
    out += R"(,"result":)";
    out += result;
    out += '}';
    return out;
}

std::string error_text(std::string_view id, int code, std::string_view message,
                       std::string_view data) {
    std::string out = R"({"jsonrpc":"2.0",)";
    if (!id.empty()) {
        out += R"("id":)";
        out += id;
        out += ',';
    }
    out += fmt::format(R"("error":{{"code":{},"message":)", code);
    json::append_string(out, message);
    if (!data.empty()) {
        out += R"(,"data":)";
        out += data;
    }
    out += "}}";
    return out;
}

std::string one_line(std::string text) {
    struct Form {
        std::string_view raw, escape;
    };
    static constexpr Form kForms[] = {
        {"\xc2\x85", "\\u0085"}, {"\xe2\x80\xa8", "\\u2028"}, {"\xe2\x80\xa9", "\\u2029"}};
    // A line break cannot stand inside a JSON string, so a raw one is white space between tokens.
    std::replace_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    const auto present = [&](const Form& f) { return text.find(f.raw) != std::string::npos; };
    if (std::none_of(std::begin(kForms), std::end(kForms), present)) return text;

    const std::string_view in = text;  // one pass: a text full of them must not cost its square
    std::string out;
    out.reserve(in.size() * 2);
    for (std::size_t at = 0; at < in.size();) {
        const auto* form = std::find_if(std::begin(kForms), std::end(kForms), [&](const Form& f) {
            return in.substr(at).starts_with(f.raw);
        });
        if (form == std::end(kForms)) {
            out += in[at++];
            continue;
        }
        out += form->escape;
        at += form->raw.size();
    }
    return out;
}

}  // namespace writ::mcp
