// `writ evidence trace|verify|tail`: files only, no gateway needed.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>

#include <CLI/CLI.hpp>

#include "base/inert.h"
#include "base/log.h"
#include "cli/config.h"
#include "cli/verb.h"
#include "evidence/trail.h"
#include "evidence/vault.h"
#include "ledger/reader.h"
#include "net/reactor.h"

namespace writ::cli {
namespace {

// Which log a verb reads: --log DIR, or the configuration's.
struct Where {
    std::string log;   // --log
    std::string vkey;  // --vkey: a file; default log.vkey beside the checkpoint
};

struct Opened {
    ledger::LogReader log;
    std::unique_ptr<evidence::Vault> vault;  // only with the configuration, and only where readable
};

Result<Opened> open_log(const Context& context, const Where& where, bool with_payloads) {
    std::filesystem::path dir(where.log);
    std::unique_ptr<evidence::Vault> vault;
    if (dir.empty()) {
        const auto config = load_config(
            context.config.empty() ? default_config_file() : std::filesystem::path(context.config));
        if (!config) return fail(config.error());
        dir = config->log_dir();
        if (with_payloads) {
            auto opened = evidence::Vault::open(config->data / "vault", config->tenant);
            if (!opened) return fail(opened.error());
            vault = std::move(*opened);
        }
    }
    const std::filesystem::path key_file =
        where.vkey.empty() ? dir / "log.vkey" : std::filesystem::path(where.vkey);
    std::ifstream in(key_file);
    if (!in)
        return fail(
            ErrorCode::kNotFound,
            fmt::format("no log key at `{}`: name the log's folder with --log", key_file.string()));
    std::string vkey;
    std::getline(in, vkey);
    auto log = ledger::LogReader::open(dir, vkey);
    if (!log) return fail(log.error());
    return Opened{std::move(*log), std::move(vault)};
}

int trace(const Context& context, const Where& where, const std::string& id, bool payloads) {
    const auto opened = open_log(context, where, payloads);
    if (!opened) return report(context, opened.error());
    const auto found = evidence::trace(opened->log, id);
    if (!found) return report(context, found.error());
    if (context.json)
        print_json(context, versioned("evidence.trace", evidence::to_json(*found)));
    else
        fmt::print("{}", evidence::render(*found, opened->vault.get()));
    return kDone;
}

// A progress line on a terminal's stderr; silent elsewhere.
std::function<void(std::uint64_t, std::uint64_t)> progress(std::string_view what) {
    if (isatty(STDERR_FILENO) == 0) return [](std::uint64_t, std::uint64_t) {};
    return [what](std::uint64_t done, std::uint64_t total) {
        fmt::print(stderr, "\r{}: {} of {} entries{}", what, done, total,
                   done == total ? "\n" : "");
        std::fflush(stderr);
    };
}

int verify(const Context& context, const Where& where) {
    const auto opened = open_log(context, where, false);
    if (!opened) {
        // A log that does not even open under its key is a finding, not a usage error.
        const int code = report(context, opened.error());
        return opened.error().code == ErrorCode::kCorrupt ? kFound : code;
    }
    const auto tree = opened->log.verify(progress("tree"));
    evidence::CheckReport events;
    if (tree.findings.empty()) events = evidence::check(opened->log, progress("events"));
    const auto& checkpoint = opened->log.checkpoint();
    std::vector<std::string> findings;
    for (const auto& finding : tree.findings) findings.push_back(finding.what);
    findings.insert(findings.end(), events.findings.begin(), events.findings.end());
    if (context.json) {
        json::Node out = json::Node::object();
        out["origin"] = checkpoint.origin;
        out["size"] = checkpoint.size;
        out["root"] = to_base64(checkpoint.root);
        out["entries"] = tree.entries;
        out["sessions"] = events.sessions;
        out["open_sessions"] = events.open_sessions;
        json::Node list = json::Node::array();
        for (const auto& finding : findings) list.push_back(finding);
        out["findings"] = std::move(list);
        out["ok"] = findings.empty();
        print_json(context, versioned("evidence.verify", std::move(out)));
    } else {
        fmt::print("log      {}\nsize     {}\nroot     {}\n", inert(checkpoint.origin),
                   checkpoint.size, to_base64(checkpoint.root));
        for (const auto& finding : findings) fmt::print("WRONG    {}\n", inert(finding));
        if (findings.empty())
            fmt::print(
                "ok       {} events, {} sessions ({} open): signature, tree, chains and "
                "causes hold\n",
                tree.entries, events.sessions, events.open_sessions);
        else
            fmt::print("{} findings\n", findings.size());
    }
    return findings.empty() ? kDone : kFound;
}

int tail(const Context& context, const Where& where, std::uint64_t count, bool follow) {
    auto opened = open_log(context, where, false);
    if (!opened) return report(context, opened.error());
    std::uint64_t size = opened->log.checkpoint().size;
    std::uint64_t next = size > count ? size - count : 0;
    net::Reactor reactor;
    while (true) {
        const auto print = [&](std::uint64_t index, std::string_view bytes) {
            if (context.json)
                fmt::print("{}\n", bytes);
            else
                fmt::print("{:>8}  {}\n", index, inert(bytes, 2'000));
            next = index + 1;
            return true;
        };
        if (const auto read = opened->log.entries(next, print); !read)
            return report(context, read.error());
        std::fflush(stdout);
        if (!follow) return kDone;
        do {
            auto pause = reactor.sleep(net::Millis(200));
            reactor.run_until(std::move(pause));
            opened = open_log(context, where, false);
            if (!opened) return report(context, opened.error());
        } while (opened->log.checkpoint().size == size);
        size = opened->log.checkpoint().size;
    }
}

}  // namespace

void add_evidence(CLI::App& app, Context& context) {
    app.require_subcommand(1);
    app.footer("Example: writ evidence verify");
    auto where = std::make_shared<Where>();
    const auto add_where = [where](CLI::App* verb) {
        verb->add_option("--log", where->log, "the log's folder (default: the configuration's)");
        verb->add_option("--vkey", where->vkey, "file with the log's key (default: DIR/log.vkey)");
    };
    auto id = std::make_shared<std::string>();
    auto payloads = std::make_shared<bool>(false);
    CLI::App* trace_verb = app.add_subcommand("trace", "The tree of what caused what");
    trace_verb->add_option("id", *id, "task, session, call or event id")->required();
    trace_verb->add_flag("--payloads", *payloads, "show prompts, arguments and outputs too");
    add_where(trace_verb);
    trace_verb->footer("Example: writ evidence trace 01a2… --payloads");
    trace_verb->callback([&context, where, id, payloads] {
        context.exit_code = trace(context, *where, *id, *payloads);
    });

    CLI::App* verify_verb = app.add_subcommand("verify", "Check the whole log");
    add_where(verify_verb);
    verify_verb->footer("Example: writ evidence verify --log ./log   (exit code 4: findings)");
    verify_verb->callback([&context, where] { context.exit_code = verify(context, *where); });

    auto count = std::make_shared<std::uint64_t>(20);
    auto follow = std::make_shared<bool>(false);
    CLI::App* tail_verb = app.add_subcommand("tail", "The newest events");
    tail_verb->add_option("-n,--count", *count, "how many");
    tail_verb->add_flag("-f,--follow", *follow, "wait for more");
    add_where(tail_verb);
    tail_verb->footer("Example: writ evidence tail -f --json");
    tail_verb->callback([&context, where, count, follow] {
        context.exit_code = tail(context, *where, *count, *follow);
    });
}

}  // namespace writ::cli
