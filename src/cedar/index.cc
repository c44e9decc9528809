#include "cedar/index.h"

#include <algorithm>

namespace writ::cedar {
namespace {

// Kinds of keys, so that one hash in two roles makes two keys.
constexpr std::uint64_t kNothing = 1, kPrincipalUid = 2, kResourceUid = 3, kPrincipalType = 4,
                        kResourceType = 5, kAnyAction = 6;
// Below this many policies all are tried.
constexpr std::size_t kScanMax = 16;

std::uint64_t second_key(const Policy& policy) {
    if (policy.resource.kind != ScopeKind::kAny)
        return hash_pair(kResourceUid, policy.resource.uid.hash);
    if (policy.principal.kind != ScopeKind::kAny)
        return hash_pair(kPrincipalUid, policy.principal.uid.hash);
    if (!policy.resource.type.empty())
        return hash_pair(kResourceType, hash_text(policy.resource.type));
    if (!policy.principal.type.empty())
        return hash_pair(kPrincipalType, hash_text(policy.principal.type));
    return kNothing;
}

void add_uid_keys(std::uint64_t kind, const UidRef& uid, const std::vector<UidRef>& ancestors,
                  std::vector<std::uint64_t>& out) {
    out.push_back(hash_pair(kind, uid.hash));
    for (const UidRef& ancestor : ancestors) out.push_back(hash_pair(kind, ancestor.hash));
}

}  // namespace

void ScopeIndex::add(const Policy& policy, std::uint32_t position) {
    ++size_;
    if (policy.is_template()) return;
    const std::uint64_t second = second_key(policy);
    if (policy.action.kind == ScopeKind::kAny) {
        lists_[hash_pair(kAnyAction, second)].push_back(position);
        return;
    }
    for (const Uid& action : policy.action.uids) {
        auto& list = lists_[hash_pair(action.hash, second)];
        if (list.empty() || list.back() != position) list.push_back(position);
    }
}

bool ScopeIndex::candidates(const RequestView& request, std::vector<std::uint32_t>& out) const {
    if (size_ <= kScanMax) return false;
    const Entities::Impl& entities = request.entities;
    std::vector<UidRef> above;
    entities.ancestors(request.action, above);
    std::vector<std::uint64_t> actions = {kAnyAction, request.action.hash};
    for (const UidRef& group : above) actions.push_back(group.hash);

    std::vector<std::uint64_t> seconds = {
        kNothing, hash_pair(kPrincipalType, hash_text(request.principal.uid->type)),
        hash_pair(kResourceType, hash_text(request.resource.uid->type))};
    above.clear();
    entities.ancestors(request.principal, above);
    add_uid_keys(kPrincipalUid, request.principal, above, seconds);
    above.clear();
    entities.ancestors(request.resource, above);
    add_uid_keys(kResourceUid, request.resource, above, seconds);
    if (actions.size() * seconds.size() > size_) return false;

    for (std::uint64_t action : actions) {
        for (std::uint64_t second : seconds) {
            const auto list = lists_.find(hash_pair(action, second));
            if (list != lists_.end())
                out.insert(out.end(), list->second.begin(), list->second.end());
        }
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return true;
}

}  // namespace writ::cedar
