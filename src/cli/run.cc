// `writ run --task FILE -- CMD…`: starts a task, starts the command under it, and ends the task
// when the command ends.
//
// The child never holds a credential. This process opens a loopback listener, forks the child and
// keeps it waiting on a pipe, hands the listener to the gateway over the agents'
// socket, and lets the child go with the URL in WRIT_MCP_URL. The kernel tells the gateway whose
// child it is (docs/architecture.md, "Who is calling").
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <CLI/CLI.hpp>

#include "base/inert.h"
#include "cli/api.h"
#include "cli/config.h"
#include "cli/verb.h"
#include "json/value.h"
#include "net/socket.h"

namespace writ::cli {
namespace {

// Signals meant for the agent are passed on to it; this process lives until the child has ended and
// the task is closed.
volatile sig_atomic_t child_pid = 0;
void forward_signal(int number) {
    if (child_pid > 0) kill(static_cast<pid_t>(child_pid), number);
}

// The forked child before its exec: it waits for its URL on a pipe.
struct Waiting {
    pid_t pid = -1;
    net::Fd go;  // write the URL here; closing it unwritten ends the child
};

[[noreturn]] void child_main(int read_end, std::vector<std::string> command) {
    std::string url;
    std::array<char, 512> buffer{};
    for (ssize_t n = 0; (n = read(read_end, buffer.data(), buffer.size())) > 0;)
        url.append(buffer.data(), static_cast<std::size_t>(n));
    close(read_end);
    if (url.empty()) _exit(1);
    setenv("WRIT_MCP_URL", url.c_str(), 1);
    unsetenv("WRIT_SOCKET");
    std::signal(SIGPIPE, SIG_DFL);  // the reactor ignores it; the agent must not inherit that
    std::vector<char*> argv;
    for (auto& word : command) argv.push_back(word.data());
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    fmt::print(stderr, "writ: cannot run `{}`: {}\n", command[0], std::strerror(errno));
    _exit(127);
}

Result<Waiting> fork_waiting(const std::vector<std::string>& command) {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) return fail(io_error("pipe", errno));
    net::Fd read_end(ends[0]);
    net::Fd write_end(ends[1]);
    const pid_t pid = fork();
    if (pid < 0) return fail(io_error("fork", errno));
    if (pid == 0) {
        close(write_end.get());
        child_main(read_end.get(), command);
    }
    Waiting out;
    out.pid = pid;
    out.go = std::move(write_end);
    return out;
}

Result<std::string> read_line(int socket) {
    std::string line;
    std::array<char, 1024> buffer{};
    while (line.find('\n') == std::string::npos) {
        const ssize_t n = read(socket, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0 || line.size() > 4096)
            return fail(ErrorCode::kUnavailable, "the gateway closed the agents' socket");
        line.append(buffer.data(), static_cast<std::size_t>(n));
    }
    line.resize(line.find('\n'));
    return line;
}

// Hands the listener and the child over. Returns the path under which the gateway serves the
// session.
Result<std::string> hand_over(const std::filesystem::path& agents_socket, const std::string& task,
                              int listener, pid_t child) {
    net::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = agents_socket.string();
    if (path.size() >= sizeof address.sun_path)
        return fail(ErrorCode::kInvalid, fmt::format("the socket path `{}` is too long", path));
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail(ErrorCode::kUnavailable,
                    fmt::format("no gateway answers on `{}`: {}", path, std::strerror(errno)));
    json::Node request = json::Node::object();
    request["op"] = "launch";
    request["pid"] = child;
    request["task"] = task;
    const int fds[1] = {listener};
    if (auto sent = net::send_with_fds(socket.get(), request.dump() + "\n", fds); !sent)
        return fail(sent.error());
    const auto line = read_line(socket.get());
    if (!line) return fail(line.error());
    const auto answer = json::parse(*line);
    if (!answer) return fail(answer.error());
    if (const auto served = answer->root().string("path")) return std::string(*served);
    const auto error = answer->root().find("error");
    return fail(ErrorCode::kForbidden,
                std::string(error ? error->string("message").value_or("refused") : "refused"));
}

int wait_for(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
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

// Everything between a started task and a running child. On failure the child is gone.
Result<pid_t> launch(const Context& context, const std::string& task,
                     const std::vector<std::string>& command) {
    const auto where = sockets(context);
    if (!where) return fail(where.error());
    const auto loopback = net::Endpoint::parse("127.0.0.1:0");
    auto listener = net::Listener::bind(*loopback);
    if (!listener) return fail(listener.error());
    auto child = fork_waiting(command);
    if (!child) return fail(child.error());
    const auto path = hand_over(where->agents, task, listener->fd(), child->pid);
    if (!path) {
        child->go = net::Fd();  // end of file without a URL: the child leaves
        wait_for(child->pid);
        return fail(path.error());
    }
    const std::string url = fmt::format("http://127.0.0.1:{}{}", listener->endpoint().port, *path);
    if (write(child->go.get(), url.data(), url.size()) != static_cast<ssize_t>(url.size()))
        return fail(io_error("write", errno));
    return child->pid;
}

int run(const Context& context, const Options& options) {
    const auto task = start_task(context, options);
    if (!task) return report_api(context, task.error());
    if (!options.quiet) fmt::print(stderr, "writ: task {}\n", inert(*task));
    const auto pid = launch(context, *task, options.command);
    int code = kFailed;
    if (pid) {
        child_pid = *pid;
        struct sigaction action{};
        action.sa_handler = forward_signal;
        for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
        code = wait_for(*pid);
        child_pid = 0;
    } else {
        code = report_api(context, pid.error());
    }
    if (options.task.empty()) {
        json::Node body = json::Node::object();
        body["reason"] = pid ? fmt::format("the agent exited with {}", code) : "launch failed";
        const auto ended = call_api(context, "POST", "tasks/" + *task + "/end", body.dump());
        if (!ended && ended.error().code != ErrorCode::kConflict)
            report_api(context, ended.error());
    }
    return code;
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
    auto options = std::make_shared<Options>();
    auto* file =
        app.add_option("--task", options->file, "task file; the task ends with the command");
    app.add_option("--in", options->task, "id of a running task to join instead")->excludes(file);
    app.add_flag("-q,--quiet", options->quiet, "do not print the task id");
    app.add_option("command", options->command, "the agent and its arguments")->required();
    app.positionals_at_end();
    app.footer(
        "The command gets WRIT_MCP_URL, an MCP server (streamable HTTP) that is its task's "
        "authority.\n"
        "Example: writ run --task examples/quickstart/task.toml -- node agent.mjs");
    app.callback([&context, options] {
        if (options->file.empty() && options->task.empty()) {
            context.exit_code =
                report(context, {ErrorCode::kInvalid,
                                 "name a task file with --task, or a running task with --in",
                                 {}});
            return;
        }
        context.exit_code = run(context, *options);
    });
}

}  // namespace writ::cli
