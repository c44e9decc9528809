// The stop that loses nothing: no new calls, those in flight may end, the rest is recorded as
// `unknown`; then everything is on disk. Tasks and sessions stay open, to go on after a restart.
#include "base/log.h"
#include "cli/node_parts.h"

namespace writ::cli {

namespace {

constexpr net::Millis kPoll{20};
// For answers that are recorded and still on their way to their callers.
constexpr std::int64_t kLastWords_us = 1'000'000;

}  // namespace

// True if no call was open any more when it returned.
net::Task<bool> Node::Impl::drain() {
    const std::int64_t give_up = clock.boot_us() + config.stop_grace_s * 1'000'000;
    while (true) {
        auto counting = gate->survival()->open_calls();
        const std::size_t open = co_await std::move(counting);
        if (open == 0) co_return true;
        if (clock.boot_us() >= give_up) co_return false;
        co_await reactors.front()->sleep(kPoll);
    }
}

net::Task<void> Node::Impl::close() {
    log::info("up", "stopping");
    stopping = true;
    operators->close();
    if (agents) agents->close();
    if (readers) readers->close();
    launch_desk->stop();
    auto draining = drain();
    if (!co_await std::move(draining)) {
        log::warn("up", "calls were still open after {} s: their outcome is recorded as unknown",
                  config.stop_grace_s);
        auto abandoning = gate->survival()->abandon_calls("the gateway stopped during the call");
        co_await std::move(abandoning);
    }
    const std::int64_t give_up = clock.boot_us() + kLastWords_us;
    const auto busy = [this] {
        return upkeep_runs || reloading || operators->connections() > 0 ||
               (agents && agents->connections() > 0) || launch_desk->connections() > 0;
    };
    // What upkeep and a reload have on the pool reads what is taken down next.
    while (busy() && (upkeep_runs || reloading || clock.boot_us() < give_up))
        co_await reactors.front()->sleep(kPoll);
    release_dead();  // whose task was revoked a moment ago is not asked to go
    auto closing = upstreams->close();
    co_await std::move(closing);
    evidence::Draft stopped;
    stopped.type = "gateway.stopped";
    stopped.actor = self();
    stopped.data["reason"] = "signal";
    auto recording = recorders.front()->record(std::move(stopped));
    const auto recorded = co_await std::move(recording);
    if (!recorded) closed = fail(recorded.error());
    auto saving = save_standing();
    if (const Status saved = co_await std::move(saving); !saved && closed) closed = saved;
    launch_desk.reset();
    ledger::Ledger* log = ledger.get();
    evidence::Vault* blobs = vault.get();
    auto flush = [log, blobs] {
        const Status vault_done = blobs->flush();
        const Status log_done = log->flush();
        return log_done ? vault_done : log_done;
    };
    auto flushing = reactors.front()->offload(std::move(flush));
    const Status flushed = co_await std::move(flushing);
    if (!flushed && closed) closed = flushed;
}

}  // namespace writ::cli
