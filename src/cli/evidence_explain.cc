// `writ evidence explain`: what was different this time.
#include <fmt/format.h>

#include "cli/evidence_log.h"
#include "evidence/explain.h"

namespace writ::cli::evidence_verbs {

namespace {

int run(const Context& context, const Where& where, const std::string& id) {
    const auto opened = open_log(context, where, Need::kIndex);
    if (!opened) return report(context, opened.error());
    const auto found = evidence::explain(*(*opened)->index, id);
    if (!found) return report(context, found.error());
    if (context.json) {
        print_json(context, versioned("evidence.explain", evidence::to_json(*found)));
    } else {
        fmt::print("{}", evidence::render(*found));
    }
    return kDone;
}

}  // namespace

void add_explain(Command app, Context& context) {
    auto where = std::make_shared<Where>();
    auto id = std::make_shared<std::string>();
    Command verb =
        app.add_subcommand("explain", "Compare a run with the last good one: what was different");
    verb.add_option("id", *id, "as for trace").required();
    add_where(verb, where, true);
    verb.footer("Example: writ evidence explain 01a2…");
    verb.callback([&context, where, id] { return run(context, *where, *id); });
}

}  // namespace writ::cli::evidence_verbs
