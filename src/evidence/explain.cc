#include "evidence/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/inert.h"
#include "evidence/leaf.h"
#include "evidence/summary.h"
#include "evidence/trail.h"
#include "evidence/words.h"

namespace writ::evidence {

namespace {

// Sessions of the agent that are looked at for a good one.
constexpr std::size_t kMaxRunsLookedAt = 50;
constexpr std::size_t kMaxSigns = 12;

// A value and the event it was first seen in.
struct Seen {
    std::string value, event;
};

// What can differ between two runs.
struct Run {
    std::string session, agent;
    std::uint64_t first = 0, last = 0;  // indexes
    Seen prompt, prompt_key, purpose, grants, charter, policy_set;
    std::map<std::string, Seen> pins;                    // by action
    std::vector<std::pair<std::string, Sign>> troubles;  // code or status, and the event
    bool completed = false;                              // sealed as such
};

void see(Seen& seen, std::string_view value, std::string_view event) {
    if (seen.value.empty() && !value.empty()) seen = {std::string(value), std::string(event)};
}

void see_trouble(Run& run, const Leaf& leaf) {
    std::string code;
    if (leaf.type == "call.decided" && leaf.text("kind") != "permit") code = leaf.text("code");
    if (leaf.type == "call.ended" && leaf.text("status") != "ok") code = leaf.text("status");
    if (leaf.type == "call.ended" && leaf.text("agreement") == "diverged") code = "diverged";
    if (leaf.type == "identity.revoked" || leaf.type == "identity.expired") code = leaf.type;
    if (code.empty()) return;
    run.troubles.push_back({code, {std::string(leaf.id), summary(leaf), 0}});
}

void add(Run& run, std::uint64_t index, const Leaf& leaf) {
    if (run.first == 0 || index < run.first) run.first = index;
    run.last = std::max(run.last, index);
    if (run.agent.empty()) run.agent = agent_of(leaf);
    const auto actor = leaf.document->root().find("actor");
    const auto agent = actor ? actor->find("agent") : std::nullopt;
    if (agent) see(run.charter, agent->string("charter").value_or(""), leaf.id);
    if (leaf.type == "task.started") {
        see(run.purpose, leaf.text("purpose"), leaf.id);
        const auto grants = leaf.data ? leaf.data->find("grants") : std::nullopt;
        if (grants) see(run.grants, grants->raw(), leaf.id);
        const auto payloads = leaf.document->root().find("payloads");
        if (payloads && payloads->is_array() && payloads->size() > 0) {
            const auto prompt = payloads->elements().front();
            see(run.prompt, prompt.string("com").value_or(""), leaf.id);
            see(run.prompt_key, prompt.string("kid").value_or(""), leaf.id);
        }
    }
    if (leaf.type == "call.decided") {
        see(run.policy_set, leaf.text("policy_set"), leaf.id);
        if (!leaf.text("pin").empty()) {
            see(run.pins[std::string(leaf.text("action"))], leaf.text("pin"), leaf.id);
        }
    }
    if (leaf.type == "session.sealed") run.completed = leaf.text("reason") == "completed";
    see_trouble(run, leaf);
}

Result<Run> read_run(LogIndex& index, const std::string& session) {
    Run run;
    run.session = session;
    const auto uuid = Uuid::parse(session);
    if (!uuid) return fail(ErrorCode::kNotFound, "no session");
    auto events = index.by_session(*uuid);
    if (!events) return fail(events.error());
    std::string task;
    const auto each = [&](std::uint64_t at, std::string_view bytes) {
        const auto leaf = read_leaf(bytes);
        if (!leaf) return true;
        if (task.empty()) task = leaf->task;
        add(run, at, *leaf);
        return true;
    };
    if (auto read = index.source().pick(*events, each); !read) return fail(read.error());
    const auto task_id = Uuid::parse(task);
    if (!task_id) return run;
    const auto own = index.by_task(*task_id, true);
    if (!own) return fail(own.error());
    const auto read = index.source().pick(*own, [&](std::uint64_t at, std::string_view bytes) {
        const auto leaf = read_leaf(bytes);
        if (leaf && leaf->type == "task.started") add(run, at, *leaf);
        return true;
    });
    if (!read) return fail(read.error());
    return run;
}

// The session whose trouble comes first in what `what` names, else its first session.
Result<std::string> session_of(LogIndex& index, std::string_view what) {
    const auto named = find_named(index, what);
    if (!named) return fail(named.error());
    std::string first, troubled;
    const auto read =
        index.source().pick(named->indexes, [&](std::uint64_t, std::string_view bytes) {
            const auto leaf = read_leaf(bytes);
            if (!leaf || leaf->session.empty()) return true;
            if (first.empty()) first = leaf->session;
            Run scratch;
            see_trouble(scratch, *leaf);
            if (!scratch.troubles.empty()) troubled = leaf->session;
            return troubled.empty();
        });
    if (!read) return fail(read.error());
    if (first.empty()) {
        return fail(ErrorCode::kNotFound,
                    "`" + std::string(what) + "` names no session that could be explained");
    }
    return troubled.empty() ? first : troubled;
}

// The newest earlier run of the agent that ended well.
Result<Run> last_good(LogIndex& index, const Run& run) {
    Query query;
    query.agent = run.agent;
    query.type = "session.started";
    query.limit = kMaxRunsLookedAt;
    const auto found = index.search(query);
    if (!found) return fail(found.error());
    for (const auto at : *found) {
        const auto bytes = index.source().entry(at);
        if (!bytes) return fail(bytes.error());
        const auto leaf = read_leaf(*bytes);
        if (!leaf || at >= run.first || leaf->session == run.session) continue;
        auto good = read_run(index, std::string(leaf->session));
        if (good && good->completed && good->troubles.empty()) return good;
    }
    return fail(ErrorCode::kNotFound, "no good run");
}

class Ranking {
  public:
    void sign(Suspect suspect, int weight, std::string_view event, std::string_view what) {
        Suspicion& entry = by_[suspect];
        entry.suspect = suspect;
        entry.weight += weight;
        entry.signs.push_back({std::string(event), inert(what, 300), weight});
    }
    void compare(Suspect suspect, int weight, const Seen& good, const Seen& now,
                 std::string_view what) {
        if (good.value == now.value || now.event.empty()) return;
        sign(suspect, weight, now.event, what);
    }
    std::vector<Suspicion> take() {
        std::vector<Suspicion> out;
        for (auto& [suspect, entry] : by_) {
            // Ids sort by time: of equal weight the earlier first.
            std::ranges::sort(entry.signs, [](const Sign& a, const Sign& b) {
                return a.weight != b.weight ? a.weight > b.weight : a.event < b.event;
            });
            if (entry.signs.size() > kMaxSigns) entry.signs.resize(kMaxSigns);
            out.push_back(std::move(entry));
        }
        std::ranges::sort(out, [](const Suspicion& a, const Suspicion& b) {
            return a.weight != b.weight ? a.weight > b.weight : a.suspect < b.suspect;
        });
        return out;
    }

  private:
    std::map<Suspect, Suspicion> by_;
};

void compare_runs(const Run& good, const Run& run, Ranking& ranking) {
    ranking.compare(Suspect::kInstructions, 8, good.charter, run.charter,
                    "another charter than in the last good run: model, instructions or tool list");
    ranking.compare(Suspect::kAccess, 6, good.grants, run.grants, "other grants");
    // A run without calls was decided on by no policy set.
    if (!good.policy_set.event.empty())
        ranking.compare(Suspect::kAccess, 6, good.policy_set, run.policy_set, "another policy set");
    ranking.compare(Suspect::kUserInput, 3, good.purpose, run.purpose, "another purpose");
    // Commitments can be compared under one key only, which is a subject's for a month.
    if (good.prompt_key.value == run.prompt_key.value) {
        ranking.compare(Suspect::kUserInput, 5, good.prompt, run.prompt, "another prompt");
    }
    for (const auto& [action, pin] : run.pins) {
        const auto it = good.pins.find(action);
        if (it != good.pins.end() && it->second.value != pin.value) {
            ranking.sign(Suspect::kTools, 7, pin.event, "another definition of " + action);
        } else if (it == good.pins.end() && !good.pins.empty()) {
            ranking.sign(Suspect::kUserInput, 1, pin.event,
                         action + " was not used in the last good run");
        }
    }
}

void weigh_troubles(const Run& run, Ranking& ranking) {
    std::set<std::string> said;
    for (const auto& [code, sign] : run.troubles) {
        // Ten times the same refusal is one sign.
        if (!said.insert(code).second) continue;
        const bool tools = code == "tool_error" || code == "protocol_error" || code == "timeout" ||
                           code == "unknown" || code == "tool_changed" || code == "unknown_tool" ||
                           code == "unavailable" || code == "diverged";
        const bool access = code == "not_granted" || code == "forbidden" || code == "no_permit" ||
                            code == "domain" || code == "condition" || code == "held" ||
                            code == "policy_error" || code == "expired" || code == "ended" ||
                            code == "identity.revoked" || code == "identity.expired" ||
                            code == "budget";
        if (tools)
            ranking.sign(Suspect::kTools, code == "tool_changed" ? 6 : 4, sign.event, sign.what);
        if (access) ranking.sign(Suspect::kAccess, 3, sign.event, sign.what);
        if (code == "bad_argument" || code == "cancelled") {
            ranking.sign(Suspect::kUserInput, 2, sign.event, sign.what);
        }
    }
}

// What changed in the house between the good run and the end of this one.
Status weigh_changes(LogIndex& index, std::uint64_t from, const Run& run, Ranking& ranking) {
    const std::pair<const char*, std::pair<Suspect, int>> kinds[] = {
        {"policy.changed", {Suspect::kAccess, 5}}, {"config.changed", {Suspect::kTools, 2}},
        {"tool.pinned", {Suspect::kTools, 4}},     {"tool.list", {Suspect::kTools, 5}},
        {"key.rotated", {Suspect::kAccess, 1}},    {"identity.revoked", {Suspect::kAccess, 0}},
    };
    for (const auto& [type, means] : kinds) {
        if (means.second == 0) continue;
        const auto found = index.search({.type = type, .limit = 200});
        if (!found) return fail(found.error());
        for (const auto at : *found) {
            if (at < from || at > run.last) continue;
            const auto bytes = index.source().entry(at);
            if (!bytes) return fail(bytes.error());
            const auto leaf = read_leaf(*bytes);
            if (!leaf) continue;
            const auto changed = leaf->data ? leaf->data->find("changed") : std::nullopt;
            if (leaf->type == "tool.list" && (!changed || changed->size() == 0)) continue;
            ranking.sign(means.first, means.second, leaf->id,
                         fmt::format("{}: {}", leaf->type, summary(*leaf)));
        }
    }
    return {};
}

}  // namespace

std::string_view name(Suspect suspect) {
    switch (suspect) {
        case Suspect::kUserInput:
            return "user input";
        case Suspect::kInstructions:
            return "model or instruction change";
        case Suspect::kTools:
            return "tool misconfiguration";
        case Suspect::kAccess:
            return "access change";
    }
    return "";
}

Result<Explanation> explain(LogIndex& index, std::string_view what) {
    const auto session = session_of(index, what);
    if (!session) return fail(session.error());
    const auto run = read_run(index, *session);
    if (!run) return fail(run.error());
    Explanation out;
    out.agent = run->agent;
    out.session = run->session;
    if (!run->troubles.empty()) {
        out.first_trouble = run->troubles.front().second.what;
        out.trouble_event = run->troubles.front().second.event;
    }
    Ranking ranking;
    const auto good = last_good(index, *run);
    if (!good && good.error().code != ErrorCode::kNotFound) return fail(good.error());
    if (good) {
        out.good_session = good->session;
        compare_runs(*good, *run, ranking);
    }
    weigh_troubles(*run, ranking);
    if (auto ok = weigh_changes(index, good ? good->last : run->first, *run, ranking); !ok) {
        return fail(ok.error());
    }
    out.ranked = ranking.take();
    return out;
}

json::Node to_json(const Explanation& explanation) {
    json::Node out = json::Node::object();
    out["agent"] = explanation.agent;
    out["session"] = explanation.session;
    if (!explanation.good_session.empty()) out["good_session"] = explanation.good_session;
    if (!explanation.trouble_event.empty()) {
        out["trouble"]["event"] = explanation.trouble_event;
        out["trouble"]["what"] = explanation.first_trouble;
    }
    out["causes"] = json::Node::array();
    for (const auto& suspicion : explanation.ranked) {
        json::Node entry = json::Node::object();
        entry["cause"] = name(suspicion.suspect);
        entry["weight"] = suspicion.weight;
        entry["signs"] = json::Node::array();
        for (const auto& sign : suspicion.signs) {
            json::Node one = json::Node::object();
            one["event"] = sign.event;
            one["what"] = sign.what;
            one["weight"] = sign.weight;
            entry["signs"].push_back(std::move(one));
        }
        out["causes"].push_back(std::move(entry));
    }
    return out;
}

std::string render(const Explanation& explanation) {
    std::string out = fmt::format("session  {}  ({})\n", inert(explanation.session, 40),
                                  inert(explanation.agent, 200));
    out += explanation.first_trouble.empty()
               ? "trouble  none: no call was refused and none failed\n"
               : fmt::format("trouble  {}  {}\n", inert(explanation.trouble_event, 40),
                             explanation.first_trouble);
    out += explanation.good_session.empty()
               ? "compared with nothing: this agent has no earlier run without trouble\n"
               : fmt::format("compared with its last good run, {}\n",
                             inert(explanation.good_session, 40));
    if (explanation.ranked.empty()) out += "no event speaks for any of the four causes\n";
    int place = 0;
    for (const auto& suspicion : explanation.ranked) {
        out += fmt::format("{}. {} ({})\n", ++place, name(suspicion.suspect), suspicion.weight);
        for (const auto& sign : suspicion.signs) {
            out += fmt::format("     {}  {}\n", inert(sign.event, 40), sign.what);
        }
    }
    return out;
}

}  // namespace writ::evidence
