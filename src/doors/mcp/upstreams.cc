#include "doors/mcp/upstreams.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "doors/mcp/upstreams_slot.h"

namespace writ::mcp {

namespace {

// Sessions are deleted at close() by requests of their own; nobody waits longer for them.
constexpr net::Millis kFarewell{1'000};

std::optional<std::string> own_environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// What watch() shares with the watchers it started.
struct FirstTries {
    FirstTries(net::Reactor& reactor, std::size_t n) : left(n), done(reactor) {}
    std::size_t left;
    net::Promise<bool> done;  // by the last of them, or by time
};

}  // namespace

Upstreams::Upstreams(std::vector<net::Reactor*> reactors, std::vector<catalog::ServerSpec> servers,
                     OnTools on_tools, UpstreamsOptions options)
    : core_(std::make_shared<Core>()) {
    WRIT_CHECK(!reactors.empty());
    core_->servers = std::move(servers);
    core_->on_tools = std::move(on_tools);
    core_->options = std::move(options);
    if (!core_->options.environment) core_->options.environment = own_environment;
    for (auto* reactor : reactors) shards_.push_back(std::make_shared<Shard>(*reactor));
}

Upstreams::~Upstreams() = default;

const catalog::ServerSpec* Upstreams::Core::spec(std::string_view name) const {
    const auto it = std::ranges::find(servers, name, &catalog::ServerSpec::name);
    return it == servers.end() ? nullptr : &*it;
}

Upstreams::Shard& Upstreams::shard_of(const net::Reactor& reactor) const {
    const auto it = std::ranges::find_if(
        shards_, [&](const auto& shard) { return &shard->reactor == &reactor; });
    WRIT_CHECK(it != shards_.end());
    return **it;
}

net::Reactor& Upstreams::here() const {
    const auto it = std::ranges::find_if(
        shards_, [](const auto& shard) { return shard->reactor.on_this_thread(); });
    WRIT_CHECK(it != shards_.end());
    return (*it)->reactor;
}

std::size_t Upstreams::instances() const {
    return core_->instances.load();
}

bool Upstreams::Slot::allow(Instant now) {
    const auto rate = static_cast<double>(spec.calls_per_second);
    if (rate == 0) return true;
    const double passed = std::chrono::duration<double>(now - allowed_at).count();
    allowance = allowed_at == Instant{} ? rate : std::min(rate, allowance + passed * rate);
    allowed_at = now;
    if (allowance < 1) return false;
    allowance -= 1;
    return true;
}

void Upstreams::Slot::end() {
    released = true;
    if (upstream) upstream->end();
    upstream.reset();
}

net::Task<Result<Reply>> Upstreams::call(Target target, Outbound outbound) {
    const auto* spec = core_->spec(target.server);
    if (spec == nullptr)
        co_return fail(ErrorCode::kNotFound, fmt::format("no tool server `{}`", target.server));
    net::Reactor& from = here();
    Shard& shard = spec->shared ? *shards_.front() : shard_of(*target.home);
    const ConversationPtr conversation = outbound.conversation;
    if (conversation) conversation->begin(shard.reactor);
    if (spec->timeout_s > 0) outbound.timeout = std::chrono::seconds(spec->timeout_s);
    co_await shard.reactor.hop();
    Shard::Key key{spec->name, spec->shared ? TaskId{} : target.task};
    auto& place = shard.slots[std::move(key)];
    if (!place) {
        const auto owner = std::ranges::find_if(
            shards_, [&](const ShardPtr& each) { return each.get() == &shard; });
        place = std::make_shared<Slot>(*owner, *spec);
    }
    const SlotPtr slot = place;
    Result<Reply> reply = fail(Error{});
    if (!slot->allow(std::chrono::steady_clock::now())) {
        reply = fail(ErrorCode::kExhausted,
                     fmt::format("more than {} calls a second (calls_per_second); nothing was sent",
                                 spec->calls_per_second));
    } else if (auto upstream = co_await acquire(core_, slot, conversation)) {
        reply = co_await (*upstream)->call(std::move(outbound));
    } else {
        reply = fail(upstream.error());
    }
    co_await from.hop();
    if (conversation) conversation->end();
    co_return reply;
}

net::Task<Status> Upstreams::discover(std::string server) {
    const auto* spec = core_->spec(server);
    if (spec == nullptr)
        co_return fail(ErrorCode::kNotFound, fmt::format("no tool server `{}`", server));
    net::Reactor& from = here();
    const ShardPtr shard = shards_.front();
    co_await shard->reactor.hop();
    Status status = co_await list_once(core_, shard, spec);
    co_await from.hop();
    co_return status;
}

net::Task<void> Upstreams::watch(net::Millis patience) {
    struct Run {
        // Until it has answered once; growing pauses, each off by up to a quarter.
        static net::Task<void> go(CorePtr core, ShardPtr shard, const catalog::ServerSpec* spec,
                                  std::shared_ptr<FirstTries> first) {
            const std::string& server = spec->name;
            net::Millis pause{1'000};
            std::minstd_rand dice(std::random_device{}());
            for (bool again = true; again && !core->closed;) {
                const Status done = co_await list_once(core, shard, spec);
                if (first && --first->left == 0) first->done.set(true);
                first.reset();
                again = !done && !core->closed;
                if (!again) break;
                log::warn("mcp", "tool server {} does not answer, its tools are absent: {}", server,
                          done.error().message());
                const auto off = std::uniform_int_distribution<std::int64_t>(
                    -pause.count() / 4, pause.count() / 4)(dice);
                core->health.failed(server, done.error().detail, pause.count() + off);
                const auto until = std::chrono::steady_clock::now() + pause + net::Millis(off);
                while (!core->closed && std::chrono::steady_clock::now() < until)
                    co_await shard->reactor.sleep(net::Millis(100));
                pause = std::min(pause * 2, kMaxBackoff);
            }
        }
        static net::Task<void> time_out(net::Reactor* reactor, net::Millis after,
                                        std::shared_ptr<FirstTries> first) {
            co_await reactor->sleep(after);
            first->done.set(false);
        }
    };
    net::Reactor& reactor = shards_.front()->reactor;
    if (core_->servers.empty()) co_return;
    const auto first = std::make_shared<FirstTries>(reactor, core_->servers.size());
    for (const auto& spec : core_->servers)
        reactor.spawn(Run::go(core_, shards_.front(), &spec, first));
    reactor.spawn(Run::time_out(&reactor, patience, first));
    (void)co_await first->done.wait();
}

void Upstreams::release(const TaskId& task) {
    for (const auto& shard : shards_) {
        shard->reactor.post([shard, task] {
            std::erase_if(shard->slots, [&](const auto& entry) {
                if (entry.first.second != task || task.is_nil()) return false;
                entry.second->end();
                return true;
            });
        });
    }
}

net::Task<void> Upstreams::close() {
    net::Reactor& from = here();
    core_->closed = true;
    const auto shards = shards_;
    bool http = false;
    for (const auto& shard : shards) {
        co_await shard->reactor.hop();
        for (const auto& [key, slot] : shard->slots) slot->end();
        shard->slots.clear();
        http = http || !shard->pools.empty();
    }
    co_await from.hop();
    const auto until = std::chrono::steady_clock::now() + kFarewell;
    for (bool busy = http; busy && std::chrono::steady_clock::now() < until;) {
        co_await from.sleep(net::Millis(10));
        busy = false;
        for (const auto& shard : shards) {
            co_await shard->reactor.hop();
            for (const auto& [name, pool] : shard->pools)
                busy = busy || pool->connections() > pool->idle();
        }
        co_await from.hop();
    }
    for (const auto& shard : shards) {  // idle connections end on their own reactor
        co_await shard->reactor.hop();
        shard->pools.clear();
    }
    co_await from.hop();
}

net::Task<std::vector<ServerHealth>> Upstreams::health() {
    net::Reactor& from = here();
    std::map<std::string, std::pair<std::size_t, std::size_t>> now;  // instances, in flight
    for (const auto& shard : shards_) {
        co_await shard->reactor.hop();
        for (const auto& [key, slot] : shard->slots) {
            if (!slot->upstream) continue;
            if (slot->upstream->alive()) {
                ++now[key.first].first;
                now[key.first].second += slot->upstream->counters().in_flight;
            } else if (slot->spec.shared) {
                core_->health.down(key.first, slot->upstream->why_ended());
            }
        }
    }
    co_await from.hop();
    std::vector<std::string> names;
    for (const auto& spec : core_->servers) names.push_back(spec.name);
    auto out = core_->health.read(names);
    for (auto& each : out) std::tie(each.instances, each.in_flight) = now[each.server];
    co_return out;
}

}  // namespace writ::mcp
