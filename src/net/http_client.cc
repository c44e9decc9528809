// The HTTP client: a pool of one connection, one request at a time.
#include "net/asio_impl.h"
#include "net/http.h"
#include "net/http_pool.h"

namespace writ::net {
namespace {

struct State {
    State(Reactor& r, Endpoint e, std::function<Status(const Peer&)> trusts, std::size_t most)
        : pool(r, std::move(e), {.connections_max = 1, .idle_max = 1, .trusts = std::move(trusts)}),
          turn(r),
          answer_bytes_max(most) {}
    HttpPool pool;
    Turnstile turn;
    const std::size_t answer_bytes_max;
    HttpCallPtr call;  // under way
    bool closed = false;
};
using StatePtr = std::shared_ptr<State>;

Task<Result<HttpResponse>> exchange(StatePtr state, HttpRequest request, TimePoint deadline) {
    auto head =
        HttpHead::make(request.method, request.target, state->pool.authority(), request.headers);
    if (!head) co_return fail(head.error());
    if (state->closed) co_return fail(closed_error().error());
    const HttpCallPtr call = state->call = state->pool.call();
    const Status begun =
        co_await call->begin(std::move(*head), std::move(request.body), deadline, nullptr);
    if (!begun) co_return fail(begun.error());
    HttpResponse out;
    out.status = call->status();
    out.headers = call->headers();
    auto body = co_await call->read_all(state->answer_bytes_max, deadline);
    if (!body) co_return fail(body.error());
    out.body = std::move(*body);
    co_return std::move(out);
}

Task<Result<HttpResponse>> in_turn(StatePtr state, HttpRequest request, TimePoint deadline) {
    co_await state->turn.enter();
    const Turn held(state->turn);
    auto out = co_await exchange(state, std::move(request), deadline);
    state->call.reset();
    co_return std::move(out);
}

}  // namespace

struct HttpClient::Impl {
    StatePtr state;
};

HttpClient::HttpClient(Reactor& reactor, Endpoint endpoint,
                       std::function<Status(const Peer&)> trusts, std::size_t answer_bytes_max)
    : impl_(std::make_unique<Impl>(Impl{std::make_shared<State>(
          reactor, std::move(endpoint), std::move(trusts), answer_bytes_max)})) {}

HttpClient::~HttpClient() {
    impl_->state->closed = true;
    if (impl_->state->call) impl_->state->call->close();
}

Task<Result<HttpResponse>> HttpClient::request(HttpRequest request, Millis timeout) {
    return in_turn(impl_->state, std::move(request), deadline_in(timeout));
}

}  // namespace writ::net
