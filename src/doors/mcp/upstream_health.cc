#include "doors/mcp/upstream_health.h"

#include "base/clock.h"
#include "base/inert.h"

namespace writ::mcp {

namespace {

constexpr std::size_t kMaxShownErrorBytes = 400;

std::int64_t now_us() {
    return SystemClock().now_us();
}

}  // namespace

std::string_view name(ServerState state) {
    switch (state) {
        case ServerState::kStarting:
            return "starting";
        case ServerState::kUp:
            return "up";
        case ServerState::kBackoff:
            return "backoff";
        case ServerState::kDown:
            return "down";
    }
    return "down";
}

ServerHealth& HealthBoard::of(const std::string& server) {
    ServerHealth& health = all_[server];
    health.server = server;
    return health;
}

void HealthBoard::turn(ServerHealth& health, ServerState state) {
    if (health.state != state || health.since_us == 0) health.since_us = now_us();
    health.state = state;
    health.retry_us = 0;
}

void HealthBoard::up(const std::string& server) {
    const std::lock_guard lock(mutex_);
    turn(of(server), ServerState::kUp);
}

void HealthBoard::failed(const std::string& server, std::string_view why,
                         std::int64_t retry_in_ms) {
    const std::lock_guard lock(mutex_);
    ServerHealth& health = of(server);
    turn(health, ServerState::kBackoff);
    health.last_error = inert(why, kMaxShownErrorBytes);
    health.retry_us = now_us() + retry_in_ms * 1'000;
}

void HealthBoard::down(const std::string& server, std::string_view why) {
    const std::lock_guard lock(mutex_);
    ServerHealth& health = of(server);
    turn(health, ServerState::kDown);
    health.last_error = inert(why, kMaxShownErrorBytes);
}

void HealthBoard::restarted(const std::string& server) {
    const std::lock_guard lock(mutex_);
    ++of(server).restarts;
}

void HealthBoard::forget(const std::string& server) {
    const std::lock_guard lock(mutex_);
    all_.erase(server);
}

std::vector<ServerHealth> HealthBoard::read(const std::vector<std::string>& servers) const {
    const std::lock_guard lock(mutex_);
    std::vector<ServerHealth> out;
    for (const auto& server : servers) {
        const auto known = all_.find(server);
        out.push_back(known == all_.end() ? ServerHealth{} : known->second);
        out.back().server = server;
    }
    return out;
}

}  // namespace writ::mcp
