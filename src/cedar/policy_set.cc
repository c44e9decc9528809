#include "cedar/policy_set.h"

#include <fmt/format.h>

#include <algorithm>

#include "cedar/parser.h"

namespace writ::cedar {
namespace {

PolicyInfo describe(const PolicySet::Impl::Entry& entry) {
    const Policy& policy = *entry.policy;
    PolicyInfo out;
    out.id = entry.id;
    out.effect = policy.effect;
    out.annotations = policy.annotations;
    out.at = policy.source->at(policy.begin);
    out.text = policy.text(policy.begin, policy.end);
    out.is_template = policy.is_template();
    out.template_id = entry.template_id;
    out.values = entry.values;
    return out;
}

tl::unexpected<Error> unknown(std::string_view id) {
    return fail(ErrorCode::kNotFound, fmt::format("no policy has the id `{}`", id));
}

tl::unexpected<Error> taken(std::string_view id) {
    return fail(ErrorCode::kConflict, fmt::format("a policy with the id `{}` exists already", id));
}

}  // namespace

void PolicySet::Impl::add(Entry entry) {
    const auto position = static_cast<std::uint32_t>(entries.size());
    index.add(*entry.policy, position);
    positions.emplace(entry.id, position);
    if (entry.is_link()) ++links[entry.template_id];
    entries.push_back(std::move(entry));
}

Status PolicySet::Impl::may_add(std::string_view id, std::size_t count) const {
    if (positions.contains(id)) return taken(id);
    if (entries.size() + count <= kPoliciesMax) return {};
    return fail(ErrorCode::kTooLarge, fmt::format("a policy set has at most {} policies, templates "
                                                  "and links",
                                                  kPoliciesMax));
}

void PolicySet::Impl::erase(std::uint32_t position) {
    std::vector<Entry> kept = std::move(entries);
    kept.erase(kept.begin() + position);
    *this = Impl();
    for (Entry& entry : kept) add(std::move(entry));
}

PolicySet::PolicySet() : impl_(std::make_unique<Impl>()) {}
PolicySet::~PolicySet() = default;
PolicySet::PolicySet(PolicySet&&) noexcept = default;
PolicySet& PolicySet::operator=(PolicySet&&) noexcept = default;

Result<PolicySet> PolicySet::parse(std::string_view text, const ParseOptions& options) {
    auto policies = parse_policies(text, options);
    if (!policies) return fail(policies.error());
    PolicySet out;
    for (std::size_t i = 0; i < policies->size(); ++i)
        out.impl_->add({options.id_prefix + std::to_string(i), std::move((*policies)[i])});
    return out;
}

Status PolicySet::add(std::string id, std::string_view text, const ParseOptions& options) {
    if (auto status = impl_->may_add(id, 1); !status) return status;
    auto policies = parse_policies(text, options);
    if (!policies) return fail(policies.error());
    if (policies->size() != 1)
        return fail(ErrorCode::kInvalid,
                    fmt::format("expected one policy, but the text has {}", policies->size()),
                    {options.file, 0, 0});
    impl_->add({std::move(id), std::move(policies->front())});
    return {};
}

Status PolicySet::merge(const PolicySet& other) {
    for (const Impl::Entry& entry : other.impl_->entries)
        if (auto status = impl_->may_add(entry.id, other.size()); !status) return status;
    for (const Impl::Entry& entry : other.impl_->entries) impl_->add(entry);
    return {};
}

Status PolicySet::remove(std::string_view id) {
    const auto at = impl_->positions.find(id);
    if (at == impl_->positions.end()) return unknown(id);
    if (impl_->entries[at->second].is_link())
        return fail(ErrorCode::kConflict,
                    fmt::format("`{}` is linked from the template `{}`: unlink it instead", id,
                                impl_->entries[at->second].template_id));
    const auto links = impl_->links.find(id);
    if (links != impl_->links.end())
        return fail(ErrorCode::kConflict,
                    fmt::format("the template `{}` has {} linked polic{}: unlink {} first", id,
                                links->second, links->second == 1 ? "y" : "ies",
                                links->second == 1 ? "it" : "them"));
    impl_->erase(at->second);
    return {};
}

Status PolicySet::unlink(std::string_view id) {
    const auto at = impl_->positions.find(id);
    if (at == impl_->positions.end()) return unknown(id);
    if (!impl_->entries[at->second].is_link())
        return fail(ErrorCode::kConflict,
                    fmt::format("`{}` is not linked from a template: remove it instead", id));
    impl_->erase(at->second);
    return {};
}

Status PolicySet::rename(std::string_view id, std::string new_id) {
    const auto at = impl_->positions.find(id);
    if (at == impl_->positions.end()) return unknown(id);
    if (new_id == id) return {};
    if (impl_->positions.contains(new_id)) return taken(new_id);
    const std::uint32_t position = at->second;
    if (auto links = impl_->links.extract(at->first)) {
        for (Impl::Entry& entry : impl_->entries)
            if (entry.template_id == at->first) entry.template_id = new_id;
        links.key() = new_id;
        impl_->links.insert(std::move(links));
    }
    impl_->positions.erase(at);
    impl_->positions.emplace(new_id, position);
    impl_->entries[position].id = std::move(new_id);
    return {};
}

std::vector<PolicyInfo> PolicySet::list() const {
    std::vector<PolicyInfo> out;
    out.reserve(impl_->entries.size());
    std::transform(impl_->entries.begin(), impl_->entries.end(), std::back_inserter(out), describe);
    return out;
}

std::optional<PolicyInfo> PolicySet::info(std::string_view id) const {
    const auto at = impl_->positions.find(id);
    if (at == impl_->positions.end()) return std::nullopt;
    return describe(impl_->entries[at->second]);
}

std::size_t PolicySet::size() const {
    return impl_->entries.size();
}

// The resource is open: each resource constraint is met by some resource, unless it is of another
// type than the one it names, which `is T == x` cannot say.
bool PolicySet::scope_may_permit(const EntityUid& principal, const EntityUid& action,
                                 const Entities& entities) const {
    static const Value nothing = Value::record({});
    const Request request{principal, action, {}, nothing};
    const RequestView view(request, entities.impl());
    return std::any_of(impl_->entries.begin(), impl_->entries.end(), [&](const Impl::Entry& entry) {
        const Policy& policy = *entry.policy;
        return policy.effect == Effect::kPermit && !policy.is_template() &&
               scope_matches(policy.action, view.action, view) &&
               scope_matches(policy.principal, view.principal, view);
    });
}

}  // namespace writ::cedar
