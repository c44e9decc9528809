// One plausible day of a gateway, an event of every type that exists: for the tests that compare
// events with their schema and with the checks.
#pragma once

#include "evidence/testing.h"

namespace writ::evidence::testing {

// Builds drafts of one session in one task.
class Story {
  public:
    explicit Story(IdSource& ids) : ids_(ids) { begin(); }
    // A new task with a new session.
    void begin() {
        task = ids_.mint<TaskId>();
        session = ids_.mint<SessionId>();
        task_event = ids_.mint<EventId>();
        session_event = ids_.mint<EventId>();
    }

    static Actor agent() {
        Actor actor;
        actor.agent = "spiffe://acme.example/agent/invoice-bot";
        actor.agent_instance = "0b1c2d3e4f5a";
        actor.charter = digest();
        actor.on_behalf_of.push_back({"human", "ps:9d1f4c0011223344"});
        actor.credential = CredentialRef{"unix-peer", "01a209c1-6900-7043-aa71-8774c572bd8a",
                                         1'795'459'900, 1'795'460'200, "pid:4711@1"};
        return actor;
    }
    static Actor person() {
        Actor actor;
        actor.op = "ps:9d1f4c0011223344";
        return actor;
    }
    static std::string digest() { return "sha256:" + std::string(64, 'a'); }

    Draft of_writ(std::string type) const {
        Draft draft;
        draft.type = std::move(type);
        return draft;
    }
    Draft of_session(std::string type) const {
        Draft draft;
        draft.type = std::move(type);
        draft.session = session;
        draft.task = task;
        draft.actor = agent();
        draft.cause.push_back({"requested_by", session_event, Basis::kObserved});
        return draft;
    }
    Draft task_started() const {
        Draft draft;
        draft.type = "task.started";
        draft.id = task_event;
        draft.task = task;
        draft.actor = person();
        draft.data["root"] = task.text();
        draft.data["depth"] = 0;
        draft.data["agent"] = "invoice-bot";
        draft.data["subject"] = "ps:9d1f4c0011223344";
        draft.data["purpose"] = "pay the invoices";
        draft.data["deadline_s"] = 3600;
        draft.data["budget"]["calls"] = 20;
        draft.data["grants"].push_back(json::Node::raw(R"({"tools":["bank/*"],"when":"true"})"));
        draft.payloads.push_back({"prompt", "pay what is due", "text/plain"});
        return draft;
    }
    // A child of `parent`, which must be another story's task.
    Draft child_started(const Story& parent) const {
        Draft draft = task_started();
        draft.cause.push_back({"spawned_by", parent.task_event, Basis::kObserved});
        draft.data["root"] = parent.task.text();
        draft.data["parent"] = parent.task.text();
        draft.data["depth"] = 1;
        return draft;
    }
    Draft session_started() const {
        Draft draft = of_session("session.started");
        draft.id = session_event;
        draft.cause = {{"spawned_by", task_event, Basis::kObserved}};
        draft.data["binding"] = "unix-peer";
        draft.data["bound_to"] = "pid:4711@1";
        return draft;
    }
    Draft identity(std::string type) const {
        Draft draft = of_session(std::move(type));
        draft.data["jti"] = "01a209c1-6900-7043-aa71-8774c572bd8a";
        draft.data["kind"] = "writ";
        draft.data["binding"] = "unix-peer";
        draft.data["exp"] = 1'795'460'200;
        return draft;
    }
    Draft identity_ended(std::string type) const {
        Draft draft = of_session(std::move(type));
        draft.data["jti"] = "01a209c1-6900-7043-aa71-8774c572bd8a";
        draft.data["reason"] = "the task ended";
        return draft;
    }
    // `kind`: permit, forbid or hold. The id is known, so that an end can name it.
    Draft decided(const CallId& call, std::string kind) const {
        Draft draft = of_session("call.decided");
        draft.id = ids_.mint<EventId>();
        draft.call = call;
        draft.trace = Trace::start();
        draft.trace->peer = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
        auto& data = draft.data;
        data["code"] = kind == "permit" ? "permitted" : kind == "hold" ? "held" : "forbidden";
        data["reason"] = kind == "permit" ? "policy `pay-small` permits" : "over the limit";
        data["kind"] = std::move(kind);
        data["door"] = "mcp";
        data["tool"] = "bank__pay";
        data["server"] = "bank";
        data["effect"] = "pay";
        data["action"] = "bank/pay";
        data["resource"] = "bank://accounts/DE00";
        data["domains"].push_back("payments");
        data["sensitivity"] = "confidential";
        data["policy_set"] = digest();
        data["determining"].push_back(json::Node::raw(R"({"effect":"permit","id":"pay-small"})"));
        data["obligations"] = json::Node::array();
        data["holds"] = json::Node::array();
        data["errors"] = json::Node::array();
        data["granted"] = true;
        data["facts"].push_back(
            json::Node::raw(R"({"k":"context.input.amount","src":"args","v":9900})"));
        data["budget"]["calls"] = 3;
        data["budget"]["limit"] = 20;
        data["latency_us"] = 41;
        data["pin"] = digest();
        draft.payloads.push_back({"args", R"({"amount":9900,"iban":"DE00"})"});
        return draft;
    }
    Draft ended(const CallId& call, const EventId& decision) const {
        Draft draft = of_session("call.ended");
        draft.call = call;
        draft.cause = {{"decided_by", decision, Basis::kObserved}};
        draft.data["status"] = "ok";
        draft.data["agreement"] = "match";
        draft.data["duration_us"] = 81234;
        draft.data["bytes"] = 29;
        draft.payloads.push_back({"result", R"({"content":[]})"});
        return draft;
    }
    Draft inward(const CallId& call, const EventId& decision) const {
        Draft draft = of_session("call.inward");
        draft.call = call;
        draft.cause = {{"decided_by", decision, Basis::kObserved}};
        draft.data["kind"] = "forbid";
        draft.data["code"] = "inward";
        draft.data["reason"] = "nothing is permitted inward";
        draft.data["method"] = "sampling/createMessage";
        draft.data["granted"] = false;
        return draft;
    }
    Draft task_ended(std::string state) const {
        Draft draft;
        draft.type = "task.ended";
        draft.task = task;
        draft.actor = person();
        draft.cause.push_back({"result_of", task_event, Basis::kObserved});
        draft.data["state"] = std::move(state);
        draft.data["reason"] = "done";
        draft.data["calls"] = 3;
        draft.data["denied"] = 1;
        return draft;
    }

    TaskId task;
    SessionId session;
    EventId task_event, session_event;

  private:
    IdSource& ids_;
};

inline std::vector<Draft> gateway_drafts(const Story& story) {
    std::vector<Draft> out;
    const auto add = [&](std::string type, std::string_view data) {
        out.push_back(story.of_writ(std::move(type)));
        out.back().data = json::Node::from(json::parse(data)->root());
    };
    const std::string d = Story::digest();
    add("gateway.started",
        R"({"version":"0.1.0","node":"gw-1","isolation":"none","servers":2,"policy_set":")" + d +
            R"("})");
    add("config.changed", R"({"digest":")" + d + R"(","reason":"reload"})");
    add("policy.changed", R"({"policy_set":")" + d + R"(","policies":3})");
    add("tool.list", R"({"server":"bank","tools":2,"first_seen":[{"tool":"pay","pin":")" + d +
                         R"("}],"changed":[{"tool":"fetch","pin":")" + d + R"(","previous":")" + d +
                         R"("}],"dropped":["x: no schema"]})");
    out.back().payloads.push_back({"tool_list", R"([{"name":"pay"}])"});
    add("tool.pinned", R"({"server":"bank","tool":"fetch","pin":")" + d + R"("})");
    add("payload.shredded",
        R"({"subject":"ps:9d1f4c0011223344","kids":["k3-0011223344556677"],"months":["2026-10"],)"
        R"("reason":"erasure request 7"})");
    add("clock.step", R"({"step_us":-3600000000,"held_us":1795460000000000})");
    add("evidence.degraded",
        R"({"what":"quorum","state":"lost","quorum":"two","durable":12,"witnessed":10,)"
        R"("witnesses":[{"name":"w2","trouble":"`http://127.0.0.1:7441`: connection refused"}]})");
    add("evidence.degraded", R"({"what":"files","state":"changed","detail":"tile/0/000"})");
    add("checkpoint.witnessed", R"({"size":10,"quorum":"two","witnesses":["w1","w3"]})");
    add("launch.refused", R"({"code":"not_launcher","reason":"uid 1001 may not","uid":1001})");
    add("limit.tripped", R"({"limit":"unauthenticated calls","count":3,"codes":{"expired":3}})");
    return out;
}

// Records one event of every type and seals. Every record must succeed.
inline void record_everything(Rig& rig) {
    const auto must = [&rig](Draft draft) {
        const auto receipt = rig.record(std::move(draft));
        WRIT_CHECK(receipt.has_value());
        return receipt->event;
    };
    const Story story(rig.ids);
    const Story child(rig.ids);
    for (auto& draft : gateway_drafts(story)) must(std::move(draft));
    must(story.task_started());
    must(story.session_started());
    must(story.identity("identity.issued"));
    must(story.identity("identity.renewed"));
    const auto call = rig.ids.mint<CallId>();
    const auto decision = must(story.decided(call, "permit"));
    must(story.inward(call, decision));
    must(story.ended(call, decision));
    must(story.decided(rig.ids.mint<CallId>(), "forbid"));
    must(story.decided(rig.ids.mint<CallId>(), "hold"));
    must(child.child_started(story));
    must(child.task_ended("revoked"));
    rig.ledger.refuse = ErrorCode::kUnavailable;  // what cannot be recorded shows as a gap
    WRIT_CHECK(!rig.record(story.identity("identity.renewed")).has_value());
    rig.ledger.refuse.reset();
    must(story.identity_ended("identity.revoked"));
    must(story.identity_ended("identity.expired"));
    WRIT_CHECK(rig.seal(story.session, "completed").has_value());
    must(story.task_ended("ended"));
    Draft stopped = story.of_writ("gateway.stopped");
    stopped.data["reason"] = "asked to";
    must(std::move(stopped));
}

}  // namespace writ::evidence::testing
