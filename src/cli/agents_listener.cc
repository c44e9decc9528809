#include <memory>

#include "cli/parts.h"
#include "doors/mcp/http_rules.h"

namespace writ::cli {
namespace {

// Outlives its handlers: HttpServer keeps the std::function, which keeps this.
struct Routes {
    net::HttpHandler mcp;
    const identity::Directory& directory;
    const ledger::Ledger& ledger;
};

net::Task<void> answer(net::HttpResponse response, net::Responder* responder) {
    (void)co_await responder->send(std::move(response));
}

net::Task<void> route(std::shared_ptr<const Routes> routes, net::HttpRequest request,
                      net::Responder* responder) {
    const bool get = request.method == "GET";
    net::HttpResponse response;
    if (get && request.target == "/healthz") {
        response = net::HttpResponse::json(200, R"({"status":"ok"})");
    } else if (get && request.target == "/readyz") {
        const bool writable = routes->ledger.health().writable;
        response = net::HttpResponse::json(
            writable ? 200 : 503,
            writable ? R"({"status":"ready"})" : R"({"status":"evidence cannot be written"})");
    } else if (get && request.target == "/jwks") {
        response = net::HttpResponse::json(200, routes->directory.jwks().dump());
    } else {
        // The door's, which also says what is not there.
        co_await routes->mcp(std::move(request), *responder);
        co_return;
    }
    co_await answer(std::move(response), responder);
}

}  // namespace

net::HttpHandler agents_handler(const Config& config, mcp::Door& door,
                                const identity::Directory& directory, const ledger::Ledger& ledger,
                                std::uint16_t port) {
    const bool bearer = config.bearer;
    auto authenticate = [&directory,
                         bearer](std::string_view token) -> Result<identity::SessionPtr> {
        if (!bearer)
            return fail(ErrorCode::kUnauthenticated,
                        "bearer writs are not accepted here: use `writ run`, or set bearer = true "
                        "under [listen]");
        return directory.authenticate(token);
    };
    auto routes = std::make_shared<const Routes>(
        Routes{door.for_bearer(std::move(authenticate), port), directory, ledger});
    return [routes](net::HttpRequest request, net::Responder& responder) {
        return route(routes, std::move(request), &responder);
    };
}

net::HttpServerOptions agents_options(const Config& config, const identity::Directory& directory) {
    net::HttpServerOptions options;
    options.wants_body = [bearer = config.bearer, &directory](const net::HttpRequest& head) {
        const auto token = bearer ? mcp::bearer(head) : std::nullopt;
        return token && directory.authenticate(*token).has_value();
    };
    return options;
}

}  // namespace writ::cli
