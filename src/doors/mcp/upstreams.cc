#include "doors/mcp/upstreams.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "doors/mcp/upstreams_slot.h"
#include "net/child.h"

namespace writ::mcp {

namespace {

// Sessions are deleted at close() by requests of their own; nobody waits longer for them.
constexpr net::Millis kFarewell{1'000};
// Children that do not go when their input closes get SIGTERM after half of this, and die with the
// gateway after all of it.
constexpr net::Millis kChildrenFarewell{2'000};

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
    for (auto& server : servers)
        core_->servers.push_back(std::make_shared<const catalog::ServerSpec>(std::move(server)));
    core_->on_tools = std::move(on_tools);
    core_->options = std::move(options);
    if (!core_->options.environment) core_->options.environment = own_environment;
    for (auto* reactor : reactors) shards_.push_back(std::make_shared<Shard>(*reactor));
}

Upstreams::~Upstreams() = default;

SpecPtr Upstreams::Core::spec(std::string_view name) const {
    const std::lock_guard lock(mutex);
    for (const auto& each : servers)
        if (each->name == name) return each;
    return nullptr;
}

SpecPtr Upstreams::Shard::spec(const Core& core, std::string_view name) {
    if (seen != core.epoch.load(std::memory_order_acquire)) {
        const std::lock_guard lock(core.mutex);
        servers = core.servers;
        seen = core.epoch.load();
    }
    for (const auto& each : servers)
        if (each->name == name) return each;
    return nullptr;
}

std::vector<SpecPtr> Upstreams::Core::all() const {
    const std::lock_guard lock(mutex);
    return servers;
}

bool Upstreams::Core::stands(const catalog::ServerSpec& wanted) const {
    const auto now = spec(wanted.name);
    return now && same_instance(*now, wanted);
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
    return core_->instances->load();
}

bool Upstreams::Slot::allow() {
    const auto rate = static_cast<double>(spec->calls_per_second);
    if (rate == 0) return true;
    const Instant now = std::chrono::steady_clock::now();
    const double passed = std::chrono::duration<double>(now - allowed_at).count();
    allowance = allowed_at == Instant{} ? rate : std::min(rate, allowance + passed * rate);
    allowed_at = now;
    if (allowance < 1) return false;
    allowance -= 1;
    return true;
}

void Upstreams::Slot::set_aside() {
    const auto idle = [](const UpstreamPtr& each) { return each->counters().in_flight == 0; };
    std::erase_if(leaving, idle);
    if (upstream && !idle(upstream)) leaving.push_back(upstream);
    upstream.reset();
}

void Upstreams::Slot::end(Parting how) {
    released = true;
    const auto part = [how](const UpstreamPtr& each) {
        if (how == Parting::kCut)
            each->cut();
        else
            each->end();
    };
    for (const auto& each : std::exchange(leaving, {})) part(each);
    if (upstream) part(upstream);
    upstream.reset();
}

// The place of the instance that serves `task`; null when a reload has changed the server since
// `spec` was looked up.
SlotPtr Upstreams::slot_for(Shard& shard, const SpecPtr& spec, const TaskId& task) {
    const SpecPtr now = shard.spec(*core_, spec->name);
    if (!now || !same_instance(*now, *spec)) return nullptr;
    auto& place = shard.slots[Shard::Key{now->name, now->shared ? TaskId{} : task}];
    if (place && !same_instance(*place->spec, *now)) retire(core_, std::exchange(place, nullptr));
    if (!place) {
        const auto owner = std::ranges::find_if(
            shards_, [&](const ShardPtr& each) { return each.get() == &shard; });
        place = std::make_shared<Slot>(*owner, now);
    }
    place->spec = now;
    return place;
}

net::Task<Result<Reply>> Upstreams::call(Target target, Outbound outbound) {
    net::Reactor& from = here();
    const SpecPtr spec = shard_of(from).spec(*core_, target.server);
    if (spec == nullptr)
        co_return fail(ErrorCode::kNotFound, fmt::format("no tool server `{}`", target.server));
    Shard& shard = spec->shared ? *shards_.front() : shard_of(*target.home);
    const ConversationPtr conversation = outbound.conversation;
    if (conversation) conversation->begin(shard.reactor);
    if (spec->timeout_s > 0) outbound.timeout = std::chrono::seconds(spec->timeout_s);
    // For the start of an instance, too: the outcome must come before kAdmissionDeadline_s.
    const auto deadline = std::chrono::steady_clock::now() + outbound.timeout;
    co_await shard.reactor.hop();
    const SlotPtr slot = slot_for(shard, spec, target.task);
    Result<Reply> reply = fail(Error{});
    if (!slot) {
        reply = fail(ErrorCode::kUnavailable,
                     "the server's configuration has just changed; nothing was sent");
    } else if (!slot->allow()) {
        reply = fail(ErrorCode::kExhausted,
                     fmt::format("more than {} calls a second (calls_per_second); nothing was sent",
                                 spec->calls_per_second));
    } else if (auto upstream = co_await acquire(core_, slot, conversation, deadline)) {
        outbound.timeout =
            std::chrono::ceil<net::Millis>(deadline - std::chrono::steady_clock::now());
        if (outbound.timeout > net::Millis(0))
            reply = co_await (*upstream)->call(std::move(outbound));
        else
            reply = fail(ErrorCode::kTimeout, "it was started too late; nothing was sent");
    } else {
        reply = fail(upstream.error());
    }
    co_await from.hop();
    if (conversation) conversation->end();
    co_return reply;
}

net::Task<Status> Upstreams::discover(std::string server) {
    const auto spec = core_->spec(server);
    if (spec == nullptr)
        co_return fail(ErrorCode::kNotFound, fmt::format("no tool server `{}`", server));
    net::Reactor& from = here();
    const ShardPtr shard = shards_.front();
    co_await shard->reactor.hop();
    Status status = co_await list_once(core_, shard, spec);
    co_await from.hop();
    co_return status;
}

namespace {

// Until the server has answered once, or is another one; growing pauses, each off by up to a
// quarter. `first`: who waits for the first try.
net::Task<void> watch_one(CorePtr core, ShardPtr shard, SpecPtr spec,
                          std::shared_ptr<FirstTries> first) {
    const std::string server = spec->name;
    net::Millis pause{1'000};
    std::minstd_rand dice(std::random_device{}());
    while (!core->closed && core->stands(*spec)) {
        const Status done = co_await list_once(core, shard, spec);
        if (first && --first->left == 0) first->done.set(true);
        first.reset();
        if (done || core->closed || !core->stands(*spec)) co_return;
        log::warn("mcp", "tool server {} does not answer, its tools are absent: {}", server,
                  done.error().message());
        const auto off = std::uniform_int_distribution<std::int64_t>(-pause.count() / 4,
                                                                     pause.count() / 4)(dice);
        core->health.failed(server, done.error().detail, pause.count() + off);
        const auto until = std::chrono::steady_clock::now() + pause + net::Millis(off);
        while (!core->closed && std::chrono::steady_clock::now() < until)
            co_await shard->reactor.sleep(net::Millis(100));
        pause = std::min(pause * 2, kMaxBackoff);
    }
    if (first && --first->left == 0) first->done.set(true);
}

net::Task<void> time_out(net::Reactor* reactor, net::Millis after,
                         std::shared_ptr<FirstTries> first) {
    co_await reactor->sleep(after);
    first->done.set(false);
}

}  // namespace

net::Task<void> Upstreams::watch(net::Millis patience,
                                 std::optional<std::vector<std::string>> awaited) {
    net::Reactor& reactor = shards_.front()->reactor;
    const auto waits = [&](const SpecPtr& spec) {
        return !awaited || std::ranges::count(*awaited, spec->name) > 0;
    };
    const auto all = core_->all();
    const auto n = static_cast<std::size_t>(std::ranges::count_if(all, waits));
    const auto first = std::make_shared<FirstTries>(reactor, n);
    for (const auto& spec : all)
        reactor.spawn(watch_one(core_, shards_.front(), spec, waits(spec) ? first : nullptr));
    if (n == 0) co_return;
    reactor.spawn(time_out(&reactor, patience, first));
    (void)co_await first->done.wait();
}

void Upstreams::reconfigure(std::vector<catalog::ServerSpec> servers,
                            const std::function<void()>& meanwhile) {
    std::vector<SpecPtr> next, fresh;
    std::map<std::string, SpecPtr> known;
    {
        const std::lock_guard listing(core_->listing);  // no list of before comes in any more
        meanwhile();
        const std::lock_guard lock(core_->mutex);
        for (const auto& old : core_->servers) known[old->name] = old;
        for (auto& server : servers) {
            const auto old = known.find(server.name);
            const bool stays = old != known.end() && same_instance(*old->second, server);
            next.push_back(stays && *old->second == server
                               ? old->second
                               : std::make_shared<const catalog::ServerSpec>(std::move(server)));
            if (!stays) fresh.push_back(next.back());
        }
        core_->servers = next;
        std::erase_if(core_->paces, [&](const auto& pace) {
            return std::ranges::none_of(
                next, [&](const SpecPtr& spec) { return spec->name == pace.first; });
        });
        core_->epoch.fetch_add(1);
    }
    for (const auto& shard : shards_)
        shard->reactor.post([core = core_, shard] { adjust(core, shard); });
    for (const auto& spec : fresh) {
        core_->health.forget(spec->name);
        shards_.front()->reactor.spawn(watch_one(core_, shards_.front(), spec, nullptr));
    }
}

Parting parting_of(const identity::Task& task) {
    for (const auto* each = &task; each != nullptr; each = each->parent_task.get())
        if (each->state.load() == identity::TaskState::kRevoked) return Parting::kCut;
    return Parting::kAsk;
}

void Upstreams::release(const TaskId& task, Parting how) {
    for (const auto& shard : shards_) {
        auto let_go = [shard, task, how] {
            std::erase_if(shard->slots, [&](const auto& entry) {
                if (entry.first.second != task || task.is_nil()) return false;
                entry.second->end(how);
                return true;
            });
        };
        if (shard->reactor.on_this_thread())
            let_go();
        else
            shard->reactor.post(std::move(let_go));
    }
}

net::Task<void> Upstreams::close() {
    net::Reactor& from = here();
    core_->closed = true;
    const auto shards = shards_;
    bool http = false;
    const auto until = std::chrono::steady_clock::now() + kFarewell;
    for (const auto& shard : shards) {
        co_await shard->reactor.hop();
        for (const auto& [key, slot] : shard->slots) slot->end();
        shard->slots.clear();
        for (const auto& old : std::exchange(shard->retired, {})) old->end();
        for (const auto& slot : std::exchange(shard->passing, {})) slot->end();
        http = http || !shard->pools.empty();
    }
    co_await from.hop();
    co_await net::Child::farewell(from, kChildrenFarewell);
    for (bool busy = http; busy && std::chrono::steady_clock::now() < until;) {
        co_await from.sleep(net::Millis(10));
        busy = false;
        for (const auto& shard : shards) {
            co_await shard->reactor.hop();
            for (const auto& [name, to] : shard->pools)
                busy = busy || to.pool->connections() > to.pool->idle();
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
            auto& [instances, in_flight] = now[key.first];
            for (const auto& each : slot->leaving) in_flight += each->counters().in_flight;
            if (!slot->upstream) continue;
            in_flight += slot->upstream->counters().in_flight;
            if (slot->upstream->alive()) {
                ++instances;
            } else if (slot->spec->shared) {
                core_->health.down(key.first, slot->upstream->why_ended());
            }
        }
    }
    co_await from.hop();
    std::vector<std::string> names;
    for (const auto& spec : core_->all()) names.push_back(spec->name);
    auto out = core_->health.read(names);
    for (auto& each : out) std::tie(each.instances, each.in_flight) = now[each.server];
    co_return out;
}

}  // namespace writ::mcp
