// What tool servers list becomes catalog, policy input, evidence and stored pins.
#include <ranges>
#include <utility>

#include "base/inert.h"
#include "base/log.h"
#include "cli/idle_rules.h"
#include "cli/node_parts.h"
#include "crypto/hash.h"

namespace writ::cli {

namespace {

constexpr net::Millis kPinPoll{2};
constexpr std::int64_t kPinPatience_us = 2'000'000;
// Lines of the gateway's log about one list, of each kind; the rest is a number.
constexpr std::size_t kLinesOfList = 8;

// What is wrong with a list: tools that cannot be used, tools that are others than was accepted.
void complain_of(const std::string& server, const catalog::Catalog::Listed& listed) {
    const auto rest = [&](std::size_t all, std::string_view what) {
        if (all > kLinesOfList)
            log::warn("catalog", "server {}: {} more {}", server, all - kLinesOfList, what);
    };
    for (const auto& reason : listed.dropped | std::views::take(kLinesOfList))
        log::warn("catalog", "server {}: {}", server, inert(reason, 300));
    rest(listed.dropped.size(), "of its tools are not usable");
    for (const auto& pin : listed.changed | std::views::take(kLinesOfList))
        log::warn(
            "catalog",
            "{}/{} changed its definition: refused until read (`writ catalog diff`) and accepted",
            server, inert(pin.tool, 100));
    rest(listed.changed.size(), "of its tools changed their definitions");
}

json::Node pin_list(const std::vector<catalog::Pin>& pins) {
    json::Node list = json::Node::array();
    for (const auto& pin : pins) {
        json::Node entry = json::Node::object();
        entry["tool"] = pin.tool;
        entry["pin"] = digest_text(pin.digest);
        list.push_back(std::move(entry));
    }
    return list;
}

// Forbids everything: in force when the real one cannot be made over a new catalog, which no list
// of a server should be able to bring about.
class ClosedEngine final : public policy::Engine {
  public:
    ClosedEngine(std::shared_ptr<const policy::Engine> real,
                 std::shared_ptr<const catalog::Snapshot> catalog)
        : real_(std::move(real)), catalog_(std::move(catalog)) {}
    policy::Verdict decide(const policy::Question& /*question*/) const override {
        policy::Verdict out;
        out.code = "policy_error";
        out.reason = "the policies could not be made ready for the tools of now";
        out.granted = true;
        return out;
    }
    bool visible(const identity::Task& /*task*/, const catalog::Tool& /*tool*/) const override {
        return false;
    }
    const Sha256& digest() const override { return real_->digest(); }
    json::Node explain(const policy::Question& question) const override {
        return real_->explain(question);
    }
    std::size_t policies() const override { return real_->policies(); }
    std::shared_ptr<const catalog::Snapshot> catalog() const override { return catalog_; }
    std::shared_ptr<const policy::Engine> with(
        std::shared_ptr<const catalog::Snapshot> catalog) const override {
        return real_->with(std::move(catalog));
    }

  private:
    std::shared_ptr<const policy::Engine> real_;
    std::shared_ptr<const catalog::Snapshot> catalog_;
};

}  // namespace

// Any thread that changed the catalog; the newest catalog wins. An engine that has it already
// stays: another would mean that calls in flight are decided anew and lists are made again.
void Node::Impl::refresh_policies() {
    const std::lock_guard lock(policies_mutex);
    auto snapshot = catalog->snapshot();
    if (gate->engine()->catalog() == snapshot) return;
    auto renewed = gate->engine()->with(snapshot);
    if (!renewed) {
        log::error("policy", "the policies cannot be made ready: every call is refused");
        renewed = std::make_shared<ClosedEngine>(gate->engine(), std::move(snapshot));
    }
    for (const auto& finding : renewed->report().findings)
        if (finding.level == policy::Level::kError)
            log::error("policy", "{}", inert(finding.text(), 2'000));
    gate->set_engine(std::move(renewed));
}

// What a server lists goes into the catalog, the trail and the store. The trail and the log of the
// gateway take only a list that is not the one they had. Runs on a reactor.
Status Node::Impl::take_tools(const std::string& server, const json::Value& tools) {
    auto listed = catalog->update(server, tools, clock.boot_us());
    if (!listed) return fail(listed.error());
    refresh_policies();
    const Sha256 digest = crypto::sha256(tools.raw());
    bool is_new = false;
    {
        const std::lock_guard lock(recorded_lists_mutex);
        const auto [entry, first] = recorded_lists.try_emplace(server, digest);
        is_new = first || std::exchange(entry->second, digest) != digest;
    }
    if (is_new) {
        complain_of(server, *listed);
        std::vector<std::string> names;
        for (const json::Value tool : tools.elements())
            if (const auto name = tool.string("name")) names.emplace_back(*name);
        for (const auto& spec : catalog->servers()) {
            if (spec.name != server) continue;
            for (const auto& line : idle_rules(spec, names)) log::warn("catalog", "{}", line);
        }
        record_list(server, digest, tools, *listed);
    }
    std::vector<catalog::Pin> fresh = std::move(listed->first_seen);
    fresh.insert(fresh.end(), listed->kept.begin(), listed->kept.end());
    if (fresh.empty()) return {};
    storing_pins.fetch_add(1);
    reactors.front()->spawn(store_pins(std::move(fresh)));
    return {};
}

// `tool.list`. A list that the log did not take is recorded when it is listed again.
void Node::Impl::record_list(const std::string& server, const Sha256& digest,
                             const json::Value& tools, const catalog::Catalog::Listed& listed) {
    evidence::Draft draft;
    draft.type = "tool.list";
    draft.actor = self();
    draft.data["server"] = server;
    draft.data["tools"] = listed.tools;
    draft.data["first_seen"] = pin_list(listed.first_seen);
    draft.data["changed"] = pin_list(listed.changed);
    draft.payloads.push_back({"tool_list", std::string(tools.raw()), "application/json"});
    auto shared = std::make_shared<evidence::Draft>(std::move(draft));
    auto done = [this, server, digest](const Result<evidence::Receipt>& receipt) {
        if (receipt) return;
        const std::lock_guard lock(recorded_lists_mutex);
        std::erase_if(recorded_lists, [&](const auto& each) {
            return each.first == server && each.second == digest;
        });
    };
    auto* recorder = recorders.front().get();
    reactors.front()->post(
        [recorder, shared, done] { recorder->record(std::move(*shared), done); });
}

// New tools are offered once their pins are stored: one that was called under a pin in memory could
// be another after a restart, and nobody would notice. Whoever calls this has counted it.
net::Task<void> Node::Impl::store_pins(std::vector<catalog::Pin> pins) {
    std::vector<store::Change> changes = admin::pin_changes(config.tenant, pins);
    store::Store* to = store.get();
    const std::string tenant = config.tenant;
    auto write = [to, tenant, changes = std::move(changes)] { return to->apply(tenant, changes); };
    const Status done = co_await reactors.front()->offload(std::move(write));
    // Said once a trouble.
    if (!done && pins_work)
        log::error("catalog", "pins are not stored, new tools are not offered meanwhile: {}",
                   done.error().message());
    pins_work = done.has_value();
    if (done && catalog->stored(pins)) refresh_policies();
    storing_pins.fetch_sub(1);
}

// What could not be stored before. On the first reactor.
net::Task<void> Node::Impl::store_late_pins() {
    if (storing_pins.load() > 0) co_return;
    std::vector<catalog::Pin> pins = catalog->unstored();
    if (pins.empty()) co_return;
    storing_pins.fetch_add(1);
    auto storing = store_pins(std::move(pins));
    co_await std::move(storing);
}

// Until the tools of a first listing are there to be served, but no longer than a slow disk may
// delay a start: what is stored later is offered later.
net::Task<void> Node::Impl::settle_pins() {
    const std::int64_t give_up = clock.boot_us() + kPinPatience_us;
    while (storing_pins.load() > 0 && clock.boot_us() < give_up)
        co_await reactors.front()->sleep(kPinPoll);
}

// How the tool servers are, for people.
net::Task<json::Node> Node::Impl::server_health() {
    json::Node out = json::Node::array();
    for (const auto& server : co_await upstreams->health()) {
        json::Node one = json::Node::object();
        one["server"] = server.server;
        one["state"] = mcp::name(server.state);
        if (server.since_us > 0) one["since"] = rfc3339(server.since_us);
        one["restarts"] = server.restarts;
        one["instances"] = server.instances;
        one["in_flight"] = server.in_flight;
        if (!server.last_error.empty()) one["last_error"] = server.last_error;
        if (server.retry_us > 0) one["retry"] = rfc3339(server.retry_us);
        out.push_back(std::move(one));
    }
    co_return out;
}

}  // namespace writ::cli
