// Defends: that many connections, many bodies and exhausted descriptors cost a bounded amount, and
// that a handler which waits long learns that its peer has gone.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "net/descriptors.h"
#include "net/http.h"
#include "net/served.h"

namespace writ::net {
namespace {

Task<void> echo_size(HttpRequest request, Responder& responder) {
    HttpResponse response;
    response.body = request.method + " " + std::to_string(request.body.size());
    (void)co_await responder.send(std::move(response));
}

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

template <class F>
bool eventually(F condition) {
    for (int i = 0; i < 400; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

TEST(HttpLimits, ANewConnectionTakesThePlaceOfTheLongestIdleOne) {
    HttpServerOptions options;
    options.connections_max = 3;
    Served served(echo_size, options);
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(std::make_unique<RawClient>(served.endpoint()));
        clients.back()->say(kGet);
        clients.back()->hear_until("GET 0");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    // Nobody has been idle for long: those who connect in a loop throw out nobody.
    RawClient early(served.endpoint());
    EXPECT_TRUE(early.hear_all().starts_with("HTTP/1.1 503 "));
    std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
    RawClient late(served.endpoint());
    late.say(kGet);
    EXPECT_TRUE(late.hear_until("GET 0").starts_with("HTTP/1.1 200 "));
    EXPECT_EQ(clients[0]->hear_all(), "");  // closed
    clients[1]->say(kGet);
    EXPECT_TRUE(clients[1]->hear_until("GET 0").starts_with("HTTP/1.1 200 "));
}

TEST(HttpLimits, BodiesOfAllConnectionsTogetherAreBounded) {
    HttpServerOptions options;
    options.body_bytes_max = 300'000;
    options.bodies_bytes_max = 500'000;
    Served served(echo_size, options);
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n";
    RawClient slow(served.endpoint());
    RawClient second(served.endpoint());
    slow.say(head + std::string(280'000, 'x'));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    second.say(head + std::string(280'000, 'x'));
    EXPECT_TRUE(second.hear_all().starts_with("HTTP/1.1 503 "));
    slow.say(std::string(20'000, 'x'));
    EXPECT_TRUE(slow.hear_until("POST 300000").starts_with("HTTP/1.1 200 "));
    // What was answered, refused or cut off is given back.
    for (int i = 0; i < 4; ++i) {
        RawClient cut(served.endpoint());
        cut.say(head + std::string(280'000, 'x'));
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    RawClient whole(served.endpoint());
    whole.say(head + std::string(300'000, 'x'));
    EXPECT_TRUE(whole.hear_until("POST 300000").starts_with("HTTP/1.1 200 "));
}

// Who does not read keeps his answer in memory; those of all such peers together are bounded.
TEST(HttpLimits, AnswersOfAllSlowReadersTogetherAreBounded) {
    constexpr std::size_t kAnswer = 16'000'000;  // more than the kernel takes for a peer
    struct Large {
        static Task<void> go(HttpRequest request, Responder* responder) {
            HttpResponse response;
            response.body.assign(kAnswer, 'x');
            if (request.target == "/") {
                (void)co_await responder->send(std::move(response));
                co_return;
            }
            Headers none;
            (void)co_await responder->begin(200, std::move(none));
            (void)co_await responder->chunk(std::move(response.body));
            (void)co_await responder->end();
        }
    };
    HttpServerOptions options;
    options.answers_bytes_max = 2 * kAnswer + 10'000;
    std::atomic<int> asked = 0;
    Served served(
        [&asked](HttpRequest request, Responder& responder) {
            ++asked;
            return Large::go(std::move(request), &responder);
        },
        options);
    const auto ask = [](RawClient& client, const std::string& target) {
        client.say("GET " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    };
    for (const std::string target : {"/", "/stream"}) {
        asked = 0;
        std::vector<std::unique_ptr<RawClient>> slow;
        for (int i = 0; i < 4; ++i) {
            slow.push_back(std::make_unique<RawClient>(served.endpoint()));
            ask(*slow.back(), target);
        }
        EXPECT_TRUE(eventually([&] { return asked == 4 && served.server().connections() == 2; }))
            << target;
        int whole = 0;
        for (const auto& client : slow) whole += client->hear_all().size() > kAnswer ? 1 : 0;
        EXPECT_EQ(whole, 2) << target;
        // What was read, or cut off, is given back.
        RawClient after(served.endpoint());
        ask(after, target);
        EXPECT_GT(after.hear_all().size(), kAnswer) << target;
    }
}

// Streams until its peer has gone.
struct Streamer {
    std::promise<void> left;
    static Task<void> go(Streamer* self, Reactor* reactor, Responder* responder) {
        const Promise<bool> gone(*reactor);
        responder->on_gone([gone] { gone.set(true); });
        (void)co_await responder->begin(200, Headers());
        (void)co_await gone.wait();
        self->left.set_value();
    }
};

Task<void> send_while(std::atomic<bool>* allowed, std::promise<Status>* done,
                      Responder* responder) {
    responder->only_while([allowed] { return allowed->load(); });
    HttpResponse response;
    response.body.assign(32 << 20, 'x');
    Status sent = co_await responder->send(std::move(response));
    done->set_value(std::move(sent));
}

// Long before its write_timeout, and what the kernel still had of the answer is lost.
TEST(HttpLimits, AnAnswerIsCutOffWhenItMayNotBeToldAnyMore) {
    std::atomic<bool> allowed = true;
    std::promise<Status> done;
    auto sent = done.get_future();
    Served served(
        [&](HttpRequest, Responder& responder) { return send_while(&allowed, &done, &responder); });
    RawClient client(served.endpoint());
    client.say(kGet);
    EXPECT_EQ(sent.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
    allowed = false;
    ASSERT_EQ(sent.wait_for(std::chrono::seconds(10)), std::future_status::ready);
    EXPECT_EQ(sent.get().error().code, ErrorCode::kCancelled);
    ASSERT_TRUE(eventually([&] { return served.server().connections() == 0; }));
    std::string rest = client.hear_all();
    EXPECT_LT(rest.size(), 32u << 20);
    char byte = 0;
    EXPECT_NE(recv(client.fd(), &byte, 1, 0), 1);
}

TEST(HttpLimits, AHandlerThatWaitsLearnsThatItsPeerHasGone) {
    Streamer streamer;
    Served* at = nullptr;
    Served served([&](HttpRequest, Responder& responder) {
        return Streamer::go(&streamer, &at->reactor(), &responder);
    });
    at = &served;
    auto client = std::make_unique<RawClient>(served.endpoint());
    client->say(kGet);
    client->hear_until("\r\n\r\n");
    client.reset();
    EXPECT_EQ(streamer.left.get_future().wait_for(std::chrono::seconds(5)),
              std::future_status::ready);
    EXPECT_TRUE(eventually([&] { return served.server().connections() == 0; }));
}

// Out of descriptors: what is idle gives way, the loop does not spin, and it serves again.
TEST(HttpLimits, ExhaustedDescriptorsDoNotSpinAndPass) {
#if __has_feature(undefined_behavior_sanitizer)
    GTEST_SKIP() << "the vptr check opens a pipe and takes its absence for damage";
#endif
    Served served(echo_size);
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    std::vector<Fd> clients;
    rlimit tight = before;
    tight.rlim_cur = 200;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    const auto address = Address::of(served.endpoint());
    // Both ends live in this process: connect until it has no descriptor left.
    for (;;) {
        Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (!fd.valid()) break;
        if (connect(fd.get(), &address->any, address->size) != 0) break;
        clients.push_back(std::move(fd));
    }
    EXPECT_GT(clients.size(), 20u);
    const double began = served.cpu_s();
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    EXPECT_LT(served.cpu_s() - began, 0.2) << "the accept loop spins";
    clients.clear();
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(eventually([&] {
        RawClient client(served.endpoint());
        client.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        return client.hear_all().starts_with("HTTP/1.1 200 ");
    }));
}

// However many connections strangers hold, the last descriptors are for whom they are kept.
TEST(HttpLimits, TheLastDescriptorsAreKept) {
    const TempDir dir;
    Served agents(echo_size);
    Served people(*Endpoint::parse(dir.file("people.sock")), echo_size);
    auto idle = std::make_unique<RawClient>(agents.endpoint());
    idle->say(kGet);
    idle->hear_until("GET 0");
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit tight = before;
    tight.rlim_cur = 200;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    std::vector<Fd> held;
    do held.emplace_back(dup(0));
    while (!is_kept_descriptor(held.back().get()));
    held.pop_back();
    const auto ask = [](const Endpoint& endpoint) {
        RawClient client(endpoint);
        client.say(kGet);
        return client.hear_until("\r\n\r\n").substr(0, 13);
    };
    const std::string agent = ask(agents.endpoint());
    const std::string person = ask(people.endpoint());
    // What has been idle for a second gives way.
    std::string later;
    const bool given_way = eventually([&] {
        later = ask(agents.endpoint());
        return later == "HTTP/1.1 200 ";
    });
    held.clear();
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(agent, "HTTP/1.1 503 ");
    EXPECT_EQ(person, "HTTP/1.1 200 ");
    EXPECT_TRUE(given_way) << later;
}

}  // namespace
}  // namespace writ::net
