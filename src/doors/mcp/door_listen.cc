// The stream of a GET (MCP 2025-11-25, "listening for messages from the server"): it says when the
// tools that its session sees have changed, shows signs of life, and ends with the session. And the
// sweep that notices, for everything that runs, that a task has died or the catalog has changed.
#include <optional>
#include <utility>

#include "doors/mcp/answers.h"
#include "doors/mcp/door.h"
#include "doors/mcp/door_visit.h"
#include "doors/mcp/http_rules.h"

namespace writ::mcp {

net::Task<void> Door::listen(Visit& visit, net::HttpRequest request) {
    std::optional<Response> refusal;
    const auto listening = std::make_shared<Listening>(*visit.reactor);
    if (!accepts(request).events) {
        refusal = refuse({406, "not_acceptable", "send `Accept: text/event-stream`"});
    } else if (auto found = protocol(visit, request); !found) {
        refusal = std::move(found.error());
    } else {
        visit.protocol = std::move(*found);
        const Status opened = visit.protocol->open(listening);
        if (!opened && opened.error().code == ErrorCode::kNotFound) refusal = not_found();
        if (!opened && !refusal) refusal = refuse({409, "too_many_streams", opened.error().detail});
    }
    if (refusal) {
        (void)co_await visit.responder->send(std::move(*refusal));
        co_return;
    }
    watch(visit.protocol);
    visit.responder->on_gone([weak = std::weak_ptr(listening)] {
        if (const auto self = weak.lock()) self->gone();
    });
    auto headers = event_headers();
    if (co_await visit.responder->begin(200, std::move(headers))) co_await stream(visit, listening);
    visit.protocol->close(listening.get());
    (void)co_await visit.responder->end();
}

net::Task<void> Door::stream(Visit& visit, std::shared_ptr<Listening> listening) {
    // What may have changed between the client's last tools/list and now.
    Listening::News news{.catalog = true};
    for (; !news.over && !visit.responder->peer_gone(); news = co_await listening->next()) {
        std::string bytes;
        if (news.beat) bytes = ": alive\n\n";  // a comment, which readers skip
        if (news.catalog && visit.protocol->is_first(listening.get()) && co_await changed(visit))
            bytes = event_text(notification_text("notifications/tools/list_changed"));
        if (bytes.empty()) continue;
        if (!visit.session->live(clock_.boot_us())) break;
        if (!co_await visit.responder->chunk(std::move(bytes))) break;
    }
}

net::Task<bool> Door::changed(Visit& visit) {
    const auto tools = co_await visible(visit.session, visit.server);
    co_await visit.reactor->hop();
    co_return visit.protocol->shows(tools_digest(tools));
}

void Door::watch(const ProtocolSessionPtr& session) {
    if (!sessions_->watch(session)) return;
    net::Reactor& reactor = upstreams_.here();
    reactor.spawn(sweep(sessions_, &reactor, &clock_, &gate_, options_.keep_alive));
}

// One look at everything that runs, until nothing does. Polling, because a session dies in many
// ways (its task, an ancestor, the clock) and the atomics that say so are cheap to read: 10,000
// streams cost about 2 % of one core.
net::Task<void> Door::sweep(std::shared_ptr<ProtocolSessions> sessions, net::Reactor* reactor,
                            const Clock* clock, gate::Gate* gate, net::Millis keep_alive) {
    auto engine = gate->engine();
    net::Millis since_beat{0};
    std::optional<Told::Why> news;
    while (sessions->sweep(clock->boot_us(), news) != 0) {
        co_await reactor->sleep(kWatchInterval);
        since_beat += kWatchInterval;
        news.reset();
        // A changed catalog comes with a new engine (gate.h, set_engine).
        if (auto now = gate->engine(); now != engine) {
            engine = std::move(now);
            news = Told::Why::kCatalog;
        } else if (since_beat >= keep_alive) {
            since_beat = net::Millis(0);
            news = Told::Why::kBeat;
        }
    }
}

}  // namespace writ::mcp
