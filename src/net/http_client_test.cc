// Defends: what an upstream on the wire can make the HTTP client believe.
#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "net/http.h"
#include "net/testing.h"

namespace writ::net {
namespace {

HttpRequest get(std::string target = "/") {
    HttpRequest request;
    request.method = "GET";
    request.target = std::move(target);
    return request;
}

// Asks once and closes.
Result<HttpResponse> ask_once(const std::string& answer, HttpRequest request = get()) {
    Reactor reactor;
    const Scripted upstream({{answer}});
    HttpClient client(reactor, upstream.endpoint());
    return reactor.run_until(client.request(std::move(request), kSoon));
}

TEST(HttpClient, TalksToOurServerAndKeepsTheConnection) {
    struct Run {
        static Task<void> echo(HttpRequest request, Responder& responder) {
            HttpResponse response;
            response.status = 201;
            response.headers.add("X-Host", std::string(*request.headers.get("host")));
            response.body = request.method + request.target + request.body;
            co_await responder.send(std::move(response));
        }
        static Task<void> stream(HttpRequest, Responder& responder) {
            co_await responder.begin(200, Headers());
            co_await responder.chunk("a");
            co_await responder.chunk("b");
            co_await responder.end();
        }
        static Task<void> talk(HttpClient* client, HttpServer* server) {
            for (int i = 0; i < 3; ++i) {
                HttpRequest request = get("/r");
                request.method = "POST";
                request.body = std::string(200'000, 'x');
                auto answer = co_await client->request(std::move(request), kSoon);
                EXPECT_TRUE(answer) << answer.error().detail;
                EXPECT_EQ(answer->status, 201);
                EXPECT_EQ(answer->body.size(), 200'006u);
                EXPECT_EQ(answer->headers.get("x-host"), "localhost");
            }
            HttpRequest head = get();
            head.method = "HEAD";
            auto answer = co_await client->request(std::move(head), kSoon);
            EXPECT_EQ(answer->body, "");
            EXPECT_EQ(server->connections(), 1u);
        }
    };
    Reactor reactor;
    const TempDir dir;
    Endpoint path;
    path.unix_path = dir.file("s");
    HttpServer server(reactor, *Listener::bind(path), Run::echo);
    HttpClient client(reactor, path);
    reactor.run_until(Run::talk(&client, &server));

    auto listener = Listener::bind(*Endpoint::parse("[::1]:0"));
    const Endpoint at = listener->endpoint();
    HttpServer streamer(reactor, std::move(*listener), Run::stream);
    HttpClient other(reactor, at);
    EXPECT_EQ(reactor.run_until(other.request(get(), kSoon))->body, "ab");
}

TEST(HttpClient, ReadsEveryFraming) {
    EXPECT_EQ(ask_once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")->body, "hi");
    EXPECT_EQ(
        ask_once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")->body,
        "hi");
    EXPECT_EQ(ask_once("HTTP/1.1 200 OK\r\n\r\nuntil the end")->body, "until the end");
    EXPECT_EQ(ask_once("HTTP/1.1 204 No Content\r\n\r\n")->status, 204);
    const auto hinted =
        ask_once("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(hinted->status, 200);
}

TEST(HttpClient, RefusesMalformedAnswers) {
    std::string hints;
    for (int i = 0; i < 20; ++i) hints += "HTTP/1.1 103 Early Hints\r\n\r\n";
    for (const std::string& answer :
         {std::string("garbage\r\n\r\n"), hints,
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
          std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
          std::string("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
          "HTTP/1.1 200 OK\r\nA: " + std::string(20'000, 'a') + "\r\n\r\n"}) {
        const auto got = ask_once(answer);
        ASSERT_FALSE(got) << answer;
        EXPECT_EQ(got.error().code, ErrorCode::kInvalid) << got.error().detail;
    }
}

TEST(HttpClient, ACutAnswerIsNotAnAnswer) {
    for (const char* answer :
         {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"}) {
        const auto got = ask_once(answer);
        ASSERT_FALSE(got) << answer;
        EXPECT_EQ(got.error().code, ErrorCode::kUnavailable) << answer;
    }
}

TEST(HttpClient, AnAnswerOverTheLimitIsTooLarge) {
    const auto got = ask_once("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
    EXPECT_EQ(got.error().code, ErrorCode::kTooLarge);
}

TEST(HttpClient, ReconnectsBetweenRequestsButNeverRepeatsOne) {
    const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct Run {
        static Task<std::vector<int>> talk(HttpClient* client, Reactor* reactor, int times) {
            std::vector<int> out;
            for (int i = 0; i < times; ++i) {
                auto answer = co_await client->request(get(), kSoon);
                out.push_back(answer ? answer->status : -static_cast<int>(answer.error().code));
                co_await reactor->sleep(Millis(20));  // lets the upstream's close arrive
            }
            co_return out;
        }
    };
    Reactor reactor;
    {
        const Scripted upstream({{ok}, {ok, ok}});
        HttpClient client(reactor, upstream.endpoint());
        EXPECT_EQ(reactor.run_until(Run::talk(&client, &reactor, 3)),
                  (std::vector<int>{200, 200, 200}));
    }
    // Heard and unanswered: the second connection would be the repetition.
    const Scripted dropper({{""}, {ok}});
    HttpClient client(reactor, dropper.endpoint());
    EXPECT_EQ(reactor.run_until(Run::talk(&client, &reactor, 1)),
              (std::vector<int>{-static_cast<int>(ErrorCode::kUnavailable)}));
    EXPECT_EQ(dropper.requests(), 1);
    EXPECT_EQ(reactor.run_until(Run::talk(&client, &reactor, 1)), (std::vector<int>{200}));
}

TEST(HttpClient, AnUnaskedAnswerIsNotTakenForTheNext) {
    const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";
    const std::string poison = ok + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    struct Run {
        static Task<std::string> talk(HttpClient* client) {
            auto first = co_await client->request(get(), kSoon);
            auto second = co_await client->request(get(), kSoon);
            co_return (first ? first->body : "-") + (second ? second->body : "-");
        }
    };
    Reactor reactor;
    const Scripted upstream({{poison}, {ok}});
    HttpClient client(reactor, upstream.endpoint());
    EXPECT_EQ(reactor.run_until(Run::talk(&client)), "goodgood");
}

TEST(HttpClient, WaitsNoLongerThanTold) {
    Reactor reactor;
    auto listener = Listener::bind(*Endpoint::parse("127.0.0.1:0"));  // nobody accepts
    HttpClient client(reactor, listener->endpoint());
    EXPECT_EQ(reactor.run_until(client.request(get(), Millis(20))).error().code,
              ErrorCode::kTimeout);
}

TEST(HttpClient, SendsNothingToWhomTheCallerDoesNotTrust) {
    struct Run {
        static Task<void> never(HttpRequest, Responder&) {
            ADD_FAILURE() << "a request arrived";
            co_return;
        }
    };
    Reactor reactor;
    auto listener = Listener::bind(*Endpoint::parse("127.0.0.1:0"));
    ASSERT_TRUE(listener);
    const Endpoint endpoint = listener->endpoint();
    HttpServer server(reactor, std::move(*listener), Run::never);
    std::optional<uid_t> seen;
    HttpClient client(reactor, endpoint, [&seen](const Peer& peer) -> Status {
        seen = peer.uid;
        return fail(ErrorCode::kForbidden, "a stranger");
    });
    const auto answer = reactor.run_until(client.request(get(), kSoon));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kForbidden);
    EXPECT_EQ(seen, getuid());
}

TEST(HttpClient, NobodyThereIsUnavailableAndNamed) {
    Reactor reactor;
    const auto at = Listener::bind(*Endpoint::parse("127.0.0.1:0"))->endpoint();
    HttpClient client(reactor, at);
    const auto got = reactor.run_until(client.request(get(), kSoon));
    EXPECT_EQ(got.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(got.error().detail.find(at.text()), std::string::npos);
}

TEST(HttpClient, CannotBeMadeToSmuggle) {
    Reactor reactor;
    const auto at = Listener::bind(*Endpoint::parse("127.0.0.1:0"))->endpoint();
    HttpClient client(reactor, at);
    HttpRequest split = get();
    split.headers.add("X", "a\r\nHost: b");
    HttpRequest space = get("/ HTTP/1.1\r\nX: ");
    HttpRequest method = get();
    method.method = "GET /";
    for (const HttpRequest& bad : {split, space, method}) {
        HttpRequest copy = bad;
        EXPECT_EQ(reactor.run_until(client.request(std::move(copy), kSoon)).error().code,
                  ErrorCode::kInvalid);
    }
}

TEST(HttpClient, DestroyedMeanwhileItsRequestIsCancelled) {
    struct Run {
        static Task<void> drop(std::unique_ptr<HttpClient>* client, Reactor* reactor) {
            co_await reactor->sleep(Millis(5));
            client->reset();
        }
    };
    Reactor reactor;
    auto listener = Listener::bind(*Endpoint::parse("127.0.0.1:0"));
    auto client = std::make_unique<HttpClient>(reactor, listener->endpoint());
    reactor.spawn(Run::drop(&client, &reactor));
    EXPECT_EQ(reactor.run_until(client->request(get(), kSoon)).error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace writ::net
