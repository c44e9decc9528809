// tools/call: from the message through the gate to the tool server and back. The order is the
// promise: admitted (durable) – departs – forwarded – outcome recorded – answered.
#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

#include "base/inert.h"
#include "doors/mcp/answers.h"
#include "doors/mcp/door_flight.h"
#include "doors/mcp/door_visit.h"
#include "doors/mcp/http_rules.h"
#include "json/node.h"

namespace writ::mcp {

// What happened between admission and answer.
struct Door::Course {
    bool left = false;                 // depart() agreed once: bytes may have reached the server
    std::optional<Error> refused;      // depart() did not, the last time
    std::optional<Told::Why> stopped;  // by the client, or by death
};

// How a call ends: what is recorded, then what is sent.
struct Door::Ending {
    gate::Outcome outcome;
    Response response;
};

namespace {

constexpr std::size_t kMaxTraceparentBytes = 256;
constexpr std::size_t kMaxErrorBytes = 200;  // of foreign text in an outcome
// URLElicitationRequiredError (MCP 2025-11-25, "elicitation"): its data names links that a client
// shows to its person.
constexpr std::int64_t kUrlElicitationRequired = -32042;

net::HttpResponse answer_with(std::string_view id, std::string_view result) {
    return net::HttpResponse::json(200, result_text(id, result));
}

net::HttpResponse error_with(std::string_view id, int code, std::string_view why) {
    return net::HttpResponse::json(200, error_text(id, code, why));
}

// A server's error code, if it is one that JSON-RPC can carry everywhere.
int rpc_code(std::optional<std::int64_t> code) {
    const bool fits = code && *code >= INT32_MIN && *code <= INT32_MAX;
    return fits ? static_cast<int>(*code) : kInternalError;
}

// `00-<32 hex>-<16 hex>-<2 hex>`, W3C Trace Context section 3.2.2; anything else is dropped.
bool traceparent(std::string_view text) {
    if (text.size() < 55 || text.size() > kMaxTraceparentBytes) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool dash = i == 2 || i == 35 || i == 52 || i == 55;
        const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (i < 56 ? (dash ? c != '-' : !hex) : !(hex || c == '-')) return false;
    }
    return true;
}

// The client's progressToken, raw, or empty: a string or an integer, as ids are.
std::string progress_token(const Message& message) {
    const auto meta = message.params ? message.params->find("_meta") : std::nullopt;
    const auto token = meta && meta->is_object() ? meta->find("progressToken") : std::nullopt;
    if (!token || token->raw().size() > kMaxIdBytes) return {};
    if (!token->is_string() && !(token->is_number() && token->as_i64())) return {};
    return std::string(token->raw());
}

// The Call of a tools/call, or why it is none (-32602).
Result<gate::Call> read_call(const Message& message) {
    const auto wrong = [](std::string why) { return fail(ErrorCode::kInvalid, std::move(why)); };
    const auto& params = message.params;
    const auto name = params ? params->string("name") : std::nullopt;
    if (!name) return wrong("`params.name` is needed, a string");
    if (name->size() > kMaxToolNameBytes)
        return wrong(fmt::format("`params.name` is longer than {} bytes", kMaxToolNameBytes));
    // `params.task` is not looked at: who does not offer tasks answers as if it were not there
    // (2025-11-25, "Tasks"). Only the arguments are forwarded, so no server sees it.
    gate::Call call;
    call.kind = gate::CallKind::kTool;
    call.door = "mcp";
    call.tool = *name;
    if (const auto arguments = params->find("arguments")) {
        if (!arguments->is_object()) return wrong("`params.arguments` is not an object");
        call.arguments = arguments->raw();
        call.read = arguments;
    }
    call.trace = evidence::Trace::start();
    if (const auto meta = params->find("_meta")) {
        if (!meta->is_object()) return wrong("`params._meta` is not an object");
        const auto peer = meta->string("traceparent");
        if (peer && traceparent(*peer)) call.trace.peer = *peer;
    }
    return call;
}

}  // namespace

net::Task<Door::Response> Door::call(Visit& visit, MessagePtr message,
                                     std::shared_ptr<Flight> flight) {
    std::string id(message->id);
    auto call = read_call(*message);
    if (!call) co_return error_with(id, kInvalidParams, call.error().detail);
    std::string key;  // of a flight that begins and ends here; a batch's have begun
    if (!flight) {
        key = flight_key(id);
        flight = std::make_shared<Flight>(visit, progress_token(*message));
        if (const Status begun = visit.protocol->begin(key, flight); !begun) {
            const Error& why = begun.error();
            if (why.code == ErrorCode::kNotFound) co_return not_found();
            if (why.code == ErrorCode::kConflict)
                co_return Response::json(400, error_text(id, kInvalidRequest, why.detail));
            co_return error_with(id, kInternalError, why.detail);
        }
        watch(visit.protocol);
    }
    call->session = visit.session;
    auto response = co_await admit(visit, std::move(message), std::move(*call), flight);
    co_await visit.reactor->hop();
    flight->leave();
    if (!key.empty()) visit.protocol->end(key);
    // Nobody waits for the answer of a request that was taken back (section "cancellation"), but a
    // client that takes JSON only must get some.
    if (flight->stopped() == Told::Why::kCancelled && response.status == 200) {
        visit.silent = visit.accepts.events;
        co_return error_with(id, kRequestCancelled, kCancelledByClient);
    }
    co_return response;
}

net::Task<Door::Response> Door::admit(Visit& visit, MessagePtr message, gate::Call call,
                                      std::shared_ptr<Flight> flight) {
    std::string id(message->id);
    const std::string name = call.tool;
    if (!visit.server.empty()) call.tool = visit.server + "__" + name;
    gate::Answer answer = co_await gate_.admit(std::move(call));
    message.reset();  // a call may wait long for its tool server
    if (const auto* refusal = std::get_if<gate::Refusal>(&answer))
        co_return refused(visit, id, name, *refusal);
    if (const auto* parked = std::get_if<gate::Parked>(&answer))
        co_return answer_with(id, refused_result("a person must approve this call first; call "
                                                 "again when it is approved",
                                                 parked->call, nullptr));
    auto admission = std::move(std::get<gate::AdmissionPtr>(answer));
    auto response = co_await forward(visit, std::move(id), std::move(flight), std::move(admission));
    co_return response;
}

Door::Response Door::refused(const Visit& visit, const std::string& id, std::string_view name,
                             const gate::Refusal& refusal) {
    switch (refusal.kind) {
        case gate::RefusalKind::kUnauthenticated:
            return dead(visit, id);
        case gate::RefusalKind::kUnknown:
            // The same words whether the tool is not there or not granted; nothing else is said.
            return error_with(id, kInvalidParams, fmt::format("Unknown tool: {}", name));
        case gate::RefusalKind::kForbidden:
            return answer_with(id, refused_result(refusal.advice, refusal.call,
                                                  refusal.receipt ? &*refusal.receipt : nullptr));
        case gate::RefusalKind::kInvalid:
            return error_with(id, kInvalidParams, refusal.advice);
        case gate::RefusalKind::kUnrecordable:
            break;
    }
    return Response::json(503, error_text(id, kInternalError,
                                          "the evidence log cannot be written; nothing was done"));
}

net::Task<Door::Response> Door::forward(Visit& visit, std::string id,
                                        std::shared_ptr<Flight> flight,
                                        gate::AdmissionPtr admitted) {
    co_await visit.reactor->hop();
    const identity::Session& session = *visit.session;
    const ConversationPtr conversation = flight->converse(std::move(admitted));
    gate::Admission& admission = flight->admission();
    Course course;  // outlives the call: Upstream asks depart() only while we wait for it
    course.stopped = flight->stopped();
    Result<Reply> reply = fail(ErrorCode::kCancelled, "stopped before it was sent");
    if (!course.stopped) {
        Target target{admission.tool().server, session.task->id,
                      gate_.home(session.task->root).reactor};
        Outbound outbound;
        outbound.tool = admission.tool().name;
        outbound.arguments = admission.arguments();
        outbound.timeout = options_.call_timeout;
        outbound.conversation = conversation;
        outbound.depart = [&course, &admission]() -> Status {
            Status go = admission.depart();
            course.left = course.left || go.has_value();  // asked again in a renewed session
            if (!go) course.refused = go.error();
            return go;
        };
        reply = co_await upstreams_.call(std::move(target), std::move(outbound));
        course.stopped = flight->stopped();
    }
    co_await flight->quiet();
    // Only a declared read may come back before its decision is durable; its answer waits here.
    if (const auto durable = co_await admission.settled(); !durable)
        co_return Response::json(
            503, error_text(id, kInternalError,
                            "the evidence log cannot be written; the answer is withheld"));
    Ending ending;
    if (reply)
        ending = co_await conclude(id, admission, std::move(*reply));
    else
        ending = stopped(id, admission, course, reply.error());
    const auto closed = co_await admission.close(std::move(ending.outcome));
    // Dead is dead: a task that ended meanwhile gets no output, and an instance that was started
    // for it too late is ended.
    const std::int64_t now = clock_.boot_us();
    if (!session.task->live(now)) upstreams_.release(session.task->id, parting_of(*session.task));
    if (!session.live(now)) co_return dead(visit, id);
    if (!closed && closed.error().code == ErrorCode::kCancelled)
        co_return answer_with(
            id, refused_result("the call took too long; it may have taken effect, its output is "
                               "withheld",
                               admission.call(), &admission.receipt()));
    if (!closed)
        co_return Response::json(
            503, error_text(id, kInternalError,
                            course.left ? "the call was made, but its outcome cannot be recorded; "
                                          "its output is withheld"
                                        : "the evidence log cannot be written; nothing was done"));
    co_return std::move(ending.response);
}

// The tool server answered: its result or error goes back as it came, after observation.
net::Task<Door::Ending> Door::conclude(std::string id, gate::Admission& admission, Reply reply) {
    Ending ending;
    const auto failed = [&](gate::Status_ status, std::string why, std::string_view advice) {
        ending.outcome.status = status;
        ending.outcome.error = std::move(why);
        ending.response =
            answer_with(id, refused_result(advice, admission.call(), &admission.receipt()));
    };
    auto released = co_await admission.chunk(std::move(reply.bytes));
    if (released) {
        const auto rest = co_await admission.rest();
        if (rest)
            *released += *rest;
        else
            released = fail(rest.error());
    }
    if (!released) {
        failed(gate::Status_::kBlocked, "output withheld",
               "the call was made, but its output is withheld");
        co_return ending;
    }
    if (reply.error) {
        const auto document = json::parse(*released, {.bytes_max = kMaxUpstreamMessageBytes});
        const auto code = document ? document->root().i64("code") : std::nullopt;
        const auto text = document ? document->root().string("message") : std::nullopt;
        const auto data = document ? document->root().find("data") : std::nullopt;
        if (code == kUrlElicitationRequired) {  // asks something of the client, only as an error
            std::string params(data && data->is_object() ? data->raw() : "{}");
            auto refusing = refuse_inward(&admission, "elicitation/create", std::move(params));
            co_await std::move(refusing);
            failed(gate::Status_::kProtocolError, "asked that a person opens a link; refused",
                   "the tool server wants a person to open a link first, which is not offered "
                   "here; tell whoever runs this gateway");
            co_return ending;
        }
        ending.outcome.status = gate::Status_::kProtocolError;
        ending.outcome.error = inert(text.value_or("error"), kMaxErrorBytes);
        ending.outcome.output = *released;
        ending.response = Response::json(200, error_text(id, rpc_code(code), text.value_or("error"),
                                                         data ? data->raw() : std::string_view{}));
        co_return ending;
    }
    auto result =
        read_tool_result(std::move(*released), call_meta(admission.call(), admission.receipt()),
                         reply.read ? reply.read->result : std::nullopt);
    if (!result) {
        failed(gate::Status_::kProtocolError, "the answer is not a tool result",
               "the call was made, but the tool server's answer is not valid");
        co_return ending;
    }
    ending.outcome.status = result->is_error ? gate::Status_::kToolError : gate::Status_::kOk;
    ending.outcome.output = std::move(result->bytes);
    ending.response = answer_with(id, result->told);
    co_return ending;
}

// No answer. The words are ours: what the server or its process said stays with the operator.
Door::Ending Door::stopped(const std::string& id, const gate::Admission& admission,
                           const Course& course, const Error& error) {
    const std::string& server = admission.tool().server;
    Ending ending;
    std::string advice;
    if (error.code == ErrorCode::kCancelled && course.stopped) {
        ending.outcome.status = gate::Status_::kCancelled;
        ending.outcome.error =
            course.left ? "cancelled; it may have taken effect" : "cancelled; nothing was sent";
        advice = ending.outcome.error;
    } else if (course.refused && course.left) {
        ending.outcome.status = gate::Status_::kUnknown;
        ending.outcome.error = "revoked before it was sent again";
        advice = "this call is not permitted any more; it was sent once and may have taken effect";
    } else if (course.refused) {
        ending.outcome.status = gate::Status_::kBlocked;
        ending.outcome.error = "revoked before it left";
        advice = "this call is not permitted any more; nothing was sent";
    } else if (!course.left) {
        ending.outcome.status = gate::Status_::kProtocolError;
        ending.outcome.error = fmt::format("not sent: {}", name(error.code));
        advice = error.code == ErrorCode::kExhausted
                     ? fmt::format("tool server `{}` is busy; nothing was sent, try later", server)
                     : fmt::format("tool server `{}` is not available; nothing was sent", server);
    } else if (error.code == ErrorCode::kTimeout) {
        ending.outcome.status = gate::Status_::kTimeout;
        ending.outcome.error = "no answer in time";
        advice = fmt::format(
            "tool server `{}` did not answer in time; the call may have taken effect", server);
    } else if (error.code == ErrorCode::kInvalid) {
        ending.outcome.status = gate::Status_::kProtocolError;
        ending.outcome.error = "the answer is not valid";
        advice = fmt::format(
            "tool server `{}` gave an answer that is not valid; the call may have taken effect",
            server);
    } else {
        ending.outcome.status = gate::Status_::kUnknown;
        ending.outcome.error = fmt::format("outcome unknown: {}", name(error.code));
        advice = fmt::format(
            "tool server `{}` ended during the call; the call may have taken effect", server);
    }
    ending.response =
        answer_with(id, refused_result(advice, admission.call(), &admission.receipt()));
    return ending;
}

}  // namespace writ::mcp
