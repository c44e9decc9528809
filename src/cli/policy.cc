// `writ policy check|explain`.
#include "policy/policy.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <memory>

#include <CLI/CLI.hpp>

#include "base/inert.h"
#include "cli/api.h"
#include "cli/config.h"
#include "cli/verb.h"
#include "json/value.h"

namespace writ::cli {
namespace {

int check(const Context& context, const std::string& folder) {
    std::filesystem::path dir(folder);
    if (folder.empty()) {
        const auto config = load_config(
            context.config.empty() ? default_config_file() : std::filesystem::path(context.config));
        if (!config) return report(context, config.error());
        dir = config->policies;
    }
    auto files = load_policies(dir);
    if (!files) return report(context, files.error());
    const std::size_t count = files->size();
    const auto catalog = catalog::Catalog::make({}, {}, {});
    const auto engine = policy::Engine::make(std::move(*files), {}, (*catalog)->snapshot());
    if (!engine) return report(context, engine.error());
    if (context.json) {
        json::Node out = json::Node::object();
        out["files"] = count;
        out["policies"] = (*engine)->policies();
        out["policy_set"] = digest_text((*engine)->digest());
        print_json(context, versioned("policy.check", std::move(out)));
    } else {
        fmt::print("{} policies in {} files of {}: syntax is right\n", (*engine)->policies(), count,
                   dir.string());
    }
    return kDone;
}

void print_links(const json::Value& body, std::string_view key, std::string_view title) {
    const auto list = body.find(key);
    if (!list || list->size() == 0) return;
    fmt::print("{}\n", title);
    for (const json::Value entry : list->elements()) {
        fmt::print("  {:7} {:28} {}\n", inert(entry.string("effect").value_or("")),
                   inert(entry.string("id").value_or("")),
                   inert(entry.string("outcome").value_or("")));
        if (const auto detail = entry.string("detail"); detail && !detail->empty())
            fmt::print("          {}\n", inert(*detail));
        if (const auto at = entry.string("at"); at && !at->empty())
            fmt::print("          at {}\n", inert(*at));
    }
}

int explain(const Context& context, const std::string& task, const std::string& tool,
            std::string arguments) {
    if (arguments.starts_with("@")) {
        std::ifstream in(arguments.substr(1), std::ios::binary);
        if (!in)
            return report(context,
                          {ErrorCode::kInvalid, "cannot read `" + arguments.substr(1) + "`", {}});
        arguments.assign(std::istreambuf_iterator<char>(in), {});
    }
    if (const auto parsed = json::parse(arguments); !parsed)
        return report(context, parsed.error().in("--arguments is not JSON"));
    json::Node body = json::Node::object();
    body["task"] = task;
    body["tool"] = tool;
    body["arguments"] = json::Node::raw(arguments);
    const auto answer = call_api(context, "POST", "policy/explain", body.dump());
    if (!answer) return report_api(context, answer.error());
    const auto parsed = json::parse(*answer, {.bytes_max = 16 << 20});
    if (!parsed) return report(context, parsed.error());
    const json::Value& root = parsed->root();
    if (context.json) {
        print_json(context, versioned("policy.explain", json::Node::from(root)));
        return kDone;
    }
    fmt::print("verdict  {}  ({})\n", inert(root.string("verdict").value_or("")),
               inert(root.string("code").value_or("")));
    fmt::print("reason   {}\n", inert(root.string("reason").value_or("")));
    print_links(root, "grants", "grants, from the root of the chain:");
    print_links(root, "policies", "policies whose scope matches:");
    return kDone;
}

}  // namespace

void add_policy(CLI::App& app, Context& context) {
    app.require_subcommand(1);
    app.footer("Example: writ policy check");
    auto folder = std::make_shared<std::string>();
    CLI::App* check_verb = app.add_subcommand("check", "Check every *.cedar file of a folder");
    check_verb->add_option("folder", *folder, "default: `policies` of the configuration");
    check_verb->footer("Example: writ policy check examples/quickstart/policies");
    check_verb->callback([&context, folder] { context.exit_code = check(context, *folder); });

    auto task = std::make_shared<std::string>();
    auto tool = std::make_shared<std::string>();
    auto arguments = std::make_shared<std::string>("{}");
    CLI::App* explain_verb = app.add_subcommand("explain", "Why a call is permitted or not");
    explain_verb->add_option("--task", *task, "task id")->required();
    explain_verb->add_option("--tool", *tool, "server/tool")->required();
    explain_verb->add_option("--arguments", *arguments, "JSON object, or @file");
    explain_verb->footer(
        "Example: writ policy explain --task 01a2… --tool filesystem/read_text_file "
        "--arguments '{\"path\":\"/data/a.txt\"}'");
    explain_verb->callback([&context, task, tool, arguments] {
        context.exit_code = explain(context, *task, *tool, *arguments);
    });
}

}  // namespace writ::cli
