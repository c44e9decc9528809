// The OCSF mapping of docs/spec/evidence/export.md: one row a type, then what each class requires.
#include <fmt/format.h>

#include <algorithm>

#include "evidence/encode.h"
#include "evidence/export.h"
#include "evidence/summary.h"
#include "evidence/words.h"

namespace writ::evidence {

namespace {

constexpr int kDetectionFinding = 2004;

struct Row {
    std::string_view type;
    int class_uid, activity_id;
    std::string_view activity;
};

constexpr Row kRows[] = {
    {"gateway.started", 6002, 3, "Start"},
    {"gateway.stopped", 6002, 4, "Stop"},
    {"session.started", 6002, 3, "Start"},
    {"session.sealed", 6002, 4, "Stop"},
    {"task.started", 6002, 3, "Start"},
    {"task.ended", 6002, 4, "Stop"},
    {"identity.issued", 3002, 3, "Authentication Ticket"},
    {"identity.renewed", 3002, 5, "Service Ticket Renew"},
    {"identity.revoked", 3004, 9, "Disable"},
    {"identity.expired", 3004, 11, "Deactivate"},
    {"delegation.granted", 3003, 1, "Assign Privileges"},
    {"delegation.attenuated", 3003, 1, "Assign Privileges"},
    {"model.prompt", 6003, 99, "Prompt"},
    {"model.response", 6003, 99, "Response"},
    {"retrieval.performed", 6005, 4, "Query"},
    {"memory.written", 6005, 5, "Write"},
    {"tool.list", 6003, 2, "Read"},
    {"tool.pinned", 3004, 3, "Update"},
    {"call.decided", 6003, 99, "Tool Call"},
    {"call.inward", 6003, 99, "Request To Client"},
    {"call.ended", 6003, 99, "Tool Result"},
    {"obligation.fulfilled", 6003, 99, "Obligation"},
    {"approval.requested", 6003, 99, "Approval"},
    {"approval.granted", 6003, 99, "Approval"},
    {"approval.denied", 6003, 99, "Approval"},
    {"approval.expired", 6003, 99, "Approval"},
    {"credential.brokered", 3002, 4, "Service Ticket Request"},
    {"credential.returned", 3004, 9, "Disable"},
    {"egress.requested", 4002, 99, "Request"},
    {"egress.completed", 4002, 99, "Response"},
    {"limit.tripped", 2004, 1, "Create"},
    {"containment.applied", 2004, 1, "Create"},
    {"launch.refused", 2004, 1, "Create"},
    {"config.changed", 3004, 3, "Update"},
    {"policy.changed", 3004, 3, "Update"},
    {"key.rotated", 3004, 3, "Update"},
    {"payload.shredded", 6005, 7, "Delete"},
    {"evidence.gap", 6008, 1, "General Error"},
    {"evidence.degraded", 6008, 1, "General Error"},
    {"clock.step", 6008, 1, "General Error"},
};

Row row_for(std::string_view type) {
    const auto* it = std::ranges::find(kRows, type, &Row::type);
    // Base Event, Other: a type of a later version.
    return it == std::end(kRows) ? Row{type, 0, 99, type} : *it;
}

// The person or agent on whose behalf, else who acted.
std::string_view subject_of(const Leaf& leaf) {
    const auto actor = leaf.document->root().find("actor");
    const auto behalf = actor ? actor->find("for") : std::nullopt;
    if (behalf && behalf->is_array() && behalf->size() > 0) {
        return behalf->elements().front().string("sub").value_or("writ");
    }
    return actor ? actor->string("operator").value_or("writ") : "writ";
}

// Never empty.
std::string message_of(const Leaf& leaf) {
    std::string said = summary(leaf);
    return said.empty() ? std::string(leaf.type) : said;
}

// A pseudonym, an agent that acts for itself, or Writ.
json::Node user_node(const Leaf& leaf) {
    const std::string_view who = subject_of(leaf);
    json::Node out = json::Node::object();
    out["uid"] = who;
    out["type_id"] = who == "writ" ? 3 : 99;
    out["type"] = who == "writ" ? "System" : who.starts_with("spiffe:") ? "Agent" : "Pseudonym";
    return out;
}

json::Node actor_node(const Leaf& leaf) {
    json::Node out = json::Node::object();
    out["user"] = user_node(leaf);
    const auto agent = agent_of(leaf);
    if (!agent.empty()) {
        out["app_uid"] = agent;
        out["app_name"] = agent.substr(agent.rfind('/') + 1);
    }
    if (!leaf.session.empty()) out["session"]["uid"] = leaf.session;
    return out;
}

// Members that a class requires beyond the base event's.
void required(json::Node& out, const Leaf& leaf, const Row& row) {
    const auto agent = agent_of(leaf);
    const std::string_view who = agent.empty() ? "writ" : agent;
    if (row.class_uid == 6003 || row.class_uid == 6005 || row.class_uid == 4002) {
        out["src_endpoint"]["name"] = who;
        out["src_endpoint"]["type_id"] = 99;
        out["src_endpoint"]["type"] = agent.empty() ? "Gateway" : "Agent";
    }
    if (row.class_uid == 6003) {
        const auto action = leaf.text("action");
        const auto tool = action.empty() ? leaf.text("tool") : action;
        out["api"]["operation"] = leaf.type == "tool.list" ? std::string_view("tools/list")
                                  : tool.empty()           ? leaf.type
                                                           : tool;
        if (!leaf.text("server").empty()) out["api"]["service"]["name"] = leaf.text("server");
        if (!leaf.call.empty()) out["api"]["request"]["uid"] = leaf.call;
    } else if (row.class_uid == 6002) {
        out["app"]["name"] = agent.empty() ? std::string_view("Writ") : agent;
        out["app"]["vendor_name"] = agent.empty() ? "Writ" : "agent";
    } else if (row.class_uid == 3002 || row.class_uid == 3003) {
        out["user"] = user_node(leaf);
        if (row.class_uid == 3002) out["service"]["name"] = "writ";
        if (row.class_uid == 3003) out["privileges"].push_back(leaf.type);
    } else if (row.class_uid == 3004) {
        out["entity"]["type"] = leaf.type.substr(0, leaf.type.find('.'));
        const auto name = leaf.text("jti").empty() ? leaf.text("tool") : leaf.text("jti");
        out["entity"]["uid"] = name.empty() ? leaf.id : name;
    } else if (row.class_uid == 6005) {
        out["databucket"]["name"] = leaf.type == "payload.shredded" ? "vault" : "store";
    } else if (row.class_uid == 2004) {
        out["finding_info"]["uid"] = leaf.id;
        out["finding_info"]["title"] = message_of(leaf);
        out["finding_info"]["types"].push_back(leaf.type);
    } else if (row.class_uid == 4002) {
        out["http_request"]["uid"] = leaf.call.empty() ? leaf.id : leaf.call;
        const auto host = leaf.text("host");
        out["dst_endpoint"]["hostname"] = host.empty() ? std::string_view("unknown") : host;
    }
}

void decision(json::Node& out, const Leaf& leaf) {
    const auto kind = leaf.text("kind");
    const bool permit = kind == "permit";
    out["action_id"] = permit ? 1 : 2;
    out["action"] = permit ? "Allowed" : "Denied";
    out["disposition_id"] = permit ? 1 : kind == "hold" ? 14 : 2;
    out["disposition"] = permit ? "Allowed" : kind == "hold" ? "Delayed" : "Blocked";
    const auto list = leaf.data ? leaf.data->find("determining") : std::nullopt;
    json::Node authorizations = json::Node::array();
    if (list && list->is_array()) {
        for (const auto& entry : list->elements()) {
            json::Node one = json::Node::object();
            one["decision"] = entry.string("effect").value_or("");
            one["policy"]["uid"] = entry.string("id").value_or("");
            one["policy"]["name"] = entry.string("id").value_or("");
            if (!leaf.text("policy_set").empty())
                one["policy"]["version"] = leaf.text("policy_set");
            one["policy"]["is_applied"] = true;
            authorizations.push_back(std::move(one));
        }
    }
    out["authorizations"] = std::move(authorizations);
}

// Of an activity: whether it came about. A finding has a life of its own, which begins as new.
void status(json::Node& out, const Leaf& leaf, const Row& row) {
    const bool failed = (leaf.type == "call.ended" && leaf.text("status") != "ok") ||
                        leaf.text("kind") == "forbid" || leaf.type == "launch.refused";
    if (row.class_uid == kDetectionFinding) {
        out["status_id"] = 1;
        out["status"] = "New";
    } else if (leaf.text("kind") == "hold") {
        out["status_id"] = 99;
        out["status"] = "Held";
    } else {
        out["status_id"] = failed ? 2 : 1;
        out["status"] = failed ? "Failure" : "Success";
    }
    if (!leaf.text("reason").empty()) out["status_detail"] = leaf.text("reason");
    if (!leaf.text("code").empty()) out["status_code"] = leaf.text("code");
    if (leaf.number("duration_us") > 0) out["duration"] = leaf.number("duration_us") / 1000;
}

json::Node fingerprint(std::string_view digest) {
    json::Node out = json::Node::object();
    out["algorithm_id"] = 3;  // SHA-256
    out["algorithm"] = "SHA-256";
    out["value"] = digest.substr(digest.find(':') + 1);
    return out;
}

}  // namespace

json::Node to_ocsf(const Leaf& leaf, std::string_view bytes, const ExportPlace& place) {
    const Row row = row_for(leaf.type);
    json::Node out = json::Node::object();
    out["class_uid"] = row.class_uid;
    out["category_uid"] = row.class_uid / 1000;
    out["activity_id"] = row.activity_id;
    out["activity_name"] = row.activity;
    out["type_uid"] = std::int64_t{row.class_uid} * 100 + row.activity_id;
    out["time"] = leaf.t_us / 1000;
    const bool high = row.class_uid == 2004 || row.class_uid == 6008;
    const bool low = leaf.text("kind") == "forbid" || leaf.text("kind") == "hold";
    out["severity_id"] = high ? 4 : low ? 3 : 1;
    out["message"] = message_of(leaf);
    json::Node& metadata = out["metadata"];
    metadata["version"] = "1.8.0";
    metadata["uid"] = leaf.id;
    metadata["sequence"] = place.index;
    metadata["log_name"] = place.origin;
    metadata["tenant_uid"] = leaf.tenant;
    metadata["product"]["name"] = "Writ";
    metadata["product"]["vendor_name"] = "Writ";
    const auto& about = leaf.call.empty() ? leaf.task : leaf.call;
    if (!about.empty()) metadata["correlation_uid"] = about;
    out["actor"] = actor_node(leaf);
    required(out, leaf, row);
    status(out, leaf, row);
    // Where a class has no actor of its own, the profile `host` gives it one.
    const bool own_actor =
        row.class_uid / 1000 == 3 || row.class_uid == 6003 || row.class_uid == 6005;
    if (!own_actor) metadata["profiles"].push_back("host");
    if (leaf.type == "call.decided" || leaf.type == "call.inward") {
        decision(out, leaf);
        metadata["profiles"].push_back("security_control");
    }
    // What makes the record checkable against the log. `record_integrity` of OCSF 1.9 has the same
    // content under `attestation_list`.
    json::Node integrity = json::Node::object();
    integrity["authority_uid"] = place.origin;
    integrity["chain_uid"] = leaf.chain;
    integrity["chain_seq"] = leaf.chain_seq;
    integrity["fingerprint"] = fingerprint(digest_text(leaf_hash(bytes)));
    integrity["fingerprint"]["serialization_id"] = 2;
    if (leaf.prev) integrity["prev_event"]["fingerprint"] = fingerprint(digest_text(*leaf.prev));
    json::Node& own = out["unmapped"];
    own["writ"]["index"] = place.index;
    own["writ"]["attestation"] = std::move(integrity);
    own["writ"]["event"] = json::Node::raw(std::string(bytes));
    return out;
}

}  // namespace writ::evidence
