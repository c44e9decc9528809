// `writ run --task FILE -- CMD…`: starts a task, starts the command under it, and ends the task
// when the command ends.
//
// The child never holds a credential. This process opens a loopback listener, forks the child and
// keeps it waiting on a pipe, hands the listener to the gateway over the agents'
// socket, and lets the child go with the URL in WRIT_MCP_URL. The kernel tells the gateway whose
// child it is (docs/architecture.md, "Who is calling"). It keeps the listener: when the gateway is
// restarted, requests wait in its backlog until it is handed over again.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>

#include "base/inert.h"
#include "cli/agent_process.h"
#include "cli/api.h"
#include "cli/config.h"
#include "cli/handover.h"
#include "cli/verb.h"
#include "json/node.h"
#include "json/value.h"
#include "net/socket.h"

namespace writ::cli {
namespace {

using std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

// Between attempts to reach a gateway that went away; doubles from the first to the second.
constexpr milliseconds kFirstRetry{50};
constexpr milliseconds kLastRetry{2'000};
// How long the end of a task is tried to be told to a gateway that is being restarted.
constexpr milliseconds kTellEnd{10'000};

// Signals meant for the agent are passed on to it; this process lives until the child has ended and
// the task is closed.
volatile sig_atomic_t child_pid = 0;
void forward_signal(int number) {
    if (child_pid > 0) kill(static_cast<pid_t>(child_pid), number);
}

struct Options {
    std::string file;
    std::string task;
    std::vector<std::string> command;
    bool quiet = false;
};

Result<std::string> start_task(const Context& context, const Options& options) {
    if (!options.task.empty()) return options.task;
    const auto spec = load_task(options.file);
    if (!spec) return fail(spec.error());
    const auto answer = call_api(context, "POST", "tasks", spec->to_json().dump());
    if (!answer) return fail(answer.error());
    const auto body = json::parse(*answer, {.bytes_max = 4 << 20});
    if (!body) return fail(body.error());
    return std::string(body->root().string("id").value_or(""));
}

// The agent that runs, and the session that is served for it.
struct Running {
    WaitingAgent agent;
    std::optional<net::Listener> listener;  // none once the gateway has refused for good
    Served served;
    std::filesystem::path agents_socket;
};

// Everything between a started task and a running child. On failure the child is gone.
Result<Running> launch(const Context& context, const std::string& task,
                       const std::vector<std::string>& command) {
    const auto where = sockets(context);
    if (!where) return fail(where.error());
    const auto loopback = net::Endpoint::parse("127.0.0.1:0");
    auto listener = net::Listener::bind(*loopback);
    if (!listener) return fail(listener.error());
    auto child = fork_waiting(command);
    if (!child) return fail(child.error());
    auto served = hand_over(where->agents, task, listener->fd(), child->pid);
    if (!served) {
        child->go = net::Fd();  // end of file without a URL: the child leaves
        wait_for(child->pid);
        return fail(served.error());
    }
    const std::string url =
        fmt::format("http://127.0.0.1:{}{}", listener->endpoint().port, served->path);
    if (write(child->go.get(), url.data(), url.size()) != static_cast<ssize_t>(url.size()))
        return fail(io_error("write", errno));
    child->go = net::Fd();
    return Running{std::move(*child), std::move(*listener), std::move(*served), where->agents};
}

// One attempt to hand the listener over again. False: the gateway refuses for good, so the listener
// is closed and the agent's requests fail at once instead of waiting.
bool try_again(Running& running) {
    auto again = hand_over_again(running.agents_socket, running.served, running.listener->fd(),
                                 running.agent.pid);
    if (again) {
        running.served = std::move(*again);
        return true;
    }
    if (again.error().code == ErrorCode::kUnavailable) return true;
    fmt::print(stderr, "writ: the gateway does not take the agent back: {}\n",
               inert(again.error().message(), 300));
    running.listener.reset();
    return false;
}

// Until the agent exits; its exit code.
int look_after(Running& running) {
    milliseconds retry = kFirstRetry;
    SteadyTime next{};
    bool refused = false;
    while (true) {
        const bool linked = running.served.link.valid();
        pollfd watched[2] = {{running.agent.pidfd.get(), POLLIN, 0},
                             {running.served.link.get(), POLLIN, 0}};
        int timeout_ms = -1;
        if (!linked && !refused) {
            const auto left =
                std::chrono::duration_cast<milliseconds>(next - std::chrono::steady_clock::now());
            timeout_ms = static_cast<int>(std::max<std::int64_t>(left.count() + 1, 0));
        }
        const int ready = poll(watched, linked ? 2 : 1, timeout_ms);
        if (ready < 0 && errno != EINTR) return wait_for(running.agent.pid);
        if (ready > 0 && watched[0].revents != 0) return wait_for(running.agent.pid);
        if (ready > 0 && linked && watched[1].revents != 0) {
            running.served.link = net::Fd();  // nothing is ever said on it: the gateway is gone
            retry = kFirstRetry;
            next = std::chrono::steady_clock::now();
        }
        if (ready == 0 && !linked && !refused) {
            refused = !try_again(running);
            next = std::chrono::steady_clock::now() + retry;
            retry = std::min(retry * 2, kLastRetry);
        }
    }
}

// A gateway that is being restarted hears of the end when it is back; if it does not come in time,
// it will see by itself that nobody resumes the session.
void end_task(const Context& context, const std::string& task, const std::string& reason) {
    json::Node body = json::Node::object();
    body["reason"] = reason;
    const auto give_up = std::chrono::steady_clock::now() + kTellEnd;
    while (true) {
        const auto ended = call_api(context, "POST", "tasks/" + task + "/end", body.dump());
        if (ended || ended.error().code == ErrorCode::kConflict) return;
        const bool later = ended.error().code == ErrorCode::kUnavailable;
        if (!later || std::chrono::steady_clock::now() > give_up) {
            report_api(context, ended.error());
            return;
        }
        std::this_thread::sleep_for(kFirstRetry * 4);
    }
}

int run(const Context& context, const Options& options) {
    const auto task = start_task(context, options);
    if (!task) return report_api(context, task.error());
    if (!options.quiet) fmt::print(stderr, "writ: task {}\n", inert(*task));
    auto running = launch(context, *task, options.command);
    int code = kFailed;
    if (running) {
        child_pid = running->agent.pid;
        struct sigaction action{};
        action.sa_handler = forward_signal;
        for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
        code = look_after(*running);
        child_pid = 0;
        end_descendants();
    } else {
        code = report_api(context, running.error());
    }
    if (options.task.empty())
        end_task(context, *task,
                 running ? fmt::format("the agent exited with {}", code) : "launch failed");
    return code;
}

}  // namespace

void add_run(Command app, Context& context) {
    auto options = std::make_shared<Options>();
    const Option file =
        app.add_option("--task", options->file, "task file; the task ends with the command");
    app.add_option("--in", options->task, "id of a running task to join instead").excludes(file);
    app.add_flag("-q,--quiet", options->quiet, "do not print the task id");
    app.add_option("command", options->command, "the agent and its arguments").required();
    app.positionals_at_end();
    app.footer(
        "The command gets WRIT_MCP_URL, an MCP server (streamable HTTP) that is its task's "
        "authority.\n"
        "Example: writ run --task examples/quickstart/task.toml -- node agent.mjs");
    app.callback([&context, options] {
        if (options->file.empty() && options->task.empty()) {
            return report(context, {ErrorCode::kInvalid,
                                    "name a task file with --task, or a running task with --in",
                                    {}});
        }
        return run(context, *options);
    });
}

}  // namespace writ::cli
