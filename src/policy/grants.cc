#include "policy/grants.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "policy/request.h"

namespace writ::policy {
namespace {

// Conditions a thread keeps compiled; beyond it the cache starts anew.
constexpr std::size_t kMaxCompiledConditions = 4096;
constexpr std::size_t kMaxConditionBytes = 16 << 10;

Result<cedar::PolicySet> compile(std::string_view when) {
    if (when.size() > kMaxConditionBytes)
        return fail(ErrorCode::kTooLarge,
                    fmt::format("a condition is larger than {} bytes", kMaxConditionBytes));
    // On lines of its own, so that a comment in it cannot swallow the brace and places are off by
    // one line only.
    const std::string text =
        fmt::format("permit (principal, action, resource) when {{\n{}\n}};", when);
    auto parsed = cedar::PolicySet::parse(text, {.file = "", .id_prefix = "when"});
    if (!parsed) {
        Error error = parsed.error();
        if (error.at.line > 1) --error.at.line;
        return fail(std::move(error));
    }
    if (parsed->size() != 1 || parsed->list().front().is_template)
        return fail(ErrorCode::kInvalid, "a condition is one expression, not policies");
    return parsed;
}

bool covers_domains(const identity::Grant& grant, const catalog::Resource& resource) {
    if (grant.domains.empty()) return true;
    return std::all_of(resource.domains.begin(), resource.domains.end(), [&](const auto& domain) {
        return std::find(grant.domains.begin(), grant.domains.end(), domain) != grant.domains.end();
    });
}

bool expired(const identity::Grant& grant, std::int64_t now_us) {
    return grant.expires_s != 0 && now_us / 1'000'000 >= grant.expires_s;
}

std::string grant_id(std::size_t depth, std::size_t position) {
    std::string out = "grant:";
    out.append(std::to_string(depth)).append(":").append(std::to_string(position));
    return out;
}

// From the root of the chain down.
std::vector<const identity::Task*> links_of(const identity::Task& task) {
    std::vector<const identity::Task*> links;
    for (const identity::Task* link = &task; link != nullptr; link = link->parent_task.get())
        links.push_back(link);
    std::reverse(links.begin(), links.end());
    return links;
}

void match_condition(const identity::Grant& grant, const Prepared& prepared, GrantOutcome& out) {
    const auto compiled = condition(grant.when);
    if (!compiled) {
        out.match = Match::kError;
        out.detail = compiled.error().message();
        return;
    }
    const auto outcomes = cedar::evaluate(prepared.request, **compiled, prepared.entities, true);
    out.match = Match::kError;
    out.detail = "the condition was not evaluated";
    for (const auto& outcome : outcomes) {
        out.detail = outcome.detail;
        out.match = outcome.outcome == cedar::Outcome::kSatisfied ? Match::kGrants
                    : outcome.outcome == cedar::Outcome::kError   ? Match::kError
                                                                  : Match::kCondition;
    }
}

}  // namespace

Result<const cedar::PolicySet*> condition(std::string_view when) {
    thread_local std::unordered_map<std::string, std::unique_ptr<cedar::PolicySet>> cache;
    const auto found = cache.find(std::string(when));
    if (found != cache.end()) return found->second.get();
    auto compiled = compile(when);
    if (!compiled) return fail(compiled.error());
    if (cache.size() >= kMaxCompiledConditions) cache.clear();
    auto kept = std::make_unique<cedar::PolicySet>(std::move(*compiled));
    return cache.emplace(std::string(when), std::move(kept)).first->second.get();
}

Status check_condition(std::string_view when) {
    const auto compiled = compile(when);
    if (!compiled) return fail(compiled.error());
    return {};
}

bool names_tool(const identity::Grant& grant, const catalog::Tool& tool) {
    return std::any_of(grant.tools.begin(), grant.tools.end(), [&](std::string_view pattern) {
        if (!pattern.starts_with(tool.server)) return false;
        pattern.remove_prefix(tool.server.size());
        if (!pattern.starts_with('/')) return false;
        pattern.remove_prefix(1);
        return pattern == "*" || pattern == tool.name;
    });
}

std::optional<std::vector<Determining>> plainly_granted(const identity::Task& task,
                                                        const catalog::Tool& tool,
                                                        const catalog::Resource& resource,
                                                        std::int64_t now_us) {
    const auto links = links_of(task);
    std::vector<Determining> out;
    out.reserve(links.size());
    for (std::size_t depth = 0; depth < links.size(); ++depth) {
        const auto& grants = links[depth]->spec.grants;
        std::optional<std::size_t> found;
        for (std::size_t i = 0; i < grants.size(); ++i) {
            if (!names_tool(grants[i], tool)) continue;
            if (!grants[i].when.empty()) return std::nullopt;
            if (!found && !expired(grants[i], now_us) && covers_domains(grants[i], resource))
                found = i;
        }
        if (!found) return std::nullopt;
        out.push_back({grant_id(depth, *found), "grant"});
    }
    return out;
}

std::vector<std::vector<GrantOutcome>> match_chain(const identity::Task& task,
                                                   const catalog::Tool& tool,
                                                   const catalog::Resource* resource,
                                                   std::int64_t now_us, const Prepared* prepared) {
    const auto links = links_of(task);
    std::vector<std::vector<GrantOutcome>> chain;
    for (std::size_t depth = 0; depth < links.size(); ++depth) {
        std::vector<GrantOutcome> outcomes;
        const auto& grants = links[depth]->spec.grants;
        for (std::size_t i = 0; i < grants.size(); ++i) {
            const identity::Grant& grant = grants[i];
            GrantOutcome out{grant_id(depth, i), Match::kGrants, "", &grant};
            if (!names_tool(grant, tool)) {
                out.match = Match::kOtherTool;
            } else if (expired(grant, now_us)) {
                out.match = Match::kExpired;
                out.detail = "the grant expired " + rfc3339(grant.expires_s * 1'000'000);
            } else if (resource != nullptr && !covers_domains(grant, *resource)) {
                out.match = Match::kOtherDomain;
                out.detail =
                    fmt::format("`{}` is in {}; the grant allows {}", resource->uri,
                                fmt::join(resource->domains, ", "), fmt::join(grant.domains, ", "));
            } else if (!grant.when.empty() && prepared != nullptr) {
                match_condition(grant, *prepared, out);
            }
            outcomes.push_back(std::move(out));
        }
        chain.push_back(std::move(outcomes));
    }
    return chain;
}

}  // namespace writ::policy
