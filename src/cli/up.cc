// `writ up`: runs the gateway in the foreground.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "base/log.h"
#include "cli/config.h"
#include "cli/node.h"
#include "cli/verb.h"

namespace writ::cli {
namespace {

int up(const Context& context, bool verbose) {
    if (verbose) log::set_level(log::Level::kDebug);
    auto config = load_config(context.config.empty() ? default_config_file()
                                                     : std::filesystem::path(context.config));
    if (!config) return report(context, config.error());
    const std::string operators = config->operators_socket.string();
    const std::string log_dir = config->log_dir().string();
    auto node = Node::open(std::move(*config));
    if (!node) return report(context, node.error());
    const std::string agents = (*node)->agents_url();
    const auto ready = [&] {
        if (context.json) {
            json::Node out = json::Node::object();
            out["agents"] = agents;
            out["operators_socket"] = operators;
            out["log"] = log_dir;
            std::puts(versioned("up", std::move(out)).dump().c_str());
        } else {
            fmt::print(
                "writ is ready\n  agents     {}\n  operators  {}\n  log        {}\n  isolation  "
                "none: agents run under the gateway's own uid\n",
                agents.empty() ? "off: `writ run` brings its own listener" : agents, operators,
                log_dir);
        }
        std::fflush(stdout);
    };
    const Status done = (*node)->run(ready);
    if (!done) return report(context, done.error());
    return kDone;
}

}  // namespace

void add_up(Command app, Context& context) {
    auto verbose = std::make_shared<bool>(false);
    app.add_flag("-v,--verbose", *verbose, "log more");
    app.footer("Example: writ --config examples/quickstart/writ.toml up");
    app.callback([&context, verbose] { return up(context, *verbose); });
}

}  // namespace writ::cli
