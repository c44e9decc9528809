#include "cli/keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "json/value.h"

namespace writ::cli {
namespace {

constexpr std::string_view kTask = "task";
constexpr std::string_view kStanding = "standing";
constexpr std::string_view kInside = "inside";
// A standing names every open session and call of a home, some 400 bytes each.
constexpr std::size_t kMaxStandingBytes = 64 << 20;
constexpr std::size_t kMaxRows = 4 * kMaxTasks;

// Changes with each boot of the machine (random(4)); empty where the kernel does not say.
std::string machine_boot() {
    std::ifstream in("/proc/sys/kernel/random/boot_id");
    std::string text;
    std::getline(in, text);
    return text;
}

std::string task_row(const identity::Task& task, const std::string& boot) {
    json::Node row = json::Node::object();
    row["spec"] = task.spec.to_json();
    row["started_us"] = task.started_us;
    row["deadline_us"] = task.deadline_us;
    row["deadline_boot_us"] = task.deadline_boot_us;
    row["boot"] = boot;
    row["event"] = task.started_event.text();
    if (task.parent) row["parent"] = task.parent->text();
    return row.dump();
}

Result<KeptTask> read_task(const store::Record& record, const std::string& boot) {
    const auto damaged = [&record] {
        return fail(ErrorCode::kCorrupt,
                    fmt::format("the stored task `{}` is damaged: restore the store from a backup",
                                record.key.id));
    };
    const auto body = json::parse(record.value);
    const auto id = TaskId::parse(record.key.id);
    if (!body || !id) return damaged();
    const json::Value root = body->root();
    const auto spec = root.find("spec");
    const auto started = root.i64("started_us");
    const auto deadline = root.i64("deadline_us");
    const auto event = EventId::parse(root.string("event").value_or(""));
    if (!spec || !started || !deadline || !event) return damaged();
    auto read = identity::TaskSpec::from_json(*spec);
    if (!read) return damaged();
    KeptTask out;
    out.id = *id;
    out.parent = TaskId::parse(root.string("parent").value_or(""));
    out.spec = std::move(*read);
    out.started_event = *event;
    out.started_us = *started;
    out.deadline_us = *deadline;
    if (!boot.empty() && root.string("boot") == boot)
        out.deadline_boot_us = root.i64("deadline_boot_us");
    return out;
}

Result<gate::Standing> read_standing(const store::Record& record) {
    const auto body = json::parse(record.value, {.bytes_max = kMaxStandingBytes});
    if (!body) return fail(body.error());
    return gate::Standing::from_json(body->root());
}

}  // namespace

Keeper::Keeper(store::Store& store, std::string tenant, net::Reactor& reactor)
    : store_(store), tenant_(std::move(tenant)), reactor_(reactor), boot_(machine_boot()) {}

Result<Kept> Keeper::load() {
    Kept out;
    const auto tasks = store_.list(tenant_, kTask, "", kMaxRows);
    if (!tasks) return fail(tasks.error());
    for (const auto& record : *tasks) {
        auto task = read_task(record, boot_);
        if (!task) return fail(task.error());
        rows_.insert(task->id);
        out.tasks.emplace(task->id, std::move(*task));
    }
    const auto standings = store_.list(tenant_, kStanding, "", kMaxRows);
    if (!standings) return fail(standings.error());
    bool usable = true;
    for (const auto& record : *standings) {
        standing_rows_.insert(record.key.id);
        auto standing = read_standing(record);
        if (!standing) {
            log::warn("up", "standing {} cannot be read, so the whole log is: {}", record.key.id,
                      standing.error().message());
            usable = false;
        } else {
            out.standings.push_back(std::move(*standing));
        }
    }
    if (!usable) out.standings.clear();
    if (const Status loaded = load_inside(out); !loaded) return fail(loaded.error());
    return out;
}

// Processes of an earlier boot of the machine are gone.
Status Keeper::load_inside(Kept& out) {
    const auto records = store_.list(tenant_, kInside, "", kMaxRows);
    if (!records) return fail(records.error());
    std::vector<store::Change> old;
    for (const auto& record : *records) {
        const auto body = json::parse(record.value);
        const auto id = SessionId::parse(record.key.id);
        auto kin = body ? launch::Kin::from_json(body->root()) : fail(body.error());
        if (!id || !kin) {
            log::warn("up", "what is stored of the processes of session {} cannot be read",
                      record.key.id);
        } else if (!boot_.empty() && body->root().string("boot") != boot_) {
            old.push_back({record.key, std::nullopt, std::nullopt});
        } else {
            out.inside.emplace(*id, *kin);
        }
    }
    return old.empty() ? Status() : store_.apply(tenant_, old);
}

net::Task<Status> Keeper::apply(std::vector<store::Change> changes,
                                std::optional<std::uint64_t> applied) {
    store::Store* store = &store_;
    auto write = [store, tenant = tenant_, changes = std::move(changes), applied] {
        return store->apply(tenant, changes, applied);
    };
    auto writing = reactor_.offload(std::move(write));
    co_return co_await std::move(writing);
}

net::Task<Status> Keeper::keep(identity::TaskPtr task) {
    co_await reactor_.hop();
    std::vector<store::Change> changes;
    changes.push_back(
        {{tenant_, std::string(kTask), task->id.text()}, task_row(*task, boot_), std::nullopt});
    rows_.insert(task->id);
    auto applying = apply(std::move(changes), std::nullopt);
    co_return co_await std::move(applying);
}

net::Task<Status> Keeper::keep_inside(SessionId session, launch::Kin kin) {
    json::Node row = kin.to_json();
    row["boot"] = boot_;
    std::vector<store::Change> changes;
    changes.push_back({{tenant_, std::string(kInside), session.text()}, row.dump(), std::nullopt});
    auto applying = apply(std::move(changes), std::nullopt);
    co_return co_await std::move(applying);
}

net::Task<void> Keeper::forget_inside(SessionId session) {
    std::vector<store::Change> changes;
    changes.push_back(
        {{tenant_, std::string(kInside), session.text()}, std::nullopt, std::nullopt});
    auto applying = apply(std::move(changes), std::nullopt);
    if (const Status done = co_await std::move(applying); !done)
        log::warn("up", "the processes of session {} stay stored: {}", session.text(),
                  done.error().message());
}

net::Task<Status> Keeper::save(std::vector<gate::Standing> standings,
                               std::function<bool(const TaskId&)> dead) {
    std::set<TaskId> standing;
    std::set<std::string> names;
    std::uint64_t applied = standings.empty() ? 0 : standings.front().from;
    for (std::size_t i = 0; i < standings.size(); ++i) {
        names.insert(std::to_string(i));
        applied = std::min(applied, standings[i].from);
        for (const auto& task : standings[i].tasks) standing.insert(task.id);
    }
    std::vector<store::Change> changes;
    std::vector<TaskId> gone;
    for (const TaskId& id : rows_) {
        if (standing.contains(id) || !dead(id)) continue;
        gone.push_back(id);
        changes.push_back({{tenant_, std::string(kTask), id.text()}, std::nullopt, std::nullopt});
    }
    for (const std::string& name : standing_rows_)
        if (!names.contains(name))
            changes.push_back(
                {{tenant_, std::string(kStanding), name}, std::nullopt, std::nullopt});
    // The rendering of many sessions is work for the pool as well.
    store::Store* store = &store_;
    auto write = [store, tenant = tenant_, changes = std::move(changes), applied,
                  standings = std::move(standings)]() mutable {
        for (std::size_t i = 0; i < standings.size(); ++i)
            changes.push_back({{tenant, std::string(kStanding), std::to_string(i)},
                               standings[i].to_json().dump(),
                               std::nullopt});
        return store->apply(tenant, changes, applied);
    };
    auto writing = reactor_.offload(std::move(write));
    const Status done = co_await std::move(writing);
    if (!done) co_return done;
    for (const TaskId& id : gone) rows_.erase(id);
    standing_rows_ = std::move(names);
    co_return done;
}

}  // namespace writ::cli
