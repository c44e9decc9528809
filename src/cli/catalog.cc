// `writ catalog list|show|diff|pin|export`.
#include <fmt/format.h>

#include <memory>

#include "base/bytes.h"
#include "base/inert.h"
#include "cli/api.h"
#include "cli/verb.h"
#include "json/value.h"

namespace writ::cli {
namespace {

// One side of a change on the terminal; a schema may be long.
constexpr std::size_t kShownValueBytes = 2'000;

std::string text_of(const json::Value& object, std::string_view key) {
    return inert(object.string(key).value_or(""));
}

std::string qualified(const json::Value& tool) {
    return text_of(tool, "server") + "/" + text_of(tool, "name");
}

void print_servers(const json::Value& health) {
    fmt::print("{:24}  {:8}  {:24}  {:>8}  {:>9}  {}\n", "SERVER", "STATE", "SINCE", "RESTARTS",
               "IN FLIGHT", "LAST ERROR");
    for (const json::Value server : health.elements()) {
        fmt::print("{:24}  {:8}  {:24}  {:8}  {:9}  {}\n", text_of(server, "server"),
                   text_of(server, "state"), text_of(server, "since"),
                   server.i64("restarts").value_or(0), server.i64("in_flight").value_or(0),
                   text_of(server, "last_error"));
    }
    fmt::print("\n");
}

void print_tools(const json::Value& tools) {
    fmt::print("{:44}  {:9}  {:16}  {}\n", "TOOL", "EFFECT", "PIN", "STATE");
    for (const json::Value tool : tools.elements()) {
        const bool changed = tool.boolean("changed").value_or(false);
        fmt::print("{:44}  {:9}  {:16}  {}\n", qualified(tool), text_of(tool, "effect"),
                   text_of(tool, "pin").substr(0, 15),
                   changed ? "changed: refused, see `writ catalog diff`" : "pinned");
    }
}

int list(const Context& context) {
    const auto answer = call_api(context, "GET", "catalog");
    if (!answer) return report_api(context, answer.error());
    const auto body = json::parse(*answer, {.bytes_max = kMaxApiAnswerBytes});
    if (!body) return report(context, body.error());
    if (context.json) {
        print_json(context, versioned("catalog", json::Node::from(body->root())));
        return kDone;
    }
    if (const auto health = body->root().find("health")) print_servers(*health);
    if (const auto tools = body->root().find("tools")) print_tools(*tools);
    return kDone;
}

// To stdout, for `catalog.json` beside writ.toml: policies are then checked without a gateway.
int export_all(const Context& context) {
    const auto answer = call_api(context, "GET", "catalog/export");
    if (!answer) return report_api(context, answer.error());
    fmt::print("{}\n", inert_json(*answer));
    return kDone;
}

// What is wrong with `text` as the name of a tool, of which the API makes a path; empty if nothing.
std::string no_tool_name(const std::string& text) {
    const auto slash = text.find('/');
    const bool good = slash != 0 && slash != std::string::npos && slash + 1 < text.size() &&
                      text.find('/', slash + 1) == std::string::npos;
    return good ? "" : "write it as server/tool, as `writ catalog list` does";
}

int show(const Context& context, const std::string& tool) {
    const auto answer = call_api(context, "GET", "catalog/" + tool);
    if (!answer) return report_api(context, answer.error());
    const auto body = json::parse(*answer, {.bytes_max = kMaxApiAnswerBytes});
    if (!body) return report(context, body.error());
    print_json(context, versioned("tool", json::Node::from(body->root())));
    return kDone;
}

void print_difference(const json::Value& body) {
    fmt::print("{}\n", qualified(body));
    const auto changes = body.find("changes");
    if (!changes || changes->size() == 0) {
        fmt::print("  unchanged since it was accepted\n");
        return;
    }
    if (const auto risks = body.find("risks"))
        for (const json::Value risk : risks->elements())
            fmt::print("  ! {}\n", inert(risk.as_string().value_or("")));
    for (const json::Value change : changes->elements()) {
        fmt::print("  {}\n", text_of(change, "path"));
        if (const auto before = change.find("before"))
            fmt::print("    - {}\n", inert(before->raw(), kShownValueBytes));
        if (const auto after = change.find("after"))
            fmt::print("    + {}\n", inert(after->raw(), kShownValueBytes));
    }
    if (body.boolean("more").value_or(false)) fmt::print("  … and more: --json shows both whole\n");
    fmt::print("to accept what you have read: writ catalog pin {} --read {}\n", qualified(body),
               text_of(body, "pin"));
}

Result<json::Document> difference(const Context& context, const std::string& tool) {
    const auto answer = call_api(context, "GET", "catalog/" + tool + "/diff");
    if (!answer) return fail(answer.error());
    return json::parse(*answer, {.bytes_max = kMaxApiAnswerBytes});
}

int diff_one(const Context& context, const std::string& tool) {
    const auto body = difference(context, tool);
    if (!body) return report_api(context, body.error());
    if (context.json)
        print_json(context, versioned("tool_difference", json::Node::from(body->root())));
    else
        print_difference(body->root());
    return kDone;
}

// All tools that are refused because they changed; with --json one document,
// `writ.tool_differences` with what `writ.tool_difference` says of each under `tools`.
int diff_all(const Context& context) {
    const auto answer = call_api(context, "GET", "catalog");
    if (!answer) return report_api(context, answer.error());
    const auto body = json::parse(*answer, {.bytes_max = kMaxApiAnswerBytes});
    if (!body) return report(context, body.error());
    json::Node differences = json::Node::array();
    if (const auto tools = body->root().find("tools"))
        for (const json::Value tool : tools->elements()) {
            if (!tool.boolean("changed").value_or(false)) continue;
            const auto one =
                difference(context, std::string(tool.string("server").value_or("")) + "/" +
                                        std::string(tool.string("name").value_or("")));
            if (!one) return report_api(context, one.error());
            if (!context.json) print_difference(one->root());
            differences.push_back(json::Node::from(one->root()));
        }
    if (context.json) {
        json::Node out = json::Node::object();
        out["tools"] = std::move(differences);
        print_json(context, versioned("tool_differences", std::move(out)));
    } else if (differences.if_array()->empty()) {
        fmt::print("no tool changed since it was accepted\n");
    }
    return kDone;
}

int pin(const Context& context, const std::string& tool, const std::string& read) {
    if (!digest_from_text(read))
        return report(context, {ErrorCode::kInvalid,
                                "--read is the digest of the definition that you have read: "
                                "sha256: and 64 hex digits, as `writ catalog diff` shows it",
                                {}});
    const auto answer =
        call_api(context, "POST", "catalog/" + tool + "/pin", R"({"pin":")" + read + "\"}");
    if (!answer) return report_api(context, answer.error());
    const auto body = json::parse(*answer, {.bytes_max = kMaxApiAnswerBytes});
    if (!body) return report(context, body.error());
    if (context.json)
        print_json(context, versioned("tool", json::Node::from(body->root())));
    else
        fmt::print("accepted {} as {}\n", qualified(body->root()), text_of(body->root(), "pin"));
    return kDone;
}

}  // namespace

void add_catalog(Command app, Context& context) {
    app.require_subcommand();
    app.footer("Example: writ catalog list");
    Command list_verb =
        app.add_subcommand("list", "List servers with their health, and every tool");
    list_verb.footer("Example: writ catalog list");
    list_verb.callback([&context] { return list(context); });

    Command export_verb =
        app.add_subcommand("export", "Print every definition, for checking policies offline");
    export_verb.footer("Example: writ catalog export > catalog.json");
    export_verb.callback([&context] { return export_all(context); });

    auto tool = std::make_shared<std::string>();
    auto read = std::make_shared<std::string>();
    Command show_verb = app.add_subcommand("show", "Show one tool whole");
    show_verb.add_option("tool", *tool, "server/tool").required().check(no_tool_name);
    show_verb.footer("Example: writ catalog show filesystem/read_text_file");
    show_verb.callback([&context, tool] { return show(context, *tool); });

    Command diff_verb =
        app.add_subcommand("diff", "Show what changed since a tool was accepted, and its risks");
    diff_verb.add_option("tool", *tool, "server/tool; without it, every changed tool")
        .check(no_tool_name);
    diff_verb.footer("Example: writ catalog diff filesystem/read_text_file");
    diff_verb.callback(
        [&context, tool] { return tool->empty() ? diff_all(context) : diff_one(context, *tool); });

    Command pin_verb = app.add_subcommand("pin", "Accept the definition of a tool you have read");
    pin_verb.add_option("tool", *tool, "server/tool").required().check(no_tool_name);
    pin_verb.add_option("--read", *read, "digest of the definition you have read").required();
    pin_verb.footer(
        "Example: writ catalog pin filesystem/read_text_file --read sha256:2c26b46b68ffc68f…");
    pin_verb.callback([&context, tool, read] { return pin(context, *tool, *read); });
}

}  // namespace writ::cli
