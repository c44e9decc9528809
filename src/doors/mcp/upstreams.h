// The running tool servers of this node: one instance per (server, task), or one for all tasks
// where the operator declared it shared. An instance is started by the first call that needs it, on
// the task's home reactor, and ends with the task; one that died is started again by a later call,
// a bounded number of times.
//
// Every reactor has a shard that only it touches; nothing here locks.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "catalog/catalog.h"
#include "doors/mcp/upstream.h"
#include "json/value.h"
#include "net/reactor.h"
#include "net/task.h"

namespace writ::mcp {

// Child processes of this node. Each costs tens of MiB, so memory ends before descriptors do.
inline constexpr std::size_t kMaxInstances = 512;
// Starts of an instance that keeps dying, within one task; a minute of life forgives earlier ones.
inline constexpr int kMaxRestarts = 5;
inline constexpr std::chrono::seconds kHealthyLife{60};
// One re-listing per second is enough for a server that keeps saying its tools changed.
inline constexpr net::Millis kRelistInterval{1'000};

struct UpstreamsOptions {
    std::size_t instances_max = kMaxInstances;
    net::Millis restart_backoff{200};  // doubles with each restart, at most 16 times
    net::Millis relist_interval = kRelistInterval;
    UpstreamOptions upstream;  // timeouts and version; its callbacks are set here
    // Where names of ServerSpec::env are looked up; default: the gateway's own environment.
    std::function<std::optional<std::string>(const std::string&)> environment;
};

// Where one call goes.
struct Target {
    std::string server;
    TaskId task;
    net::Reactor* home = nullptr;  // of the task's tree
};

class Upstreams {
  public:
    // Takes what a server lists, e.g. into the catalog. Runs on a reactor; must not block.
    using OnTools = std::function<Status(const std::string& server, const json::Value& tools)>;

    // `reactors` (at least one) must outlive it; shared instances live on the first. Destroy it
    // after close() has been awaited, or when the reactors have stopped.
    Upstreams(std::vector<net::Reactor*> reactors, std::vector<catalog::ServerSpec> servers,
              OnTools on_tools, UpstreamsOptions options = {});
    ~Upstreams();

    // One tools/call, on whichever instance serves `target`; started if need be. Resumes on the
    // reactor it was awaited on, which is the conversation's too. Errors: kNotFound (no such
    // server), kExhausted (kMaxInstances), kUnavailable, kTimeout, kCancelled and the others of
    // Upstream::call.
    net::Task<Result<Reply>> call(Target target, Outbound outbound);

    // Starts the server, lists its tools and hands them to OnTools. A shared instance is kept, any
    // other is ended. Errors: kNotFound, kExhausted, what starting and listing can say, OnTools's.
    net::Task<Status> discover(std::string server);

    // Ends the task's instances, also one that is starting, and forgets its restarts. Returns at
    // once. To be called when the task is dead, so that the gate admits no call that would start
    // another. Thread: any.
    void release(const TaskId& task);
    // Ends all instances and starts none any more. Thread: any reactor's.
    net::Task<void> close();

    std::size_t instances() const;  // running now. Thread: any
    // The reactor of the calling thread; a broken invariant if it is none of ours.
    net::Reactor& here() const;

  private:
    struct Core;
    struct Slot;
    struct Shard;
    using UpstreamPtr = std::shared_ptr<Upstream>;
    using Key = std::pair<std::string, TaskId>;  // a nil task: shared

    Shard& shard_of(const net::Reactor& reactor) const;
    static net::Task<Result<UpstreamPtr>> acquire(std::shared_ptr<Core> core,
                                                  std::shared_ptr<Slot> slot);
    static net::Task<Result<UpstreamPtr>> launch(std::shared_ptr<Core> core,
                                                 std::shared_ptr<Slot> slot);
    static net::Task<Status> list(std::shared_ptr<Core> core, UpstreamPtr upstream);
    static net::Task<void> relist(std::shared_ptr<Core> core, std::shared_ptr<Slot> slot);
    static void end(Slot& slot);

    std::shared_ptr<Core> core_;
    std::vector<std::shared_ptr<Shard>> shards_;  // fixed at construction
};

}  // namespace writ::mcp
