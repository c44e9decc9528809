#include "desks/launch/refusals.h"

#include <algorithm>
#include <utility>

namespace writ::launch {

Refusals::Refusals(const Clock& clock, Tell tell) : clock_(clock), tell_(std::move(tell)) {}

void Refusals::add(const net::Peer& peer, const Error& error) {
    const std::int64_t now = clock_.boot_us();
    const auto [at, is_new] = kinds_.try_emplace(error.code);
    Kind& kind = at->second;
    if (is_new) kind.told_boot_us = now - kRefusalsEvery_us;
    if (kind.gathered.n++ == 0) {
        kind.gathered.code = name(error.code);
        kind.gathered.peer = peer.address;
        kind.gathered.reason = error.detail;
    }
    if (now - kind.told_boot_us >= kRefusalsEvery_us) tell(kind);
}

void Refusals::tell(Kind& kind) {
    const Refused told = std::exchange(kind.gathered, {});
    kind.told_boot_us = clock_.boot_us();
    tell_(told);
}

void Refusals::tell_due() {
    const std::int64_t now = clock_.boot_us();
    for (auto& [code, kind] : kinds_)
        if (kind.gathered.n > 0 && now - kind.told_boot_us >= kRefusalsEvery_us) tell(kind);
}

void Refusals::tell_all() {
    for (auto& [code, kind] : kinds_)
        if (kind.gathered.n > 0) tell(kind);
}

bool Refusals::waiting() const {
    return std::ranges::any_of(kinds_, [](const auto& k) { return k.second.gathered.n > 0; });
}

}  // namespace writ::launch
