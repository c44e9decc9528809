#include "cli/api.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/config.h"
#include "cli/socket_trust.h"
#include "json/value.h"
#include "net/http.h"

namespace writ::cli {
namespace {

constexpr net::Millis kApiTimeout{60'000};

ErrorCode code_from(std::string_view text) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i)
        if (name(static_cast<ErrorCode>(i)) == text) return static_cast<ErrorCode>(i);
    return ErrorCode::kInternal;
}

Error error_from(const net::HttpResponse& response) {
    const auto body = json::parse(response.body);
    if (body) {
        if (const auto error = body->root().find("error"); error && error->is_object()) {
            return {code_from(error->string("code").value_or("internal")),
                    std::string(error->string("message").value_or("")),
                    {}};
        }
    }
    return {ErrorCode::kInternal, fmt::format("the gateway answered {}", response.status), {}};
}

}  // namespace

Result<Sockets> sockets(const Context& context) {
    std::string operators = context.socket;
    // Who names a configuration means its gateway.
    if (const char* env = std::getenv("WRIT_SOCKET");
        operators.empty() && context.config.empty() && env != nullptr)
        operators = env;
    if (!operators.empty()) {
        const std::filesystem::path path(operators);
        return Sockets{path, path.parent_path() / "agents.sock"};
    }
    const std::filesystem::path file =
        context.config.empty() ? default_config_file() : std::filesystem::path(context.config);
    if (context.config.empty() && !std::filesystem::exists(file)) {
        const auto dir = default_runtime_dir();
        return Sockets{dir / "operators.sock", dir / "agents.sock"};
    }
    const auto config = load_config(file);
    if (!config) {
        Error error = config.error();
        error.detail +=
            "\nif the gateway runs, name its operators' socket with --socket: then this file is "
            "not "
            "read";
        return fail(std::move(error));
    }
    return Sockets{config->operators_socket, config->agents_socket};
}

Result<std::string> call_api(const Context& context, const std::string& method,
                             const std::string& path, const std::string& body) {
    const auto where = sockets(context);
    if (!where) return fail(where.error());
    const auto endpoint = net::Endpoint::parse(where->operators.string());
    if (!endpoint) return fail(endpoint.error());
    net::Reactor reactor;
    const auto trusts = [&where](const net::Peer& peer) {
        return check_gateway(where->operators, peer.uid, getuid());
    };
    net::HttpClient client(reactor, *endpoint, trusts, kMaxApiAnswerBytes);
    net::HttpRequest request;
    request.method = method;
    request.target = "/api/v1/" + path;
    request.headers.add("Host", "localhost");
    if (!body.empty()) request.headers.add("Content-Type", "application/json");
    request.body = body;
    auto sent = client.request(std::move(request), kApiTimeout);
    const auto response = reactor.run_until(std::move(sent));
    if (!response) {
        Error error = response.error();
        if (error.code == ErrorCode::kUnavailable)
            error.detail = fmt::format(
                "no gateway answers on `{}` ({}): start one with `writ up`, "
                "or name its socket with --socket",
                where->operators.string(), error.detail);
        // Too large an answer is no wrong usage.
        if (error.code == ErrorCode::kTooLarge) error.code = ErrorCode::kIo;
        return fail(std::move(error));
    }
    if (response->status >= 400) {
        Error error = error_from(*response);
        // A 503 of a gateway that did answer is not an absent gateway.
        if (error.code == ErrorCode::kUnavailable) error.code = ErrorCode::kIo;
        return fail(std::move(error));
    }
    return response->body;
}

int report_api(const Context& context, const Error& error) {
    const int code = report(context, error);
    return error.code == ErrorCode::kUnavailable ? kNoGateway : code;
}

}  // namespace writ::cli
