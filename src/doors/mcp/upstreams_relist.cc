// Listings that instances ask for. The catalog has one list a server, so the instances of a server
// share one pace (relist_pace.h), and a listing answers all that asked before it began.
#include <chrono>
#include <utility>

#include "base/log.h"
#include "doors/mcp/upstreams_slot.h"

namespace writ::mcp {

namespace {

using Instant = Upstreams::Slot::Instant;

// Under Core::mutex.
RelistPace& pace_of(Upstreams::Core& core, const std::string& server) {
    const auto& options = core.options;
    return core.paces.try_emplace(server, options.relist_interval, options.relist_interval_max)
        .first->second;
}

enum class Turn : std::uint8_t { kList, kWait, kAnswered };

// What the instance of `slot` may do at `now`; `next`: when it may list.
Turn take_turn(Upstreams::Core& core, const Upstreams::Slot& slot, Instant now, Instant& next) {
    const std::lock_guard lock(core.mutex);
    RelistPace& pace = pace_of(core, slot.spec->name);
    if (pace.answered(slot.tools_changed)) return Turn::kAnswered;
    next = pace.next();
    if (now < next) return Turn::kWait;
    pace.begin(now);
    return Turn::kList;
}

net::Task<void> relist(CorePtr core, SlotPtr slot) {
    Instant tried{};
    while (!slot->released && !core->closed && slot->tools_changed > tried) {
        const auto upstream = slot->upstream;
        if (!upstream || !upstream->alive()) break;
        const Instant now = std::chrono::steady_clock::now();
        Instant next{};
        const Turn turn = take_turn(*core, *slot, now, next);
        if (turn == Turn::kAnswered) break;
        if (turn == Turn::kWait) {
            co_await slot->reactor().sleep(std::chrono::ceil<net::Millis>(next - now));
            continue;
        }
        tried = now;
        const Status listed = co_await list_tools(core, upstream, slot->spec);
        if (!listed) {
            log::warn("mcp", "{}", listed.error().detail);
            continue;
        }
        const std::lock_guard lock(core->mutex);
        pace_of(*core, slot->spec->name).listed(now);
    }
    slot->relisting = false;
}

}  // namespace

void want_list(const CorePtr& core, const SlotPtr& slot) {
    if (slot->released) return;
    slot->tools_changed = std::chrono::steady_clock::now();
    if (!std::exchange(slot->relisting, true)) slot->reactor().spawn(relist(core, slot));
}

}  // namespace writ::mcp
