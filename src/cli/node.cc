#include "cli/node.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/node_parts.h"
#include "net/descriptors.h"

namespace writ::cli {
namespace {

// The gateway's memory holds keys: no core dump, no tracer (docs/architecture.md, section 4).
void harden_process() {
    prctl(PR_SET_DUMPABLE, 0);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

// Before the first thread is made, so that all inherit the mask and the signals reach the signalfd
// only.
sigset_t block_signals() {
    sigset_t ours;
    sigemptyset(&ours);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ours, signal);
    pthread_sigmask(SIG_BLOCK, &ours, nullptr);
    return ours;
}

// Whether SIGHUP is among those that came; `stop` is set by the others.
bool asks_reload(int signals, bool& stop) {
    bool reload = false;
    signalfd_siginfo info{};
    while (read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        if (info.ssi_signo == SIGHUP)
            reload = true;
        else
            stop = true;
    }
    return reload;
}

}  // namespace

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;

Node::Impl::~Impl() {
    for (auto& reactor : reactors) reactor->stop();
    for (auto& thread : threads) thread.join();
    launch_desk.reset();
    operators.reset();
    agents.reset();
    readers.reset();
    admin_desk.reset();
    door.reset();
    upstreams.reset();
    gate.reset();
    recorders.clear();
    reactors.clear();
}

Result<std::unique_ptr<Node>> Node::open(Config config) {
    harden_process();
    block_signals();
    net::raise_descriptor_limit();
    auto impl = std::make_unique<Impl>(std::move(config));
    for (const auto step :
         {&Impl::bind, &Impl::open_state, &Impl::open_catalog, &Impl::open_policies})
        if (auto done = (impl.get()->*step)(); !done) return fail(done.error());
    impl->wire();
    return std::unique_ptr<Node>(new Node(std::move(impl)));
}

std::string Node::agents_url() const {
    return impl_->config.agents_listen.empty() ? "" : impl_->config.public_url() + "/mcp";
}

Status Node::run(const std::function<void()>& ready) {
    return impl_->run(ready);
}

evidence::Actor Node::Impl::self() const {
    evidence::Actor actor;
    actor.op = "writ";
    return actor;
}

Status Node::Impl::run(const std::function<void()>& ready) {
    const sigset_t ours = block_signals();
    const net::Fd signals(signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals.valid()) return fail(io_error("signalfd", errno));
    for (std::size_t i = 1; i < reactors.size(); ++i)
        threads.emplace_back([reactor = reactors[i].get()] { reactor->run(); });
    reactors.front()->spawn(live(ready, signals.get()));
    reactors.front()->run();
    return closed;
}

net::Task<void> Node::Impl::live(std::function<void()> ready, int signals) {
    net::Reactor& home = *reactors.front();
    auto coming_back = come_back();
    closed = co_await std::move(coming_back);
    if (closed) closed = co_await say_started();
    if (!closed) {
        home.stop();
        co_return;
    }
    // Policies are checked against the tools before anything is served. Servers that were seen
    // before delay nothing: their accepted definitions were looked at by open_policies().
    std::optional<std::vector<std::string>> first_ones;
    if (!wait_for_all) first_ones = catalog->unknown_servers();
    auto watching = upstreams->watch(mcp::kFirstListing, std::move(first_ones));
    co_await std::move(watching);
    auto settling = settle_pins();
    co_await std::move(settling);
    if (const auto wrong = gate->engine()->report().error())
        closed = fail(*wrong);
    else
        closed = serve_readers();
    if (!closed) {
        co_await upstreams->close();
        home.stop();
        co_return;
    }
    serve_launchers();
    serve_operators();
    serve_agents();
    awaited_until_boot_us = clock.boot_us() + config.resume_grace_s * 1'000'000;
    home.spawn(upkeep());
    ready();
    net::run_blocking([redactor = redactor] { redactor->speed_up(); });
    for (bool stop = false; !stop;) {
        if (!co_await net::wait_readable(home, signals, net::Millis(3'600'000))) continue;
        if (asks_reload(signals, stop) && !stop) home.spawn(reload_by_signal());
    }
    co_await close();
    home.stop();
}

}  // namespace writ::cli
