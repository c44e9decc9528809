// Starts of instances: who waits for one, how long after a failure, and what it needs.
#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "base/log.h"
#include "doors/mcp/upstream_http.h"
#include "doors/mcp/upstream_stdio.h"
#include "doors/mcp/upstreams_slot.h"

namespace writ::mcp {

namespace {

using Instant = std::chrono::steady_clock::time_point;

// The wait after `failures` in a row: base, 2 base, 4 base … at most kMaxBackoff, off by up to a
// quarter, so that what failed together does not come back together.
net::Millis backoff(net::Millis base, int failures) {
    thread_local std::minstd_rand dice(std::random_device{}());
    const auto full = std::min(base * (std::int64_t{1} << std::clamp(failures - 1, 0, 16)),
                               net::Millis(kMaxBackoff));
    const auto off =
        std::uniform_int_distribution<std::int64_t>(-full.count() / 4, full.count() / 4)(dice);
    return full + net::Millis(off);
}

// A start failed, or an instance ended by itself.
void note_failure(const CorePtr& core, const SlotPtr& slot, std::string_view why) {
    const auto now = std::chrono::steady_clock::now();
    if (now - slot->started > kHealthyLife) slot->failures = 0;
    ++slot->failures;
    const auto wait = backoff(core->options.restart_backoff, slot->failures);
    slot->not_before = now + wait;
    core->health.failed(slot->spec->name, why, wait.count());
}

UpstreamOptions options_for(const CorePtr& core, const SlotPtr& slot,
                            std::shared_ptr<void> ticket) {
    UpstreamOptions out = core->options.upstream;
    out.ticket = std::move(ticket);
    out.shared = slot->spec->shared;
    if (slot->spec->in_flight > 0) out.in_flight_max = slot->spec->in_flight;
    out.on_tools_changed = [core, weak = std::weak_ptr(slot)] {
        if (const auto changed = weak.lock()) want_list(core, changed);
    };
    return out;
}

// The fields that carry the operator's credentials. Errors: kNotFound (a variable is not set).
Result<net::Headers> credentials(const catalog::ServerSpec& spec, const UpstreamsOptions& options) {
    net::Headers out;
    const auto lookup = [&](const std::string& name) -> Result<std::string> {
        auto value = options.environment(name);
        if (value && !value->empty()) return std::move(*value);
        return fail(ErrorCode::kNotFound,
                    fmt::format("tool server `{}` needs the environment variable `{}`, which is "
                                "not set for the gateway",
                                spec.name, name));
    };
    if (!spec.bearer_env.empty()) {
        const auto token = lookup(spec.bearer_env);
        if (!token) return fail(token.error());
        out.add("Authorization", "Bearer " + *token);
    }
    for (const auto& [field, variable] : spec.header_env) {
        auto value = lookup(variable);
        if (!value) return fail(value.error());
        out.add(field, std::move(*value));
    }
    return out;
}

net::Task<Result<UpstreamPtr>> start_http(CorePtr core, SlotPtr slot, UpstreamOptions options) {
    const SpecPtr kept = slot->spec;
    const catalog::ServerSpec& spec = *kept;
    auto url = net::Url::parse(spec.url);
    if (!url) co_return fail(url.error());
    auto fields = credentials(spec, core->options);
    if (!fields) co_return fail(fields.error());
    HttpUpstream::Where where;
    where.target = url->target;
    where.fields = std::move(*fields);
    if (const auto known = slot->shard->pools.find(pool_key(spec));
        known != slot->shard->pools.end()) {
        where.pool = known->second.pool;
        where.place = known->second.place;
    } else {
        // Certificates are read from the disk.
        net::Reactor* reactor = &slot->reactor();
        net::HttpPoolOptions pool;
        pool.ca_file = spec.ca_file;
        auto make = [reactor, url = std::move(*url), pool = std::move(pool)] {
            return net::HttpPool::make(*reactor, url, pool);
        };
        auto made = co_await reactor->offload(std::move(make));
        if (!made) co_return fail(made.error());
        Upstreams::Shard::Connections mine{std::move(*made), where.place};
        const auto& all = slot->shard->pools.emplace(pool_key(spec), std::move(mine)).first->second;
        where.pool = all.pool;
        where.place = all.place;
    }
    std::string name = spec.name;
    auto started = co_await HttpUpstream::start(slot->reactor(), std::move(name), std::move(where),
                                                std::move(options));
    if (!started) co_return fail(started.error());
    co_return UpstreamPtr(std::move(*started));
}

net::Task<Result<UpstreamPtr>> start_stdio(CorePtr core, SlotPtr slot, UpstreamOptions options) {
    net::ChildSpec child;
    child.argv = slot->spec->command;
    child.env = child_environment(*slot->spec, core->options.environment);
    child.cwd = slot->spec->cwd;
    std::string name = slot->spec->name;
    auto started = co_await StdioUpstream::start(slot->reactor(), std::move(name), std::move(child),
                                                 std::move(options));
    if (!started) co_return fail(started.error());
    co_return UpstreamPtr(std::move(*started));
}

net::Task<Result<UpstreamPtr>> launch(CorePtr core, SlotPtr slot) {
    const auto wait = slot->not_before - std::chrono::steady_clock::now();
    if (wait > Instant::duration::zero())
        co_await slot->reactor().sleep(std::chrono::ceil<net::Millis>(wait));
    auto ticket = core->ticket();
    if (!ticket)
        co_return fail(ErrorCode::kExhausted,
                       fmt::format("{} tool servers are running (kMaxInstances); nothing was sent",
                                   core->options.instances_max));
    if (slot->failures > 0) core->health.restarted(slot->spec->name);
    slot->started = std::chrono::steady_clock::now();
    UpstreamOptions options = options_for(core, slot, std::move(ticket));
    Result<UpstreamPtr> started = fail(Error{});
    if (slot->spec->url.empty())
        started = co_await start_stdio(core, slot, std::move(options));
    else
        started = co_await start_http(core, slot, std::move(options));
    if (started) {
        core->health.up(slot->spec->name);
    } else {
        log::warn("mcp", "{}", started.error().detail);
        note_failure(core, slot, started.error().detail);
    }
    co_return started;
}

// The start that everybody waits for.
net::Task<void> start(CorePtr core, SlotPtr slot) {
    auto started = co_await launch(core, slot);
    slot->starting = false;
    if (started && (slot->released || core->closed)) {  // released while it started
        (*started)->end();
        started = fail(ErrorCode::kUnavailable, "its task has ended; nothing was sent");
    }
    slot->upstream = started ? *started : nullptr;
    // What was started again may be another version; a task's own is listed by watch() only.
    if (started && std::exchange(slot->known, true) && slot->spec->shared) want_list(core, slot);
    slot->waiting.set(started);
}

}  // namespace

std::shared_ptr<void> Upstreams::Core::ticket() const {
    if (instances->fetch_add(1) >= options.instances_max) {
        instances->fetch_sub(1);
        return nullptr;
    }
    return {instances.get(), [count = instances](void*) { count->fetch_sub(1); }};
}

net::Task<Result<UpstreamPtr>> acquire(CorePtr core, SlotPtr slot, ConversationPtr conversation,
                                       net::Deadline deadline) {
    if (slot->released || core->closed)
        co_return fail(ErrorCode::kUnavailable, "its task has ended; nothing was sent");
    if (slot->upstream && slot->upstream->alive()) co_return slot->upstream;
    if (!slot->starting) {
        if (slot->upstream) {  // it ended by itself
            note_failure(core, slot, slot->upstream->why_ended());
            slot->set_aside();
        }
        const auto wait = slot->not_before - std::chrono::steady_clock::now();
        if (wait > kBackoffPatience)
            co_return fail(
                ErrorCode::kUnavailable,
                fmt::format("it failed {} times in a row and is not started again for {} s; "
                            "nothing was sent",
                            slot->failures, std::chrono::ceil<std::chrono::seconds>(wait).count()));
        slot->starting = true;
        slot->reactor().spawn(start(core, slot));
    }
    if (slot->waiting.size() >= kMaxInFlight)
        co_return fail(ErrorCode::kExhausted,
                       "too many calls wait for its start; nothing was sent");
    const auto turn = slot->waiting.add(deadline);
    if (conversation)
        conversation->bind([turn](const std::string&) {
            turn.set(fail(ErrorCode::kCancelled, "cancelled; nothing was sent"));
        });
    auto started = co_await turn.wait();
    if (conversation) conversation->bind(nullptr);
    co_return started;
}

net::Task<Status> list_once(CorePtr core, ShardPtr shard, SpecPtr spec) {
    SlotPtr slot;
    if (spec->shared) {
        auto& place = shard->slots[Upstreams::Shard::Key{spec->name, TaskId{}}];
        if (!place) place = std::make_shared<Upstreams::Slot>(shard, spec);
        slot = place;
    } else {
        slot = std::make_shared<Upstreams::Slot>(shard, spec);
        shard->passing.push_back(slot);
    }
    const auto upstream = co_await acquire(core, slot, nullptr, net::Deadline::max());
    Status status;
    if (upstream)
        status = co_await list_tools(core, *upstream, spec);
    else
        status = fail(upstream.error());
    if (!spec->shared) {
        slot->end();
        std::erase(shard->passing, slot);
    }
    co_return status;
}

net::Task<Status> list_tools(CorePtr core, UpstreamPtr upstream, SpecPtr spec) {
    const auto text = co_await upstream->list_tools();
    if (!text) co_return fail(text.error().in(upstream->server()));
    const auto document = json::parse(*text, {.bytes_max = kMaxUpstreamMessageBytes + 16});
    if (!document) co_return fail(document.error().in(upstream->server()));
    const std::lock_guard listing(core->listing);
    if (!core->stands(*spec))
        co_return fail(ErrorCode::kUnavailable, spec->name + ": it is configured otherwise by now");
    co_return core->on_tools(upstream->server(), document->root());
}

}  // namespace writ::mcp
