#include "catalog/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/inert.h"
#include "catalog/definition.h"

namespace writ::catalog {

namespace {

constexpr std::size_t kMaxDomainNameBytes = 64;

tl::unexpected<Error> bad_rule(std::string detail) {
    return fail(ErrorCode::kInvalid, std::move(detail));
}
std::string shown(std::string_view text) {
    return "`" + inert(text, 128) + "`";
}

bool is_domain_name(std::string_view name) {
    return !name.empty() && name.size() <= kMaxDomainNameBytes && is_tool_name(name) &&
           name.find_first_of("_.-") != 0;
}

Status check_tool(const ToolRule& rule, std::map<std::string, Template, std::less<>>& templates) {
    if (!is_tool_name(rule.tool))
        return bad_rule(fmt::format("tool {} is no tool name, use 1 to {} of `A-Z a-z 0-9 _ . -`",
                                    shown(rule.tool), kMaxToolNameBytes));
    if (!rule.resource.empty() && !templates.contains(rule.resource)) {
        auto parsed = Template::parse(rule.resource);
        if (!parsed) return fail(parsed.error().in("tool " + shown(rule.tool)));
        templates.emplace(rule.resource, std::move(*parsed));
    }
    for (const std::string& argument : rule.sensitive)
        if (argument.empty())
            return bad_rule(
                fmt::format("tool {}: `sensitive` has an empty name, write the names of "
                            "arguments",
                            shown(rule.tool)));
    return {};
}

Status check_server(const ServerSpec& server,
                    std::map<std::string, Template, std::less<>>& templates) {
    std::set<std::string_view> seen;
    for (const ToolRule& rule : server.tools) {
        if (auto ok = check_tool(rule, templates); !ok) return ok;
        if (!seen.insert(rule.tool).second)
            return bad_rule(
                fmt::format("tool {} has two rules, write them as one", shown(rule.tool)));
    }
    return {};
}

}  // namespace

Result<std::shared_ptr<const Snapshot::Rules>> Snapshot::Rules::compile(
    const std::vector<ServerSpec>& servers, const std::vector<DomainRule>& rules) {
    auto out = std::make_shared<Rules>();
    std::set<std::string_view> names;
    for (const ServerSpec& server : servers) {
        if (!is_server_name(server.name))
            return bad_rule(
                fmt::format("server {} is no server name, use 1 to 31 of `a-z 0-9 -`, "
                            "not beginning with `-`",
                            shown(server.name)));
        if (!names.insert(server.name).second)
            return bad_rule(
                fmt::format("server {} is there twice, give one another name", shown(server.name)));
        if (auto ok = check_server(server, out->templates); !ok)
            return fail(ok.error().in("server " + shown(server.name)));
    }
    names.clear();
    for (const DomainRule& rule : rules) {
        if (!is_domain_name(rule.domain))
            return bad_rule(
                fmt::format("domain {} is no domain name, use letters, digits, `_`, `.` "
                            "and `-`",
                            shown(rule.domain)));
        if (rule.domain == kUnclassified)
            return bad_rule("domain `unclassified` is what no rule maps, choose another name");
        if (!names.insert(rule.domain).second)
            return bad_rule(fmt::format("domain {} is there twice, list its resources in one",
                                        shown(rule.domain)));
        Domain domain{rule.domain, rule.sensitivity, {}};
        for (const std::string& pattern : rule.resources) {
            auto glob = Glob::parse(pattern);
            if (!glob) return fail(glob.error().in("domain " + shown(rule.domain)));
            domain.globs.push_back(std::move(*glob));
        }
        if (domain.globs.empty())
            return bad_rule(
                fmt::format("domain {} has no resources, write globs such as "
                            "`file:///data/**`",
                            shown(rule.domain)));
        out->domains.push_back(std::move(domain));
    }
    return out;
}

}  // namespace writ::catalog
