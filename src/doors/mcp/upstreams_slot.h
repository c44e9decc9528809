// What the parts of Upstreams share: the node's servers, a reactor's shard of instances, and the
// place of one instance with its starts and failures. Inner header of the room.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "doors/mcp/relist_pace.h"
#include "doors/mcp/upstreams.h"
#include "doors/mcp/waiters.h"
#include "net/http_pool.h"

namespace writ::mcp {

using UpstreamPtr = std::shared_ptr<Upstream>;
using SlotPtr = std::shared_ptr<Upstreams::Slot>;
using ShardPtr = std::shared_ptr<Upstreams::Shard>;
using CorePtr = std::shared_ptr<Upstreams::Core>;
struct ListenPlace;
// A server as it was configured when somebody looked; a reload makes another one.
using SpecPtr = std::shared_ptr<const catalog::ServerSpec>;

struct Upstreams::Core {
    // Held while a list is taken in, and while servers are exchanged: no list of a server as it was
    // comes in after it was changed. Before `mutex`.
    std::mutex listing;
    mutable std::mutex mutex;                 // guards servers, epoch and paces; held for moments
    std::vector<SpecPtr> servers;             // in the order of the configuration
    std::map<std::string, RelistPace> paces;  // by server
    std::atomic<std::uint64_t> epoch{1};
    OnTools on_tools;
    UpstreamsOptions options;
    HealthBoard health;
    // Counted down on any thread, also after this is gone.
    std::shared_ptr<std::atomic<std::size_t>> instances =
        std::make_shared<std::atomic<std::size_t>>(0);
    std::atomic<bool> closed{false};

    SpecPtr spec(std::string_view name) const;  // null: no such server
    std::vector<SpecPtr> all() const;
    // Whether `spec` is still how the server is started.
    bool stands(const catalog::ServerSpec& spec) const;
    // A place among instances_max, given back when the last copy goes; null when none is free.
    std::shared_ptr<void> ticket() const;
};

// Everything of one reactor, touched on it only.
struct Upstreams::Shard {
    explicit Shard(net::Reactor& r) : reactor(r) {}
    using Key = std::pair<std::string, TaskId>;  // a nil task: shared
    net::Reactor& reactor;
    std::map<Key, SlotPtr> slots;
    // Connections to an HTTP server are shared by its sessions; each request names its own. By
    // pool_key().
    struct Connections {
        std::shared_ptr<net::HttpPool> pool;
        std::shared_ptr<ListenPlace> place;
    };
    std::map<std::string, Connections, std::less<>> pools;
    // Instances of servers that a reload changed, until their calls have ended.
    std::vector<UpstreamPtr> retired;
    // Instances that were started only to list their tools.
    std::vector<SlotPtr> passing;
    // This reactor's copy of Core::servers.
    std::vector<SpecPtr> servers;
    std::uint64_t seen = 0;

    SpecPtr spec(const Core& core, std::string_view name);  // null: no such server
};

// One (server, task). Touched on its reactor only.
struct Upstreams::Slot {
    using Instant = std::chrono::steady_clock::time_point;
    Slot(ShardPtr s, SpecPtr of)
        : shard(std::move(s)),
          spec(std::move(of)),
          waiting(shard->reactor,
                  fail(ErrorCode::kTimeout, "it was not started in time; nothing was sent")) {}
    net::Reactor& reactor() const { return shard->reactor; }

    ShardPtr shard;
    SpecPtr spec;
    UpstreamPtr upstream;
    std::vector<UpstreamPtr> leaving;  // take no new calls, end with those in flight
    bool starting = false;
    bool released = false;
    Waiters<Result<UpstreamPtr>> waiting;  // for the start under way
    int failures = 0;                      // in a row
    Instant started{}, not_before{};
    bool known = false;       // it was started before
    Instant tools_changed{};  // when the instance last said so
    bool relisting = false;
    double allowance = 0;  // calls of `calls_per_second` that may be made now
    Instant allowed_at{};

    // False when the server's `calls_per_second` is used up.
    bool allow();
    // Makes room for the next instance; calls that this one still has in flight go on.
    void set_aside();
    // Ends the instances for good.
    void end(Parting how = Parting::kAsk);
};

// The instance of `slot`, started if need be. `deadline` and a cancelled conversation end the wait,
// not the start. Errors: as Upstreams::call; nothing was sent.
net::Task<Result<UpstreamPtr>> acquire(CorePtr core, SlotPtr slot, ConversationPtr conversation,
                                       net::Deadline deadline);
// Upstreams::discover, on `shard`.
net::Task<Status> list_once(CorePtr core, ShardPtr shard, SpecPtr spec);
// Lists the tools of an instance and hands them up. Errors: kUnavailable too, when the server is
// configured otherwise by now.
net::Task<Status> list_tools(CorePtr core, UpstreamPtr upstream, SpecPtr spec);

// The tools of the instance may be others now: it is listed as soon as the server's pace allows.
void want_list(const CorePtr& core, const SlotPtr& slot);

// Whether an instance started for one may go on serving the other: only limits that are looked up
// per call, and rules about tools, differ.
bool same_instance(const catalog::ServerSpec& a, const catalog::ServerSpec& b);
// Which connections a server's sessions share.
std::string pool_key(const catalog::ServerSpec& spec);
// Takes no new calls; ends when those in flight have ended, at the latest when all have timed out.
void retire(const CorePtr& core, SlotPtr slot);
// Brings a shard in line with Core::servers. An instance of a server that is gone ends at once.
void adjust(const CorePtr& core, const ShardPtr& shard);

}  // namespace writ::mcp
