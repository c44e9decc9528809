// `writ evidence fetch URL DIR`: a verified copy of somebody's log from its readers' listener.
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>

#include "cli/http_source.h"
#include "cli/verb.h"
#include "ledger/replica.h"

namespace writ::cli {
namespace {

constexpr std::size_t kMaxKeyBytes = 4096;

Result<std::string> read_key(const std::string& file, ledger::LogSource& source) {
    if (file.empty()) return source.get("log.vkey", kMaxKeyBytes);
    std::ifstream in(file);
    if (!in) return fail(ErrorCode::kNotFound, fmt::format("no key file `{}`", file));
    return std::string(std::istreambuf_iterator<char>(in), {});
}

int fetch(const Context& context, const std::string& url, const std::string& dir,
          const std::string& vkey, const std::string& ca_file) {
    auto parsed = parse_prefix(url);
    if (!parsed) return report(context, parsed.error());
    const auto opened = HttpSource::open(std::move(*parsed), ca_file);
    if (!opened) return report(context, opened.error());
    HttpSource& source = **opened;
    const auto key = read_key(vkey, source);
    if (!key) return report(context, key.error());
    auto replica = ledger::Replica::open(dir, *key);
    if (!replica) return report(context, replica.error());
    const std::uint64_t before = replica->size();
    const bool terminal = isatty(STDERR_FILENO) != 0;
    const Status done = replica->update(source, [&](std::uint64_t have, std::uint64_t total) {
        constexpr std::uint64_t kEvery = 64 * 256;
        if (terminal && (have % kEvery == 0 || have == total))
            fmt::print(stderr, "\rfetched: {} of {} entries{}", have, total,
                       have == total ? "\n" : "");
        return true;
    });
    if (!done) {
        const int code = report(context, done.error());
        return done.error().code == ErrorCode::kCorrupt ? kFound : code;
    }
    if (context.json) {
        json::Node out = json::Node::object();
        out["directory"] = dir;
        out["size"] = replica->size();
        out["fetched"] = replica->size() - before;
        out["self_declared_key"] = vkey.empty();
        print_json(context, versioned("evidence.fetch", std::move(out)));
    } else {
        fmt::print(
            "{} entries in `{}`, {} of them new: every hash computed here, the root is the "
            "one that was signed{}\n",
            replica->size(), dir, replica->size() - before,
            vkey.empty() ? "\nthe key came with the log: compare `log.vkey` with one that "
                           "you got elsewhere, or give --vkey"
                         : "");
    }
    return kDone;
}

}  // namespace

void add_evidence_fetch(Command app, Context& context) {
    auto url = std::make_shared<std::string>();
    auto dir = std::make_shared<std::string>();
    auto vkey = std::make_shared<std::string>();
    auto ca_file = std::make_shared<std::string>();
    Command verb = app.add_subcommand("fetch", "Download a log and verify it on the way");
    verb.add_option("url", *url, "the log's prefix: http://127.0.0.1:7421/log/default/gw-1")
        .required();
    verb.add_option("dir", *dir, "folder for the copy; an earlier copy goes on where it was")
        .required();
    verb.add_option("--vkey", *vkey, "file with the log's key (default: the log's own)");
    verb.add_option("--ca-file", *ca_file,
                    "PEM certificates to trust for https instead of the system's");
    verb.footer("Example: writ evidence fetch http://127.0.0.1:7421/log/default/gw-1 ./copy");
    verb.callback([&context, url, dir, vkey, ca_file] {
        return fetch(context, *url, *dir, *vkey, *ca_file);
    });
}

}  // namespace writ::cli
