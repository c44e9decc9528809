#include "gate/events.h"

#include <algorithm>

#include "base/clock.h"
#include "json/writer.h"

namespace writ::gate::events {

namespace {

using json::Writer;

evidence::Cause cause(std::string rel, const EventId& id) {
    return {std::move(rel), id, evidence::Basis::kObserved};
}

evidence::Draft of_session(std::string type, const identity::Session& session,
                           evidence::ActorRef actor) {
    evidence::Draft draft;
    draft.type = std::move(type);
    draft.session = session.id;
    draft.task = session.task->id;
    draft.actor = std::move(actor);
    return draft;
}

evidence::Draft of_call(std::string type, const Passage& passage, evidence::ActorRef actor) {
    evidence::Draft draft = of_session(std::move(type), passage.session(), std::move(actor));
    draft.call = passage.id;
    draft.attempt = std::max<std::int64_t>(passage.call.attempt, 1);
    draft.trace = passage.call.trace;
    return draft;
}

// Foreign text, cut to its bound.
Writer& clipped(Writer& out, std::string_view text, std::size_t bytes_max) {
    return text.size() <= bytes_max ? out.text(text) : out.text(clip(text, bytes_max));
}

template <std::size_t N>
Writer& clipped(Writer& out, const char (&name)[N], std::string_view text, std::size_t bytes_max) {
    return clipped(out.key(name), text, bytes_max);
}

template <std::size_t N>
void list(Writer& out, const char (&name)[N], const std::vector<std::string>& texts) {
    out.key(name).open('[');
    const std::size_t n = std::min(texts.size(), kMaxListEntries);
    for (std::size_t i = 0; i < n; ++i) clipped(out.comma(), texts[i], kMaxNameBytes);
    out.close(']');
}

void put_determining(Writer& out, const policy::Verdict& verdict) {
    out.key("determining").open('[');
    const std::size_t n = std::min(verdict.determining.size(), kMaxListEntries);
    for (std::size_t i = 0; i < n; ++i) {
        const policy::Determining& by = verdict.determining[i];
        out.comma().open('{').member("effect", by.effect);
        clipped(out, "id", by.id, kMaxNameBytes).close('}');
    }
    out.close(']');
}

void put_obligations(Writer& out, const policy::Verdict& verdict) {
    out.key("obligations").open('[');
    const std::size_t n = std::min(verdict.obligations.size(), kMaxListEntries);
    for (std::size_t i = 0; i < n; ++i) {
        const policy::Obligation& duty = verdict.obligations[i];
        out.comma().open('{').member("kind", duty.kind);
        clipped(out, "value", duty.value, kMaxNameBytes).close('}');
    }
    out.close(']');
}

// What the policies were asked with beyond what the event says elsewhere, each with where it is
// from and how old it was. Arguments are sealed among the payloads: their values do not stand here.
void put_facts(Writer& out, const Passage& p) {
    const auto age_ms = [&p](std::int64_t since_boot_us) {
        return std::max<std::int64_t>(p.began_us - since_boot_us, 0) / 1'000;
    };
    out.key("facts").open('[');
    out.comma().open('{').member("k", "now_us").member("src", "clock");
    out.key("v").number(p.asked_us).close('}');
    out.comma().open('{').key("age_ms").number(age_ms(p.engine.since_boot_us));
    out.member("k", "policy_epoch").member("src", "configuration");
    out.key("v").number(static_cast<std::int64_t>(p.engine.epoch)).close('}');
    const std::int64_t listed = p.tool->listed_at ? p.tool->listed_at->load() : 0;
    if (listed != 0) {
        out.comma().open('{').key("age_ms").number(age_ms(listed));
        out.member("k", "tool").member("src", "tools/list").member("v", "pinned").close('}');
    }
    out.close(']');
}

// What a decision says about itself, the tool and the resource, in the order of the names.
// `method` is of a request from the upstream, whatever it wrote there; of a call there is none.
std::string decision_text(const Passage& p, const policy::Verdict& verdict,
                          std::optional<std::string_view> method) {
    const catalog::Tool* const tool = p.tool.get();
    const bool call = !method;
    const auto* const resource = call && p.resource ? &*p.resource : nullptr;
    Writer out(1536);
    out.open('{');
    if (tool != nullptr) clipped(out, "action", tool->qualified(), kMaxNameBytes);
    if (call && p.budget) {
        out.key("budget").open('{').key("calls").number(p.budget->calls);
        out.key("limit").number(p.budget->limit);
        out.member("task", p.budget->task).close('}');
    }
    out.member("code", verdict.code);
    put_determining(out, verdict);
    if (resource != nullptr) list(out, "domains", resource->domains);
    clipped(out, "door", p.call.door, kMaxNameBytes);
    if (tool != nullptr) out.member("effect", catalog::name(tool->effect));
    list(out, "errors", verdict.errors);
    if (call && p.asked_us != 0) put_facts(out, p);
    out.key("granted").boolean(verdict.granted);
    list(out, "holds", verdict.holds);
    out.member("kind", policy::name(verdict.kind));
    if (call) out.key("latency_us").number(p.latency_us);
    if (method) clipped(out, "method", *method, kMaxNameBytes);
    put_obligations(out, verdict);
    if (tool != nullptr) out.member("pin", tool->pin);
    if (call && p.engine.engine) out.member("policy_set", p.engine.engine->digest());
    clipped(out, "reason", verdict.reason, kMaxReasonBytes);
    if (resource != nullptr) clipped(out, "resource", resource->uri, kMaxUriBytes);
    if (call && p.call.retry_of) out.member("retry_of", *p.call.retry_of);
    if (resource != nullptr) out.member("sensitivity", catalog::name(resource->sensitivity));
    if (tool != nullptr) out.member("server", tool->server);
    return clipped(out, "tool", p.call.tool, kMaxNameBytes).close('}').take();
}

evidence::Payload payload(std::string role, std::string bytes, bool is_json) {
    return {std::move(role), std::move(bytes), is_json ? "application/json" : "text/plain"};
}

// Whether what was observed agrees with what was decided. A call that left and brought no answer
// that can be read may have had its effect or not; one that was answered by a tool of another
// definition, or whose answer escaped an obligation, is not what was permitted.
std::string_view agreement(const Passage& passage, const Outcome& outcome, Seen seen) {
    const bool left = passage.departed.load();
    if (left && !outcome.output.empty() && (seen.redefined || seen.unfulfilled)) return "diverged";
    switch (outcome.status) {
        case Status_::kUnknown:
            return "unknown";
        case Status_::kTimeout:
        case Status_::kCancelled:
        case Status_::kProtocolError:
        case Status_::kBlocked:
            return left && outcome.output.empty() ? "unknown" : "match";
        case Status_::kOk:
        case Status_::kToolError:
            return "match";
    }
    return "unknown";
}

}  // namespace

std::string clip(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return std::string(text);
    constexpr std::string_view kMark = "…";
    std::size_t end = bytes_max - kMark.size();
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    return std::string(text.substr(0, end)).append(kMark);
}

evidence::Actor actor_of(const identity::Session& session, evidence::Behalf subject) {
    const identity::Agent& agent = *session.task->agent;
    const bool unix_peer = session.binding == identity::Binding::kUnixPeer;
    evidence::Actor actor;
    actor.agent = agent.spiffe_id;
    actor.agent_instance = session.id.text().substr(24);
    actor.charter = agent.charter;
    // Nearest first: the agents that delegated, then the subject of the whole tree.
    for (const identity::Task* above = session.task->parent_task.get(); above != nullptr;
         above = above->parent_task.get()) {
        actor.on_behalf_of.push_back({"agent", above->agent->spiffe_id});
    }
    actor.on_behalf_of.push_back(std::move(subject));
    actor.credential = evidence::CredentialRef{.kind = unix_peer ? "unix-peer" : "writ",
                                               .uid = session.writ.text(),
                                               .iat = session.issued_us / kSecond_us,
                                               .exp = session.expires_us.load() / kSecond_us,
                                               .cnf = clip(session.bound_to, kMaxNameBytes)};
    return actor;
}

evidence::Actor by_writ() {
    evidence::Actor actor;
    actor.op = "writ";
    return actor;
}

evidence::Draft task_started(const identity::Task& task, evidence::ActorRef by,
                             std::string subject) {
    evidence::Draft draft;
    draft.type = "task.started";
    draft.id = task.started_event;
    draft.task = task.id;
    draft.actor = std::move(by);
    if (task.parent_task) {
        draft.cause.push_back(cause("spawned_by", task.parent_task->started_event));
    }
    json::Node spec = task.spec.to_json();
    json::Node& data = draft.data;
    data["agent"] = task.agent->name;
    data["purpose"] = clip(task.spec.purpose, kMaxReasonBytes);
    data["grants"] = spec["grants"];
    json::Node budget = json::Node::object();
    budget["calls"] = task.spec.budget.calls;
    data["budget"] = std::move(budget);
    data["deadline_s"] = (task.deadline_us - task.started_us) / kSecond_us;
    data["depth"] = task.depth;
    data["subject"] = std::move(subject);
    data["root"] = task.root.text();
    if (task.parent) data["parent"] = task.parent->text();
    if (!task.spec.prompt.empty()) {
        draft.payloads.push_back(payload("prompt", task.spec.prompt, false));
    }
    return draft;
}

evidence::Draft task_ended(const identity::Task& task, identity::TaskState how,
                           evidence::ActorRef by, std::string_view reason, const Spent& spent) {
    evidence::Draft draft;
    draft.type = "task.ended";
    draft.task = task.id;
    draft.actor = std::move(by);
    draft.cause.push_back(cause("result_of", task.started_event));
    draft.data["state"] = identity::name(how);
    draft.data["reason"] = clip(reason, kMaxReasonBytes);
    draft.data["calls"] = spent.calls;
    draft.data["denied"] = spent.denied;
    return draft;
}

evidence::Draft session_started(const identity::Session& session, evidence::ActorRef actor) {
    evidence::Draft draft = of_session("session.started", session, std::move(actor));
    draft.id = session.started_event;
    draft.cause.push_back(cause("spawned_by", session.task->started_event));
    const bool unix_peer = session.binding == identity::Binding::kUnixPeer;
    draft.data["binding"] = unix_peer ? "unix-peer" : "bearer";
    draft.data["bound_to"] = clip(session.bound_to, kMaxNameBytes);
    return draft;
}

evidence::Draft identity_issued(const identity::Session& session, evidence::ActorRef actor) {
    evidence::Draft draft = of_session("identity.issued", session, std::move(actor));
    draft.cause.push_back(cause("requested_by", session.started_event));
    const bool unix_peer = session.binding == identity::Binding::kUnixPeer;
    draft.data["kind"] = "writ";
    draft.data["jti"] = session.writ.text();
    draft.data["exp"] = session.expires_us.load() / kSecond_us;
    draft.data["binding"] = unix_peer ? "unix-peer" : "bearer";
    return draft;
}

evidence::Draft session_sealed(const identity::Session& session, evidence::ActorRef actor,
                               std::string_view reason, const Spent& spent) {
    evidence::Draft draft = of_session("session.sealed", session, std::move(actor));
    draft.cause.push_back(cause("result_of", session.started_event));
    draft.data["detail"] = clip(reason, kMaxReasonBytes);
    draft.data["calls"] = spent.calls + spent.denied;
    draft.data["denied"] = spent.denied;
    return draft;
}

evidence::Draft call_decided(const Passage& passage, evidence::ActorRef actor) {
    evidence::Draft draft = of_call("call.decided", passage, std::move(actor));
    draft.id = passage.decision;
    draft.cause.push_back(cause("requested_by", passage.session().started_event));
    draft.data_text = decision_text(passage, passage.verdict, std::nullopt);
    draft.verdict = policy::name(passage.verdict.kind);
    draft.excused =
        passage.verdict.kind != policy::Kind::kPermit && passage.verdict.code == kUnavailableCode;
    if (!passage.call.arguments.empty()) {
        const bool is_json = passage.document.has_value();
        draft.payloads.push_back(payload("args", passage.call.arguments, is_json));
    }
    return draft;
}

evidence::Draft call_inward(const Passage& passage, evidence::ActorRef actor, const Inward& request,
                            const policy::Verdict& verdict) {
    evidence::Draft draft = of_call("call.inward", passage, std::move(actor));
    draft.cause.push_back(cause("decided_by", passage.decision));
    draft.data_text = decision_text(passage, verdict, request.method);
    if (!request.params.empty()) draft.payloads.push_back(payload("args", request.params, true));
    return draft;
}

evidence::Draft obligation_fulfilled(const Passage& passage, evidence::ActorRef actor,
                                     std::size_t redacted, std::size_t withheld) {
    evidence::Draft draft = of_call("obligation.fulfilled", passage, std::move(actor));
    draft.cause.push_back(cause("decided_by", passage.decision));
    draft.data["redacted"] = redacted;
    draft.data["secrets_withheld"] = withheld;
    return draft;
}

evidence::Draft call_ended(const Passage& passage, evidence::ActorRef actor, Outcome outcome,
                           std::int64_t now_boot_us, Seen seen) {
    evidence::Draft draft = of_call("call.ended", passage, std::move(actor));
    draft.cause.push_back(cause("decided_by", passage.decision));
    const std::uint64_t passed = passage.bytes.load(std::memory_order_relaxed);
    Writer out(256);
    out.open('{').member("agreement", agreement(passage, outcome, seen));
    out.key("bytes").number(std::max<std::uint64_t>(passed, outcome.output.size()));
    out.key("duration_us").number(now_boot_us - passage.began_us);
    if (!outcome.error.empty()) clipped(out, "error", outcome.error, kMaxNameBytes);
    if (passage.inward > 0) out.key("inward").number(passage.inward);
    draft.data_text = out.member("status", name(outcome.status)).close('}').take();
    if (!outcome.output.empty()) {
        draft.payloads.push_back(payload("result", std::move(outcome.output), true));
    }
    return draft;
}

evidence::Draft call_lost(const CallStanding& call, evidence::ActorRef actor,
                          std::string_view why) {
    evidence::Draft draft;
    draft.type = "call.ended";
    draft.session = call.session;
    draft.task = call.task;
    draft.call = call.id;
    draft.attempt = call.attempt;
    draft.actor = std::move(actor);
    draft.cause.push_back(cause("decided_by", call.decision));
    draft.data["status"] = name(Status_::kUnknown);
    draft.data["agreement"] = "unknown";
    draft.data["error"] = why;
    return draft;
}

evidence::Draft session_lost(const SessionStanding& session, std::string_view reason) {
    evidence::Draft draft;
    draft.type = "session.sealed";
    draft.session = session.id;
    draft.task = session.task;
    draft.actor = by_writ();
    draft.cause.push_back(cause("result_of", session.started_event));
    draft.data["detail"] = clip(reason, kMaxReasonBytes);
    return draft;
}

evidence::Draft task_lost(const TaskStanding& task, identity::TaskState how,
                          std::string_view reason) {
    evidence::Draft draft;
    draft.type = "task.ended";
    draft.task = task.id;
    draft.actor = by_writ();
    draft.data["state"] = identity::name(how);
    draft.data["reason"] = clip(reason, kMaxReasonBytes);
    draft.data["calls"] = task.spent.calls;
    draft.data["denied"] = task.spent.denied;
    return draft;
}

evidence::Draft strangers(const std::map<std::string, std::int64_t, std::less<>>& refused,
                          std::int64_t since_us) {
    evidence::Draft draft;
    draft.type = "limit.tripped";
    draft.actor = by_writ();
    json::Node codes = json::Node::object();
    std::int64_t total = 0;
    for (const auto& [code, count] : refused) {
        codes[code] = count;
        total += count;
    }
    draft.data["limit"] = "unauthenticated calls";
    draft.data["count"] = total;
    draft.data["codes"] = std::move(codes);
    draft.data["since_us"] = since_us;
    return draft;
}

}  // namespace writ::gate::events
