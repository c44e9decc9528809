#include "gate/listings.h"

#include <algorithm>
#include <limits>

namespace writ::gate {
namespace {

// When the first grant of the chain that holds now will hold no more.
std::int64_t next_expiry_us(const identity::Task& task, std::int64_t now_us) {
    std::int64_t out = std::numeric_limits<std::int64_t>::max();
    for (const auto* link = &task; link != nullptr; link = link->parent_task.get())
        for (const auto& grant : link->spec.grants)
            if (grant.expires_s != 0 && grant.expires_s > now_us / 1'000'000)
                out = std::min(out, grant.expires_s * 1'000'000);
    return out;
}

// `server/tool` or `server/*`.
bool is_of(std::string_view pattern, std::string_view server) {
    return pattern.size() > server.size() && pattern.starts_with(server) &&
           pattern[server.size()] == '/';
}

}  // namespace

bool grants_name(const identity::Task& task, std::string_view server, std::int64_t now_us) {
    const auto names = [&](const identity::Grant& grant) {
        if (grant.expires_s != 0 && grant.expires_s <= now_us / 1'000'000) return false;
        return std::ranges::any_of(grant.tools, [&](const auto& t) { return is_of(t, server); });
    };
    for (const auto* link = &task; link != nullptr; link = link->parent_task.get())
        if (std::ranges::none_of(link->spec.grants, names)) return false;
    return true;
}

ToolList Listings::of(const identity::TaskPtr& task, const EngineAt& at,
                      const std::shared_ptr<const catalog::Snapshot>& catalog,
                      std::int64_t now_us) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = by_task_.find(task->id);
        if (found != by_task_.end()) {
            const Entry& kept = *found->second;
            if (kept.epoch == at.epoch && kept.catalog == catalog && now_us < kept.until_us) {
                entries_.splice(entries_.begin(), entries_, found->second);
                return kept.tools;
            }
        }
    }
    Entry made{task->id, at.epoch, catalog, next_expiry_us(*task, now_us), {}};
    for (const auto& tool : catalog->tools())
        if (!tool->changed && at.engine->possible(*task, *tool, now_us)) made.tools.push_back(tool);
    ToolList out = made.tools;
    const std::lock_guard lock(mutex_);
    if (const auto found = by_task_.find(task->id); found != by_task_.end()) {
        entries_.erase(found->second);
        by_task_.erase(found);
    }
    entries_.push_front(std::move(made));
    by_task_.emplace(task->id, entries_.begin());
    if (entries_.size() > kMaxListings) {
        by_task_.erase(entries_.back().task);
        entries_.pop_back();
    }
    return out;
}

}  // namespace writ::gate
