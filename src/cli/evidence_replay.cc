// `writ evidence replay`: a recorded decision computed once more, from what the log and the vault
// hold: the policy set's text by its digest, the task's grants, the tool's definition by its pin,
// the arguments. The same engine as in the gateway; nothing of the present configuration.
#include <fmt/format.h>

#include "base/inert.h"
#include "catalog/catalog.h"
#include "cli/evidence_log.h"
#include "evidence/leaf.h"
#include "identity/types.h"
#include "policy/policy.h"

namespace writ::cli::evidence_verbs {

namespace {

// A leaf with the bytes it points into.
struct Event {
    std::unique_ptr<std::string> bytes;
    evidence::Leaf leaf;
};

struct Replayed {
    std::string event, recorded, recorded_code, computed, computed_code, reason;
    std::vector<std::string> findings;  // it differs, or what was recorded does not fit together
    std::string cannot;                 // why it cannot be computed; empty otherwise
};

class Replay {
  public:
    explicit Replay(Opened& log) : log_(log) {}

    Result<Replayed> run(const std::string& id) {
        auto decision = find_decision(id);
        if (!decision) return fail(decision.error());
        const evidence::Leaf& leaf = decision->leaf;
        out_.event = leaf.id;
        out_.recorded = leaf.text("kind");
        out_.recorded_code = leaf.text("code");
        if (auto computed = compute(leaf); !computed) {
            if (out_.cannot.empty()) out_.cannot = computed.error().detail;
        }
        return std::move(out_);
    }

  private:
    Result<Event> read(std::uint64_t index) {
        auto bytes = log_.log.entry(index);
        if (!bytes) return fail(bytes.error());
        Event out{std::make_unique<std::string>(std::move(*bytes)), {}};
        auto leaf = evidence::read_leaf(*out.bytes);
        if (!leaf) return fail(leaf.error());
        out.leaf = std::move(*leaf);
        return out;
    }

    Result<Event> find_decision(const std::string& id) {
        const auto uuid = Uuid::parse(id);
        if (!uuid)
            return fail(ErrorCode::kInvalid, "`" + id + "` is not the id of an event or call");
        const auto found = log_.index->by_key(*uuid);
        if (!found) return fail(found.error());
        for (const auto at : *found) {
            auto event = read(at);
            if (event && event->leaf.type == "call.decided") {
                at_ = at;
                return event;
            }
        }
        return fail(ErrorCode::kNotFound, "no decision in this log has the id `" + id + "`");
    }

    // The plain bytes of the payload of that role. Errors: kNotFound saying why not.
    Result<std::string> payload(const evidence::Leaf& leaf, std::string_view role) {
        for (auto& view : log_.payloads->read(leaf)) {
            if (view.role != role) continue;
            if (view.answer != evidence::PayloadAnswer::kMatches) {
                return fail(ErrorCode::kNotFound,
                            fmt::format("the {} cannot be read: {}", role, view.detail));
            }
            if (view.state == "redacted") {
                return fail(ErrorCode::kNotFound,
                            fmt::format("the {} were redacted before they were kept", role));
            }
            return std::move(view.plain);
        }
        return fail(ErrorCode::kNotFound, fmt::format("the event keeps no {}", role));
    }

    // The newest event of `query` before the decision that `fits`.
    template <class F>
    Result<Event> newest_before(evidence::Query query, const F& fits) {
        query.limit = 10'000;
        const auto found = log_.index->search(query);
        if (!found) return fail(found.error());
        for (const auto at : *found) {
            if (at > at_) continue;
            auto event = read(at);
            if (!event || !fits(event->leaf)) continue;
            found_at_ = at;
            return event;
        }
        return fail(ErrorCode::kNotFound, "not in the log");
    }

    struct Policies {
        std::vector<std::pair<std::string, std::string>> files;
        std::vector<std::shared_ptr<const identity::Agent>> agents;
        bool asks_subject = false;
    };

    Result<Policies> policies(const std::string& digest) {
        const auto names_it = [&](const evidence::Leaf& leaf) {
            return leaf.text("policy_set") == digest || leaf.text("digest") == digest;
        };
        auto event = newest_before({.type = "policy.changed"}, names_it);
        const std::uint64_t changed_at = event ? found_at_ : 0;
        auto started = newest_before({.type = "gateway.started"}, names_it);
        if (started && (!event || found_at_ > changed_at)) event = std::move(started);
        if (!event) {
            return fail(ErrorCode::kNotFound,
                        "no event keeps the text of the policy set " + digest);
        }
        const auto text = payload(event->leaf, "policy");
        if (!text) return fail(text.error());
        const auto document = json::parse(*text, {16 << 20, 16});
        if (!document) return fail(document.error());
        Policies out;
        const auto files = document->root().find("files"), agents = document->root().find("agents");
        if (!files || !agents) return fail(ErrorCode::kCorrupt, "the policy text is malformed");
        for (const auto& entry : files->elements()) {
            const auto pair = entry.elements();
            if (pair.size() != 2) return fail(ErrorCode::kCorrupt, "the policy text is malformed");
            out.files.emplace_back(pair[0].as_string().value_or(""),
                                   pair[1].as_string().value_or(""));
            out.asks_subject |= out.files.back().second.find("subject") != std::string::npos;
        }
        for (const auto& entry : agents->elements()) {
            auto agent = std::make_shared<identity::Agent>();
            agent->name = entry.string("name").value_or("");
            agent->spiffe_id = entry.string("spiffe_id").value_or("");
            if (const auto groups = entry.find("groups")) {
                for (const auto& group : groups->elements()) {
                    agent->groups.emplace_back(group.as_string().value_or(""));
                }
            }
            out.agents.push_back(std::move(agent));
        }
        return out;
    }

    Result<std::shared_ptr<const identity::Task>> task(const std::string& id,
                                                       const Policies& policies, int depth = 0) {
        const auto uuid = TaskId::parse(id);
        if (!uuid || depth > static_cast<int>(kMaxChainDepth)) {
            return fail(ErrorCode::kCorrupt, "the chain of tasks is malformed");
        }
        const auto events = log_.index->by_task(*uuid, true);
        if (!events) return fail(events.error());
        for (const auto at : *events) {
            const auto event = read(at);
            if (!event || event->leaf.type != "task.started") continue;
            return task_of(event->leaf, *uuid, policies, depth);
        }
        return fail(ErrorCode::kNotFound, "the log has no start of task " + id);
    }

    Result<std::shared_ptr<const identity::Task>> task_of(const evidence::Leaf& leaf,
                                                          const TaskId& id,
                                                          const Policies& policies, int depth) {
        json::Node spec = json::Node::object();
        for (const auto member : {"agent", "grants", "purpose"}) {
            if (const auto value = leaf.data->find(member)) spec[member] = json::Node::from(*value);
        }
        // A person's login is not in the log; the pseudonym stands for it.
        spec["subject"] = "person:" + std::string(leaf.text("subject"));
        const std::string text = spec.dump();
        const auto parsed = json::parse(text);
        auto read_spec = identity::TaskSpec::from_json(parsed->root());
        auto out = std::make_shared<identity::Task>();
        if (!read_spec) return fail(read_spec.error().in("task"));
        out->spec = std::move(*read_spec);
        out->id = id;
        out->root = TaskId::parse(leaf.text("root")).value_or(id);
        out->depth = leaf.number("depth");
        out->started_us = leaf.t_us;
        out->deadline_us = leaf.t_us + leaf.number("deadline_s") * 1'000'000;
        for (const auto& agent : policies.agents) {
            if (agent->name == out->spec.agent) out->agent = agent;
        }
        if (!out->agent) {
            return fail(ErrorCode::kNotFound,
                        "the agent is not among those kept with the policies");
        }
        if (const std::string parent(leaf.text("parent")); !parent.empty()) {
            auto above = task(parent, policies, depth + 1);
            if (!above) return fail(above.error());
            out->parent = (*above)->id;
            out->parent_task = std::move(*above);
        }
        return std::shared_ptr<const identity::Task>(std::move(out));
    }

    // The tool as its server had listed it then.
    Result<std::shared_ptr<const catalog::Snapshot>> tools(const evidence::Leaf& leaf) {
        const std::string server(leaf.text("server"));
        const auto event = newest_before({.type = "tool.list"}, [&](const evidence::Leaf& listed) {
            return listed.text("server") == server;
        });
        if (!event) return fail(ErrorCode::kNotFound, "the log has no list of that server's tools");
        const auto text = payload(event->leaf, "tool_list");
        if (!text) return fail(text.error());
        const auto document = json::parse(*text, {16 << 20, 64});
        if (!document) return fail(document.error());
        catalog::ServerSpec spec;
        spec.name = server;
        spec.command = {"recorded"};
        auto catalog = catalog::Catalog::make({spec}, {}, {});
        if (!catalog) return fail(catalog.error());
        if (auto listed = (*catalog)->update(server, document->root()); !listed) {
            return fail(listed.error());
        }
        return (*catalog)->snapshot();
    }

    static catalog::Resource resource(const evidence::Leaf& leaf) {
        catalog::Resource out;
        out.uri = leaf.text("resource");
        if (const auto domains = leaf.data->find("domains")) {
            for (const auto& domain : domains->elements()) {
                out.domains.emplace_back(domain.as_string().value_or(""));
            }
        }
        out.sensitivity = catalog::sensitivity_from(leaf.text("sensitivity"))
                              .value_or(catalog::Sensitivity::kRestricted);
        return out;
    }

    // The time the policies were asked with; events from before it was recorded have only their
    // own.
    static std::int64_t asked_us(const evidence::Leaf& leaf) {
        const auto facts = leaf.data->find("facts");
        if (!facts) return leaf.t_us;
        for (const auto& fact : facts->elements()) {
            const auto value = fact.find("v");
            if (fact.string("k") == "now_us" && value) return value->as_i64().value_or(leaf.t_us);
        }
        return leaf.t_us;
    }

    Status compute(const evidence::Leaf& leaf) {
        const std::string set(leaf.text("policy_set"));
        if (set.empty() || leaf.text("action").empty()) {
            out_.cannot =
                fmt::format("`{}` was decided before the policies were asked", out_.recorded_code);
            return {};
        }
        auto kept = policies(set);
        if (!kept) return fail(kept.error());
        const auto snapshot = tools(leaf);
        if (!snapshot) return fail(snapshot.error());
        const auto listed = (*snapshot)->by_qualified(leaf.text("action"));
        if (!listed) return fail(ErrorCode::kNotFound, "the recorded list has no such tool");
        catalog::Tool tool = *listed;
        if (digest_text(tool.pin) != leaf.text("pin")) {
            out_.findings.emplace_back("the tool's recorded definition has another pin");
        }
        if (const auto effect = catalog::effect_from(leaf.text("effect"))) tool.effect = *effect;
        auto engine = policy::Engine::make(kept->files, kept->agents, *snapshot);
        if (!engine) return fail(engine.error().in("the recorded policies"));
        if (digest_text((*engine)->digest()) != set) {
            out_.findings.emplace_back("the recorded policy text has another digest");
        }
        const auto started = task(std::string(leaf.task), *kept);
        if (!started) return fail(started.error());
        const auto text = payload(leaf, "args");
        if (!text && leaf.document->root().find("payloads")) return fail(text.error());
        const auto arguments = json::parse(text ? std::string_view(*text) : "{}");
        if (!arguments) return fail(arguments.error().in("arguments"));
        const catalog::Resource touched = resource(leaf);
        const policy::Verdict verdict =
            (*engine)->decide({**started, tool, touched, arguments->root(), asked_us(leaf), false});
        out_.computed = policy::name(verdict.kind);
        out_.computed_code = verdict.code;
        out_.reason = verdict.reason;
        judge(kept->asks_subject);
        return {};
    }

    // What the gate decides around the policies is not computed again.
    void judge(bool asks_subject) {
        if (out_.computed == out_.recorded) return;
        for (const std::string_view code :
             {"budget", "expired", "ended", "suspended", "tool_changed", "bad_argument"}) {
            if (out_.recorded_code == code) {
                out_.cannot =
                    fmt::format("`{}` was decided around the policies, which alone say {}", code,
                                out_.computed);
                return;
            }
        }
        if (asks_subject) {
            out_.cannot = "the policies ask for the subject, whom the log knows by pseudonym only";
            return;
        }
        out_.findings.push_back(fmt::format("recorded {} ({}), computed {} ({}): {}", out_.recorded,
                                            out_.recorded_code, out_.computed, out_.computed_code,
                                            out_.reason));
    }

    Opened& log_;
    std::uint64_t at_ = 0;        // of the decision
    std::uint64_t found_at_ = 0;  // of what newest_before() found last
    Replayed out_;
};

int run(const Context& context, const Where& where, const std::string& id) {
    const auto opened = open_log(context, where, Need::kBoth);
    if (!opened) return report(context, opened.error());
    const auto done = Replay(**opened).run(id);
    if (!done) return report(context, done.error());
    const std::string_view result = !done->findings.empty() ? "differs"
                                    : !done->cannot.empty() ? "unknown"
                                                            : "same";
    if (context.json) {
        json::Node out = json::Node::object();
        out["event"] = done->event;
        out["result"] = result;
        out["recorded"]["verdict"] = done->recorded;
        out["recorded"]["code"] = done->recorded_code;
        if (!done->computed.empty()) {
            out["computed"]["verdict"] = done->computed;
            out["computed"]["code"] = done->computed_code;
            out["computed"]["reason"] = done->reason;
        }
        out["findings"] = json::Node::array();
        for (const auto& finding : done->findings) out["findings"].push_back(finding);
        if (!done->cannot.empty()) out["why"] = done->cannot;
        print_json(context, versioned("evidence.replay", std::move(out)));
    } else {
        fmt::print("recorded {} ({})\n", inert(done->recorded, 20), inert(done->recorded_code, 64));
        if (!done->computed.empty()) {
            fmt::print("computed {} ({}): {}\n", done->computed, done->computed_code,
                       inert(done->reason, 1000));
        }
        for (const auto& finding : done->findings)
            fmt::print("WRONG    {}\n", inert(finding, 1000));
        if (!done->cannot.empty()) fmt::print("unknown  {}\n", inert(done->cannot, 1000));
        if (result == "same") fmt::print("ok       the recorded facts and policies say the same\n");
    }
    return result == "same" ? kDone : result == "differs" ? kFound : kFailed;
}

}  // namespace

void add_replay(Command app, Context& context) {
    auto where = std::make_shared<Where>();
    auto id = std::make_shared<std::string>();
    Command verb = app.add_subcommand("replay", "Compute a recorded decision once more");
    verb.add_option("event", *id, "id of a decision's event, or of its call").required();
    add_where(verb, where, true);
    verb.footer(
        "Exit codes: 0 the same verdict, 1 it cannot be computed (and why), 4 another verdict.\n"
        "Example: writ evidence replay 01a2…");
    verb.callback([&context, where, id] { return run(context, *where, *id); });
}

}  // namespace writ::cli::evidence_verbs
