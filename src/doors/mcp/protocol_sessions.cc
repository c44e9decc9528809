#include "doors/mcp/protocol_sessions.h"

#include <algorithm>
#include <utility>

#include "base/secret.h"

namespace writ::mcp {

namespace {

constexpr std::size_t kIdBytes = 24;

auto find_in(std::list<std::string>& ids, std::string_view id) {
    return std::ranges::find_if(
        ids, [id](const std::string& x) { return constant_time_equal(as_bytes(x), as_bytes(id)); });
}

}  // namespace

std::string ProtocolSessions::mint(const identity::SessionPtr& owner) {
    std::string id = to_base64url(random_bytes(kIdBytes));
    const std::lock_guard lock(mutex_);
    if (table_.size() >= prune_at_) prune();
    auto& owned = table_[owner->id];
    owned.owner = owner;
    owned.ids.push_front(id);
    if (owned.ids.size() > kMaxProtocolSessions) owned.ids.pop_back();
    return id;
}

void ProtocolSessions::prune() {
    std::erase_if(table_, [](const auto& entry) {
        const auto owner = entry.second.owner.lock();
        return !owner || owner->ended.load() ||
               owner->task->state.load() != identity::TaskState::kLive;
    });
    prune_at_ = std::max<std::size_t>(1024, 2 * table_.size());
}

bool ProtocolSessions::known(const SessionId& owner, std::string_view id) {
    const std::lock_guard lock(mutex_);
    const auto entry = table_.find(owner);
    if (entry == table_.end()) return false;
    auto& ids = entry->second.ids;
    const auto it = find_in(ids, id);
    if (it == ids.end()) return false;
    ids.splice(ids.begin(), ids, it);
    return true;
}

bool ProtocolSessions::end(const SessionId& owner, std::string_view id) {
    const std::lock_guard lock(mutex_);
    const auto entry = table_.find(owner);
    if (entry == table_.end()) return false;
    auto& ids = entry->second.ids;
    const auto it = find_in(ids, id);
    if (it == ids.end()) return false;
    ids.erase(it);
    if (ids.empty()) table_.erase(entry);
    return true;
}

void ProtocolSessions::forget(const SessionId& owner) {
    const std::lock_guard lock(mutex_);
    table_.erase(owner);
}

std::size_t ProtocolSessions::size() const {
    const std::lock_guard lock(mutex_);
    std::size_t n = 0;
    for (const auto& [owner, owned] : table_) n += owned.ids.size();
    return n;
}

}  // namespace writ::mcp
