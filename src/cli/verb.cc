#include "cli/verb.h"

#include <fmt/format.h>

#include <cstdio>

#include <CLI/CLI.hpp>

#include "base/inert.h"

namespace writ::cli {

const std::vector<Verb>& verbs() {
    static const std::vector<Verb> table = {
        {"up", "Run the gateway", add_up},
        {"reload", "Put a changed configuration and changed policies in force", add_reload},
        {"run", "Run an agent under a task: writ run --task FILE -- CMD…", add_run},
        {"task", "Start, show, list, end and revoke tasks", add_task},
        {"policy", "Check Cedar policies and explain verdicts", add_policy},
        {"catalog", "Show tool servers and tools, pin changed definitions", add_catalog},
        {"evidence", "Trace, verify and follow the evidence log", add_evidence},
        {"witness", "Confirm other logs' checkpoints", add_witness},
    };
    return table;
}

int main(int argc, char** argv) {
    Context context;
    CLI::App app{"Writ: runtime identity, authorization and evidence for AI agents", "writ"};
    app.set_version_flag("--version", "writ 0.1.0");
    app.add_option("--config", context.config, "writ.toml (default: $WRIT_CONFIG, ./writ.toml)");
    app.add_option("--socket", context.socket,
                   "the gateway's operators' socket (default: of --config, $WRIT_SOCKET, or the "
                   "configuration)");
    app.add_flag("--json", context.json, "machine-readable output");
    app.require_subcommand(1);
    app.fallthrough();
    app.footer(
        "Exit codes: 0 done, 1 refused or failed, 2 wrong usage or a broken file, 3 no gateway, "
        "4 a check found something.");
    for (const Verb& verb : verbs()) {
        CLI::App* sub = app.add_subcommand(verb.name, verb.help);
        verb.add(Command(*sub, context), context);
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        // CLI11 misses the verb before it tells of the word that should have been one.
        const auto unknown = app.remaining(true);
        if (!unknown.empty() &&
            std::string_view(error.what()) == CLI::RequiredError::Subcommand(1).what()) {
            fmt::print(stderr,
                       "`{}` is no verb and no option here\n"
                       "Run with --help for more information.\n",
                       inert(unknown.front()));
            return kUsage;
        }
        const int code = app.exit(error);
        return code == 0 ? kDone : kUsage;
    }
    return context.exit_code;
}

int report(const Context& context, const Error& error) {
    if (context.json) {
        json::Node out = json::Node::object();
        out["error"]["code"] = name(error.code);
        out["error"]["message"] = error.message();
        print_json(context, versioned("error", std::move(out)));
    } else {
        // A detail may hold several lines (one an error): each stays a line, each inert.
        std::string_view rest = std::string_view(error.detail);
        const std::string head = Error{error.code, "", error.at}.message();
        bool first = true;
        while (!rest.empty() || first) {
            const auto end = rest.find('\n');
            fmt::print(stderr, "{}{}{}\n", first ? "writ: " : "      ", first ? head : "",
                       inert(rest.substr(0, end)));
            first = false;
            if (end == std::string_view::npos) break;
            rest.remove_prefix(end + 1);
        }
    }
    switch (error.code) {
        case ErrorCode::kInvalid:
        case ErrorCode::kTooLarge:
            return kUsage;
        default:
            return kFailed;
    }
}

void print_json(const Context& context, const json::Node& node) {
    const std::string text = context.json ? node.dump() : node.pretty();
    std::puts(inert_json(text).c_str());
}

json::Node versioned(std::string_view what, json::Node body, int version) {
    body["schema"] = fmt::format("writ.{}/{}", what, version);
    return body;
}

}  // namespace writ::cli
