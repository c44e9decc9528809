#include "cli/policy_ask.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "base/inert.h"
#include "base/limits.h"
#include "policy/case_file.h"
#include "policy/scalars.h"

namespace writ::cli {
namespace {

void print_conditions(const json::Value& entry) {
    const auto conditions = entry.find("conditions");
    if (!conditions) return;
    for (const json::Value& one : conditions->elements()) {
        const auto came = one.string("came").value_or("");
        fmt::print("          {:11} {} {{ {} }}\n", inert(came),
                   inert(one.string("in").value_or("")),
                   inert(one.string("condition").value_or(""), 400));
        if (const auto values = one.string("values"); values && !values->empty())
            fmt::print("                      {}\n", inert(*values, 1'000));
    }
}

void print_links(const json::Value& body, std::string_view key, std::string_view title) {
    const auto list = body.find(key);
    if (!list || list->size() == 0) return;
    fmt::print("{}\n", title);
    for (const json::Value& entry : list->elements()) {
        fmt::print("  {:7} {:28} {}\n", inert(entry.string("effect").value_or("")),
                   inert(entry.string("id").value_or("")),
                   inert(entry.string("outcome").value_or("")));
        if (const auto at = entry.string("at"); at && !at->empty())
            fmt::print("          at {}\n", inert(*at));
        const auto conditions = entry.find("conditions");
        if (conditions && conditions->size() > 0)
            print_conditions(entry);
        else if (const auto detail = entry.string("detail"); detail && !detail->empty())
            fmt::print("          {}\n", inert(*detail));
    }
}

void print_changes(const json::Value& root) {
    const auto changes = root.find("changes");
    if (!changes) return;
    if (changes->size() == 0) {
        fmt::print("no single change of an argument, a grant or a policy would turn it\n");
        return;
    }
    fmt::print("one change that would turn it (each was tried):\n");
    for (const json::Value& one : changes->elements())
        fmt::print("  {:7} {}\n          then {} ({})\n", inert(one.string("kind").value_or("")),
                   inert(one.string("change").value_or(""), 1'000),
                   inert(one.string("verdict").value_or("")),
                   inert(one.string("code").value_or("")));
}

}  // namespace

void add_ask_options(Command verb, const std::shared_ptr<AskOptions>& options) {
    verb.add_option("--request", options->from_file, "a *.case file: its first case is asked");
    verb.add_option("--agent", options->agent, "agent name (default: the first configured)");
    verb.add_option("--subject", options->subject, "on whose behalf (default person:alice)");
    verb.add_option("--purpose", options->purpose, "the task's purpose");
    verb.add_option("--tool", options->tool, "server/tool");
    verb.add_option("--arguments", options->arguments, "JSON object, or @file");
    verb.add_option("--grants", options->grants,
                    "JSON array of grants, or @file (default: the tool itself is granted)");
    verb.add_option("--now", options->now, "RFC 3339 time (default 2026-01-01T12:00:00Z)");
    verb.add_flag("--charter-changed", options->charter_changed,
                  "the agent's charter is not the registered one");
}

Result<std::string> text_or_file(std::string text) {
    if (!text.starts_with('@')) return text;
    std::ifstream in(text.substr(1), std::ios::binary);
    std::string out(kMaxBodyBytes + 1, '\0');
    in.read(out.data(), static_cast<std::streamsize>(out.size()));
    if (!in.eof())
        return fail(ErrorCode::kInvalid,
                    fmt::format("cannot read `{}`, or it is larger than 1 MiB", text.substr(1)));
    out.resize(static_cast<std::size_t>(in.gcount()));
    return out;
}

Result<policy::Scenario> scenario_of(const AskOptions& options) {
    if (!options.from_file.empty()) {
        const auto text = text_or_file("@" + options.from_file);
        if (!text) return fail(text.error());
        auto cases = policy::parse_cases(*text, options.from_file);
        if (!cases) return fail(cases.error());
        return std::move(cases->front().scenario);
    }
    policy::Scenario out;
    out.agent = options.agent;
    out.subject = options.subject;
    out.purpose = options.purpose;
    out.tool = options.tool;
    out.charter_changed = options.charter_changed;
    if (out.tool.empty())
        return fail(ErrorCode::kInvalid, "name the call: --tool server/tool, or --request FILE");
    auto arguments = text_or_file(options.arguments);
    if (!arguments) return fail(arguments.error());
    out.arguments = std::move(*arguments);
    if (!options.grants.empty()) {
        const auto text = text_or_file(options.grants);
        if (!text) return fail(text.error());
        auto grants = policy::Scenario::grants_from(*text);
        if (!grants) return fail(grants.error().in("--grants"));
        out.chain = {std::move(*grants)};
    }
    if (!options.now.empty()) {
        const auto ms = policy::datetime_ms(options.now);
        if (!ms) return fail(ErrorCode::kInvalid, "--now is no RFC 3339 time");
        out.now_us = *ms * 1'000;
    }
    return out;
}

void print_explanation(const json::Value& root) {
    if (const auto refused = root.string("refused"))
        fmt::print("refused  every call now, {}; what follows is what grants and policies say\n",
                   inert(*refused, 300));
    fmt::print("verdict  {}  ({})\n", inert(root.string("verdict").value_or("")),
               inert(root.string("code").value_or("")));
    fmt::print("reason   {}\n", inert(root.string("reason").value_or("")));
    if (const auto resource = root.string("resource"))
        fmt::print("resource {}\n", inert(*resource, 300));
    print_links(root, "grants", "grants, from the root of the chain:");
    print_links(root, "policies", "policies that matched or nearly did:");
    print_changes(root);
}

}  // namespace writ::cli
