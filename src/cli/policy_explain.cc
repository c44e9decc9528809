// `writ policy authorize` and `writ policy explain`.
#include <fmt/format.h>

#include <memory>

#include "base/inert.h"
#include "cli/api.h"
#include "cli/policy_ask.h"
#include "cli/policy_recall.h"
#include "cli/policy_world.h"
#include "policy/case_run.h"
#include "policy/flip.h"

namespace writ::cli {
namespace {

struct Asked {
    PolicyWorld world;
    policy::Posed posed;
};

Result<Asked> ask(const Context& context, const PolicyOptions& options, const AskOptions& call) {
    auto world = open_policy_world(context, options);
    if (!world) return fail(world.error());
    if (auto made = make_engine(*world); !made) return fail(made.error());
    if (const auto wrong = world->world.engine->report().error()) return fail(*wrong);
    const auto scenario = scenario_of(call);
    if (!scenario) return fail(scenario.error());
    auto posed = policy::Posed::make(*scenario, world->world);
    if (!posed) {
        Error error = posed.error();
        if (world->catalog_from.empty())
            error.detail += ": no tool is known; save a catalog with `writ catalog export`";
        return fail(std::move(error));
    }
    return Asked{std::move(*world), std::move(*posed)};
}

// 0 permit, 4 anything else.
int verdict_code(std::string_view verdict) {
    return verdict == "permit" ? kDone : kFound;
}

int authorize(const Context& context, const PolicyOptions& options, const AskOptions& call) {
    const auto asked = ask(context, options, call);
    if (!asked) return report(context, asked.error());
    const policy::Verdict verdict = asked->posed.decide(*asked->world.world.engine);
    if (context.json) {
        print_json(context, versioned("policy.authorize", policy::to_node(verdict)));
        return verdict_code(policy::name(verdict.kind));
    }
    fmt::print("{}  ({})\n{}\n", policy::name(verdict.kind), verdict.code,
               inert(verdict.reason, 2'000));
    for (const auto& by : verdict.determining)
        fmt::print("  {:7} {}\n", by.effect, inert(by.id, 300));
    for (const auto& hold : verdict.holds) fmt::print("  hold    {}\n", inert(hold, 300));
    for (const auto& obligation : verdict.obligations)
        fmt::print("  {:7} {}\n", inert(obligation.kind), inert(obligation.value, 300));
    return verdict_code(policy::name(verdict.kind));
}

int show(const Context& context, const std::string& answer) {
    const auto parsed = json::parse(answer, {.bytes_max = kMaxApiAnswerBytes});
    if (!parsed) return report(context, parsed.error());
    if (context.json)
        print_json(context, versioned("policy.explain", json::Node::from(parsed->root())));
    else
        print_explanation(parsed->root());
    return kDone;
}

// Of a task that the gateway knows.
int explain_live(const Context& context, const std::string& task, const AskOptions& call) {
    const auto arguments = text_or_file(call.arguments);
    if (!arguments) return report(context, arguments.error());
    if (const auto parsed = json::parse(*arguments); !parsed)
        return report(context, parsed.error().in("--arguments is not JSON"));
    json::Node body = json::Node::object();
    body["task"] = task;
    body["tool"] = call.tool;
    body["arguments"] = json::Node::raw(*arguments);
    const auto answer = call_api(context, "POST", "policy/explain", body.dump());
    if (!answer) return report_api(context, answer.error());
    return show(context, *answer);
}

int explain_described(const Context& context, const PolicyOptions& options,
                      const AskOptions& call) {
    const auto asked = ask(context, options, call);
    if (!asked) return report(context, asked.error());
    const auto& engine = *asked->world.world.engine;
    json::Node out = asked->posed.explain(engine);
    out["changes"] = policy::single_changes(asked->posed, engine);
    return show(context, out.dump());
}

// Of a call that was decided: what the record says, and what the present policies say.
int explain_past(const Context& context, const std::string& event, const AskOptions& call) {
    auto recalled = recall(context, event);
    if (!recalled) return report(context, recalled.error());
    if (!context.json) print_recalled(*recalled);
    AskOptions now = call;
    now.tool = recalled->tool;
    if (recalled->arguments) now.arguments = *recalled->arguments;
    json::Node body = json::Node::object();
    body["task"] = recalled->task;
    body["tool"] = recalled->tool;
    body["arguments"] = json::Node::raw(recalled->arguments.value_or("{}"));
    if (!recalled->arguments)
        return context.json ? show(context, recalled->to_node().dump()) : kDone;
    const auto answer = call_api(context, "POST", "policy/explain", body.dump());
    if (!answer) {
        if (context.json) return show(context, recalled->to_node().dump());
        fmt::print("what the present policies say: not known, {}\n",
                   inert(answer.error().message(), 300));
        return kDone;
    }
    const auto parsed = json::parse(*answer, {.bytes_max = kMaxApiAnswerBytes});
    if (!parsed) return report(context, parsed.error());
    if (context.json) {
        json::Node out = json::Node::from(parsed->root());
        out["recorded"] = recalled->to_node();
        return show(context, out.dump());
    }
    fmt::print("\nthe same call under the present policies{}:\n",
               parsed->root().string("policy_set") == recalled->policy_set
                   ? ", which are those of then"
                   : ", which are not those of then");
    print_explanation(parsed->root());
    return kDone;
}

}  // namespace

void add_policy_authorize(Command app, Context& context) {
    auto options = std::make_shared<PolicyOptions>();
    auto call = std::make_shared<AskOptions>();
    Command verb = app.add_subcommand("authorize", "Decide one described call, without a gateway");
    add_world_options(verb, options);
    add_ask_options(verb, call);
    verb.footer(
        "Example: writ policy authorize --tool bank/pay --arguments '{\"amount\": 250}'\n"
        "Exit codes: 0 permit, 4 forbid or hold, 2 a broken file or request.");
    verb.callback([&context, options, call] { return authorize(context, *options, *call); });
}

void add_policy_explain(Command app, Context& context) {
    auto options = std::make_shared<PolicyOptions>();
    auto call = std::make_shared<AskOptions>();
    auto task = std::make_shared<std::string>();
    auto event = std::make_shared<std::string>();
    Command verb = app.add_subcommand(
        "explain", "Why a call is permitted or not, and what single change would turn it");
    add_world_options(verb, options);
    add_ask_options(verb, call);
    verb.add_option("--task", *task, "a task that the running gateway knows");
    verb.add_option("--event", *event, "a decision in the log: its event or call id");
    verb.footer(
        "Example: writ policy explain --task 01a2… --tool filesystem/read_text_file "
        "--arguments '{\"path\":\"/data/a.txt\"}'\n"
        "         writ policy explain --event 01a2…\n"
        "         writ policy explain policies --tool bank/pay --arguments '{\"amount\": 250}'\n"
        "Exit codes: 0 explained, 1 no such task or event, 2 wrong usage, 3 no gateway.");
    verb.callback([&context, options, call, task, event] {
        return !event->empty()  ? explain_past(context, *event, *call)
               : !task->empty() ? explain_live(context, *task, *call)
                                : explain_described(context, *options, *call);
    });
}

}  // namespace writ::cli
