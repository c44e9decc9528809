#include "cedar/index.h"

#include <algorithm>

namespace writ::cedar {
namespace {

// What a key is of, so that one hash in two roles makes two keys: the role of the entity, and how
// it is constrained.
constexpr std::uint64_t kPrincipal = 0x10, kAction = 0x20, kResource = 0x30;
constexpr std::uint64_t kAny = 1, kEqualUid = 2, kInUid = 3, kOfType = 4;
// Below this many policies all are tried.
constexpr std::size_t kScanMax = 16;

std::uint64_t key_of(std::uint64_t role, std::uint64_t constraint, std::uint64_t hash) {
    return hash_pair(role | constraint, hash);
}

std::uint64_t key_of(std::uint64_t role, const EntityScope& scope) {
    if (scope.kind == ScopeKind::kEqual) return key_of(role, kEqualUid, scope.uid.hash);
    if (scope.kind == ScopeKind::kIn) return key_of(role, kInUid, scope.uid.hash);
    if (!scope.type.empty()) return key_of(role, kOfType, hash_text(scope.type));
    return key_of(role, kAny, 0);
}

}  // namespace

std::size_t HashTable::place(std::uint64_t key) const {
    std::size_t at = key & (slots_.size() - 1);
    while (slots_[at].key != 0 && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    return at;
}

std::uint32_t HashTable::find(std::uint64_t key) const {
    if (slots_.empty()) return kNone;
    return slots_[place(key | 1)].value;
}

std::uint32_t& HashTable::at(std::uint64_t key) {
    constexpr std::size_t kLeast = 64;
    key |= 1;
    if (slots_.size() < 2 * (used_ + 1)) {
        std::vector<Slot> old(std::max(kLeast, 2 * slots_.size()));
        old.swap(slots_);
        for (const Slot& slot : old)
            if (slot.key != 0) slots_[place(slot.key)] = slot;
    }
    Slot& slot = slots_[place(key)];
    if (slot.key == 0) ++used_;
    slot.key = key;
    return slot.value;
}

void ScopeIndex::file(std::uint64_t action, std::uint64_t principal, std::uint64_t resource,
                      std::uint32_t position) {
    const std::uint64_t pair = hash_pair(action, principal);
    for (std::uint64_t key : {action, principal, resource, pair}) used_.at(key) = 0;
    std::uint32_t& head = lists_.at(hash_pair(pair, resource));
    if (head != kNone && filings_[head].position == position) return;  // an action named twice
    filings_.push_back({position, head});
    head = static_cast<std::uint32_t>(filings_.size() - 1);
}

void ScopeIndex::add(const Policy& policy, std::uint32_t position) {
    ++size_;
    if (policy.is_template()) return;
    const std::uint64_t principal = key_of(kPrincipal, policy.principal);
    const std::uint64_t resource = key_of(kResource, policy.resource);
    if (policy.action.kind == ScopeKind::kAny)
        return file(key_of(kAction, kAny, 0), principal, resource, position);
    const std::uint64_t how = policy.action.kind == ScopeKind::kEqual ? kEqualUid : kInUid;
    for (const Uid& action : policy.action.uids)
        file(key_of(kAction, how, action.hash), principal, resource, position);
}

void ScopeIndex::add_if_used(std::uint64_t key, std::vector<std::uint64_t>& out) const {
    if (used_.find(key) != kNone) out.push_back(key);
}

void ScopeIndex::add_entity_keys(std::uint64_t role, const UidRef& uid, const RequestView& request,
                                 IndexProbe& probe, std::vector<std::uint64_t>& out) const {
    out.clear();
    add_if_used(key_of(role, kAny, 0), out);
    add_if_used(key_of(role, kEqualUid, uid.hash), out);
    add_if_used(key_of(role, kInUid, uid.hash), out);
    if (role != kAction) add_if_used(key_of(role, kOfType, hash_text(uid.uid->type)), out);
    probe.above.clear();
    request.entities.ancestors(uid, probe.above);
    for (const UidRef& ancestor : probe.above)
        add_if_used(key_of(role, kInUid, ancestor.hash), out);
}

bool ScopeIndex::candidates(const RequestView& request, IndexProbe& probe,
                            std::vector<std::uint32_t>& out) const {
    if (size_ <= kScanMax) return false;
    add_entity_keys(kAction, request.action, request, probe, probe.actions);
    add_entity_keys(kPrincipal, request.principal, request, probe, probe.principals);
    add_entity_keys(kResource, request.resource, request, probe, probe.resources);
    if (probe.actions.size() * probe.principals.size() * probe.resources.size() > size_)
        return false;
    for (std::uint64_t action : probe.actions) {
        for (std::uint64_t principal : probe.principals) {
            const std::uint64_t pair = hash_pair(action, principal);
            if (used_.find(pair) == kNone) continue;
            for (std::uint64_t resource : probe.resources) {
                std::uint32_t filing = lists_.find(hash_pair(pair, resource));
                for (; filing != kNone; filing = filings_[filing].next)
                    out.push_back(filings_[filing].position);
            }
        }
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return true;
}

}  // namespace writ::cedar
