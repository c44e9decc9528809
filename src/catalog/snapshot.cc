// What one immutable state of the catalog answers: which tool, which resource, which domains; and
// the names of effects and sensitivities.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/inert.h"
#include "catalog/canonical.h"
#include "catalog/rules.h"

namespace writ::catalog {

namespace {

constexpr std::array<std::string_view, 8> kEffects = {"read", "write",     "delete", "send",
                                                      "exec", "configure", "grant",  "pay"};
constexpr std::array<std::string_view, 4> kSensitivities = {"public", "internal", "confidential",
                                                            "restricted"};

template <class E, std::size_t N>
std::optional<E> read(const std::array<std::string_view, N>& names, std::string_view text) {
    const auto at = std::find(names.begin(), names.end(), text);
    if (at == names.end()) return std::nullopt;
    return static_cast<E>(at - names.begin());
}

std::shared_ptr<const Tool> lookup(
    const std::map<std::string, std::shared_ptr<const Tool>, std::less<>>& tools,
    std::string_view name) {
    const auto it = tools.find(name);
    return it == tools.end() ? nullptr : it->second;
}

// Takes `more` into `into`: all domains, once each, and the higher sensitivity.
void join(Resource& into, const Resource& more) {
    for (const std::string& domain : more.domains)
        if (std::find(into.domains.begin(), into.domains.end(), domain) == into.domains.end())
            into.domains.push_back(domain);
    into.sensitivity = std::max(into.sensitivity, more.sensitivity);
}

}  // namespace

std::string_view name(Effect effect) {
    return kEffects[static_cast<std::size_t>(effect)];
}
std::optional<Effect> effect_from(std::string_view text) {
    return read<Effect>(kEffects, text);
}
std::string_view name(Sensitivity sensitivity) {
    return kSensitivities[static_cast<std::size_t>(sensitivity)];
}
std::optional<Sensitivity> sensitivity_from(std::string_view text) {
    return read<Sensitivity>(kSensitivities, text);
}

std::shared_ptr<const Tool> Snapshot::by_exposed(std::string_view exposed) const {
    return lookup(by_exposed_, exposed);
}
std::shared_ptr<const Tool> Snapshot::absent(std::string_view exposed) const {
    return lookup(absent_, exposed);
}
std::shared_ptr<const Tool> Snapshot::by_qualified(std::string_view qualified) const {
    return lookup(by_qualified_, qualified);
}

Resource Snapshot::classify(std::string uri) const {
    Resource out{std::move(uri), {}, Sensitivity::kPublic};
    if (rules_)
        for (const Rules::Domain& domain : rules_->domains)
            if (std::any_of(domain.globs.begin(), domain.globs.end(),
                            [&](const Glob& glob) { return glob.matches(out.uri); })) {
                out.domains.push_back(domain.name);
                out.sensitivity = std::max(out.sensitivity, domain.sensitivity);
            }
    if (out.domains.empty()) {
        out.domains.emplace_back(kUnclassified);
        out.sensitivity = Sensitivity::kRestricted;
    }
    return out;
}

Result<Resource> Snapshot::resource(const Tool& tool, const json::Value& arguments) const {
    if (tool.rule.resource.empty()) return classify(tool.qualified());
    if (!arguments.is_object()) return fail(ErrorCode::kInvalid, "the arguments are not an object");
    const Template* known = rules_ ? rules_->find(tool.rule.resource) : nullptr;
    Result<Template> parsed = fail(ErrorCode::kInternal, "");
    if (known == nullptr) {
        // A tool that is not of this catalog.
        parsed = Template::parse(tool.rule.resource);
        if (!parsed) return fail(parsed.error());
        known = &*parsed;
    }
    const auto listed = known->uris(arguments);
    if (!listed) return fail(listed.error());
    Resource out = classify(listed->front());
    for (std::size_t i = 1; i < listed->size(); ++i) join(out, classify((*listed)[i]));
    return out;
}

Status Snapshot::check_sensitive(const Tool& tool, const json::Value& arguments) const {
    for (const std::string& argument : tool.rule.sensitive) {
        const auto value = arguments.is_object() ? arguments.find(argument) : std::nullopt;
        if (!value) continue;
        if (const std::string fault = sensitive_fault(*value); !fault.empty())
            return fail(ErrorCode::kInvalid,
                        fmt::format("argument `{}` {}", inert(argument, 64), fault));
    }
    return {};
}

}  // namespace writ::catalog
