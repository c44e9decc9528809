// What the parts of Upstreams share: the node's servers, a reactor's shard of instances, and the
// place of one instance with its starts and failures. Inner header of the room.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "doors/mcp/upstreams.h"
#include "net/http_pool.h"

namespace writ::mcp {

using UpstreamPtr = std::shared_ptr<Upstream>;
using SlotPtr = std::shared_ptr<Upstreams::Slot>;
using ShardPtr = std::shared_ptr<Upstreams::Shard>;
using CorePtr = std::shared_ptr<Upstreams::Core>;

struct Upstreams::Core {
    std::vector<catalog::ServerSpec> servers;
    OnTools on_tools;
    UpstreamsOptions options;
    HealthBoard health;
    std::atomic<std::size_t> instances{0};
    std::atomic<bool> closed{false};

    const catalog::ServerSpec* spec(std::string_view name) const;
    // A place among instances_max, given back when the last copy goes; null when none is free.
    static std::shared_ptr<void> ticket(const CorePtr& self);
};

// Everything of one reactor, touched on it only.
struct Upstreams::Shard {
    explicit Shard(net::Reactor& r) : reactor(r) {}
    using Key = std::pair<std::string, TaskId>;  // a nil task: shared
    net::Reactor& reactor;
    std::map<Key, SlotPtr> slots;
    // Connections to an HTTP server are shared by its sessions; each request names its own.
    std::map<std::string, std::shared_ptr<net::HttpPool>, std::less<>> pools;
};

// One (server, task). Touched on its reactor only.
struct Upstreams::Slot {
    using Instant = std::chrono::steady_clock::time_point;
    Slot(ShardPtr s, const catalog::ServerSpec& of) : shard(std::move(s)), spec(of) {}
    net::Reactor& reactor() const { return shard->reactor; }

    ShardPtr shard;
    const catalog::ServerSpec& spec;  // of Core::servers
    UpstreamPtr upstream;
    bool starting = false;
    bool released = false;
    std::vector<net::Promise<Result<UpstreamPtr>>> waiting;  // for the start under way
    int failures = 0;                                        // in a row
    Instant started{}, not_before{};
    bool relisting = false, relist_again = false;
    double allowance = 0;  // calls of `calls_per_second` that may be made now
    Instant allowed_at{};

    // False when the server's `calls_per_second` is used up.
    bool allow(Instant now);
    // Ends the instance for good.
    void end();
};

// The instance of `slot`, started if need be. A cancelled conversation ends the wait. Errors: as
// Upstreams::call; nothing was sent.
net::Task<Result<UpstreamPtr>> acquire(CorePtr core, SlotPtr slot, ConversationPtr conversation);
// Upstreams::discover, on `shard`.
net::Task<Status> list_once(CorePtr core, ShardPtr shard, const catalog::ServerSpec* spec);
// Lists the tools of an instance and hands them up.
net::Task<Status> list_tools(CorePtr core, UpstreamPtr upstream);

}  // namespace writ::mcp
