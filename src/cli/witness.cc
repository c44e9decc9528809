// `writ witness`: confirms other logs' checkpoints (c2sp.org/tlog-witness). A program of its own:
// it needs no gateway and no writ.toml.
#include "ledger/witness.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <memory>

#include "base/inert.h"
#include "base/log.h"
#include "cli/keys.h"
#include "cli/verb.h"
#include "net/http.h"
#include "net/socket.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

struct WitnessArgs {
    std::string dir, name, listen = "127.0.0.1:7440", logs;
};

Result<std::string> read_text(const std::string& file) {
    constexpr std::size_t kMaxBytes = 4 << 20;
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(ErrorCode::kNotFound, fmt::format("no file `{}`", file));
    std::string out(std::istreambuf_iterator<char>(in), {});
    if (out.size() > kMaxBytes)
        return fail(ErrorCode::kTooLarge, fmt::format("`{}` is too large", file));
    return out;
}

Status load_logs(ledger::Witness& witness, const std::string& file) {
    const auto text = read_text(file);
    if (!text) return fail(text.error());
    const auto keys = ledger::Witness::parse_logs(*text, file);
    if (!keys) return fail(keys.error());
    return witness.set_logs(*keys);
}

Result<std::shared_ptr<ledger::Witness>> open_witness(const WitnessArgs& args, const Clock& clock) {
    auto key = load_witness_key(args.dir);
    if (!key) return fail(key.error());
    ledger::WitnessOptions options;
    options.dir = args.dir;
    options.name = args.name;
    auto opened = ledger::Witness::open(std::move(options), std::move(*key), clock);
    if (!opened) return fail(opened.error());
    return std::shared_ptr<ledger::Witness>(std::move(*opened));
}

net::HttpResponse response_of(ledger::WitnessAnswer answer) {
    net::HttpResponse out;
    out.status = answer.status;
    out.headers.add("Content-Type", answer.type);
    out.headers.add("Cache-Control", "no-store");
    if (answer.status == 429) out.headers.add("Retry-After", "1");
    out.body = std::move(answer.body);
    return out;
}

struct Serving {
    std::shared_ptr<ledger::Witness> witness;  // outlives what the pool still does at the end
    net::Reactor& reactor;
};

net::Task<void> serve(std::shared_ptr<const Serving> serving, net::HttpRequest request,
                      net::Responder* responder) {
    constexpr std::string_view kTail = "/checkpoint";
    auto witness = serving->witness;
    ledger::WitnessAnswer answer{404, "text/plain; charset=utf-8", "not found\n"};
    const std::string& target = request.target;
    if (target == "/add-checkpoint" && request.method == "POST") {
        auto work = [witness, body = std::move(request.body)] {
            return witness->add_checkpoint(body);
        };
        answer = co_await serving->reactor.offload(std::move(work));
    } else if (target == "/add-checkpoint" || request.method != "GET") {
        answer = {405, "text/plain; charset=utf-8", "POST /add-checkpoint\n"};
    } else if (target == "/healthz") {
        answer = {200, "text/plain; charset=utf-8", "ok\n"};
    } else if (target.ends_with(kTail) && target.size() > kTail.size()) {
        answer = witness->checkpoint(
            std::string_view(target).substr(1, target.size() - 1 - kTail.size()));
    }
    net::HttpResponse response = response_of(std::move(answer));
    (void)co_await responder->send(std::move(response));
}

// SIGHUP reads the list of logs again; SIGINT and SIGTERM end.
net::Task<void> wait_for_end(net::Reactor* reactor, int signals, ledger::Witness* witness,
                             std::string logs) {
    while (true) {
        if (!co_await net::wait_readable(*reactor, signals, net::Millis(3'600'000))) continue;
        signalfd_siginfo info{};
        if (read(signals, &info, sizeof info) != sizeof info) continue;
        if (info.ssi_signo != SIGHUP) co_return;
        if (const auto done = load_logs(*witness, logs); !done)
            log::error("witness", "the logs stay as they were: {}", done.error().message());
        else
            log::info("witness", "{} logs", witness->seen().size());
    }
}

int run(const Context& context, const WitnessArgs& args) {
    sigset_t wanted;
    sigemptyset(&wanted);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&wanted, number);
    pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
    const net::Fd signals(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
    SystemClock clock;
    auto witness = open_witness(args, clock);
    if (!witness) return report(context, witness.error());
    if (auto done = load_logs(**witness, args.logs); !done) return report(context, done.error());
    const auto endpoint = net::Endpoint::parse(args.listen);
    if (!endpoint) return report(context, endpoint.error());
    auto listener = net::Listener::bind(*endpoint);
    if (!listener) return report(context, listener.error());
    const std::string where = listener->endpoint().text();
    net::Reactor reactor;
    auto serving = std::make_shared<const Serving>(Serving{*witness, reactor});
    net::HttpServerOptions options;
    options.body_bytes_max = ledger::kMaxSubmissionBytes;
    net::HttpServer server(
        reactor, std::move(*listener),
        [serving](net::HttpRequest request, net::Responder& responder) {
            return serve(serving, std::move(request), &responder);
        },
        options);
    if (context.json) {
        json::Node out = json::Node::object();
        out["listen"] = where;
        out["vkey"] = (*witness)->vkey();
        out["logs"] = (*witness)->seen().size();
        std::puts(versioned("witness", std::move(out)).dump().c_str());
    } else {
        fmt::print("witness is ready\n  submit to  http://{}\n  key        {}\n  logs       {}\n",
                   where, (*witness)->vkey(), (*witness)->seen().size());
    }
    std::fflush(stdout);
    auto end = wait_for_end(&reactor, signals.get(), witness->get(), args.logs);
    reactor.run_until(std::move(end));
    server.close();
    return kDone;
}

int show_key(const Context& context, const WitnessArgs& args) {
    SystemClock clock;
    const auto witness = open_witness(args, clock);
    if (!witness) return report(context, witness.error());
    if (context.json) {
        json::Node out = json::Node::object();
        out["vkey"] = (*witness)->vkey();
        print_json(context, versioned("witness.key", std::move(out)));
    } else {
        fmt::print("{}\n", (*witness)->vkey());
    }
    return kDone;
}

}  // namespace

void add_witness(Command app, Context& context) {
    app.require_subcommand();
    app.footer(
        "Example: writ witness run --dir /var/lib/writ-witness --name witness.example/w1 --logs "
        "logs.txt");
    auto args = std::make_shared<WitnessArgs>();
    const auto add_common = [args](Command verb) {
        verb.add_option("--dir", args->dir, "key and checkpoints; made at first start").required();
        verb.add_option("--name", args->name, "of the key, e.g. witness.example/w1").required();
    };
    Command run_verb = app.add_subcommand("run", "Serve until SIGTERM; SIGHUP reads --logs again");
    add_common(run_verb);
    run_verb.add_option("--listen", args->listen, "loopback address (default 127.0.0.1:7440)");
    run_verb.add_option("--logs", args->logs, "file of log keys, one a line, `#` comments")
        .required();
    run_verb.footer(
        "Example: writ witness run --dir ./w1 --name witness.example/w1 --logs logs.txt");
    run_verb.callback([&context, args] { return run(context, *args); });
    Command key_verb = app.add_subcommand("key", "Print the key for other people's policies");
    add_common(key_verb);
    key_verb.footer("Example: writ witness key --dir ./w1 --name witness.example/w1");
    key_verb.callback([&context, args] { return show_key(context, *args); });
}

}  // namespace writ::cli
