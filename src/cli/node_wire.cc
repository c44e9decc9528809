// Connects the rooms: a reactor with a recorder each, the gate over them, the tool servers behind
// it, the door in front.
#include <fmt/format.h>

#include "cli/node_parts.h"

namespace writ::cli {

void Node::Impl::wire() {
    const BootId boot = ids.mint<BootId>();
    std::vector<gate::Home> homes;
    std::vector<net::Reactor*> loops;
    for (std::size_t i = 0; i < config.reactors; ++i) {
        reactors.push_back(std::make_unique<net::Reactor>());
        evidence::RecorderOptions options{
            config.tenant,
            fmt::format("spiffe://{}/writ/{}/{}", config.trust_domain, config.node, i),
            boot,
            config.origin(),
            newest_us,
            redactor};
        recorders.push_back(std::make_unique<evidence::Recorder>(
            std::move(options), *reactors.back(), *ledger, *vault, ids, clock));
        homes.push_back({reactors.back().get(), recorders.back().get()});
        loops.push_back(reactors.back().get());
    }
    const std::string issuer = "writ:" + config.trust_domain;
    auto pseudonym = [this, issuer](std::string_view subject) {
        return evidence::pseudonym(*vault, issuer, subject);
    };
    gate = gate::Gate::make(std::move(homes), *directory, *catalog, engine, ids, clock, pseudonym);
    gate->guard(std::move(lent));
    keeper = std::make_unique<Keeper>(*store, config.tenant, *reactors.front());
    gate->survival()->on_started(
        [this](identity::TaskPtr task) { return keeper->keep(std::move(task)); });
    upstreams = std::make_unique<mcp::Upstreams>(
        std::move(loops), config.servers,
        [this](const std::string& server, const json::Value& tools) {
            return take_tools(server, tools);
        });
    mcp::DoorOptions door_options;
    if (!config.agents_listen.empty()) door_options.public_url = config.public_url();
    door = std::make_unique<mcp::Door>(*gate, *upstreams, clock, std::move(door_options));
}

}  // namespace writ::cli
