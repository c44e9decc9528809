// `writ reload` and SIGHUP (docs/architecture.md, section 5): everything is read and checked beside
// what is in force, then recorded, then put in force at once. Before the record nothing was
// touched; after it nothing can fail.
//
// A call is decided under the engine it met, which carries its own catalog: by the old rules or by
// the new ones. What was decided by the old ones and has not left yet is decided anew
// (gate::decide_anew).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/check.h"
#include "base/inert.h"
#include "base/log.h"
#include "cli/idle_rules.h"
#include "cli/lent.h"
#include "cli/node_parts.h"
#include "cli/policy_files.h"
#include "cli/reload.h"

namespace writ::cli {

namespace {

constexpr net::Millis kTurnPoll{20};
// A reload waits this long for the one before it.
constexpr std::int64_t kTurnPatience_us = 60'000'000;
// Entries of `what` in one event.
constexpr std::size_t kMaxListed = 64;

}  // namespace

// Everything that a reload puts in force, made and checked.
struct Node::Impl::Candidate {
    Config config;
    Difference difference;
    PolicyTexts files;
    std::vector<std::string> what;  // all that changes
    catalog::Catalog::Plan plan;
    std::shared_ptr<const policy::Engine> engine;  // over plan.snapshot
    std::shared_ptr<const gate::Secrets> lent;
    std::vector<std::string> warnings;
    bool rules_change = false;  // policies, or the agents' facts that they read
};

// Reads and checks; changes nothing. Blocks: on the pool. Errors: kInvalid, kNotFound, kTooLarge
// with their place; kConflict (needs a restart).
Result<std::shared_ptr<Node::Impl::Candidate>> Node::Impl::prepare_reload() const {
    auto out = std::make_shared<Candidate>();
    auto next = load_config(config.file);
    if (!next) return fail(next.error());
    Config now = as_read;
    // `127.0.0.1:0` and the port that the kernel chose for it are the same listener.
    if (next->agents_listen == config.agents_listen) now.agents_listen = next->agents_listen;
    out->difference = difference(now, *next);
    if (!out->difference.restarts.empty())
        return fail(ErrorCode::kConflict, fmt::format("needs a restart: {}; nothing was changed",
                                                      fmt::join(out->difference.restarts, ", ")));
    auto secrets = lent_secrets(next->servers);
    if (!secrets) return fail(secrets.error());
    out->lent = std::move(*secrets);
    auto files = load_policies(next->policies);
    if (!files) return fail(files.error());
    out->files = std::move(*files);
    auto planned = catalog->plan(next->servers, next->domains, out->difference.restarted_servers);
    if (!planned) return fail(planned.error());
    out->plan = std::move(*planned);
    policy::EngineOptions names;
    for (const auto& server : next->servers) names.servers.push_back(server.name);
    for (const auto& domain : next->domains) names.domains.push_back(domain.domain);
    std::vector<std::shared_ptr<const identity::Agent>> registered;
    for (const auto& agent : next->agents)
        registered.push_back(std::make_shared<const identity::Agent>(agent));
    auto made = policy::Engine::make(out->files, registered, out->plan.expected, names);
    if (!made) return fail(made.error());
    out->engine = (*made)->with(out->plan.snapshot);
    if (!out->engine) return fail(ErrorCode::kInternal, "the policies cannot be made ready");
    if (const auto wrong = out->engine->report().error()) return fail(*wrong);
    // Of servers that have not answered only what was accepted once is known: a warning, since they
    // may offer something else by now. What does not fit then is forbidden.
    for (const auto& finding : (*made)->report().findings)
        if (finding.level != policy::Level::kNote)
            out->warnings.push_back(inert(finding.text(), 500));
    for (const auto& server : next->servers) {
        std::vector<std::string> listed;
        for (const auto& tool : out->plan.expected->tools())
            if (tool->server == server.name) listed.push_back(tool->name);
        for (auto& line : idle_rules(server, listed)) out->warnings.push_back(std::move(line));
    }
    out->what = policy_difference(policy_files, out->files);
    out->rules_change = !out->what.empty() || as_read.agents != next->agents;
    out->what.insert(out->what.end(), out->difference.reloads.begin(),
                     out->difference.reloads.end());
    out->config = std::move(*next);
    return out;
}

// Errors: kUnavailable (not recorded: nothing may change).
net::Task<Status> Node::Impl::record_reload(std::shared_ptr<const Candidate> next,
                                            evidence::Actor by, std::string reason) {
    evidence::Draft changed;
    changed.type = "config.changed";
    changed.actor = by;
    changed.data["digest"] = digest_text(next->config.digest);
    changed.data["previous"] = digest_text(as_read.digest);
    changed.data["reason"] = reason;
    changed.data["what"] = json::Node::array();
    for (std::size_t i = 0; i < std::min(next->what.size(), kMaxListed); ++i)
        changed.data["what"].push_back(next->what[i]);
    if (next->what.size() > kMaxListed)
        changed.data["what"].push_back(fmt::format("and {} more", next->what.size() - kMaxListed));
    if (next->rules_change) {
        evidence::Draft rules;
        rules.type = "policy.changed";
        rules.actor = std::move(by);
        rules.data["policy_set"] = digest_text(next->engine->digest());
        rules.data["previous"] = digest_text(gate->engine()->digest());
        rules.data["policies"] = next->engine->policies();
        rules.data["reason"] = reason;
        rules.payloads.push_back(policy_payload(next->files, next->config.agents));
        auto recording = recorders.front()->record(std::move(rules));
        const auto recorded = co_await std::move(recording);
        if (!recorded) co_return fail(recorded.error().in("nothing was changed"));
    }
    auto recording = recorders.front()->record(std::move(changed));
    const auto recorded = co_await std::move(recording);
    if (!recorded) co_return fail(recorded.error().in("nothing was changed"));
    co_return Status();
}

// Puts it in force. The catalog may have heard of new tools since it was planned: then the plan is
// made again, from the same checked configuration.
void Node::Impl::put_in_force(Candidate& next) {
    gate->guard(std::move(next.lent));
    directory->set_registry(next.config.agents, next.config.people);
    upstreams->reconfigure(next.config.servers, [&] {
        const std::lock_guard lock(policies_mutex);
        while (!catalog->commit(next.plan)) {
            auto again = catalog->plan(next.config.servers, next.config.domains,
                                       next.difference.restarted_servers);
            WRIT_CHECK(again.has_value());  // the same rules were compiled before
            next.plan = std::move(*again);
            next.engine = next.engine->with(next.plan.snapshot);
            WRIT_CHECK(next.engine != nullptr);
        }
        gate->set_engine(next.engine);
    });
    const std::string listening = config.agents_listen;
    as_read = next.config;
    config = std::move(next.config);
    config.agents_listen = listening;
    policy_files = std::move(next.files);
}

std::size_t Node::Impl::live_tasks_of(const std::set<std::string>& names) const {
    std::size_t out = 0;
    for (const auto& task : directory->tasks())
        if (names.contains(task->spec.agent) && task->live(clock.boot_us())) ++out;
    return out;
}

// Tasks of agents that are registered no more. Returns how many ended.
net::Task<std::size_t> Node::Impl::end_gone(std::set<std::string> gone, evidence::Actor by) {
    std::size_t ended = 0;
    for (const auto& task : directory->tasks()) {
        if (!gone.contains(task->spec.agent) || !task->live(clock.boot_us())) continue;
        const TaskId id = task->id;
        evidence::Actor actor = by;
        std::string why = "its agent is registered no more";
        auto ending =
            gate->end_task(id, identity::TaskState::kRevoked, std::move(actor), std::move(why));
        const Status done = co_await std::move(ending);
        if (done || done.error().code != ErrorCode::kConflict) ++ended;  // dead in any case
        if (!done && done.error().code != ErrorCode::kConflict)
            log::error("reload", "the end of task {} was not recorded: {}", id.text(),
                       done.error().message());
    }
    co_return ended;
}

net::Task<Result<json::Node>> Node::Impl::reload_in_turn(bool check_only, evidence::Actor by,
                                                         std::string reason) {
    auto look = [this] { return prepare_reload(); };
    auto looking = reactors.front()->offload(std::move(look));
    auto prepared = co_await std::move(looking);
    if (!prepared) co_return fail(prepared.error());
    if (stopping) co_return fail(ErrorCode::kUnavailable, "the gateway is stopping");
    const std::shared_ptr<Candidate> next = std::move(*prepared);
    json::Node out = json::Node::object();
    out["changes"] = json::Node::array();
    for (const auto& line : next->what) out["changes"].push_back(line);
    out["policies"] = next->engine->policies();
    out["policy_set"] = digest_text(next->engine->digest());
    out["previous"] = digest_text(gate->engine()->digest());
    out["config"] = digest_text(next->config.digest);
    out["warnings"] = json::Node::array();
    for (const auto& line : next->warnings) out["warnings"].push_back(line);
    const bool applies = !check_only && !next->what.empty();
    out["applied"] = applies;
    out["tasks_ended"] = check_only ? live_tasks_of(next->difference.gone_agents) : 0;
    if (!applies) co_return out;
    evidence::Actor actor = by;
    auto recording = record_reload(next, std::move(actor), std::move(reason));
    if (const Status recorded = co_await std::move(recording); !recorded)
        co_return fail(recorded.error());
    const std::set<std::string> gone = next->difference.gone_agents;
    put_in_force(*next);
    auto ending = end_gone(gone, std::move(by));
    out["tasks_ended"] = co_await std::move(ending);
    log::info("reload", "{} changes are in force", next->what.size());
    co_return out;
}

// On the first reactor. Errors: as prepare_reload() and record_reload(); kConflict (another reload
// takes too long), kUnavailable (the gateway stops).
net::Task<Result<json::Node>> Node::Impl::reload(bool check_only, evidence::Actor by,
                                                 std::string reason) {
    const std::int64_t give_up = clock.boot_us() + kTurnPatience_us;
    while (reloading) {
        if (clock.boot_us() >= give_up)
            co_return fail(ErrorCode::kConflict,
                           "another reload is under way; nothing was changed");
        co_await reactors.front()->sleep(kTurnPoll);
    }
    if (stopping) co_return fail(ErrorCode::kUnavailable, "the gateway is stopping");
    reloading = true;
    auto running = reload_in_turn(check_only, std::move(by), std::move(reason));
    auto done = co_await std::move(running);
    reloading = false;
    co_return done;
}

net::Task<void> Node::Impl::reload_by_signal() {
    auto running = reload(false, self(), "SIGHUP");
    const auto done = co_await std::move(running);
    if (!done) log::error("reload", "{}", inert(done.error().message(), 2'000));
}

}  // namespace writ::cli
