// `writ evidence trace`: the tree of what caused what, around anything that has a name.
#include <fmt/format.h>

#include "cli/evidence_log.h"
#include "evidence/trail.h"

namespace writ::cli::evidence_verbs {

namespace {

struct Options {
    Where where;
    std::string id;
    bool payloads = false, html = false;
    std::string out = "-";
};

int run(const Context& context, const Options& options) {
    const auto opened =
        open_log(context, options.where, options.payloads ? Need::kBoth : Need::kIndex);
    if (!opened) return report(context, opened.error());
    Opened& log = **opened;
    const bool json = context.json && !options.html;
    const auto keep = json || options.payloads ? evidence::Keep::kAll
                      : options.html           ? evidence::Keep::kFew
                                               : evidence::Keep::kNone;
    const auto found = evidence::trace(*log.index, options.id, keep);
    if (!found) return report(context, found.error());
    const auto written = write_text(options.out, [&](const evidence::Sink& sink) -> Status {
        auto* const payloads = log.payloads.get();
        if (options.html)
            return evidence::to_html(*found, payloads, log.log.checkpoint().origin, sink);
        if (!json) return evidence::render(*found, payloads, sink);
        if (auto ok = evidence::to_json(*found, payloads, "writ.evidence.trace/1", sink); !ok)
            return ok;
        return sink("\n");
    });
    if (!written) return report(context, written.error());
    return kDone;
}

}  // namespace

void add_trace(Command app, Context& context) {
    auto options = std::make_shared<Options>();
    Command verb = app.add_subcommand("trace", "The tree of what caused what");
    verb.add_option("id", options->id,
                    "id of a task, session, call, event or token; an agent; or words that stand "
                    "in events, such as a file, a URI or a value")
        .required();
    verb.add_flag("--payloads", options->payloads, "show prompts, arguments and outputs too");
    verb.add_flag("--html", options->html, "one HTML file that needs nothing else");
    verb.add_option("-o,--output", options->out, "write to a file");
    add_where(verb, std::shared_ptr<Where>(options, &options->where), true);
    verb.footer(
        "Example: writ evidence trace 01a2… --payloads\n"
        "         writ evidence trace 01a2… --html -o incident.html");
    verb.callback([&context, options] { return run(context, *options); });
}

}  // namespace writ::cli::evidence_verbs
