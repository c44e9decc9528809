// `writ reload`: asks the running gateway to put its configuration and policies in force.
#include <fmt/format.h>

#include <memory>

#include "base/inert.h"
#include "cli/api.h"
#include "cli/verb.h"
#include "json/value.h"

namespace writ::cli {
namespace {

int reload(const Context& context, bool check_only) {
    json::Node body = json::Node::object();
    body["check"] = check_only;
    const auto answer = call_api(context, "POST", "reload", body.dump());
    if (!answer) return report_api(context, answer.error());
    const auto document = json::parse(*answer);
    if (!document) return report(context, document.error());
    const json::Value root = document->root();
    if (context.json) {
        print_json(context, versioned("reload", json::Node::from(root)));
        return kDone;
    }
    std::size_t changes = 0;
    const auto print = [&](const char* member, const char* before) {
        std::size_t n = 0;
        if (const auto list = root.find(member))
            for (const auto& line : list->elements()) {
                fmt::print("{}{}\n", before, inert(line.as_string().value_or(""), 1'000));
                ++n;
            }
        return n;
    };
    changes = print("changes", "  ");
    print("warnings", "warning: ");
    if (changes == 0) {
        fmt::print("nothing has changed\n");
    } else if (check_only) {
        fmt::print("{} changes would be put in force; nothing was changed\n", changes);
    } else {
        fmt::print("{} changes are in force\n", changes);
    }
    if (const auto ended = root.i64("tasks_ended").value_or(0); ended > 0)
        fmt::print("{} tasks of agents that are gone {} revoked\n", ended,
                   check_only ? "would be" : "were");
    return kDone;
}

}  // namespace

void add_reload(Command app, Context& context) {
    auto check_only = std::make_shared<bool>(false);
    app.add_flag("--check", *check_only, "read and check everything, and change nothing");
    app.footer(
        "Everything is checked first; what is wrong is said with its place, and the old\n"
        "configuration stays in force. SIGHUP to `writ up` does the same and logs the result.\n"
        "Exit codes: 0 in force (or nothing to change), 1 refused (needs a restart, no role, not\n"
        "recorded), 2 a broken file, 3 no gateway.\n"
        "Example: writ reload --check && writ reload");
    app.callback([&context, check_only] { return reload(context, *check_only); });
}

}  // namespace writ::cli
