// `writ evidence tail`: the newest events, and those to come.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "base/inert.h"
#include "cli/evidence_log.h"
#include "net/reactor.h"

namespace writ::cli::evidence_verbs {

namespace {

int tail(const Context& context, const Where& where, std::uint64_t count, bool follow) {
    auto opened = open_log(context, where, Need::kLog);
    if (!opened) return report(context, opened.error());
    std::uint64_t size = (*opened)->log.checkpoint().size;
    std::uint64_t next = size > count ? size - count : 0;
    net::Reactor reactor;
    const bool terminal = isatty(STDOUT_FILENO) != 0;
    while (true) {
        const auto print = [&](std::uint64_t index, std::string_view bytes) {
            // The bytes of the log, unless a person looks.
            if (context.json)
                fmt::print("{}\n", terminal ? inert_json(bytes) : bytes);
            else
                fmt::print("{:>8}  {}\n", index, inert(bytes, 2'000));
            next = index + 1;
            return true;
        };
        if (const auto read = (*opened)->log.entries(next, print); !read)
            return report(context, read.error());
        std::fflush(stdout);
        if (!follow) return kDone;
        do {
            auto pause = reactor.sleep(net::Millis(200));
            reactor.run_until(std::move(pause));
            opened = open_log(context, where, Need::kLog);
            if (!opened) return report(context, opened.error());
        } while ((*opened)->log.checkpoint().size == size);
        size = (*opened)->log.checkpoint().size;
    }
}

}  // namespace

void add_tail(Command app, Context& context) {
    auto where = std::make_shared<Where>();
    auto count = std::make_shared<std::uint64_t>(20);
    auto follow = std::make_shared<bool>(false);
    Command verb = app.add_subcommand("tail", "The newest events");
    verb.add_option("-n,--count", *count, "how many");
    verb.add_flag("-f,--follow", *follow, "wait for more");
    add_where(verb, where, false);
    verb.footer("Example: writ evidence tail -f --json");
    verb.callback(
        [&context, where, count, follow] { return tail(context, *where, *count, *follow); });
}

}  // namespace writ::cli::evidence_verbs
