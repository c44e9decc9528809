// `writ policy check`: syntax, types, names, conditions that decide nothing.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/inert.h"
#include "cli/policy_sarif.h"
#include "cli/policy_world.h"
#include "policy/check.h"

namespace writ::cli {
namespace {

using policy::CheckFinding;
using policy::Level;

// `file:line:column: message` apart, if the line is of that form.
bool split_place(std::string_view line, CheckFinding& out) {
    const auto message = line.find(": ");
    if (message == std::string_view::npos) return false;
    std::string_view place = line.substr(0, message);
    std::uint32_t numbers[2] = {0, 0};
    for (int i = 1; i >= 0; --i) {
        const auto colon = place.rfind(':');
        if (colon == std::string_view::npos || colon + 1 == place.size()) return false;
        for (const char c : place.substr(colon + 1)) {
            if (c < '0' || c > '9' || numbers[i] > 100'000'000) return false;
            numbers[i] = numbers[i] * 10 + static_cast<std::uint32_t>(c - '0');
        }
        place = place.substr(0, colon);
    }
    out.at = {std::string(place), numbers[0], numbers[1]};
    out.message = std::string(line.substr(message + 2));
    return true;
}

// The errors of files that do not parse: the first with its place, the others a line each.
std::vector<CheckFinding> findings_of(const Error& error) {
    std::vector<CheckFinding> out;
    std::string_view rest = error.detail;
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        CheckFinding finding;
        finding.rule = "syntax";
        if (out.empty()) {
            finding.at = error.at;
            finding.message = std::string(line);
        } else if (!split_place(line, finding)) {
            finding.message = std::string(line);
        }
        out.push_back(std::move(finding));
    }
    return out;
}

// The line that a finding is about, and a mark under its place.
void print_line(const PolicyWorld& world, const SourceRef& at) {
    const auto file = std::find_if(world.files.begin(), world.files.end(),
                                   [&](const auto& one) { return one.first == at.file; });
    if (file == world.files.end() || at.line == 0) return;
    std::string_view text = file->second;
    for (std::uint32_t line = 1; line < at.line; ++line) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return;
        text.remove_prefix(end + 1);
    }
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.size() > 200 || inert(line) != line) return;  // a mark would not stand where it should
    fmt::print(stderr, "    {}\n    {}^\n", line,
               std::string(at.column > 0 ? at.column - 1 : 0, ' '));
}

void print_finding(const PolicyWorld& world, const CheckFinding& finding) {
    std::string where = finding.at.file.empty() ? "" : inert(finding.at.file);
    if (finding.at.line != 0) where += fmt::format(":{}:{}", finding.at.line, finding.at.column);
    fmt::print(stderr, "{}{}{}: {}{}{} [{}]\n", where, where.empty() ? "" : ": ",
               policy::name(finding.level),
               finding.policy.empty() ? "" : "policy `" + inert(finding.policy, 200) + "`: ",
               inert(finding.message, 2'000),
               finding.help.empty() ? "" : ": " + inert(finding.help, 1'000), finding.rule);
    print_line(world, finding.at);
}

json::Node to_node(const CheckFinding& finding) {
    json::Node out = json::Node::object();
    out["level"] = policy::name(finding.level);
    out["rule"] = finding.rule;
    out["policy"] = finding.policy;
    out["file"] = finding.at.file;
    out["line"] = finding.at.line;
    out["column"] = finding.at.column;
    out["offending"] = finding.offending;
    out["message"] = finding.message;
    out["help"] = finding.help;
    return out;
}

std::size_t count(const std::vector<CheckFinding>& findings, Level level) {
    return static_cast<std::size_t>(
        std::count_if(findings.begin(), findings.end(),
                      [&](const auto& finding) { return finding.level == level; }));
}

int exit_code(const std::vector<CheckFinding>& findings) {
    if (count(findings, Level::kError) > 0) return kUsage;
    return count(findings, Level::kWarning) > 0 ? kFound : kDone;
}

int check(const Context& context, const PolicyOptions& options, bool sarif) {
    auto world = open_policy_world(context, options);
    if (!world) return report(context, world.error());
    std::vector<CheckFinding> findings;
    std::size_t policies = 0;
    if (const auto made = make_engine(*world); !made) {
        findings = findings_of(made.error());
    } else {
        policies = world->world.engine->policies();
        findings = policy::check_world(world->world).findings;
    }
    if (world->files.empty()) {
        CheckFinding none;
        none.level = Level::kWarning;
        none.rule = "no_policies";
        none.message = "there is no *.cedar file in the folder, so every call would be forbidden";
        none.help = "name the folder that holds them";
        findings.push_back(std::move(none));
    }
    if (world->catalog_from.empty()) {
        CheckFinding none;
        none.level = Level::kNote;
        none.rule = "no_catalog";
        none.message = "no tool is known, so nothing about arguments was checked";
        none.help =
            "save a catalog with `writ catalog export > catalog.json` beside writ.toml, or "
            "name one with --catalog";
        findings.push_back(std::move(none));
    }
    const int code = exit_code(findings);
    if (sarif) {
        fmt::print("{}\n", inert_json(sarif_of(findings).pretty()));
        return code;
    }
    if (context.json) {
        json::Node out = json::Node::object();
        out["files"] = world->files.size();
        out["policies"] = policies;
        out["tools"] = world->world.catalog->tools().size();
        out["catalog"] = world->catalog_from;
        if (world->world.engine) out["policy_set"] = digest_text(world->world.engine->digest());
        out["errors"] = count(findings, Level::kError);
        out["warnings"] = count(findings, Level::kWarning);
        out["findings"] = json::Node::array();
        for (const auto& finding : findings) out["findings"].push_back(to_node(finding));
        print_json(context, versioned("policy.check", std::move(out)));
        return code;
    }
    for (const auto& finding : findings) print_finding(*world, finding);
    fmt::print("{} policies in {} files of {}, {} tools: {} errors, {} warnings\n", policies,
               world->files.size(), inert(world->folder.string()),
               world->world.catalog->tools().size(), count(findings, Level::kError),
               count(findings, Level::kWarning));
    return code;
}

}  // namespace

void add_policy_check(Command app, Context& context) {
    auto options = std::make_shared<PolicyOptions>();
    auto sarif = std::make_shared<bool>(false);
    Command verb = app.add_subcommand("check", "Check syntax, types and names of every policy");
    add_world_options(verb, options);
    verb.add_flag("--sarif", *sarif, "SARIF 2.1.0 to stdout, for code scanning");
    verb.footer(
        "Example: writ policy check policies --catalog catalog.json\n"
        "Exit codes: 0 nothing found, 4 only warnings, 2 errors: the set would not be loaded.");
    verb.callback([&context, options, sarif] { return check(context, *options, *sarif); });
}

}  // namespace writ::cli
