// `writ catalog list|show|pin|export`.
#include <fmt/format.h>

#include <memory>

#include <CLI/CLI.hpp>

#include "base/inert.h"
#include "cli/api.h"
#include "cli/verb.h"
#include "json/value.h"

namespace writ::cli {
namespace {

int list(const Context& context) {
    const auto answer = call_api(context, "GET", "catalog");
    if (!answer) return report_api(context, answer.error());
    const auto body = json::parse(*answer, {.bytes_max = 64 << 20});
    if (!body) return report(context, body.error());
    if (context.json) {
        print_json(context, versioned("catalog", json::Node::from(body->root())));
        return kDone;
    }
    fmt::print("{:44}  {:9}  {:16}  {}\n", "TOOL", "EFFECT", "PIN", "STATE");
    if (const auto tools = body->root().find("tools")) {
        for (const json::Value tool : tools->elements()) {
            const std::string name = inert(tool.string("server").value_or("")) + "/" +
                                     inert(tool.string("name").value_or(""));
            fmt::print("{:44}  {:9}  {:16}  {}\n", name, inert(tool.string("effect").value_or("")),
                       inert(tool.string("pin").value_or("")).substr(0, 15),
                       tool.boolean("changed").value_or(false) ? "changed: refused until pinned"
                                                               : "pinned");
        }
    }
    return kDone;
}

// To stdout, for `catalog.json` beside writ.toml: policies are then checked without a gateway.
int export_all(const Context& context) {
    const auto answer = call_api(context, "GET", "catalog/export");
    if (!answer) return report_api(context, answer.error());
    fmt::print("{}\n", *answer);
    return kDone;
}

int one(const Context& context, const std::string& tool, bool pin) {
    const auto answer = pin ? call_api(context, "POST", "catalog/" + tool + "/pin", "{}")
                            : call_api(context, "GET", "catalog/" + tool);
    if (!answer) return report_api(context, answer.error());
    const auto body = json::parse(*answer, {.bytes_max = 16 << 20});
    if (!body) return report(context, body.error());
    print_json(context, versioned("tool", json::Node::from(body->root())));
    return kDone;
}

}  // namespace

void add_catalog(CLI::App& app, Context& context) {
    app.require_subcommand(1);
    app.footer("Example: writ catalog list");
    CLI::App* list_verb = app.add_subcommand("list", "List every tool with its effect and pin");
    list_verb->footer("Example: writ catalog list");
    list_verb->callback([&context] { context.exit_code = list(context); });

    CLI::App* export_verb =
        app.add_subcommand("export", "Print every definition, for checking policies offline");
    export_verb->footer("Example: writ catalog export > catalog.json");
    export_verb->callback([&context] { context.exit_code = export_all(context); });

    auto tool = std::make_shared<std::string>();
    const std::pair<const char*, bool> rows[] = {{"show", false}, {"pin", true}};
    for (const auto& [verb_name, accepts] : rows) {
        CLI::App* verb = app.add_subcommand(
            verb_name, accepts ? "Accept a tool's present definition" : "Show one tool whole");
        verb->add_option("tool", *tool, "server/tool")->required();
        verb->footer(fmt::format("Example: writ catalog {} filesystem/read_text_file", verb_name));
        verb->callback(
            [&context, tool, pins = accepts] { context.exit_code = one(context, *tool, pins); });
    }
}

}  // namespace writ::cli
