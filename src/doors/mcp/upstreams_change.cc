// What becomes of running instances when a reload changes their servers.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "doors/mcp/upstreams_slot.h"

namespace writ::mcp {

namespace {

constexpr net::Millis kRetirePoll{50};

net::Task<void> retire_when_idle(CorePtr core, ShardPtr shard, UpstreamPtr upstream) {
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::seconds(kAdmissionDeadline_s);
    while (!core->closed && upstream->counters().in_flight > 0 &&
           std::chrono::steady_clock::now() < until)
        co_await shard->reactor.sleep(kRetirePoll);
    upstream->end();
    std::erase(shard->retired, upstream);
}

}  // namespace

bool same_instance(const catalog::ServerSpec& a, const catalog::ServerSpec& b) {
    if (&a == &b) return true;
    catalog::ServerSpec as_a = b;
    as_a.tools = a.tools;
    as_a.timeout_s = a.timeout_s;
    as_a.calls_per_second = a.calls_per_second;
    return as_a == a;
}

std::string pool_key(const catalog::ServerSpec& spec) {
    return spec.name + ' ' + spec.url + ' ' + spec.ca_file;
}

void retire(const CorePtr& core, SlotPtr slot) {
    slot->released = true;
    if (slot->upstream) slot->leaving.push_back(std::exchange(slot->upstream, nullptr));
    for (const auto& upstream : std::exchange(slot->leaving, {})) {
        slot->shard->retired.push_back(upstream);
        slot->reactor().spawn(retire_when_idle(core, slot->shard, upstream));
    }
}

void adjust(const CorePtr& core, const ShardPtr& shard) {
    (void)shard->spec(*core, {});  // brings its copy up to date
    std::erase_if(shard->slots, [&](auto& entry) {
        const SlotPtr& slot = entry.second;
        const SpecPtr now = shard->spec(*core, entry.first.first);
        if (!now) {
            slot->end();
            return true;
        }
        if (!same_instance(*slot->spec, *now)) {
            retire(core, slot);
            return true;
        }
        slot->spec = now;
        return false;
    });
    std::erase_if(shard->pools, [&](const auto& pool) {
        return std::ranges::none_of(
            shard->servers, [&](const SpecPtr& spec) { return pool_key(*spec) == pool.first; });
    });
}

}  // namespace writ::mcp
