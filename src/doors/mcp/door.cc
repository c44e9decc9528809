#include "doors/mcp/door.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "doors/mcp/answers.h"
#include "doors/mcp/door_visit.h"
#include "doors/mcp/http_rules.h"

namespace writ::mcp {

namespace {

constexpr std::string_view kSessionHeader = "MCP-Session-Id";

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
    const auto secret = std::make_shared<const std::string>(std::move(path));
    return [this, session = std::move(session), secret, port, guard](net::HttpRequest request,
                                                                     net::Responder& responder) {
        return serve_session(session, *secret, port, std::move(request), responder);
    };
}

net::HttpHandler Door::for_bearer(Authenticate authenticate, std::uint16_t port) {
    auto shared = std::make_shared<const Authenticate>(std::move(authenticate));
    return [this, shared, port](net::HttpRequest request, net::Responder& responder) {
        return serve_bearer(shared, port, std::move(request), responder);
    };
}

net::Task<void> Door::serve_session(identity::SessionPtr session, std::string_view path,
                                    std::uint16_t port, net::HttpRequest request,
                                    net::Responder& responder) {
    Response response;
    if (const auto scope = scope_behind_secret(path, request.target); !scope) {
        response = not_found();
    } else if (const auto source = check_source(request, port)) {
        response = refuse(*source);
    } else {
        Visit visit{.session = std::move(session),
                    .server = std::string(scope->server),
                    .responder = &responder};
        co_await serve(std::move(visit), std::move(request));
        co_return;
    }
    (void)co_await responder.send(std::move(response));
}

net::Task<void> Door::serve_bearer(std::shared_ptr<const Authenticate> authenticate,
                                   std::uint16_t port, net::HttpRequest request,
                                   net::Responder& responder) {
    Response response;
    const auto scope = scope_behind("/mcp", request.target);
    if (const auto source = check_source(request, port)) {
        response = refuse(*source);
    } else if (!scope) {
        const auto metadata = options_.public_url.empty() || request.method != "GET"
                                  ? std::nullopt
                                  : resource_metadata(options_.public_url, request.target);
        response = metadata ? Response::json(200, *metadata) : not_found();
    } else if (const auto token = bearer(request); !token) {
        // Something else than one bearer token is as good as nothing.
        gate_.turned_away(nullptr);
        response = unauthenticated(Credential::kAbsent, metadata_url(scope->server),
                                   "a bearer token is needed");
    } else if (auto session = (*authenticate)(*token); !session || *session == nullptr) {
        // A stranger learns only that the token is not valid, and is one of a count in the log.
        gate_.turned_away(nullptr);
        response = unauthenticated(Credential::kInvalid, metadata_url(scope->server),
                                   "the token is not valid now");
    } else {
        Visit visit{.session = std::move(*session),
                    .server = std::string(scope->server),
                    .responder = &responder};
        co_await serve(std::move(visit), std::move(request));
        co_return;
    }
    (void)co_await responder.send(std::move(response));
}

std::string Door::metadata_url(std::string_view server) const {
    if (options_.public_url.empty()) return {};
    std::string out = options_.public_url;
    out += kMetadataPath;
    out += "/mcp";
    if (!server.empty()) (out += '/') += server;
    return out;
}

Door::Response Door::dead(const Visit& visit, std::string_view id, std::string_view more) {
    sessions_->forget(visit.session->id);
    std::string why(why_dead(*visit.session));
    why += more;
    // A stream that has begun has its status: the request ends with an error instead.
    if (visit.stream && visit.stream->begun())
        return Response::json(
            200, error_text(id, kInternalError, why + "; nothing more of the output follows"));
    return unauthenticated(Credential::kInvalid, metadata_url(visit.server), why);
}

net::Task<void> Door::serve(Visit visit, net::HttpRequest request) {
    visit.reactor = &upstreams_.here();
    // An answer under way to a slow reader ends with the session, too. Two plain pointers fit into
    // the function without an allocation; it is asked while this runs.
    visit.responder->only_while([session = visit.session.get(), clock = &clock_] {
        return session->live(clock->boot_us());
    });
    Response response;
    if (!visit.session->live(clock_.boot_us())) {
        gate_.turned_away(visit.session);
        response = dead(visit, {});
    } else if (request.method == "POST") {
        auto answer = co_await post(visit, std::move(request));
        co_await visit.reactor->hop();
        response = std::move(answer);
    } else if (request.method == "GET") {
        co_await listen(visit, std::move(request));
        co_return;
    } else if (request.method == "DELETE") {
        response = remove(visit, request);
    } else {
        // Also OPTIONS: no page of another origin is let in, so a preflight is told nothing.
        response = refuse({405, "method_not_allowed", "use POST, GET for the stream, or DELETE"});
    }
    const bool events = response.status == 200 && visit.accepts.events && !visit.accepts.json;
    if (!events && !visit.silent && !(visit.stream && visit.stream->begun())) {
        // The client may have gone meanwhile: what was done is done and recorded.
        (void)co_await visit.responder->send(std::move(response));
        co_return;
    }
    if (!visit.stream)
        visit.stream = std::make_shared<AnswerStream>(*visit.reactor, *visit.responder, nullptr);
    std::string last = visit.silent ? std::string() : std::move(response.body);
    net::Headers fields = std::move(response.headers);
    co_await visit.stream->finish(std::move(last), std::move(fields));
}

tl::expected<ProtocolSessionPtr, Door::Response> Door::protocol(const Visit& visit,
                                                                const net::HttpRequest& request) {
    const auto id = request.headers.find(kSessionHeader);
    if (id.count != 1)
        return tl::unexpected(
            refuse({400, "invalid_request", "`initialize` first, then send `MCP-Session-Id`"}));
    auto found = sessions_->find(visit.session->id, id.value, visit.server);
    if (!found) return tl::unexpected(not_found());
    if (const auto refusal = check_version(request)) return tl::unexpected(refuse(*refusal));
    return found;
}

Door::Response Door::remove(const Visit& visit, const net::HttpRequest& request) {
    const auto found = protocol(visit, request);
    if (!found) return found.error();
    if (!sessions_->end(visit.session->id, (*found)->id(), visit.server)) return not_found();
    Response gone;
    gone.status = 204;
    return gone;
}

net::Task<Door::Response> Door::post(Visit& visit, net::HttpRequest request) {
    visit.accepts = accepts(request);
    if (const auto refusal = check_content(request, visit.accepts)) co_return refuse(*refusal);
    if (is_batch(request.body)) {
        auto answers = co_await batch(visit, std::move(request));
        co_return answers;
    }
    auto message = parse_message(std::move(request.body));
    if (!message) {
        const auto& bad = message.error();
        co_return Response::json(400, error_text(bad.id, bad.code, bad.detail));
    }
    const Message& m = **message;
    if (m.kind == MessageKind::kRequest && m.method == "initialize") {
        auto hello = co_await initialize(visit, std::move(*message));
        co_return hello;
    }
    auto found = protocol(visit, request);
    if (!found) co_return std::move(found.error());
    visit.protocol = std::move(*found);
    if (m.kind != MessageKind::kRequest) co_return notified(visit, m);
    auto response = co_await dispatch(visit, std::move(*message), nullptr);
    co_return response;
}

// A notification, or an answer to something that we asked.
Door::Response Door::notified(Visit& visit, const Message& message) {
    if (message.kind == MessageKind::kResponse)
        return Response::json(
            400, error_text({}, kInvalidRequest, "nothing was asked that this could answer"));
    if (!message.method.starts_with("notifications/"))
        return Response::json(400, error_text({}, kInvalidRequest, "a request needs an `id`"));
    if (message.method == "notifications/cancelled") {
        // An id that is not in flight (any more) is no error: the answer may have crossed it.
        const auto& params = message.params;
        const auto id = params ? params->find("requestId") : std::nullopt;
        if (id && (id->is_string() || id->is_number()))
            visit.protocol->cancel(flight_key(id->raw()));
    }
    Response accepted;
    accepted.status = 202;
    return accepted;
}

net::Task<Door::Response> Door::initialize(Visit& visit, MessagePtr message) {
    const auto& params = message->params;
    const auto asked = params ? params->string("protocolVersion") : std::nullopt;
    if (!asked) co_return invalid_params(message->id, "`params.protocolVersion` is needed");
    for (const auto* name : {"capabilities", "clientInfo"}) {
        const auto member = params->find(name);
        if (member && !member->is_object())
            co_return invalid_params(message->id, "`capabilities` and `clientInfo` are objects");
    }
    // One that has not listed its tools yet is there: its client hears later which they are.
    if (!visit.server.empty()) {
        auto asking = gate_.serves(visit.session, visit.server);
        if (!co_await std::move(asking)) co_return not_found();
    }
    const auto version = supported_version(*asked) ? *asked : kVersions.front();
    auto response =
        Response::json(200, result_text(message->id, initialize_result(version, options_.version)));
    const auto session =
        sessions_->mint(visit.session, {std::string(version), std::move(visit.server)});
    if (!session)
        co_return Response::json(200,
                                 error_text(message->id, kInternalError, session.error().detail));
    response.headers.add(std::string(kSessionHeader), (*session)->id());
    co_return response;
}

net::Task<Door::Response> Door::dispatch(Visit& visit, MessagePtr message,
                                         std::shared_ptr<Flight> flight) {
    const Message& m = *message;
    if (m.method == "tools/call") {
        auto called = co_await call(visit, std::move(message), std::move(flight));
        co_return called;
    }
    if (m.method == "logging/setLevel") {
        const auto name = m.params ? m.params->string("level") : std::nullopt;
        const auto level = name ? log_level_from(*name) : std::nullopt;
        if (!level) co_return invalid_params(m.id, "`level` is one of debug to emergency");
        visit.protocol->set_log_level(*level);
        co_return Response::json(200, result_text(m.id, "{}"));
    }
    if (m.method == "ping") co_return Response::json(200, result_text(m.id, "{}"));
    if (m.method == "tools/list") {
        auto listed = co_await list(visit, std::move(message));
        co_return listed;
    }
    // 200, never 404: towards these revisions 404 means that the protocol session is gone.
    co_return Response::json(200, error_text(m.id, kMethodNotFound, "Method not found"));
}

net::Task<std::vector<std::shared_ptr<const catalog::Tool>>> Door::visible(
    identity::SessionPtr session, std::string server) {
    auto tools = co_await gate_.visible(std::move(session));
    if (!server.empty())
        std::erase_if(tools, [&](const auto& tool) { return tool->server != server; });
    co_return tools;
}

net::Task<Door::Response> Door::list(Visit& visit, MessagePtr message) {
    // One page is all: we hand out no cursor, so none is ours.
    if (message->params && message->params->find("cursor"))
        co_return invalid_params(message->id, "`cursor` is not one of this server's");
    const auto tools = co_await visible(visit.session, visit.server);
    visit.protocol->shows(tools_digest(tools));
    const auto names = visit.server.empty() ? ToolNames::kPrefixed : ToolNames::kOwn;
    co_return Response::json(200, result_text(message->id, tools_result(tools, names)));
}

}  // namespace writ::mcp
