// The running tool servers of this node: one instance (a child process, or a session of an HTTP
// server) per (server, task), or one for all tasks where the operator declared it shared. An
// instance is started by the first call that needs it, on the task's home reactor, and ends with
// the task.
//
// A start that fails, or an instance that ends within a minute, makes the next start wait:
// exponential, capped, with jitter, forgiven after a healthy minute. A call that comes meanwhile
// waits if the wait is short and is refused otherwise; nothing was sent then. What was in flight
// when an instance ended is never made again.
//
// watch() starts every server once so that its tools are known, in parallel and in the background:
// a server that is down delays nothing, and its tools appear when it answers.
//
// Every reactor has a shard that only it touches; nothing on a call's way locks.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
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
#include "doors/mcp/upstream_health.h"
#include "identity/types.h"
#include "json/value.h"
#include "net/reactor.h"
#include "net/task.h"

namespace writ::mcp {

// Instances of this node. A child costs tens of MiB, so memory ends before descriptors do.
inline constexpr std::size_t kMaxInstances = 512;
// A life this long forgives earlier failures.
inline constexpr std::chrono::seconds kHealthyLife{60};
// The longest wait between two starts of a server that keeps failing.
inline constexpr net::Millis kMaxBackoff{60'000};
// A call waits for a start that is this near; for a later one it is refused.
inline constexpr net::Millis kBackoffPatience{2'000};
// Between two listings of a server that says its tools changed, and of one that keeps saying so.
inline constexpr net::Millis kRelistInterval{1'000};
inline constexpr net::Millis kMaxRelistInterval{60'000};
// How long watch() waits for first answers, so that the tools of servers that are well are there
// when the first agent asks.
inline constexpr net::Millis kFirstListing{5'000};

struct UpstreamsOptions {
    std::size_t instances_max = kMaxInstances;
    net::Millis restart_backoff{200};               // the first wait; doubles
    net::Millis relist_interval = kRelistInterval;  // doubles
    net::Millis relist_interval_max = kMaxRelistInterval;
    UpstreamOptions upstream;  // timeouts and version; its callbacks are set here
    // Where names of ServerSpec::env, bearer_env and header_env are looked up; default: the
    // gateway's own environment.
    std::function<std::optional<std::string>(const std::string&)> environment;
};

// How the instances of a task end: asked to go, with a few seconds to tidy up, or cut off at once.
enum class Parting : std::uint8_t { kAsk, kCut };
// A task that has ended or expired is over, and its servers may finish what they were asked for.
// One that was revoked, by itself or with an ancestor, must not have anything more done for it.
Parting parting_of(const identity::Task& task);

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
    // reactor it was awaited on, which is the conversation's too. The server's own `timeout`, if it
    // has one, replaces the caller's; either covers the start. Errors: kNotFound (no such server),
    // kExhausted (kMaxInstances, `in_flight`, `calls_per_second`), kUnavailable, kTimeout,
    // kCancelled and the others of Upstream::call.
    net::Task<Result<Reply>> call(Target target, Outbound outbound);

    // Starts the server, lists its tools and hands them to OnTools. A shared instance is kept, any
    // other is ended. Errors: kNotFound, kExhausted, what starting and listing can say, OnTools's.
    net::Task<Status> discover(std::string server);
    // Discovers every server in parallel, and again, with growing pauses, those that fail. Returns
    // when each of `awaited` (default: all) has been tried once or `patience` is over, whichever is
    // first; the rest goes on by itself until close(). On the first reactor.
    net::Task<void> watch(net::Millis patience = kFirstListing,
                          std::optional<std::vector<std::string>> awaited = std::nullopt);
    // Other servers from now on. `meanwhile` runs at a moment when no list of a server as it was
    // can come in any more: the catalog's turn. Limits apply from the next call on; what a server
    // that is gone had running ends at once, what a server that is started otherwise had running
    // ends when its calls have ended. New and changed servers are discovered. Returns at once.
    // Thread: the first reactor's.
    void reconfigure(std::vector<catalog::ServerSpec> servers,
                     const std::function<void()>& meanwhile);

    // Ends the task's instances, also one that is starting, and forgets its failures. Returns at
    // once; those of this thread's reactor have been told by then. To be called when the task is
    // dead, so that the gate admits no call that would start another. Thread: any.
    void release(const TaskId& task, Parting how);
    // Ends all instances and starts none any more. Waits a moment for sessions to be deleted and,
    // two seconds at most, for children to go; to be called at the process's end, which kills those
    // that are left. Thread: any reactor's.
    net::Task<void> close();

    // Every server in the order of the configuration. Resumes where it was awaited, one of our
    // reactors.
    net::Task<std::vector<ServerHealth>> health();
    std::size_t instances() const;  // running now. Thread: any
    // The reactor of the calling thread; a broken invariant if it is none of ours.
    net::Reactor& here() const;

    struct Core;
    struct Slot;
    struct Shard;

  private:
    Shard& shard_of(const net::Reactor& reactor) const;
    std::shared_ptr<Slot> slot_for(Shard& shard,
                                   const std::shared_ptr<const catalog::ServerSpec>& spec,
                                   const TaskId& task);

    std::shared_ptr<Core> core_;
    std::vector<std::shared_ptr<Shard>> shards_;  // fixed at construction
};

}  // namespace writ::mcp
