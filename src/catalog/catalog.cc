#include "catalog/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/inert.h"
#include "base/limits.h"
#include "catalog/definition.h"
#include "catalog/rules.h"
#include "crypto/hash.h"

namespace writ::catalog {

namespace {

using ToolPtr = std::shared_ptr<const Tool>;

// Names a server may have pinned in all. One that invents names at every listing is stopped here.
constexpr std::size_t kMaxPinsPerServer = 4 * kMaxToolsPerServer;

// One tools/list, read: usable definitions in the server's order.
struct Read {
    std::vector<Definition> definitions;
    std::vector<std::string> dropped;
};

// A name that is there twice could be called as one and run as the other: none of them is usable.
Read read_tools(const json::Value& tools) {
    Read out;
    std::map<std::string, std::size_t, std::less<>> times;
    for (const json::Value& tool : tools.elements())
        if (tool.is_object())
            if (const auto name = tool.string("name")) ++times[std::string(*name)];
    std::size_t index = 0;
    for (const json::Value& tool : tools.elements()) {
        const auto name = tool.is_object() ? tool.string("name") : std::nullopt;
        const std::string shown =
            name ? inert(*name, kShownNameBytes) : fmt::format("tools[{}]", index);
        ++index;
        auto definition = parse_definition(tool);
        if (!definition) {
            out.dropped.push_back(shown + ": " + definition.error().detail);
        } else if (times[definition->name] > 1) {
            out.dropped.push_back(shown + ": its name is there twice");
        } else {
            out.definitions.push_back(std::move(*definition));
        }
    }
    return out;
}

ToolPtr make_tool(const ServerSpec& server, Definition&& definition, bool changed,
                  ListedAt listed_at) {
    auto tool = std::make_shared<Tool>();
    tool->server = server.name;
    tool->name = std::move(definition.name);
    if (std::string exposed = exposed_name(tool->server, tool->name); exposed != tool->exposed())
        tool->short_name = std::move(exposed);
    tool->definition = std::move(definition.text);
    tool->pin = definition.digest;
    tool->input_schema = std::move(definition.input_schema);
    tool->description = std::move(definition.description);
    tool->rule.tool = tool->name;
    for (const ToolRule& rule : server.tools)
        if (rule.tool == tool->name) tool->rule = rule;
    tool->effect = effective(tool->rule.effect, definition.annotations);
    tool->changed = changed;
    tool->listed_at = std::move(listed_at);
    return tool;
}

// Nothing where only its digest was kept.
Result<Definition> pinned_definition(const Pin& pin) {
    const auto document = json::parse(pin.definition);
    if (!document) return fail(document.error());
    return parse_definition(document->root());
}

// The same tool under the server's rules of now.
ToolPtr under_rules(const ServerSpec& server, const ToolPtr& tool) {
    const auto document = json::parse(tool->definition);
    if (!document) return nullptr;
    auto definition = parse_definition(document->root());
    if (!definition) return nullptr;
    return make_tool(server, std::move(*definition), tool->changed, tool->listed_at);
}

constexpr std::size_t kShortHexDigits = 10;

bool same(const std::vector<ToolPtr>& a, const std::vector<ToolPtr>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const ToolPtr& x, const ToolPtr& y) {
                          return x->name == y->name && x->pin == y->pin && x->changed == y->changed;
                      });
}

}  // namespace

std::string exposed_name(const std::string& server, const std::string& tool) {
    std::string whole = server + "__" + tool;
    if (whole.size() <= kMaxExposedNameBytes) return whole;
    const std::string digest = to_hex(crypto::sha256(server + "/" + tool));
    return whole.substr(0, kMaxExposedNameBytes - 1 - kShortHexDigits) + "_" +
           digest.substr(0, kShortHexDigits);
}

struct Catalog::Impl {
    // By server, then tool. Kept when a tool vanishes: one that comes back must be what it was.
    using Pins = std::map<std::string, std::map<std::string, Pin, std::less<>>, std::less<>>;

    // Guards what follows; held for a whole update, and by readers for copying one pointer.
    mutable std::mutex mutex;
    std::vector<ServerSpec> servers;
    std::shared_ptr<const Snapshot::Rules> rules;
    Pins pins;
    std::vector<std::vector<ToolPtr>> listed;  // one list a server, in the order of `servers`
    std::vector<bool> heard;                   // whether it has listed since the start
    std::vector<std::vector<ToolPtr>> absent;  // what is pinned of those that have not
    Offer offer = Offer::kAtOnce;
    // Server and tool of first pins that are in memory only: a tool that was called under one could
    // be another after a restart.
    std::set<std::pair<std::string, std::string>> unstored;
    std::shared_ptr<const Snapshot> current;

    void publish() { current = snapshot_of(rules, listed, absent); }
    bool is_stored(const Tool& tool) const {
        return unstored.empty() || !unstored.contains({tool.server, tool.name});
    }
    std::vector<ToolPtr> pinned_of(const ServerSpec& server) const;
    std::shared_ptr<const Snapshot> snapshot_of(
        std::shared_ptr<const Snapshot::Rules> by, const std::vector<std::vector<ToolPtr>>& offered,
        const std::vector<std::vector<ToolPtr>>& missing) const;
    // As if all that is known were offered.
    static std::shared_ptr<const Snapshot> expect(std::shared_ptr<const Snapshot::Rules> rules,
                                                  const std::vector<std::vector<ToolPtr>>& listed,
                                                  const std::vector<std::vector<ToolPtr>>& absent);
    std::optional<std::size_t> find(std::string_view server) const;
    ToolPtr* listed_tool(std::string_view server, std::string_view tool);
    Result<Pin> accept(std::string_view server, std::string_view tool, const Sha256* read);
};

void Snapshot::add(const std::shared_ptr<const Tool>& tool) {
    tools_.push_back(tool);
    by_exposed_.emplace(tool->exposed(), tool);
    by_qualified_.emplace(tool->qualified(), tool);
}

void Snapshot::add_absent(const std::shared_ptr<const Tool>& tool) {
    absent_tools_.push_back(tool);
    absent_.emplace(tool->exposed(), tool);
}

std::shared_ptr<const Snapshot> Catalog::Impl::snapshot_of(
    std::shared_ptr<const Snapshot::Rules> by, const std::vector<std::vector<ToolPtr>>& offered,
    const std::vector<std::vector<ToolPtr>>& missing) const {
    auto next = std::make_shared<Snapshot>();
    next->rules_ = std::move(by);
    for (const auto& tools : offered)
        for (const ToolPtr& tool : tools)
            is_stored(*tool) ? next->add(tool) : next->add_absent(tool);
    for (const auto& tools : missing)
        for (const ToolPtr& tool : tools) next->add_absent(tool);
    return next;
}

std::shared_ptr<const Snapshot> Catalog::Impl::expect(
    std::shared_ptr<const Snapshot::Rules> rules, const std::vector<std::vector<ToolPtr>>& listed,
    const std::vector<std::vector<ToolPtr>>& absent) {
    auto next = std::make_shared<Snapshot>();
    next->rules_ = std::move(rules);
    for (std::size_t i = 0; i < listed.size(); ++i)
        for (const auto* tools : {&listed[i], &absent[i]})
            for (const ToolPtr& tool : *tools) next->add(tool);
    return next;
}

std::vector<ToolPtr> Catalog::Impl::pinned_of(const ServerSpec& server) const {
    std::vector<ToolPtr> out;
    const auto known = pins.find(server.name);
    if (known == pins.end()) return out;
    for (const auto& [name, pin] : known->second)
        if (auto definition = pinned_definition(pin))
            out.push_back(make_tool(server, std::move(*definition), false, nullptr));
    return out;
}

std::optional<std::size_t> Catalog::Impl::find(std::string_view server) const {
    for (std::size_t i = 0; i < servers.size(); ++i)
        if (servers[i].name == server) return i;
    return std::nullopt;
}

Catalog::Catalog() : impl_(std::make_unique<Impl>()) {}
Catalog::~Catalog() = default;

Result<std::unique_ptr<Catalog>> Catalog::make(std::vector<ServerSpec> servers,
                                               std::vector<DomainRule> domains,
                                               std::vector<Pin> pins, Offer offer) {
    auto rules = Snapshot::Rules::compile(servers, domains);
    if (!rules) return fail(rules.error());
    std::unique_ptr<Catalog> out(new Catalog());
    Impl& in = *out->impl_;
    in.servers = std::move(servers);
    in.rules = std::move(*rules);
    in.offer = offer;
    in.listed.resize(in.servers.size());
    in.heard.resize(in.servers.size());
    for (const Pin& pin : pins) in.pins[pin.server][pin.tool] = pin;
    for (const ServerSpec& server : in.servers) in.absent.push_back(in.pinned_of(server));
    in.publish();
    return out;
}

std::shared_ptr<const Snapshot> Catalog::snapshot() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->current;
}

std::vector<ServerSpec> Catalog::servers() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->servers;
}

std::shared_ptr<const Snapshot> Catalog::expected() const {
    const std::lock_guard lock(impl_->mutex);
    return Impl::expect(impl_->rules, impl_->listed, impl_->absent);
}

std::vector<std::string> Catalog::unknown_servers() const {
    const std::lock_guard lock(impl_->mutex);
    std::vector<std::string> out;
    for (std::size_t i = 0; i < impl_->servers.size(); ++i) {
        const auto known = impl_->pins.find(impl_->servers[i].name);
        if (!impl_->heard[i] && (known == impl_->pins.end() || known->second.empty()))
            out.push_back(impl_->servers[i].name);
    }
    return out;
}

Result<Catalog::Plan> Catalog::plan(std::vector<ServerSpec> servers,
                                    std::vector<DomainRule> domains,
                                    const std::set<std::string>& forget) const {
    auto rules = Snapshot::Rules::compile(servers, domains);
    if (!rules) return fail(rules.error());
    const Impl& in = *impl_;
    Plan out;
    out.listed.resize(servers.size());
    out.absent.resize(servers.size());
    out.heard.resize(servers.size());
    const std::lock_guard lock(in.mutex);
    for (std::size_t i = 0; i < servers.size(); ++i) {
        const auto before = in.find(servers[i].name);
        if (before && !forget.contains(servers[i].name)) out.heard[i] = in.heard[*before];
        if (!out.heard[i]) out.absent[i] = in.pinned_of(servers[i]);
        if (!before || forget.contains(servers[i].name)) continue;
        const bool same_rules = in.servers[*before].tools == servers[i].tools;
        for (const ToolPtr& tool : in.listed[*before])
            if (ToolPtr now = same_rules ? tool : under_rules(servers[i], tool))
                out.listed[i].push_back(std::move(now));
    }
    out.base = in.current;
    out.snapshot = in.snapshot_of(*rules, out.listed, out.absent);
    out.expected = Impl::expect(*rules, out.listed, out.absent);
    out.servers = std::move(servers);
    return out;
}

bool Catalog::commit(Plan& plan) {
    Impl& in = *impl_;
    const std::lock_guard lock(in.mutex);
    if (in.current != plan.base) return false;
    in.servers = std::move(plan.servers);
    in.rules = plan.snapshot->rules_;
    in.listed = std::move(plan.listed);
    in.heard = std::move(plan.heard);
    in.absent = std::move(plan.absent);
    in.current = plan.snapshot;
    return true;
}

Result<Catalog::Listed> Catalog::update(std::string_view server, const json::Value& tools,
                                        std::int64_t boot_us) {
    Impl& in = *impl_;
    if (!tools.is_array()) return fail(ErrorCode::kInvalid, "`tools` is not an array");
    if (tools.size() > kMaxToolsPerServer)
        return fail(ErrorCode::kTooLarge, fmt::format("server `{}` lists {} tools, at most {}",
                                                      server, tools.size(), kMaxToolsPerServer));
    Read read = read_tools(tools);
    Listed out;
    out.dropped = std::move(read.dropped);
    std::vector<ToolPtr> next;

    const std::lock_guard lock(in.mutex);
    const auto at = in.find(server);
    if (!at) return fail(ErrorCode::kNotFound, fmt::format("no server `{}`", inert(server, 64)));
    const ServerSpec& spec = in.servers[*at];
    in.heard[*at] = true;
    const bool was_absent = !std::exchange(in.absent[*at], {}).empty();
    const auto& before = in.listed[*at];
    const ListedAt listed_at = before.empty() ? std::make_shared<std::atomic<std::int64_t>>(boot_us)
                                              : before.front()->listed_at;
    listed_at->store(boot_us, std::memory_order_relaxed);
    auto& pins = in.pins[spec.name];
    for (Definition& definition : read.definitions) {
        const auto pinned = pins.find(definition.name);
        const Pin now{spec.name, definition.name, definition.digest, definition.text};
        const bool changed = pinned != pins.end() && pinned->second.digest != definition.digest;
        if (changed) {
            out.changed.push_back(now);
        } else if (pinned == pins.end()) {
            if (pins.size() >= kMaxPinsPerServer) {
                out.dropped.push_back(fmt::format("{}: the server has named {} tools already",
                                                  definition.name, kMaxPinsPerServer));
                continue;
            }
            pins.emplace(definition.name, now);
            if (in.offer == Offer::kOnceStored) in.unstored.emplace(spec.name, definition.name);
            out.first_seen.push_back(now);
        } else if (pinned->second.definition.empty()) {
            pinned->second = now;
            out.kept.push_back(now);
        }
        next.push_back(make_tool(spec, std::move(definition), changed, listed_at));
    }
    out.tools = next.size();
    // Readers that compare snapshots by pointer are spared a listing that changed nothing.
    if (was_absent || !same(in.listed[*at], next)) {
        in.listed[*at] = std::move(next);
        in.publish();
    }
    return out;
}

std::vector<Pin> Catalog::unstored() const {
    const Impl& in = *impl_;
    std::vector<Pin> out;
    const std::lock_guard lock(in.mutex);
    for (const auto& [server, tool] : in.unstored)
        out.push_back(in.pins.find(server)->second.find(tool)->second);
    return out;
}

bool Catalog::stored(const std::vector<Pin>& pins) {
    Impl& in = *impl_;
    const std::lock_guard lock(in.mutex);
    std::size_t done = 0;
    for (const Pin& pin : pins) done += in.unstored.erase({pin.server, pin.tool});
    if (done > 0) in.publish();
    return done > 0;
}

// The listed tool of that name; nullptr if there is none. Under the mutex.
ToolPtr* Catalog::Impl::listed_tool(std::string_view server, std::string_view tool) {
    const auto at = find(server);
    if (!at) return nullptr;
    for (ToolPtr& each : listed[*at])
        if (each->name == tool) return &each;
    return nullptr;
}

Result<Pin> Catalog::Impl::accept(std::string_view server, std::string_view tool,
                                  const Sha256* read) {
    const std::lock_guard lock(mutex);
    ToolPtr* found = listed_tool(server, tool);
    if (found == nullptr)
        return fail(ErrorCode::kNotFound, fmt::format("no tool `{}/{}` is listed now",
                                                      inert(server, 64), inert(tool, 128)));
    const Pin pin{(*found)->server, (*found)->name, (*found)->pin, (*found)->definition};
    if (read != nullptr && *read != pin.digest)
        return fail(
            ErrorCode::kConflict,
            fmt::format("`{}/{}` is another definition by now, read it again", server, tool));
    if ((*found)->changed) {
        auto accepted = std::make_shared<Tool>(**found);
        accepted->changed = false;
        *found = std::move(accepted);
        pins[pin.server][pin.tool] = pin;
        publish();
    }
    return pin;
}

Result<Pin> Catalog::pinned(std::string_view server, std::string_view tool) const {
    const std::lock_guard lock(impl_->mutex);
    const auto of_server = impl_->pins.find(server);
    if (of_server != impl_->pins.end()) {
        const auto pin = of_server->second.find(tool);
        if (pin != of_server->second.end()) return pin->second;
    }
    return fail(ErrorCode::kNotFound,
                fmt::format("no pin of `{}/{}`", inert(server, 64), inert(tool, 128)));
}

Result<Pin> Catalog::pin(std::string_view server, std::string_view tool) {
    return impl_->accept(server, tool, nullptr);
}

Result<Pin> Catalog::pin(std::string_view server, std::string_view tool, const Sha256& read) {
    return impl_->accept(server, tool, &read);
}

}  // namespace writ::catalog
