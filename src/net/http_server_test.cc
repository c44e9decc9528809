// Defends: what a stranger on the wire can make the HTTP server do. A raw client says the bytes, a
// server on its own thread answers.
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>

#include "net/http.h"
#include "net/served.h"

namespace writ::net {
namespace {

// Answers with what it heard: `METHOD target body`.
Task<void> echo(HttpRequest request, Responder& responder) {
    HttpResponse response;
    response.body = request.method + " " + request.target + " " + request.body;
    co_await responder.send(std::move(response));
}

std::string post(const std::string& fields, const std::string& body) {
    return "POST /x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}

bool begins(const std::string& text, const std::string& start) {
    return text.starts_with(start);
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
    return n;
}

TEST(HttpServer, AnswersAndKeepsTheConnection) {
    Served served(echo);
    RawClient client = served.connect();
    for (int i = 0; i < 3; ++i) {
        client.say(post("Content-Length: 2\r\n", "hi"));
        const std::string heard = client.hear_until("POST /x hi");
        EXPECT_TRUE(begins(heard, "HTTP/1.1 200 OK\r\nDate: ")) << heard;
        EXPECT_NE(heard.find("Content-Length: 10\r\n"), std::string::npos) << heard;
    }
    EXPECT_EQ(served.server().connections(), 1u);
    const std::string last = served.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_NE(last.find("Connection: close\r\n"), std::string::npos) << last;
    const std::string old = served.ask("GET / HTTP/1.0\r\n\r\n");
    EXPECT_NE(old.find("Connection: close\r\n"), std::string::npos) << old;
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
    Served served(echo);
    const std::string heard =
        served.ask(post("Content-Length: 1\r\n", "1") + post("Content-Length: 1\r\n", "2") +
                   "GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const auto one = heard.find("POST /x 1");
    const auto two = heard.find("POST /x 2");
    const auto three = heard.find("GET /3 ");
    EXPECT_LT(one, two);
    EXPECT_LT(two, three);
    EXPECT_NE(three, std::string::npos) << heard;
}

// More at once than one look at the kernel takes, again and again, while some go and others come.
TEST(HttpServer, ManyConnectionsThatSpeakAtOnceAreAllAnswered) {
    Served served(echo);
    std::vector<RawClient> clients;
    for (int round = 0; round < 4; ++round) {
        while (clients.size() < 150) clients.push_back(served.connect());
        for (auto& client : clients) client.say(post("Content-Length: 2\r\n", "hi"));
        for (auto& client : clients)
            ASSERT_EQ(count(client.hear_until("POST /x hi"), "POST /x hi"), 1u) << round;
        clients.erase(clients.begin() + 20, clients.end() - 20);
    }
}

// A read that fills its buffer to the last byte says nothing about what is behind it.
TEST(HttpServer, ABodyAsLongAsTheReadBufferIsReadWhole) {
    constexpr std::size_t kBuffer = 64 << 10;
    Served served(echo);
    RawClient client = served.connect();
    for (const std::size_t total : {kBuffer - 1, kBuffer, kBuffer + 1, 2 * kBuffer, 3 * kBuffer}) {
        const std::size_t head = post("Content-Length: 100000\r\n", "").size();
        std::string body(total - head, 'x');
        std::string length = std::to_string(body.size());
        length.insert(0, 6 - length.size(), ' ');  // so that every head is as long
        body.back() = '!';
        client.say(post("Content-Length:" + length + " \r\n", body));
        ASSERT_EQ(count(client.hear_until("xxx!"), "xxx!"), 1u) << total;
    }
}

TEST(HttpServer, RefusesTwoFramingsAndNothingReachesTheHandler) {
    std::atomic<int> handled = 0;
    Served served([&](HttpRequest request, Responder& responder) {
        ++handled;
        return echo(std::move(request), responder);
    });
    const std::string smuggled = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
    for (const std::string& attack :
         {post("Content-Length: 1\r\nContent-Length: 1\r\n", "x"),
          post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + smuggled),
          post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
          post("A: b\r\n c\r\n", smuggled),
          std::string("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
          std::string("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")}) {
        const std::string heard = served.ask(attack);
        EXPECT_TRUE(begins(heard, "HTTP/1.1 400 ")) << attack << heard;
        EXPECT_EQ(count(heard, "HTTP/1.1"), 1u) << heard;
        EXPECT_NE(heard.find("Connection: close"), std::string::npos);
        EXPECT_NE(heard.find(R"({"error":")"), std::string::npos);
    }
    EXPECT_TRUE(begins(served.ask(post("Transfer-Encoding: gzip\r\n", "")), "HTTP/1.1 501 "));
    EXPECT_EQ(handled, 0);
}

TEST(HttpServer, DecodesChunksAndRefusesChunkedLies) {
    Served served(echo);
    const std::string te = "Transfer-Encoding: chunked\r\nConnection: close\r\n";
    const std::string heard = served.ask(post(te, "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"));
    EXPECT_NE(heard.find("POST /x abc0123456789"), std::string::npos) << heard;
    for (const char* lie :
         {"3\r\nabcd\r\n0\r\n\r\n", "x\r\n", "-1\r\n", "3;a=b\r\nabc\r\n0\r\n\r\n",
          "0\r\nAuthorization: x\r\n\r\n", "3\nabc\n0\n\n", "fffffffffffffffff\r\n",
          "0x3\r\nabc\r\n0\r\n\r\n", " 3\r\nabc\r\n0\r\n\r\n"}) {
        const std::string refusal = served.ask(post(te, lie));
        EXPECT_TRUE(begins(refusal, "HTTP/1.1 4")) << lie << refusal;
    }
    const std::string endless = served.ask(post(te, std::string(400, '0')));
    EXPECT_TRUE(begins(endless, "HTTP/1.1 400 ")) << endless;
}

// Beast 1.81 aborts when the last chunk arrives in these pieces.
TEST(HttpServer, ALastChunkInPiecesIsALastChunk) {
    Served served(echo);
    const std::string body = "3\r\nabc\r\n0\r\n\r\n";
    for (const std::string& chunks : {std::string("0\r\n\r\n"), body}) {
        RawClient client = served.connect();
        client.say(post("Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", ""));
        client.hear_until("\r\n\r\n");
        for (const char c : chunks) client.say(std::string(1, c));
        const std::string heard = client.hear_until(chunks == body ? "/x abc" : "/x ");
        EXPECT_TRUE(begins(heard, "HTTP/1.1 200 ")) << heard;
    }
}

TEST(HttpServer, ABodyOverTheLimitIs413) {
    HttpServerOptions options;
    options.body_bytes_max = 1000;
    Served served(echo, options);
    const std::string close = "Connection: close\r\n";
    EXPECT_TRUE(begins(served.ask(post(close + "Content-Length: 1000\r\n", std::string(1000, 'x'))),
                       "HTTP/1.1 200 "));
    // Answered although the client sends on: the answer survives the close.
    const std::string big(3 << 20, 'x');
    EXPECT_TRUE(
        begins(served.ask(post("Content-Length: " + std::to_string(big.size()) + "\r\n", big)),
               "HTTP/1.1 413 "));
    std::string chunks;
    for (int i = 0; i < 11; ++i) chunks += "64\r\n" + std::string(100, 'x') + "\r\n";
    EXPECT_TRUE(begins(served.ask(post("Transfer-Encoding: chunked\r\n", chunks + "0\r\n\r\n")),
                       "HTTP/1.1 413 "));
}

TEST(HttpServer, AHeaderFloodIs431) {
    Served served(echo);
    std::string many;
    for (int i = 0; i < 100; ++i) many += "A" + std::to_string(i) + ": b\r\n";
    EXPECT_TRUE(begins(served.ask(post(many, "")), "HTTP/1.1 431 "));
    EXPECT_TRUE(begins(served.ask("GET /" + std::string(1 << 20, 'a')), "HTTP/1.1 431 "));
}

TEST(HttpServer, ASlowHeadOrBodyIs408) {
    HttpServerOptions options;
    options.head_timeout = Millis(50);
    options.body_timeout = Millis(50);
    Served served(echo, options);
    EXPECT_TRUE(begins(served.ask("GET / HTT"), "HTTP/1.1 408 "));
    EXPECT_TRUE(begins(served.ask(post("Content-Length: 5\r\n", "abc")), "HTTP/1.1 408 "));
    EXPECT_EQ(served.ask(""), "");  // who says nothing is told nothing
}

TEST(HttpServer, AnIdleConnectionIsClosedSilently) {
    HttpServerOptions options;
    options.idle_timeout = Millis(50);
    Served served(echo, options);
    const std::string heard = served.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(count(heard, "HTTP/1.1"), 1u) << heard;
}

TEST(HttpServer, InvitesTheBodyOfAnExpectation) {
    Served served(echo);
    RawClient client = served.connect();
    client.say(post("Content-Length: 2\r\nExpect: 100-continue\r\n", ""));
    EXPECT_EQ(client.hear_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.say("hi");
    EXPECT_NE(client.hear_until("POST /x hi").find("200 OK"), std::string::npos);
    HttpServerOptions options;
    options.body_bytes_max = 1;
    Served small(echo, options);
    EXPECT_TRUE(begins(small.ask(post("Content-Length: 2\r\nExpect: 100-continue\r\n", "")),
                       "HTTP/1.1 413 "));
}

TEST(HttpServer, LeavesABodyUnreadThatNobodyWants) {
    int asked = 0;
    HttpServerOptions options;
    options.wants_body = [&](const HttpRequest& head) {
        ++asked;
        return head.headers.get("Authorization") == "yes";
    };
    options.body_timeout = Millis(5'000);
    Served served(echo, options);
    // A stranger announces a body and need not send it: the answer comes, and the connection ends.
    const std::string stranger = served.ask(post("Content-Length: 500000\r\n", "x"));
    EXPECT_TRUE(begins(stranger, "HTTP/1.1 200 ")) << stranger;
    EXPECT_TRUE(stranger.ends_with("POST /x ")) << "the handler sees no body";
    EXPECT_EQ(asked, 1);
    const std::string chunked = served.ask(post("Transfer-Encoding: chunked\r\n", "5\r\nhel"));
    EXPECT_TRUE(chunked.ends_with("POST /x ")) << chunked;
    RawClient known = served.connect();
    known.say(post("Authorization: yes\r\nContent-Length: 2\r\n", ""));
    known.say("hi");
    EXPECT_NE(known.hear_until("POST /x hi").find("200 OK"), std::string::npos);
    asked = 0;  // one that came whole costs no question
    served.ask(post("Content-Length: 2\r\nConnection: close\r\n", "hi"));
    EXPECT_EQ(asked, 0);
}

TEST(HttpServer, AnswersToHeadHaveNoBody) {
    Served served(echo);
    const std::string heard =
        served.ask("HEAD /h HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_NE(heard.find("Content-Length: 8\r\n"), std::string::npos) << heard;
    EXPECT_TRUE(heard.ends_with("\r\n\r\n")) << heard;
}

Task<void> silent(HttpRequest, Responder&) {
    co_return;
}

Task<void> odd(HttpRequest, Responder& responder) {
    HttpResponse bad;
    bad.headers.add("X", "a\r\nSet-Cookie: stolen=1");
    const Status split = co_await responder.send(std::move(bad));
    EXPECT_EQ(split.error().code, ErrorCode::kInvalid);
    HttpResponse good;
    good.headers.add("Content-Length", "999");
    good.body = "good";
    EXPECT_TRUE(co_await responder.send(std::move(good)));
    HttpResponse twice;
    const Status second = co_await responder.send(std::move(twice));
    EXPECT_EQ(second.error().code, ErrorCode::kConflict);
}

TEST(HttpServer, AHandlerThatSaysNothingGives500AndNoneCanSplitAHead) {
    const std::string get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    Served quiet(silent);
    EXPECT_TRUE(begins(quiet.ask(get), "HTTP/1.1 500 "));
    Served strange(odd);
    const std::string heard = strange.ask(get);
    EXPECT_EQ(heard.find("stolen"), std::string::npos) << heard;
    EXPECT_EQ(count(heard, "Content-Length: "), 1u) << heard;
    EXPECT_TRUE(heard.ends_with("good")) << heard;
}

Task<void> stream_three(HttpRequest request, Responder& responder) {
    Headers headers;
    headers.add("Content-Type", "text/event-stream");
    EXPECT_TRUE(co_await responder.begin(200, std::move(headers)));
    for (int i = 1; i <= 3; ++i) {
        std::string event = "data: " + std::to_string(i) + "\n\n";
        EXPECT_TRUE(co_await responder.chunk(std::move(event)));
        EXPECT_TRUE(co_await responder.chunk(std::string()));
    }
    if (request.target != "/cut") co_await responder.end();
}

TEST(HttpServer, StreamsInChunksAndCutsAnUnfinishedStreamOff) {
    Served served(stream_three);
    RawClient client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string whole = client.hear_until("\r\n0\r\n\r\n");
    EXPECT_NE(whole.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
    EXPECT_TRUE(
        whole.ends_with("9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n9\r\ndata: 3\n\n\r\n0\r\n\r\n"))
        << whole;
    client.say("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string cut = client.hear_all();
    EXPECT_EQ(cut.find("0\r\n\r\n"), std::string::npos) << cut;
    const std::string old = served.ask("GET / HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(old.ends_with("\r\n\r\ndata: 1\n\ndata: 2\n\ndata: 3\n\n")) << old;
}

// Streams until the peer is gone, then reports how it learnt that.
struct Endless {
    Reactor* reactor = nullptr;
    std::promise<bool> gone;
};

Task<void> stream_on(Endless* endless, Responder* responder) {
    EXPECT_TRUE(co_await responder->begin(200, Headers()));
    while (!responder->peer_gone()) co_await endless->reactor->sleep(Millis(1));
    const Status refused = co_await responder->chunk("late");
    endless->gone.set_value(!refused.has_value());
}

TEST(HttpServer, AClientThatVanishesIsNoticedWithoutWriting) {
    for (const bool pipelining : {false, true}) {
        Endless endless;
        auto gone = endless.gone.get_future();
        Served served(
            [&](HttpRequest, Responder& responder) { return stream_on(&endless, &responder); });
        endless.reactor = &served.reactor();
        RawClient client = served.connect();
        client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.hear_until("\r\n\r\n");
        if (pipelining) client.say("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
        client.hang_up();
        ASSERT_EQ(gone.wait_for(std::chrono::seconds(10)), std::future_status::ready);
        EXPECT_TRUE(gone.get());
    }
}

// A reader that stops reading does not hold its answer forever.
Task<void> flood(std::promise<bool>* failed, Responder* responder) {
    std::string big(64 << 20, 'x');
    HttpResponse response;
    response.body = std::move(big);
    const Status sent = co_await responder->send(std::move(response));
    failed->set_value(!sent.has_value() && responder->peer_gone());
}

TEST(HttpServer, AReaderThatStopsIsDropped) {
    HttpServerOptions options;
    options.write_timeout = Millis(50);
    std::promise<bool> failed;
    Served served([&](HttpRequest, Responder& responder) { return flood(&failed, &responder); },
                  options);
    RawClient client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(failed.get_future().get());
}

TEST(HttpServer, KnowsItsPeersAndFiltersThem) {
    struct Tell {
        static Task<void> go(HttpRequest request, Responder& responder) {
            HttpResponse response;
            response.body = "uid=" + std::to_string(request.peer.uid.value_or(99999));
            co_await responder.send(std::move(response));
        }
    };
    const std::string get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const std::string ours = "uid=" + std::to_string(getuid());
    Served tcp(Tell::go);
    EXPECT_TRUE(tcp.ask(get).ends_with(ours));
    const TempDir dir;
    Endpoint path;
    path.unix_path = dir.file("s");
    Served local(path, Tell::go);
    EXPECT_TRUE(local.ask(get).ends_with(ours));
    Served closed(Tell::go, {}, [](const Peer& peer) { return peer.uid != getuid(); });
    EXPECT_EQ(closed.ask(get), "");
}

TEST(HttpServer, RefusesConnectionsBeyondItsLimitVisibly) {
    HttpServerOptions options;
    options.connections_max = 1;
    Served served(echo, options);
    RawClient first = served.connect();
    first.say(post("Content-Length: 1\r\n", "1"));
    first.hear_until("POST /x 1");
    EXPECT_TRUE(begins(served.connect().hear_all(), "HTTP/1.1 503 "));
}

// Parks the request until it is let go.
struct Parked {
    std::promise<void> arrived;
    std::unique_ptr<Promise<int>> go;
};

Task<void> park(Parked* parked, Responder* responder) {
    parked->arrived.set_value();
    co_await parked->go->wait();
    HttpResponse response;
    response.body = "done";
    co_await responder->send(std::move(response));
}

TEST(HttpServer, CloseEndsIdleConnectionsAndLetsBusyOnesFinish) {
    Parked parked;
    Served served([&](HttpRequest request, Responder& responder) {
        if (request.target == "/park") return park(&parked, &responder);
        return echo(std::move(request), responder);
    });
    parked.go = std::make_unique<Promise<int>>(served.reactor());
    RawClient idle = served.connect();
    idle.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    idle.hear_until("GET / ");
    RawClient busy = served.connect();
    busy.say("GET /park HTTP/1.1\r\nHost: a\r\n\r\n");
    parked.arrived.get_future().wait();
    served.reactor().post([&] { served.server().close(); });
    EXPECT_EQ(idle.hear_all(), "");
    parked.go->set(1);
    const std::string heard = busy.hear_all();
    EXPECT_TRUE(heard.ends_with("done")) << heard;
    EXPECT_NE(heard.find("Connection: close"), std::string::npos);
    EXPECT_FALSE(Listener::bind(served.endpoint()).error().code == ErrorCode::kIo);
}

// A read stops at the mark of urgent data, so it takes less than is there, and no other edge tells
// of the rest. The byte itself is no part of the stream.
TEST(HttpServer, UrgentDataHidesNothingThatFollows) {
    Served served(echo);
    const std::string head = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";
    const std::string whole = head + "abcd";
    for (const std::size_t mark : {std::size_t{1}, std::size_t{20}, head.size(), head.size() + 2}) {
        RawClient client = served.connect();
        std::promise<void> sent;
        std::promise<void> held;
        served.reactor().post([&] {
            held.set_value();
            sent.get_future().wait();
        });
        held.get_future().wait();
        client.say(whole.substr(0, mark));
        ASSERT_EQ(send(client.fd(), "!", 1, MSG_OOB), 1);
        client.say(whole.substr(mark));
        client.say("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
        sent.set_value();
        const std::string heard = client.hear_until("GET /next ");
        EXPECT_NE(heard.find("POST /x abcd"), std::string::npos) << mark << heard;
        EXPECT_EQ(count(heard, "HTTP/1.1 200"), 2u) << mark << heard;
        // Byte by byte, each with a mark behind it. A mark that another one overtakes leaves its
        // byte in the stream, which makes it no request; but answered it is.
        for (const char c : whole) {
            client.say({&c, 1});
            ASSERT_EQ(send(client.fd(), "!", 1, MSG_OOB), 1);
        }
        const std::string answer = client.hear_until("\r\n\r\n");
        EXPECT_TRUE(begins(answer, "HTTP/1.1 ")) << mark << answer;
    }
}

}  // namespace
}  // namespace writ::net
