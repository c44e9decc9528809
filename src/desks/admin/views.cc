#include "desks/admin/views.h"

#include "base/clock.h"

namespace writ::admin {

json::Node task_view(const identity::Task& task, std::int64_t boot_us) {
    json::Node out = task.spec.to_json();
    out["id"] = task.id.text();
    out["root"] = task.root.text();
    if (task.parent) out["parent"] = task.parent->text();
    out["depth"] = task.depth;
    out["agent_id"] = task.agent->spiffe_id;
    out["owner"] = task.agent->owner;
    out["state"] = identity::name(task.state.load());
    out["live"] = task.live(boot_us);
    out["started"] = rfc3339(task.started_us);
    out["deadline"] = rfc3339(task.deadline_us);
    return out;
}

json::Node task_summary(const identity::Task& task, std::int64_t boot_us) {
    json::Node::Object out = *task_view(task, boot_us).if_object();
    out.erase("prompt");
    return out;
}

json::Node tool_view(const catalog::Tool& tool) {
    json::Node out = json::Node::object();
    out["server"] = tool.server;
    out["name"] = tool.name;
    out["exposed"] = tool.exposed();
    out["effect"] = catalog::name(tool.effect);
    out["pin"] = digest_text(tool.pin);
    out["changed"] = tool.changed;
    out["resource"] = tool.rule.resource;
    out["description"] = tool.description;
    return out;
}

int http_status(ErrorCode code) {
    switch (code) {
        case ErrorCode::kInvalid:
            return 400;
        case ErrorCode::kTooLarge:
            return 413;
        case ErrorCode::kUnauthenticated:
            return 401;
        case ErrorCode::kForbidden:
            return 403;
        case ErrorCode::kNotFound:
            return 404;
        case ErrorCode::kConflict:
            return 409;
        case ErrorCode::kExhausted:
            return 429;
        case ErrorCode::kCancelled:
            return 499;
        case ErrorCode::kTimeout:
            return 504;
        case ErrorCode::kUnavailable:
            return 503;
        case ErrorCode::kUnsupported:
            return 501;
        case ErrorCode::kIo:
        case ErrorCode::kCorrupt:
        case ErrorCode::kInternal:
            return 500;
    }
    return 500;
}

// Where a server is, without its arguments and the names of its secrets' variables.
json::Node server_view(const catalog::ServerSpec& server) {
    json::Node out = json::Node::object();
    out["name"] = server.name;
    out["shared"] = server.shared;
    if (server.url.empty())
        out["command"] = server.command.front();
    else
        out["url"] = server.url;
    return out;
}

json::Node difference_view(const catalog::Tool& tool, const catalog::Pin& pinned,
                           const catalog::Difference& difference) {
    json::Node out = tool_view(tool);
    out["pinned"]["pin"] = digest_text(pinned.digest);
    out["pinned"]["definition"] = json::Node::raw(pinned.definition);
    out["definition"] = json::Node::raw(tool.definition);
    json::Node changes = json::Node::array();
    for (const auto& change : difference.changes) {
        json::Node one = json::Node::object();
        one["path"] = change.path;
        if (!change.before.empty()) one["before"] = json::Node::raw(change.before);
        if (!change.after.empty()) one["after"] = json::Node::raw(change.after);
        changes.push_back(std::move(one));
    }
    out["changes"] = std::move(changes);
    out["more"] = difference.more;
    json::Node risks = json::Node::array();
    for (const auto& risk : difference.risks) risks.push_back(risk);
    out["risks"] = std::move(risks);
    return out;
}

net::HttpResponse ok(const json::Node& body, int status) {
    return net::HttpResponse::json(status, body.dump());
}

net::HttpResponse error(const Error& error) {
    json::Node body = json::Node::object();
    body["error"]["code"] = name(error.code);
    body["error"]["message"] = error.message();
    return net::HttpResponse::json(http_status(error.code), body.dump());
}

}  // namespace writ::admin
