// `writ evidence shred`: one person's payloads become unreadable; every proof stays. The running
// gateway does it, because it alone writes the log.
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <optional>

#include "base/inert.h"
#include "cli/api.h"
#include "cli/evidence_log.h"
#include "json/value.h"

namespace writ::cli::evidence_verbs {

namespace {

struct Options {
    std::string subject, reason;
    std::optional<std::string> before;
    bool dry_run = false, yes = false;
};

Result<std::string> ask(const Context& context, const Options& options, bool dry_run) {
    json::Node body = json::Node::object();
    body["subject"] = options.subject;
    body["reason"] = options.reason;
    if (options.before) body["before"] = *options.before;
    body["dry_run"] = dry_run;
    return call_api(context, "POST", "evidence/shred", body.dump());
}

void print(const json::Value& answer, bool done) {
    std::string months;
    if (const auto list = answer.find("months")) {
        for (const auto& month : list->elements()) {
            months += (months.empty() ? "" : ", ") + inert(month.as_string().value_or(""), 20);
        }
    }
    fmt::print("{} {} keys of {}{}{}\n", done ? "shredded" : "would shred",
               answer.i64("keys").value_or(0), inert(answer.string("subject").value_or(""), 200),
               months.empty() ? "" : ", months ", months);
    if (const auto events = answer.find("events"); done && events) {
        for (const auto& event : events->elements()) {
            fmt::print("event    {}\n", inert(event.as_string().value_or(""), 40));
        }
    }
}

int run(const Context& context, const Options& options) {
    const auto plan = ask(context, options, true);
    if (!plan) return report_api(context, plan.error());
    const auto planned = json::parse(*plan);
    if (!planned) return report(context, planned.error());
    const bool nothing = planned->root().i64("keys").value_or(0) == 0;
    if (options.dry_run || nothing) {
        if (context.json) {
            print_json(context, versioned("evidence.shred", json::Node::from(planned->root())));
        } else {
            print(planned->root(), false);
        }
        return kDone;
    }
    if (!options.yes) {
        if (isatty(STDIN_FILENO) == 0) {
            return report(context, {ErrorCode::kInvalid,
                                    "this cannot be undone: say --yes, or look first with "
                                    "--dry-run",
                                    {}});
        }
        print(planned->root(), false);
        fmt::print("This cannot be undone. Type the subject to go on: ");
        std::fflush(stdout);
        std::string typed;
        std::getline(std::cin, typed);
        if (typed != options.subject) {
            return report(context, {ErrorCode::kCancelled, "nothing was shredded", {}});
        }
    }
    const auto answer = ask(context, options, false);
    if (!answer) return report_api(context, answer.error());
    const auto done = json::parse(*answer);
    if (!done) return report(context, done.error());
    if (context.json) {
        print_json(context, versioned("evidence.shred", json::Node::from(done->root())));
    } else {
        print(done->root(), true);
    }
    return kDone;
}

}  // namespace

void add_shred(Command app, Context& context) {
    auto options = std::make_shared<Options>();
    Command verb =
        app.add_subcommand("shred", "Make a person's payloads unreadable, on the record");
    verb.add_option("--subject", options->subject,
                    "login of a person, or the name in events: ps:… or spiffe://…")
        .required();
    verb.add_option("--before", options->before, "only months before this one: 2026-11");
    verb.add_option("--reason", options->reason, "for the record").required();
    verb.add_flag("--dry-run", options->dry_run, "say what would be shredded");
    verb.add_flag("--yes", options->yes, "do not ask");
    verb.footer(
        "Copies of the vault's keys in backups are yours to delete.\n"
        "Example: writ evidence shred --subject alice --before 2026-10 --reason \"request 7\" "
        "--dry-run");
    verb.callback([&context, options] { return run(context, *options); });
}

}  // namespace writ::cli::evidence_verbs
