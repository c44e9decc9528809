#include "doors/mcp/upstreams.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "doors/mcp/upstream_stdio.h"

namespace writ::mcp {

struct Upstreams::Core {
    std::vector<catalog::ServerSpec> servers;
    OnTools on_tools;
    UpstreamsOptions options;
    std::atomic<std::size_t> instances{0};
    std::atomic<bool> closed{false};

    const catalog::ServerSpec* spec(std::string_view name) const {
        const auto it = std::ranges::find(servers, name, &catalog::ServerSpec::name);
        return it == servers.end() ? nullptr : &*it;
    }
    // A place among instances_max, given back when the last copy goes; null when none is free.
    std::shared_ptr<void> ticket(const std::shared_ptr<Core>& self) {
        if (instances.fetch_add(1) >= options.instances_max) {
            instances.fetch_sub(1);
            return nullptr;
        }
        return {this, [self](void*) { self->instances.fetch_sub(1); }};
    }
};

// One (server, task). Touched on its reactor only.
struct Upstreams::Slot {
    Slot(net::Reactor& r, const catalog::ServerSpec& s) : reactor(r), spec(s) {}
    net::Reactor& reactor;
    const catalog::ServerSpec& spec;  // of Core::servers
    UpstreamPtr upstream;
    bool starting = false;
    bool released = false;
    std::vector<net::Promise<Result<UpstreamPtr>>> waiting;  // for the start under way
    int restarts = -1;                                       // -1: never started
    std::chrono::steady_clock::time_point started;
    bool relisting = false, relist_again = false;
};

struct Upstreams::Shard {
    explicit Shard(net::Reactor& r) : reactor(r) {}
    net::Reactor& reactor;
    std::map<Key, std::shared_ptr<Slot>> slots;
};

Upstreams::Upstreams(std::vector<net::Reactor*> reactors, std::vector<catalog::ServerSpec> servers,
                     OnTools on_tools, UpstreamsOptions options)
    : core_(std::make_shared<Core>()) {
    WRIT_CHECK(!reactors.empty());
    core_->servers = std::move(servers);
    core_->on_tools = std::move(on_tools);
    core_->options = std::move(options);
    if (!core_->options.environment)
        core_->options.environment = [](const std::string& name) -> std::optional<std::string> {
            const char* value = std::getenv(name.c_str());
            return value == nullptr ? std::nullopt : std::optional<std::string>(value);
        };
    for (auto* reactor : reactors) shards_.push_back(std::make_shared<Shard>(*reactor));
}

Upstreams::~Upstreams() = default;

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

net::Task<Result<Reply>> Upstreams::call(Target target, Outbound outbound) {
    const auto* spec = core_->spec(target.server);
    if (spec == nullptr)
        co_return fail(ErrorCode::kNotFound, fmt::format("no tool server `{}`", target.server));
    net::Reactor& from = here();
    Shard& shard = spec->shared ? *shards_.front() : shard_of(*target.home);
    const ConversationPtr conversation = outbound.conversation;
    if (conversation) conversation->begin(shard.reactor);
    co_await shard.reactor.hop();
    const Key key{spec->name, spec->shared ? TaskId{} : target.task};
    auto& place = shard.slots[key];
    if (!place) place = std::make_shared<Slot>(shard.reactor, *spec);
    const std::shared_ptr<Slot> slot = place;
    auto upstream = co_await acquire(core_, slot);
    Result<Reply> reply = fail(Error{});
    if (upstream)
        reply = co_await (*upstream)->call(std::move(outbound));
    else
        reply = fail(upstream.error());
    co_await from.hop();
    if (conversation) conversation->end();
    co_return reply;
}

net::Task<Result<Upstreams::UpstreamPtr>> Upstreams::acquire(std::shared_ptr<Core> core,
                                                             std::shared_ptr<Slot> slot) {
    if (slot->released || core->closed)
        co_return fail(ErrorCode::kUnavailable, "its task has ended; nothing was sent");
    if (slot->upstream && slot->upstream->alive()) co_return slot->upstream;
    if (slot->starting) {
        net::Promise<Result<UpstreamPtr>> turn(slot->reactor);
        slot->waiting.push_back(turn);
        auto started = co_await turn.wait();
        co_return started;
    }
    slot->starting = true;
    auto started = co_await launch(core, slot);
    slot->starting = false;
    if (started && (slot->released || core->closed)) {  // released while it started
        (*started)->end();
        started = fail(ErrorCode::kUnavailable, "its task has ended; nothing was sent");
    }
    slot->upstream = started ? *started : nullptr;
    for (const auto& turn : std::exchange(slot->waiting, {})) turn.set(started);
    co_return started;
}

net::Task<Result<Upstreams::UpstreamPtr>> Upstreams::launch(std::shared_ptr<Core> core,
                                                            std::shared_ptr<Slot> slot) {
    const auto& options = core->options;
    if (slot->restarts >= 0 && std::chrono::steady_clock::now() - slot->started > kHealthyLife)
        slot->restarts = -1;
    if (slot->restarts >= kMaxRestarts)
        co_return fail(ErrorCode::kUnavailable,
                       fmt::format("it failed {} times and is not started again for now; nothing "
                                   "was sent",
                                   kMaxRestarts + 1));
    if (++slot->restarts > 0)
        co_await slot->reactor.sleep(options.restart_backoff *
                                     (1 << std::min(slot->restarts - 1, 4)));
    auto ticket = core->ticket(core);
    if (!ticket)
        co_return fail(ErrorCode::kExhausted,
                       fmt::format("{} tool servers are running (kMaxInstances); nothing was sent",
                                   options.instances_max));
    slot->started = std::chrono::steady_clock::now();
    UpstreamOptions one = options.upstream;
    one.ticket = std::move(ticket);
    one.shared = slot->spec.shared;
    one.on_tools_changed = [core, weak = std::weak_ptr<Slot>(slot)] {
        const auto changed = weak.lock();
        if (!changed || changed->released) return;
        if (changed->relisting) {
            changed->relist_again = true;
            return;
        }
        changed->relisting = true;
        changed->reactor.spawn(relist(core, changed));
    };
    net::ChildSpec child;
    child.argv = slot->spec.command;
    child.env = child_environment(slot->spec, options.environment);
    child.cwd = slot->spec.cwd;
    std::string name = slot->spec.name;
    auto started = co_await StdioUpstream::start(slot->reactor, std::move(name), std::move(child),
                                                 std::move(one));
    if (!started) {
        log::warn("mcp", "{}", started.error().detail);
        co_return fail(started.error());
    }
    co_return UpstreamPtr(std::move(*started));
}

net::Task<Status> Upstreams::list(std::shared_ptr<Core> core, UpstreamPtr upstream) {
    const auto text = co_await upstream->list_tools();
    if (!text) co_return fail(text.error().in(upstream->server()));
    const auto document = json::parse(*text, {.bytes_max = kMaxUpstreamMessageBytes + 16});
    if (!document) co_return fail(document.error().in(upstream->server()));
    co_return core->on_tools(upstream->server(), document->root());
}

// Lists again after `tools/list_changed`, at most once per interval however often it is said.
net::Task<void> Upstreams::relist(std::shared_ptr<Core> core, std::shared_ptr<Slot> slot) {
    do {
        slot->relist_again = false;
        const auto upstream = slot->upstream;
        if (upstream && upstream->alive()) {
            const Status listed = co_await list(core, upstream);
            if (!listed) log::warn("mcp", "{}", listed.error().detail);
        }
        co_await slot->reactor.sleep(core->options.relist_interval);
    } while (slot->relist_again && !slot->released && !core->closed);
    slot->relisting = false;
}

net::Task<Status> Upstreams::discover(std::string server) {
    const auto* spec = core_->spec(server);
    if (spec == nullptr)
        co_return fail(ErrorCode::kNotFound, fmt::format("no tool server `{}`", server));
    net::Reactor& from = here();
    Shard& shard = *shards_.front();
    co_await shard.reactor.hop();
    std::shared_ptr<Slot> slot;
    if (spec->shared) {
        auto& place = shard.slots[Key{spec->name, TaskId{}}];
        if (!place) place = std::make_shared<Slot>(shard.reactor, *spec);
        slot = place;
    } else {
        slot = std::make_shared<Slot>(shard.reactor, *spec);
    }
    const auto upstream = co_await acquire(core_, slot);
    Status status;
    if (upstream)
        status = co_await list(core_, *upstream);
    else
        status = fail(upstream.error());
    if (!spec->shared) end(*slot);
    co_await from.hop();
    co_return status;
}

void Upstreams::end(Slot& slot) {
    slot.released = true;
    if (slot.upstream) slot.upstream->end();
    slot.upstream.reset();
}

void Upstreams::release(const TaskId& task) {
    for (const auto& shard : shards_) {
        shard->reactor.post([shard, task] {
            std::erase_if(shard->slots, [&](const auto& entry) {
                if (entry.first.second != task || task.is_nil()) return false;
                end(*entry.second);
                return true;
            });
        });
    }
}

net::Task<void> Upstreams::close() {
    net::Reactor& from = here();
    core_->closed = true;
    const auto shards = shards_;
    for (const auto& shard : shards) {
        co_await shard->reactor.hop();
        for (const auto& [key, slot] : shard->slots) end(*slot);
        shard->slots.clear();
    }
    co_await from.hop();
}

}  // namespace writ::mcp
