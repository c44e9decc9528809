// `writ task start|show|list|writ|end|revoke`.
#include <fmt/format.h>

#include <functional>
#include <memory>
#include <string>

#include "base/inert.h"
#include "cli/api.h"
#include "cli/config.h"
#include "cli/verb.h"
#include "json/value.h"

namespace writ::cli {
namespace {

std::string text_of(const json::Value& object, std::string_view key) {
    return inert(object.string(key).value_or(""));
}

void print_task(const json::Value& task) {
    fmt::print("task      {}\n", text_of(task, "id"));
    fmt::print("state     {}\n", text_of(task, "state"));
    fmt::print("agent     {}  (owner {})\n", text_of(task, "agent_id"), text_of(task, "owner"));
    fmt::print("subject   {}\n", text_of(task, "subject"));
    fmt::print("purpose   {}\n", text_of(task, "purpose"));
    fmt::print("started   {}\n", text_of(task, "started"));
    fmt::print("deadline  {}\n", text_of(task, "deadline"));
    if (const auto spent = task.find("spent"))
        fmt::print("spent     {} calls, {} refused\n", spent->i64("calls").value_or(0),
                   spent->i64("denied").value_or(0));
    if (const auto grants = task.find("grants")) {
        for (const json::Value grant : grants->elements()) {
            std::string tools;
            if (const auto list = grant.find("tools"))
                for (const json::Value tool : list->elements())
                    tools += (tools.empty() ? "" : ", ") + inert(tool.as_string().value_or(""));
            const std::string when = text_of(grant, "when");
            fmt::print("grant     {}{}\n", tools, when.empty() ? "" : "  when " + when);
        }
    }
}

int show(const Context& context, const Result<std::string>& answer) {
    if (!answer) return report_api(context, answer.error());
    const auto body = json::parse(*answer, {.bytes_max = kMaxApiAnswerBytes});
    if (!body) return report(context, body.error());
    if (context.json)
        print_json(context, versioned("task", json::Node::from(body->root())));
    else
        print_task(body->root());
    return kDone;
}

int start(const Context& context, const std::string& file) {
    const auto spec = load_task(file);
    if (!spec) return report(context, spec.error());
    return show(context, call_api(context, "POST", "tasks", spec->to_json().dump()));
}

// Reads the list page by page. Tasks that are started meanwhile are newer than the first page: they
// are not in it.
Status each_task(const Context& context, const std::function<void(const json::Value&)>& each) {
    std::string path = "tasks";
    while (true) {
        const auto answer = call_api(context, "GET", path);
        if (!answer) return fail(answer.error());
        const auto body = json::parse(*answer, {.bytes_max = kMaxApiAnswerBytes});
        if (!body) return fail(body.error());
        if (const auto page = body->root().find("tasks"))
            for (const json::Value task : page->elements()) each(task);
        const auto next = body->root().string("next");
        if (!next) return {};
        path = "tasks?after=" + std::string(*next);
    }
}

int list(const Context& context) {
    json::Node all = json::Node::array();
    std::string lines =
        fmt::format("{:36}  {:8}  {:20}  {}\n", "TASK", "STATE", "AGENT", "PURPOSE");
    const Status read = each_task(context, [&](const json::Value& task) {
        if (context.json)
            all.push_back(json::Node::from(task));
        else
            lines +=
                fmt::format("{:36}  {:8}  {:20}  {}\n", text_of(task, "id"), text_of(task, "state"),
                            text_of(task, "agent"), text_of(task, "purpose"));
    });
    if (!read) return report_api(context, read.error());
    if (context.json) {
        json::Node body = json::Node::object();
        body["tasks"] = std::move(all);
        print_json(context, versioned("tasks", std::move(body), 2));
    } else {
        fmt::print("{}", lines);
    }
    return kDone;
}

// Prints the token alone, so that `$(writ task writ ID)` is what a caller wants.
int mint(const Context& context, const std::string& id) {
    const auto answer = call_api(context, "POST", "tasks/" + id + "/writ", "{}");
    if (!answer) return report_api(context, answer.error());
    const auto body = json::parse(*answer);
    if (!body) return report(context, body.error());
    if (context.json)
        print_json(context, versioned("writ", json::Node::from(body->root())));
    else
        fmt::print("{}\n", text_of(body->root(), "writ"));
    return kDone;
}

int finish(const Context& context, const std::string& id, const char* how,
           const std::string& reason) {
    json::Node body = json::Node::object();
    if (!reason.empty()) body["reason"] = reason;
    return show(context, call_api(context, "POST", "tasks/" + id + "/" + how, body.dump()));
}

}  // namespace

void add_task(Command app, Context& context) {
    app.require_subcommand();
    app.footer("Example: writ task start examples/quickstart/task.toml");
    auto text = std::make_shared<std::string>();
    auto reason = std::make_shared<std::string>();

    Command start_verb = app.add_subcommand("start", "Start a task from a file");
    start_verb.add_option("file", *text, "task file (TOML)").required();
    start_verb.footer("Example: writ task start examples/quickstart/task.toml");
    start_verb.callback([&context, text] { return start(context, *text); });

    Command show_verb = app.add_subcommand("show", "Show one task");
    show_verb.add_option("task", *text, "task id").required();
    show_verb.footer("Example: writ task show 01a2…");
    show_verb.callback(
        [&context, text] { return show(context, call_api(context, "GET", "tasks/" + *text)); });

    Command list_verb = app.add_subcommand("list", "List tasks, newest first");
    list_verb.footer("Example: writ task list --json");
    list_verb.callback([&context] { return list(context); });

    Command writ_verb = app.add_subcommand("writ", "Mint a bearer writ in a task, where allowed");
    writ_verb.add_option("task", *text, "task id").required();
    writ_verb.footer(
        "Example: writ task writ 01a2…   (prints a secret: it is the task's authority)");
    writ_verb.callback([&context, text] { return mint(context, *text); });

    const std::pair<const char*, const char*> ways[] = {{"end", "End a task: its work is done"},
                                                        {"revoke", "Revoke a task tree at once"}};
    for (const auto& [way, help] : ways) {
        Command verb = app.add_subcommand(way, help);
        verb.add_option("task", *text, "task id").required();
        verb.add_option("--reason", *reason, "recorded with the event");
        verb.footer(fmt::format("Example: writ task {} 01a2… --reason \"wrong recipient\"", way));
        verb.callback(
            [&context, text, reason, how = way] { return finish(context, *text, how, *reason); });
    }
}

}  // namespace writ::cli
