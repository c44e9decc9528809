#include "identity/narrowing.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/inert.h"
#include "base/limits.h"
#include "identity/limits.h"

namespace writ::identity {

namespace {

constexpr std::size_t kMaxServerBytes = 31, kMaxToolBytes = 100, kMaxDomainBytes = 64;
constexpr std::size_t kMaxLoginBytes = 128;
constexpr std::size_t kShownBytes = 128;  // of a specification's text in an error

bool is_lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_name_char(char c) {
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-';
}

std::string_view server_of(std::string_view pattern) {
    return pattern.substr(0, pattern.find('/'));
}
bool is_whole_server(std::string_view pattern) {
    return pattern.ends_with("/*");
}

tl::unexpected<Error> invalid(std::string detail) {
    return fail(ErrorCode::kInvalid, std::move(detail));
}
tl::unexpected<Error> too_large(std::string_view member, std::size_t max, std::string_view unit) {
    return fail(ErrorCode::kTooLarge, fmt::format("`{}` has more than {} {}", member, max, unit));
}
std::string shown(std::string_view text) {
    return "`" + inert(text, kShownBytes) + "`";
}

bool is_subject(std::string_view subject) {
    for (const std::string_view kind : {"person:", "agent:"}) {
        if (!subject.starts_with(kind)) continue;
        const auto name = subject.substr(kind.size());
        return !name.empty() && name.size() <= kMaxLoginBytes &&
               std::all_of(name.begin(), name.end(),
                           [](char c) { return is_name_char(c) || c == '@' || c == '+'; });
    }
    return false;
}

Status check_grant(const Grant& grant, const std::string& at, std::int64_t now_s) {
    if (grant.tools.empty())
        return invalid(fmt::format("`{}.tools` is empty: name tools as `server/tool`", at));
    if (grant.tools.size() > kMaxToolsPerGrant)
        return too_large(at + ".tools", kMaxToolsPerGrant, "patterns, use `server/*`");
    if (grant.domains.size() > kMaxDomainsPerGrant)
        return too_large(at + ".domains", kMaxDomainsPerGrant, "names");
    if (grant.when.size() > kMaxWhenBytes) return too_large(at + ".when", kMaxWhenBytes, "bytes");
    for (const std::string& tool : grant.tools)
        if (!is_tool_pattern(tool))
            return invalid(
                fmt::format("`{}.tools`: {} is not a tool pattern, write "
                            "`server/tool` or `server/*`",
                            at, shown(tool)));
    for (const std::string& domain : grant.domains)
        if (!is_domain_name(domain))
            return invalid(
                fmt::format("`{}.domains`: {} is not a domain name, use letters, "
                            "digits, `_`, `.` and `-`",
                            at, shown(domain)));
    if (grant.expires_s < 0) return invalid(fmt::format("`{}.expires_s` is negative", at));
    if (grant.expires_s != 0 && grant.expires_s <= now_s)
        return invalid(fmt::format("`{}.expires_s` has passed already", at));
    return {};
}

bool within_any(const std::vector<std::string>& wide, std::string_view narrow) {
    return std::any_of(wide.begin(), wide.end(),
                       [&](const std::string& each) { return pattern_covers(each, narrow); });
}

// Why no grant of `parent` covers `narrow`; empty if one does.
std::string uncovered(const Until& narrow, const Task& parent) {
    std::string why;
    for (const Grant& grant : parent.spec.grants) {
        const std::string reason = widens(until(grant, parent.deadline_us), narrow);
        if (reason.empty()) return "";
        // The reason of the grant that comes closest: one that at least names the tools.
        if (why.empty() || !reason.starts_with("tool ")) why = reason;
    }
    return why.empty() ? "the parent has no grants" : why;
}

}  // namespace

bool is_tool_pattern(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos || slash == 0 || slash > kMaxServerBytes) return false;
    const auto server = text.substr(0, slash), tool = text.substr(slash + 1);
    const auto server_char = [](char c) { return is_lower_or_digit(c) || c == '-'; };
    if (server[0] == '-' || !std::all_of(server.begin(), server.end(), server_char)) return false;
    if (tool == "*") return true;
    return !tool.empty() && tool.size() <= kMaxToolBytes &&
           std::all_of(tool.begin(), tool.end(), is_name_char);
}

bool is_domain_name(std::string_view text) {
    return !text.empty() && text.size() <= kMaxDomainBytes &&
           std::all_of(text.begin(), text.end(), is_name_char) && text[0] != '_' &&
           text[0] != '.' && text[0] != '-';
}

bool pattern_covers(std::string_view wide, std::string_view narrow) {
    if (wide == narrow) return true;
    return is_whole_server(wide) && server_of(wide) == server_of(narrow);
}

Until until(const Grant& grant, std::int64_t deadline_us) {
    // Rounded up, so that a deadline inside a second does not look later than itself.
    const std::int64_t deadline_s = (deadline_us + 999'999) / 1'000'000;
    const bool with_task = grant.expires_s == 0 || grant.expires_s > deadline_s;
    return {grant, with_task ? deadline_s : grant.expires_s};
}

std::string widens(const Until& wide, const Until& narrow) {
    for (const std::string& tool : narrow.grant.tools)
        if (!within_any(wide.grant.tools, tool))
            return fmt::format("tool {} is not granted", shown(tool));
    const auto& allowed = wide.grant.domains;
    if (!allowed.empty() && narrow.grant.domains.empty())
        return "it names no domains, so it would reach all";
    for (const std::string& domain : narrow.grant.domains)
        if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), domain) == allowed.end())
            return fmt::format("domain {} is not granted", shown(domain));
    if (narrow.expires_s > wide.expires_s)
        return fmt::format("it expires at {}, later than {}", narrow.expires_s, wide.expires_s);
    return "";
}

Status check_spec(const TaskSpec& spec, std::int64_t now_s) {
    if (!is_subject(spec.subject) || spec.subject.size() > kMaxSubjectBytes)
        return invalid(
            fmt::format("`subject`: {} is not a subject, write `person:<login>` or "
                        "`agent:<name>`",
                        shown(spec.subject)));
    if (spec.purpose.size() > kMaxPurposeBytes)
        return too_large("purpose", kMaxPurposeBytes, "bytes");
    if (spec.prompt.size() > kMaxPromptBytes) return too_large("prompt", kMaxPromptBytes, "bytes");
    if (spec.grants.empty())
        return invalid("`grants` is empty: a task without grants may do nothing");
    if (spec.grants.size() > kMaxGrantsPerTask)
        return too_large("grants", kMaxGrantsPerTask, "grants");
    for (std::size_t i = 0; i < spec.grants.size(); ++i)
        if (auto ok = check_grant(spec.grants[i], fmt::format("grants[{}]", i), now_s); !ok)
            return ok;
    if (spec.budget.calls < 0 || spec.budget.calls > kMaxBudgetCalls)
        return invalid(fmt::format("`budget.calls` must be from 0 to {}", kMaxBudgetCalls));
    if (spec.deadline_s < 0 || spec.deadline_s > kMaxTaskLifetime_s)
        return invalid(fmt::format("`deadline_s` must be from 0 to {}", kMaxTaskLifetime_s));
    constexpr auto kDepthMax = static_cast<std::int64_t>(kMaxChainDepth) - 1;
    if (spec.depth_max < 0 || spec.depth_max > kDepthMax)
        return invalid(fmt::format("`depth_max` must be from 0 to {}", kDepthMax));
    return {};
}

Status check_narrowing(const TaskSpec& child, std::int64_t deadline_us, const Task& parent) {
    const auto wider = [&](std::string detail) {
        return fail(ErrorCode::kForbidden, fmt::format("wider than its parent at depth {}: {}",
                                                       parent.depth, std::move(detail)));
    };
    if (child.subject != parent.spec.subject)
        return wider(fmt::format("`subject` must stay {}", shown(parent.spec.subject)));
    if (parent.spec.depth_max < 1)
        return wider("`depth_max` is 0 there, so it may not have sub-tasks");
    if (child.depth_max > parent.spec.depth_max - 1)
        return wider(fmt::format("`depth_max` may be at most {}", parent.spec.depth_max - 1));
    if (parent.depth + 1 >= static_cast<std::int64_t>(kMaxChainDepth))
        return wider(fmt::format("a chain has at most {} links", kMaxChainDepth));
    if (deadline_us > parent.deadline_us) return wider("`deadline_s` ends after it");
    const std::int64_t bound = parent.spec.budget.calls;
    if (bound != 0 && (child.budget.calls == 0 || child.budget.calls > bound))
        return wider(fmt::format("`budget.calls` must be from 1 to {}", bound));
    for (std::size_t i = 0; i < child.grants.size(); ++i) {
        const std::string why = uncovered(until(child.grants[i], deadline_us), parent);
        if (!why.empty()) return wider(fmt::format("`grants[{}]`: {}", i, why));
    }
    return {};
}

}  // namespace writ::identity
