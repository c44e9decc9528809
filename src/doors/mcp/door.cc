#include "doors/mcp/door.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/secret.h"
#include "doors/mcp/answers.h"
#include "doors/mcp/http_rules.h"

namespace writ::mcp {

namespace {

constexpr std::string_view kSessionHeader = "MCP-Session-Id";

// The token of `Authorization: Bearer …`, or nothing.
std::optional<std::string_view> bearer(const net::HttpRequest& request) {
    static constexpr std::string_view kScheme = "bearer ";
    if (request.headers.count("authorization") != 1) return std::nullopt;
    std::string_view value = *request.headers.get("authorization");
    if (value.size() <= kScheme.size()) return std::nullopt;
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c; };
    if (!std::ranges::equal(value.substr(0, kScheme.size()), kScheme, {}, lower))
        return std::nullopt;
    value.remove_prefix(kScheme.size());
    const auto first = value.find_first_not_of(' ');
    if (first == std::string_view::npos) return std::nullopt;
    return value.substr(first);
}

// Why a session is not live, for its holder: true words about the holder's own task.
std::string_view why_dead(const identity::Session& session) {
    for (const auto* task = session.task.get(); task != nullptr; task = task->parent_task.get()) {
        switch (task->state.load()) {
            case identity::TaskState::kLive:
                continue;
            case identity::TaskState::kEnded:
                return "task ended";
            case identity::TaskState::kRevoked:
                return "task revoked";
            case identity::TaskState::kExpired:
                return "task expired";
        }
    }
    return session.ended.load() ? "session ended" : "session expired";
}

net::HttpResponse not_found() {
    return refuse({404, "not_found", "there is nothing here"});
}

net::HttpResponse invalid_params(std::string_view id, std::string_view why) {
    return net::HttpResponse::json(200, error_text(id, kInvalidParams, why));
}

}  // namespace

Door::Door(gate::Gate& gate, Upstreams& upstreams, const Clock& clock, DoorOptions options)
    : gate_(gate), upstreams_(upstreams), clock_(clock), options_(std::move(options)) {}

net::HttpHandler Door::for_session(identity::SessionPtr session, std::string path,
                                   std::uint16_t port) {
    WRIT_CHECK(session != nullptr && path.size() > 1 && path[0] == '/');
    // Held by the handler only: when its last copy goes, so do the protocol sessions.
    const std::shared_ptr<void> guard(
        nullptr, [sessions = sessions_, id = session->id](void*) { sessions->forget(id); });
    return [this, session = std::move(session), path = std::move(path), port, guard](
               net::HttpRequest request, net::Responder& responder) {
        const bool here = constant_time_equal(as_bytes(path), as_bytes(request.target));
        return serve_session(session, here, port, std::move(request), responder);
    };
}

net::HttpHandler Door::for_bearer(Authenticate authenticate, std::uint16_t port) {
    auto shared = std::make_shared<const Authenticate>(std::move(authenticate));
    return [this, shared, port](net::HttpRequest request, net::Responder& responder) {
        return serve_bearer(shared, port, std::move(request), responder);
    };
}

net::Task<void> Door::serve_session(identity::SessionPtr session, bool here, std::uint16_t port,
                                    net::HttpRequest request, net::Responder& responder) {
    net::Reactor& reactor = upstreams_.here();
    Response response;
    if (!here) {
        response = not_found();
    } else if (const auto source = check_source(request, port)) {
        response = refuse(*source);
    } else {
        response = co_await answer(std::move(session), std::move(request));
    }
    co_await reactor.hop();
    // The client may have gone meanwhile: what was done is done and recorded.
    (void)co_await responder.send(std::move(response));
}

net::Task<void> Door::serve_bearer(std::shared_ptr<const Authenticate> authenticate,
                                   std::uint16_t port, net::HttpRequest request,
                                   net::Responder& responder) {
    net::Reactor& reactor = upstreams_.here();
    Response response;
    if (request.target != "/mcp") {
        response = not_found();
    } else if (const auto source = check_source(request, port)) {
        response = refuse(*source);
    } else if (const auto token = bearer(request); !token) {
        response = unauthenticated(options_.resource_metadata, "a bearer token is needed");
    } else if (auto session = (*authenticate)(*token); !session || *session == nullptr) {
        // The detail is for evidence; a stranger learns only that the token is not valid.
        response = unauthenticated(options_.resource_metadata, "the token is not valid now");
    } else {
        response = co_await answer(std::move(*session), std::move(request));
    }
    co_await reactor.hop();
    (void)co_await responder.send(std::move(response));
}

Door::Response Door::dead(const identity::Session& session) {
    sessions_->forget(session.id);
    return unauthenticated(options_.resource_metadata, why_dead(session));
}

net::Task<Door::Response> Door::answer(identity::SessionPtr session, net::HttpRequest request) {
    if (!session->live(clock_.boot_us())) co_return dead(*session);
    if (request.method == "DELETE") co_return remove(session, request);
    // No stream of our own yet, so nothing to GET (405 is the specification's word for that).
    if (request.method != "POST")
        co_return refuse({405, "method_not_allowed", "use POST, or DELETE to end the session"});
    auto response = co_await post(std::move(session), std::move(request));
    co_return response;
}

Door::Response Door::remove(const identity::SessionPtr& session, const net::HttpRequest& request) {
    const auto id = request.headers.get(kSessionHeader);
    if (!id || request.headers.count(kSessionHeader) != 1)
        return refuse({400, "invalid_request", "`MCP-Session-Id` is needed"});
    if (!sessions_->end(session->id, *id)) return not_found();
    Response gone;
    gone.status = 204;
    return gone;
}

net::Task<Door::Response> Door::post(identity::SessionPtr session, net::HttpRequest request) {
    if (const auto refusal = check_content(request)) co_return refuse(*refusal);
    auto message = parse_message(std::move(request.body));
    if (!message) {
        const auto& bad = message.error();
        co_return Response::json(400, error_text(bad.id, bad.code, bad.detail));
    }
    const Message& m = **message;
    if (m.kind == MessageKind::kRequest && m.method == "initialize")
        co_return initialize(session, m);

    const auto id = request.headers.get(kSessionHeader);
    if (!id || request.headers.count(kSessionHeader) != 1)
        co_return refuse(
            {400, "invalid_request", "`initialize` first, then send `MCP-Session-Id`"});
    if (!sessions_->known(session->id, *id)) co_return not_found();
    if (const auto refusal = check_version(request)) co_return refuse(*refusal);

    Response accepted;
    accepted.status = 202;
    switch (m.kind) {
        case MessageKind::kResponse:
            co_return Response::json(
                400, error_text({}, kInvalidRequest, "nothing was asked that this could answer"));
        case MessageKind::kNotification:
            if (m.method.starts_with("notifications/")) co_return accepted;
            co_return Response::json(400,
                                     error_text({}, kInvalidRequest, "a request needs an `id`"));
        case MessageKind::kRequest:
            break;
    }
    auto response = co_await dispatch(std::move(session), std::move(*message));
    co_return response;
}

Door::Response Door::initialize(const identity::SessionPtr& session, const Message& message) {
    const auto& params = message.params;
    const auto asked = params ? params->string("protocolVersion") : std::nullopt;
    if (!asked) return invalid_params(message.id, "`params.protocolVersion` is needed");
    for (const auto* name : {"capabilities", "clientInfo"}) {
        const auto member = params->find(name);
        if (member && !member->is_object())
            return invalid_params(message.id, "`capabilities` and `clientInfo` are objects");
    }
    const auto version = supported_version(*asked) ? *asked : kVersions.front();
    auto response =
        Response::json(200, result_text(message.id, initialize_result(version, options_.version)));
    response.headers.add(std::string(kSessionHeader), sessions_->mint(session));
    return response;
}

net::Task<Door::Response> Door::dispatch(identity::SessionPtr session, MessagePtr message) {
    const Message& m = *message;
    if (m.method == "ping") co_return Response::json(200, result_text(m.id, "{}"));
    if (m.method == "tools/list") {
        auto listed = co_await list(std::move(session), std::move(message));
        co_return listed;
    }
    if (m.method == "tools/call") {
        auto called = co_await call(std::move(session), std::move(message));
        co_return called;
    }
    // 200, never 404: towards these revisions 404 means that the protocol session is gone.
    co_return Response::json(200, error_text(m.id, kMethodNotFound, "Method not found"));
}

net::Task<Door::Response> Door::list(identity::SessionPtr session, MessagePtr message) {
    // One page is all: we hand out no cursor, so none is ours.
    if (message->params && message->params->find("cursor"))
        co_return invalid_params(message->id, "`cursor` is not one of this server's");
    const auto tools = co_await gate_.visible(std::move(session));
    co_return Response::json(200, result_text(message->id, tools_result(tools)));
}

}  // namespace writ::mcp
