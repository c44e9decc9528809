// `writ evidence search`: events by who, what, verdict, time and words, through an index that the
// log can always make again.
#include <fmt/format.h>

#include "base/clock.h"
#include "base/inert.h"
#include "cli/evidence_log.h"
#include "evidence/leaf.h"
#include "evidence/summary.h"

namespace writ::cli::evidence_verbs {

namespace {

struct Options {
    Where where;
    evidence::Query query;
    std::vector<std::string> words;
    std::string since, until;
    bool rebuild = false, check = false, csv = false;
};

// A field of RFC 4180 that no spreadsheet takes for a formula.
std::string csv_field(std::string_view text) {
    std::string out = inert(text, 2000);
    if (!out.empty() && std::string_view("=+-@\t\r").find(out.front()) != std::string_view::npos) {
        out.insert(out.begin(), '\'');
    }
    std::string quoted = "\"";
    for (const char c : out) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + '"';
}

int show(const Context& context, const Options& options, Opened& log) {
    const auto found = log.index->search(options.query);
    if (!found) return report(context, found.error());
    std::vector<std::pair<std::uint64_t, std::string>> rows;
    for (const auto at : *found) {
        const auto bytes = log.log.entry(at);
        if (!bytes) return report(context, bytes.error());
        rows.emplace_back(at, *bytes);
    }
    if (context.json) {
        json::Node out = json::Node::object();
        out["count"] = rows.size();
        out["events"] = json::Node::array();
        for (const auto& [at, bytes] : rows) {
            json::Node entry = json::Node::object();
            entry["index"] = at;
            entry["event"] = json::Node::raw(bytes);
            out["events"].push_back(std::move(entry));
        }
        print_json(context, versioned("evidence.search", std::move(out)));
        return kDone;
    }
    if (options.csv) fmt::print("index,time,type,task,session,call,id,summary\r\n");
    for (const auto& [at, bytes] : rows) {
        const auto leaf = evidence::read_leaf(bytes);
        if (!leaf) continue;
        const std::string summary = evidence::summary(*leaf);
        if (options.csv) {
            fmt::print("{},{},{},{},{},{},{},{}\r\n", at, rfc3339(leaf->t_us),
                       csv_field(leaf->type), csv_field(leaf->task), csv_field(leaf->session),
                       csv_field(leaf->call), csv_field(leaf->id), csv_field(summary));
        } else {
            fmt::print("{:>8}  {}  {}  {}  {}\n", at, rfc3339(leaf->t_us), inert(leaf->id, 40),
                       inert(leaf->type, 40), summary);
        }
    }
    if (!options.csv && rows.size() == options.query.limit) {
        fmt::print(stderr, "the newest {}; --limit N shows more\n", rows.size());
    }
    return kDone;
}

int check(const Context& context, Opened& log) {
    const auto findings = log.index->check(progress("check"));
    if (!findings) return report(context, findings.error());
    if (context.json) {
        json::Node out = json::Node::object();
        out["events"] = log.log.checkpoint().size;
        out["ok"] = findings->empty();
        out["findings"] = json::Node::array();
        for (const auto& finding : *findings) out["findings"].push_back(finding);
        print_json(context, versioned("evidence.index", std::move(out)));
    } else {
        for (const auto& finding : *findings) fmt::print("WRONG    {}\n", inert(finding));
        if (findings->empty()) {
            fmt::print("ok       the index says what the log says, {} entries\n",
                       log.log.checkpoint().size);
        } else {
            fmt::print("{} findings; `writ evidence search --rebuild` makes it anew\n",
                       findings->size());
        }
    }
    return findings->empty() ? kDone : kFound;
}

int run(const Context& context, Options& options) {
    const SystemClock clock;
    for (const auto& [text, to] : {std::pair{&options.since, &options.query.from_us},
                                   {&options.until, &options.query.to_us}}) {
        if (text->empty()) continue;
        const auto time = parse_time(*text, clock.now_us());
        if (!time) return report(context, time.error());
        *to = *time;
    }
    for (const auto& word : options.words) options.query.text += word + " ";
    auto opened = open_log(context, options.where, Need::kIndex);
    if (opened && options.rebuild) {
        if (auto made = (*opened)->index->rebuild(progress("index")); !made) {
            return report(context, made.error());
        }
    }
    if (!opened) return report(context, opened.error());
    if (options.check) return check(context, **opened);
    return show(context, options, **opened);
}

}  // namespace

void add_search(Command app, Context& context) {
    auto options = std::make_shared<Options>();
    auto& query = options->query;
    Command verb = app.add_subcommand("search", "Find events");
    verb.add_option("words", options->words,
                    "words that stand in fields that are not sealed: reasons, purposes, "
                    "resources, tools, policies, errors; all of them");
    verb.add_option("--agent", query.agent, "its name or SPIFFE id");
    verb.add_option("--tool", query.tool, "`server/tool`, a server or a tool");
    verb.add_option("--domain", query.domain, "data domain of the resource");
    verb.add_option("--verdict", query.verdict, "permit, forbid or hold")
        .one_of({"permit", "forbid", "hold"});
    verb.add_option("--type", query.type, "type of event; `call.` = all that begin so");
    verb.add_option("--task", query.task, "id of a task");
    verb.add_option("--session", query.session, "id of a session");
    verb.add_option("--since", options->since, "2026-11-24, 2026-11-24T09:30:00Z, 90m, 24h, 7d");
    verb.add_option("--until", options->until, "the same");
    verb.add_option("-n,--limit", query.limit, "how many, newest first").range(1, 1'000'000);
    verb.add_flag("--oldest-first", query.oldest_first, "in the order of the log");
    verb.add_flag("--csv", options->csv, "for a spreadsheet; formulas are inert");
    verb.add_flag("--rebuild", options->rebuild, "make the index anew from the log first");
    verb.add_flag("--check", options->check,
                  "compare the index with the log (exit code 4: differs)");
    add_where(verb, std::shared_ptr<Where>(options, &options->where), true);
    verb.footer("Example: writ evidence search --agent invoice-bot --verdict forbid --since 24h");
    verb.callback([&context, options] { return run(context, *options); });
}

}  // namespace writ::cli::evidence_verbs
