// The HTTP server: accepts, filters, counts and closes. Each connection serves itself.
#include <sys/socket.h>

#include <atomic>
#include <mutex>
#include <unordered_set>

#include "base/log.h"
#include "net/asio_impl.h"
#include "net/descriptors.h"
#include "net/http_connection.h"

namespace writ::net {

namespace {

// How long a connection may say nothing before another one may have its place.
constexpr Millis kIdleGrace{1'000};

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<Impl> {
    Reactor* reactor = nullptr;
    std::shared_ptr<Poll> listener;
    std::shared_ptr<const HttpHandler> handler;
    HttpServerOptions options;
    std::atomic<std::size_t> open = 0;
    std::mutex mutex;  // guards filter, which may be set while the loop runs elsewhere
    std::function<bool(const Peer&)> filter;
    // The reactor's thread only:
    std::unordered_set<Connection*> connections;
    Budgets budgets;
    bool closed = false;

    void take(Fd fd);
    // Makes room for one more connection by closing the one that has been idle longest. False if
    // all are busy.
    bool shed();
    void close();
    static Task<void> serve(std::shared_ptr<Impl> impl, std::shared_ptr<Connection> connection);
};

void HttpServer::Impl::take(Fd fd) {
    Peer peer = peer_of(fd.get());
    const bool full = connections.size() >= options.connections_max ||
                      (!peer.is_unix && is_kept_descriptor(fd.get()));
    if (full && !shed()) {
        const std::string busy = refusal_response(503, "too many connections");
        send(fd.get(), busy.data(), busy.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        return;
    }
    std::function<bool(const Peer&)> accepts;
    {
        const std::lock_guard lock(mutex);
        accepts = filter;
    }
    if (accepts && !accepts(peer)) return;
    auto poll = Poll::open_drained(*reactor, std::move(fd));
    if (!poll) return;
    auto connection =
        std::make_shared<Connection>(std::move(*poll), std::move(peer), handler, options, budgets);
    connections.insert(connection.get());
    open = connections.size();
    reactor->spawn(serve(shared_from_this(), std::move(connection)));
}

bool HttpServer::Impl::shed() {
    Connection* oldest = nullptr;
    auto since = TimePoint::max();
    for (Connection* connection : connections) {
        const auto idle = connection->idle_since();
        if (!idle || *idle >= since) continue;
        since = *idle;
        oldest = connection;
    }
    // A whole generation that arrived just now gives way to nobody: connecting in a loop must not
    // throw out those who are about to speak.
    if (oldest == nullptr || std::chrono::steady_clock::now() - since < kIdleGrace) return false;
    oldest->finish();
    return true;
}

Task<void> HttpServer::Impl::serve(std::shared_ptr<Impl> impl,
                                   std::shared_ptr<Connection> connection) {
    co_await Connection::serve(connection);
    impl->connections.erase(connection.get());
    impl->open = impl->connections.size();
}

void HttpServer::Impl::close() {
    if (std::exchange(closed, true)) return;
    if (listener) listener->close();
    for (Connection* connection : connections) connection->finish();
}

HttpServer::HttpServer(Reactor& reactor, Listener listener, HttpHandler handler,
                       HttpServerOptions options)
    : impl_(std::make_shared<Impl>()) {
    impl_->reactor = &reactor;
    impl_->handler = std::make_shared<const HttpHandler>(std::move(handler));
    impl_->options = options;
    impl_->budgets.bodies = std::make_shared<Budget>(Budget{.max = options.bodies_bytes_max});
    impl_->budgets.answers = std::make_shared<Budget>(Budget{.max = options.answers_bytes_max});
    const std::string at = listener.endpoint().text();
    auto poll = Poll::open(reactor, std::move(listener).take());
    if (!poll) {
        log::error("net", "cannot serve on `{}`: {}", at, poll.error().detail);
        return;
    }
    impl_->listener = *poll;
    reactor.spawn(accept_loop(
        *poll, [impl = impl_](Fd fd) { impl->take(std::move(fd)); },
        [impl = impl_] { impl->shed(); }));
}

HttpServer::~HttpServer() {
    on_reactor_thread(*impl_->reactor, [impl = impl_] { impl->close(); });
}

void HttpServer::close() {
    impl_->close();
}

std::size_t HttpServer::connections() const {
    return impl_->open;
}

void HttpServer::on_accept(std::function<bool(const Peer&)> filter) {
    const std::lock_guard lock(impl_->mutex);
    impl_->filter = std::move(filter);
}

}  // namespace writ::net
