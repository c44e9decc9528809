// Types and names of tools: what loading a policy set needs.
#include "policy/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "base/inert.h"
#include "cedar/names.h"
#include "cedar/policy_set.h"
#include "cedar/schema.h"
#include "cedar/validator.h"
#include "policy/action_scope.h"
#include "policy/anatomy.h"
#include "policy/check_run.h"
#include "policy/load.h"
#include "policy/schema.h"

namespace writ::policy {
namespace {

cedar::SchemaOptions schema_options() {
    cedar::SchemaOptions options;
    options.file = "writ.cedarschema";
    options.limits = schema_limits();
    return options;
}

CheckFinding from(const cedar::Finding& found) {
    CheckFinding out;
    out.level = found.severity == cedar::Severity::kError ? Level::kError : Level::kWarning;
    out.rule = cedar::name(found.kind);
    out.policy = found.policy;
    out.at = found.at;
    out.offending = found.offending;
    out.message = found.message;
    out.help = found.help;
    return out;
}

class CatalogChecker {
  public:
    CatalogChecker(const Loaded& loaded, const catalog::Snapshot& catalog, const Shapes& shapes,
                   const EngineOptions& options, bool redundant_parts)
        : loaded_(loaded),
          catalog_(catalog),
          shapes_(shapes),
          options_(options),
          redundant_parts_(redundant_parts) {}

    // Whether a report was made against the very types of this catalog. A server's list that brings
    // nothing new costs no check.
    bool same_types(const CheckReport& before) {
        prepare();
        return text_ && *text_ == before.schema;
    }

    CheckReport run() {
        prepare();
        if (!text_) return refused(text_.error());
        report_.schema = *text_;
        auto schema = cedar::Schema::parse(report_.schema, schema_options());
        if (!schema) return refused(schema.error());
        validate(cedar::Validator(std::move(*schema)));
        if (!failing_.empty()) find_broken();
        return std::move(report_);
    }

  private:
    void prepare() {
        if (prepared_) return;
        prepared_ = true;
        for (const auto& tool : catalog_.tools()) listed_.insert(tool->server);
        absent_actions();
        text_ = schema_text({catalog_, shapes_, options_.servers, absent_, std::nullopt});
    }

    CheckReport refused(const Error& error) {
        CheckFinding finding;
        finding.rule = "schema";
        finding.message = error.detail;
        finding.at = error.at;
        report_.findings.push_back(std::move(finding));
        // Nothing could be checked, so nothing is known to be right.
        for (const auto& tool : catalog_.tools())
            report_.broken.emplace(tool->qualified(),
                                   "the schema of the tools is not usable: " + error.detail);
        return std::move(report_);
    }

    void unknown_server(const std::string& id, const std::string& action, const std::string& server,
                        const SourceRef& at, const std::set<std::string>& servers) {
        CheckFinding finding;
        finding.rule = "unknown_server";
        finding.policy = id;
        finding.at = at;
        finding.offending = fmt::format("Writ::Action::\"{}\"", inert(action, 150));
        finding.message = fmt::format("no tool server `{}` is configured", inert(server, 100));
        const std::vector<std::string_view> names(servers.begin(), servers.end());
        const std::string near = cedar::nearest(server, names);
        if (!near.empty()) finding.help = "did you mean `" + near + "`?";
        report_.findings.push_back(std::move(finding));
    }

    // Groups of actions: effects are fixed, servers are configured.
    void unknown_group(const std::string& id, const std::string& action, const SourceRef& at,
                       const std::set<std::string>& servers) {
        std::vector<std::string> known;
        for (const char* effect :
             {"read", "write", "delete", "send", "exec", "configure", "grant", "pay"})
            known.push_back(std::string("effect:") + effect);
        if (action.starts_with("server:") && servers.empty()) return;
        for (const auto& server : servers) known.push_back("server:" + server);
        if (std::find(known.begin(), known.end(), action) != known.end()) return;
        CheckFinding finding;
        finding.rule = "unknown_action";
        finding.policy = id;
        finding.at = at;
        finding.offending = fmt::format("Writ::Action::\"{}\"", inert(action, 150));
        finding.message = fmt::format("there is no action `{}`", inert(action, 150));
        const std::vector<std::string_view> names(known.begin(), known.end());
        const std::string near = cedar::nearest(action, names);
        finding.help = near.empty() ? "a tool is `server/tool`, a group `effect:read` or "
                                      "`server:name`"
                                    : "did you mean `" + near + "`?";
        report_.findings.push_back(std::move(finding));
    }

    // Tools that policies name and the catalog does not have: of a server that has not listed its
    // tools they can wait, of one that has they are a mistake.
    void absent_actions() {
        std::set<std::string> servers(options_.servers.begin(), options_.servers.end());
        servers.insert(listed_.begin(), listed_.end());
        std::vector<std::string_view> known;
        for (const auto& tool : catalog_.tools()) names_.push_back(tool->qualified());
        known.assign(names_.begin(), names_.end());
        std::set<std::string> seen;
        for (const auto& [id, policy] : policies_of(loaded_.set)) {
            for (const auto& [action, at] : mentioned_actions(*policy)) {
                const auto slash = action.find('/');
                if (slash == std::string::npos) {
                    unknown_group(id, action, at, servers);
                    continue;
                }
                if (catalog_.by_qualified(action)) continue;
                const std::string server = action.substr(0, slash);
                if (!servers.contains(server)) {
                    if (!servers.empty()) unknown_server(id, action, server, at, servers);
                    continue;
                }
                if (seen.insert(action).second) absent_.push_back(action);
                CheckFinding finding;
                finding.policy = id;
                finding.at = at;
                finding.offending = fmt::format("Writ::Action::\"{}\"", inert(action, 150));
                if (listed_.contains(server)) {
                    finding.rule = "unknown_tool";
                    finding.message = fmt::format("server `{}` has no tool `{}`", server,
                                                  inert(action.substr(slash + 1), 100));
                    const std::string near = cedar::nearest(action, known);
                    if (!near.empty()) finding.help = "did you mean `" + near + "`?";
                } else {
                    finding.level = Level::kNote;
                    finding.rule = "unlisted_server";
                    finding.message = fmt::format(
                        "server `{}` has not listed its tools: `{}` cannot be checked yet", server,
                        inert(action, 150));
                }
                report_.findings.push_back(std::move(finding));
            }
        }
    }

    // With no tools at all nothing applies, which says nothing about a policy.
    bool tells_nothing(const cedar::Finding& found) const {
        const bool hollow = found.kind == cedar::FindingKind::kNoApplicableAction ||
                            found.kind == cedar::FindingKind::kImpossiblePolicy;
        if (!hollow) return false;
        if (catalog_.tools().empty()) return true;
        // A policy for a tool, an effect or a server that nobody offers now.
        for (const auto& [id, policy] : policies_of(loaded_.set))
            if (id == found.policy)
                return std::none_of(
                    catalog_.tools().begin(), catalog_.tools().end(),
                    [&p = *policy](const auto& tool) { return action_scope_covers(p, *tool); });
        return false;
    }

    bool told(const std::string& policy) const {
        return std::any_of(report_.findings.begin(), report_.findings.end(),
                           [&](const auto& finding) { return finding.policy == policy; });
    }

    void validate(const cedar::Validator& validator) {
        cedar::ValidateOptions how;
        how.no_applicable_action_is_error = false;
        how.redundant_parts = redundant_parts_;
        for (const auto& found : validator.validate(loaded_.set, how).findings) {
            CheckFinding finding = from(found);
            // Names of actions have been told already, with what is known of servers.
            if (found.kind == cedar::FindingKind::kUnknownAction && told(found.policy)) continue;
            if (tells_nothing(found)) {
                if (told(found.policy)) continue;
                finding.level = Level::kNote;
                finding.rule = "no_tool";
                finding.message = "no tool that is known now is in its scope";
                finding.help.clear();
            }
            if (finding.level == Level::kError) failing_.insert(finding.policy);
            report_.findings.push_back(std::move(finding));
        }
    }

    std::string first_error(const std::string& policy) const {
        for (const auto& finding : report_.findings)
            if (finding.level == Level::kError && finding.policy == policy) return finding.text();
        return "policy `" + policy + "` does not type-check";
    }

    // Which tools the failing policies fail for: each tool asked alone.
    void find_broken() {
        for (const auto& tool : catalog_.tools()) {
            const std::string name = tool->qualified();
            const auto text = schema_text({catalog_, shapes_, options_.servers, absent_, name});
            const auto schema = text ? cedar::Schema::parse(*text, schema_options())
                                     : Result<cedar::Schema>(fail(text.error()));
            for (const auto& [id, policy] : policies_of(loaded_.set)) {
                if (!failing_.contains(id) || !action_scope_covers(*policy, *tool)) continue;
                if (schema && passes(*schema, *policy)) continue;
                report_.broken.emplace(name, first_error(id));
            }
        }
    }

    static bool passes(const cedar::Schema& schema, const cedar::Policy& policy) {
        const auto alone = cedar::PolicySet::parse(policy.text(policy.begin, policy.end));
        if (!alone) return false;
        cedar::ValidateOptions how;
        how.no_applicable_action_is_error = false;
        return cedar::Validator(schema).validate(*alone, how).passed();
    }

    const Loaded& loaded_;
    const catalog::Snapshot& catalog_;
    const Shapes& shapes_;
    const EngineOptions& options_;
    std::set<std::string, std::less<>> listed_;
    std::vector<std::string> names_, absent_;
    const bool redundant_parts_;
    std::set<std::string, std::less<>> failing_;
    CheckReport report_;
    bool prepared_ = false;
    Result<std::string> text_ = fail(ErrorCode::kInternal, "no schema was made");
};

}  // namespace

std::string_view name(Level level) {
    switch (level) {
        case Level::kError:
            return "error";
        case Level::kWarning:
            return "warning";
        case Level::kNote:
            return "note";
    }
    return "error";
}

std::string CheckFinding::text() const {
    std::string what = policy.empty() ? "" : "policy `" + policy + "`: ";
    what += message;
    if (!help.empty()) what += ": " + help;
    return Error{ErrorCode::kInvalid, std::move(what), at}.message();
}

std::size_t CheckReport::count(Level level) const {
    return static_cast<std::size_t>(
        std::count_if(findings.begin(), findings.end(),
                      [&](const auto& finding) { return finding.level == level; }));
}

std::optional<Error> CheckReport::error() const {
    std::optional<Error> out;
    for (const auto& finding : findings) {
        if (finding.level != Level::kError) continue;
        if (!out) {
            CheckFinding first = finding;
            first.at = {};
            out = Error{ErrorCode::kInvalid, first.text(), finding.at};
        } else {
            out->detail += "\n" + finding.text();
        }
    }
    return out;
}

void sort_findings(CheckReport& report) {
    std::sort(report.findings.begin(), report.findings.end(),
              [](const CheckFinding& a, const CheckFinding& b) {
                  return std::tie(a.at.file, a.at.line, a.at.column, a.rule, a.message) <
                         std::tie(b.at.file, b.at.line, b.at.column, b.rule, b.message);
              });
}

CheckReport run_type_check(const Loaded& loaded, const catalog::Snapshot& catalog,
                           const Shapes& shapes, const EngineOptions& options,
                           bool redundant_parts) {
    CheckReport report = CatalogChecker(loaded, catalog, shapes, options, redundant_parts).run();
    sort_findings(report);
    return report;
}

std::shared_ptr<const CheckReport> check_types(const Loaded& loaded,
                                               const catalog::Snapshot& catalog,
                                               const Shapes& shapes, const EngineOptions& options,
                                               std::shared_ptr<const CheckReport> before) {
    if (!options.check_types) return std::make_shared<const CheckReport>();
    CatalogChecker checker(loaded, catalog, shapes, options, false);
    if (before && checker.same_types(*before)) return before;
    CheckReport report = checker.run();
    sort_findings(report);
    return std::make_shared<const CheckReport>(std::move(report));
}

}  // namespace writ::policy
