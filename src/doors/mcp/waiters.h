// Those who wait for one event (the start of an instance, a renewed session), each no longer than
// its own deadline. Thread: the reactor's.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "net/http_pool.h"
#include "net/reactor.h"
#include "net/task.h"

namespace writ::mcp {

template <class T>
class Waiters {
  public:
    // `late` is what those get whose deadline comes first.
    Waiters(net::Reactor& reactor, T late)
        : state_(std::make_shared<State>(reactor, std::move(late))) {}

    // To be awaited. It may also be set by who knows better, e.g. that its caller gave up.
    net::Promise<T> add(net::Deadline deadline) {
        state_->all.push_back({net::Promise<T>(state_->reactor), deadline});
        net::Promise<T> out = state_->all.back().promise;
        if (!std::exchange(state_->ticking, true)) state_->reactor.spawn(tick(state_));
        return out;
    }
    // The event: everybody gets `value`.
    void set(const T& value) {
        for (const auto& each : std::exchange(state_->all, {})) each.promise.set(value);
    }
    std::size_t size() const { return state_->all.size(); }

  private:
    // Granularity of deadlines of those who come while others wait.
    static constexpr net::Millis kTick{100};
    struct Waiting {
        net::Promise<T> promise;
        net::Deadline deadline;
    };
    struct State {
        State(net::Reactor& r, T l) : reactor(r), late(std::move(l)) {}
        net::Reactor& reactor;
        T late;
        std::vector<Waiting> all;
        bool ticking = false;
    };

    static net::Task<void> tick(std::shared_ptr<State> state) {
        for (;;) {
            const auto now = std::chrono::steady_clock::now();
            std::erase_if(state->all, [&](const Waiting& each) {
                if (each.deadline > now) return false;
                each.promise.set(state->late);
                return true;
            });
            if (state->all.empty()) break;
            auto first = net::Deadline::max();
            for (const auto& each : state->all) first = std::min(first, each.deadline);
            co_await state->reactor.sleep(
                std::clamp(std::chrono::ceil<net::Millis>(first - now), net::Millis(1), kTick));
        }
        state->ticking = false;
    }

    std::shared_ptr<State> state_;
};

}  // namespace writ::mcp
