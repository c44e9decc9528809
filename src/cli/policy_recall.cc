#include "cli/policy_recall.h"

#include <fmt/format.h>

#include <fstream>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/inert.h"
#include "cli/config.h"
#include "evidence/vault.h"
#include "json/value.h"
#include "ledger/reader.h"

namespace writ::cli {
namespace {

std::string text(const json::Value& value, std::string_view key) {
    return std::string(value.string(key).value_or(""));
}

// The sealed arguments, where their key and blob are still there.
std::optional<std::string> arguments_of(const json::Value& event, const Config& config) {
    const auto payloads = event.find("payloads");
    if (!payloads || !payloads->is_array()) return std::nullopt;
    for (const json::Value& payload : payloads->elements()) {
        const auto cid = payload.string("cid");
        const auto kid = payload.string("kid");
        if (payload.string("role") != "args" || !cid || !kid) continue;
        const auto vault = evidence::Vault::open(config.data / "vault", config.tenant);
        if (!vault) return std::nullopt;
        auto plain = (*vault)->get(*cid, *kid);
        if (plain) return std::move(*plain);
    }
    return std::nullopt;
}

Recalled read_event(const json::Value& event, const Config& config) {
    Recalled out;
    out.event = text(event, "id");
    out.call = text(event, "call");
    out.task = text(event, "task");
    out.time = rfc3339(event.i64("t_us").value_or(0));
    if (const auto data = event.find("data")) {
        out.tool = text(*data, "action");
        if (out.tool.empty()) out.tool = text(*data, "tool");
        out.verdict = text(*data, "kind");
        out.code = text(*data, "code");
        out.reason = text(*data, "reason");
        out.policy_set = text(*data, "policy_set");
        out.data = std::string(data->raw());
    }
    out.arguments = arguments_of(event, config);
    return out;
}

}  // namespace

json::Node Recalled::to_node() const {
    json::Node out = json::Node::object();
    out["event"] = event;
    out["call"] = call;
    out["task"] = task;
    out["time"] = time;
    out["decision"] = json::Node::raw(data.empty() ? "{}" : data);
    if (arguments) out["arguments"] = json::Node::raw(*arguments);
    return out;
}

Result<Recalled> recall(const Context& context, const std::string& id) {
    if (!EventId::parse(id))
        return fail(ErrorCode::kInvalid, fmt::format("`{}` is no id of an event or a call: see "
                                                     "`writ evidence trace TASK`",
                                                     inert(id, 80)));
    const auto config = load_config(context.config.empty() ? default_config_file()
                                                           : std::filesystem::path(context.config));
    if (!config) return fail(config.error());
    std::ifstream key(config->log_dir() / "log.vkey");
    std::string vkey;
    if (!std::getline(key, vkey))
        return fail(ErrorCode::kNotFound,
                    fmt::format("there is no log in `{}` yet", config->log_dir().string()));
    const auto log = ledger::LogReader::open(config->log_dir(), vkey);
    if (!log) return fail(log.error());
    std::optional<Recalled> found;
    const auto read = log->entries(0, [&](std::uint64_t, std::string_view bytes) {
        if (bytes.find(id) == std::string_view::npos) return true;
        const auto parsed = json::parse(bytes);
        if (!parsed) return true;
        const json::Value event = parsed->root();
        if (event.string("type") != "call.decided") return true;
        if (event.string("id") != id && event.string("call") != id) return true;
        found = read_event(event, *config);
        return false;
    });
    if (!read) return fail(read.error());
    if (!found)
        return fail(ErrorCode::kNotFound,
                    fmt::format("the log has no decision `{}`; the newest few seconds may not be "
                                "published yet",
                                id));
    return std::move(*found);
}

void print_recalled(const Recalled& recalled) {
    fmt::print("decided  {}  ({}) at {}\n", inert(recalled.verdict), inert(recalled.code),
               recalled.time);
    fmt::print("reason   {}\n", inert(recalled.reason, 2'000));
    fmt::print("tool     {}\ntask     {}\npolicies {}\n", inert(recalled.tool),
               inert(recalled.task), inert(recalled.policy_set));
    if (recalled.arguments)
        fmt::print("arguments {}\n", inert(*recalled.arguments, 2'000));
    else
        fmt::print("arguments are not readable here (sealed, shredded or never kept)\n");
}

}  // namespace writ::cli
