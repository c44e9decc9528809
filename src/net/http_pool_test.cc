// Defends: many requests at once share few connections, a request is sent once or not at all, and a
// server cannot hold a caller longer or fill more memory than the caller allows.
#include "net/http_pool.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "net/testing.h"
#include "net/transfers.h"

namespace writ::net {
namespace {

Deadline soon(int ms = 5'000) {
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
}

HttpHeadPtr post() {
    return *HttpHead::make("POST", "/mcp", "127.0.0.1", Headers());
}

struct Got {
    Status begun;
    Result<std::string> body = std::string();
    int status = 0;
    bool sent = false;
};

Task<Got> ask(HttpPool* pool, std::string body, std::size_t max, int ms,
              std::function<Status()> depart) {
    Got out;
    const auto call = pool->call();
    out.begun = co_await call->begin(post(), std::move(body), soon(ms), std::move(depart));
    out.sent = call->sent();
    if (!out.begun) co_return out;
    out.status = call->status();
    out.body = co_await call->read_all(max, soon(ms));
    co_return out;
}

Got ask_pool(const std::string& answer, std::size_t max = 1'000, int ms = 5'000) {
    Reactor reactor;
    const Scripted upstream({{answer}});
    HttpPool pool(reactor, upstream.endpoint());
    return reactor.run_until(ask(&pool, "{}", max, ms, nullptr));
}

class EchoServer {
  public:
    explicit EchoServer(Reactor& reactor)
        : listener_(*Listener::bind(*Endpoint::parse("127.0.0.1:0"))),
          endpoint(listener_.endpoint()),
          server(reactor, std::move(listener_), echo) {}

  private:
    static Task<void> echo(HttpRequest request, Responder& responder) {
        (void)co_await responder.send(HttpResponse::json(200, std::move(request.body)));
    }
    Listener listener_;

  public:
    Endpoint endpoint;
    HttpServer server;
};

TEST(HttpPool, ConnectionsAreUsedAgain) {
    Reactor reactor;
    EchoServer upstream(reactor);
    HttpPool pool(reactor, upstream.endpoint);
    for (int i = 0; i < 10; ++i) {
        const auto got = reactor.run_until(ask(&pool, std::to_string(i), 100, 5'000, nullptr));
        ASSERT_TRUE(got.begun) << got.begun.error().detail;
        EXPECT_EQ(*got.body, std::to_string(i));
    }
    EXPECT_EQ(upstream.server.connections(), 1u);
    EXPECT_EQ(pool.connections(), 1u);
    EXPECT_EQ(pool.idle(), 1u);
}

Task<std::size_t> many(HttpPool* pool, Reactor* reactor, int n) {
    std::vector<Promise<bool>> done;
    struct Run {
        static Task<void> go(HttpPool* p, Promise<bool> end) {
            auto got = co_await ask(p, "x", 100, 5'000, nullptr);
            end.set(got.begun.has_value());
        }
    };
    for (int i = 0; i < n; ++i) {
        done.emplace_back(*reactor);
        reactor->spawn(Run::go(pool, done.back()));
    }
    std::size_t good = 0;
    for (const auto& each : done)
        if (co_await each.wait()) ++good;
    co_return good;
}

TEST(HttpPool, ThereIsALimitAndItIsNamed) {
    Reactor reactor;
    EchoServer upstream(reactor);
    HttpPool pool(reactor, upstream.endpoint, {.connections_max = 8, .idle_max = 3});
    EXPECT_EQ(reactor.run_until(many(&pool, &reactor, 20)), 8u);
    EXPECT_EQ(pool.connections(), 3u);
    EXPECT_EQ(pool.idle(), 3u);
}

TEST(HttpPool, NothingIsSentWhenDepartRefuses) {
    Reactor reactor;
    EchoServer upstream(reactor);
    HttpPool pool(reactor, upstream.endpoint);
    const auto got = reactor.run_until(ask(&pool, "secret", 100, 5'000, [] {
        return Status(fail(ErrorCode::kUnauthenticated, "revoked"));
    }));
    EXPECT_EQ(got.begun.error().code, ErrorCode::kUnauthenticated);
    EXPECT_FALSE(got.sent);
    EXPECT_EQ(pool.idle(), 1u);
}

TEST(HttpPool, LiesAboutTheLengthAreNoAnswer) {
    const std::string head = "HTTP/1.1 200 OK\r\n";
    const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
    EXPECT_EQ(ask_pool(head + "Content-Length: 9\r\n\r\nab").body.error().code,
              ErrorCode::kUnavailable);
    EXPECT_EQ(ask_pool(chunked + "5\r\nab").body.error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(ask_pool(chunked + "2\r\nabcd\r\n0\r\n\r\n").body.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(ask_pool(chunked + "-2\r\nab").body.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(ask_pool(chunked + "2;ext=1\r\nab\r\n0\r\n\r\n").body.error().code,
              ErrorCode::kInvalid);
    EXPECT_EQ(ask_pool(chunked + "0\r\nTrailer: x\r\n\r\n").body.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(ask_pool(chunked + "ffffffff\r\nab").body.error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(ask_pool(chunked + "fffffffffffffffff\r\n").body.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(ask_pool(head + "Content-Length: 1001\r\n\r\n").body.error().code,
              ErrorCode::kTooLarge);
    EXPECT_EQ(ask_pool(chunked + "3e9\r\n" + std::string(1'001, 'x') + "\r\n").body.error().code,
              ErrorCode::kTooLarge);
    std::string fields;
    for (int i = 0; i < 100; ++i) fields += "A: b\r\n";
    EXPECT_EQ(ask_pool(head + fields + "\r\n").begun.error().code, ErrorCode::kInvalid);
}

TEST(HttpPool, AnAnswerThatStopsIsATimeout) {
    EXPECT_EQ(
        ask_pool("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 10, 5'000).body.error().code,
        ErrorCode::kUnavailable);  // it closes
    Reactor reactor;
    auto listener = Listener::bind(*Endpoint::parse("127.0.0.1:0"));  // nobody accepts
    HttpPool pool(reactor, listener->endpoint());
    const auto got = reactor.run_until(ask(&pool, "x", 10, 30, nullptr));
    EXPECT_EQ(got.begun.error().code, ErrorCode::kTimeout);
    EXPECT_TRUE(got.sent);
    EXPECT_EQ(pool.connections(), 0u);
}

Task<void> drip(HttpRequest, Responder& responder) {
    (void)co_await responder.begin(200, Headers());
    for (const char* piece : {"a", "b", "c"}) (void)co_await responder.chunk(piece);
    (void)co_await responder.end();
}

TEST(HttpPool, AStreamIsReadAsItComesAndItsConnectionUsedAgain) {
    struct Run {
        static Task<std::string> go(HttpPool* pool) {
            std::string out;
            const auto call = pool->call();
            (void)co_await call->begin(post(), "", soon(), nullptr);
            for (;;) {
                auto piece = co_await call->read(soon());
                if (!piece) co_return piece.error().detail;
                if (piece->empty()) co_return out;
                out += *piece;
            }
        }
    };
    Reactor reactor;
    auto listener = Listener::bind(*Endpoint::parse("127.0.0.1:0"));
    const Endpoint at = listener->endpoint();
    HttpServer server(reactor, std::move(*listener), drip);
    HttpPool pool(reactor, at);
    EXPECT_EQ(reactor.run_until(Run::go(&pool)), "abc");
    EXPECT_EQ(reactor.run_until(Run::go(&pool)), "abc");
    EXPECT_EQ(server.connections(), 1u);
}

TEST(HttpPool, CloseEndsACallAtOnceWhereverItIs) {
    struct Run {
        static Task<void> close(HttpCallPtr call, Reactor* reactor) {
            co_await reactor->sleep(Millis(5));
            call->close();
        }
        static Task<ErrorCode> go(HttpPool* pool, Reactor* reactor) {
            const auto call = pool->call();
            reactor->spawn(close(call, reactor));
            const Status begun = co_await call->begin(post(), "", soon(), nullptr);
            co_return begun ? ErrorCode::kInternal : begun.error().code;
        }
    };
    Reactor reactor;
    auto listener = Listener::bind(*Endpoint::parse("127.0.0.1:0"));  // nobody accepts
    HttpPool pool(reactor, listener->endpoint());
    EXPECT_EQ(reactor.run_until(Run::go(&pool, &reactor)), ErrorCode::kCancelled);
    EXPECT_EQ(pool.connections(), 0u);
}

// A call taken back while it waits for others of its turn has not left, and nobody is told it did.
TEST(HttpPool, WhatIsClosedWhileItWaitsInStepNeverDeparts) {
    Reactor reactor;
    EchoServer upstream(reactor);
    HttpPool pool(reactor, upstream.endpoint);
    const auto call = pool.call();
    int departed = 0;
    struct Run {
        static Task<void> begin(HttpCallPtr call, int* departed, std::optional<Status>* out) {
            auto depart = [departed]() -> Status {
                ++*departed;
                return {};
            };
            std::string body = "{}";
            *out = co_await call->begin(post(), std::move(body), soon(), std::move(depart));
        }
        static Task<void> pass(Reactor* on) { co_await on->sleep(Millis(20)); }
    };
    std::optional<Status> begun;
    reactor.spawn(Run::begin(call, &departed, &begun));
    reactor.post([&] {
        EXPECT_FALSE(begun.has_value());
        call->close();
    });
    reactor.run_until(Run::pass(&reactor));
    ASSERT_TRUE(begun.has_value());
    ASSERT_FALSE(*begun);
    EXPECT_EQ(begun->error().code, ErrorCode::kCancelled);
    EXPECT_EQ(departed, 0);
    EXPECT_FALSE(call->sent());
}

// An answer that just fills what one reception takes leaves no event behind for what follows it.
TEST(HttpPool, WhatCameUnaskedBehindAnAnswerIsNotTheNextAnswer) {
    const auto answer = [](const std::string& body) {
        return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
               body;
    };
    const std::size_t head = answer(std::string(10'000, 'x')).size() - 10'000;
    const std::string first(kTransferBytes - head, 'x');
    Reactor reactor;
    const Scripted upstream({{answer(first) + answer("forged"), ""}, {answer("asked for")}});
    HttpPool pool(reactor, upstream.endpoint());
    EXPECT_EQ(*reactor.run_until(ask(&pool, "", kTransferBytes, 5'000, nullptr)).body, first);
    EXPECT_EQ(*reactor.run_until(ask(&pool, "", 100, 5'000, nullptr)).body, "asked for");
}

TEST(HttpPool, ANameThatDoesNotResolveIsUnavailable) {
    Reactor reactor;
    auto pool = HttpPool::make(reactor, *Url::parse("https://no-such-host.invalid/"));
    ASSERT_TRUE(pool) << pool.error().detail;
    const auto got = reactor.run_until(ask(pool->get(), "x", 10, 20'000, nullptr));
    EXPECT_EQ(got.begun.error().code, ErrorCode::kUnavailable) << got.begun.error().detail;
    EXPECT_FALSE(got.sent);
}

}  // namespace
}  // namespace writ::net
