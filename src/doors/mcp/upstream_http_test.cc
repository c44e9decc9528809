// Defends: what a tool server over HTTP may do to us (nothing), what may reach it (decided calls
// only, once), and that what it says reaches the call it belongs to.
#include "doors/mcp/upstream_http.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "doors/mcp/fake_http_server.h"
#include "doors/mcp/test_peer.h"

namespace writ::mcp {
namespace {

using testing_peer::eventually;
using testing_peer::FakeHttpServer;

class HttpUpstreamTest : public testing::Test {
  protected:
    Status start(const std::string& mode, UpstreamOptions options = {},
                 std::deque<int> refusals = {}) {
        servers_.push_back(std::make_unique<FakeHttpServer>(reactor_, mode));
        server_ = servers_.back().get();
        server_->refusals = std::move(refusals);
        const auto url = net::Url::parse(server_->url);
        HttpUpstream::Where where;
        where.pool = *net::HttpPool::make(reactor_, *url);
        where.target = url->target;
        where.fields.add("Authorization", "Bearer operators");
        pool_ = where.pool;
        auto started = reactor_.run_until(
            HttpUpstream::start(reactor_, "web", std::move(where), std::move(options)));
        if (!started) return fail(started.error());
        upstream_ = *started;
        return {};
    }
    Result<Reply> call(int timeout_ms = 5'000, ConversationPtr conversation = nullptr,
                       Depart depart = {}) {
        Outbound out{"a", R"({"n" : 1.0})", net::Millis(timeout_ms), std::move(depart),
                     std::move(conversation)};
        return reactor_.run_until(upstream_->call(std::move(out)));
    }
    ErrorCode code(const std::string& mode, int timeout_ms = 5'000) {
        EXPECT_TRUE(start(mode).has_value()) << mode;
        const auto reply = call(timeout_ms);
        EXPECT_FALSE(reply.has_value()) << mode;
        why_ = reply ? "" : reply.error().detail;
        const auto out = reply ? ErrorCode::kInternal : reply.error().code;
        upstream_->end();
        return out;
    }
    ConversationPtr listen() {
        Conversation::Ears ears;
        ears.on_notice = [this](Notice n) { notices_.push_back(std::move(n)); };
        ears.on_ask = [this](Ask ask) { return answer(this, std::move(ask)); };
        ears.progress_token = "\"mine\"";
        auto out = Conversation::make(reactor_, std::move(ears));
        out->begin(reactor_);
        return out;
    }
    static net::Task<Reply> answer(HttpUpstreamTest* test, Ask ask) {
        test->asked_.push_back(ask.method);
        co_return Reply{false, R"({"action":"decline"})"};
    }
    bool wait(std::function<bool()> ready) {
        return reactor_.run_until(eventually(&reactor_, std::move(ready)));
    }
    void TearDown() override {
        if (upstream_) upstream_->end();
        wait([&] { return !pool_ || pool_->connections() == pool_->idle(); });
    }

    net::Reactor reactor_;
    // Earlier ones stay: their handlers may still sleep on the reactor.
    std::vector<std::unique_ptr<FakeHttpServer>> servers_;
    FakeHttpServer* server_ = nullptr;
    std::shared_ptr<net::HttpPool> pool_;
    std::shared_ptr<HttpUpstream> upstream_;
    std::vector<Notice> notices_;
    std::vector<std::string> asked_;
    std::string why_;
};

TEST_F(HttpUpstreamTest, ShakesHandsAndCallsWithTheRawArguments) {
    ASSERT_TRUE(start("json").has_value());
    const auto reply = call();
    ASSERT_TRUE(reply.has_value()) << reply.error().detail;
    EXPECT_EQ(reply->bytes, R"({"content":[],"structuredContent":{"n" : 1.0}})");
    EXPECT_TRUE(server_->received[0].find("MCP-Protocol-Version") == std::string::npos);
    EXPECT_EQ(server_->count("MCP-Protocol-Version=2025-11-25 MCP-Session-Id=s1"), 2u)
        << server_->received.back();  // initialized and the call
    EXPECT_EQ(server_->count("Authorization=Bearer operators"), server_->received.size());
    EXPECT_EQ(reactor_.run_until(upstream_->list_tools()).value(),
              R"([{"name":"a","inputSchema":{"type":"object"}}])");
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(call().has_value());
    EXPECT_LE(server_->connections(), 2u);  // no connection a call
    upstream_->end();
    EXPECT_TRUE(wait([&] { return server_->count("DELETE") == 1; }));
}

TEST_F(HttpUpstreamTest, AnEventStreamIsAnAnswerToo) {
    for (const char* mode : {"sse", "twice", "lingers"}) {
        ASSERT_TRUE(start(mode).has_value());
        for (int i = 0; i < 3; ++i) {
            const auto reply = call();
            ASSERT_TRUE(reply.has_value()) << reply.error().detail;
            EXPECT_NE(reply->bytes.find("streamed"), std::string::npos);
        }
        upstream_->end();
    }
    EXPECT_TRUE(start("old").has_value());
    EXPECT_TRUE(call().has_value());
    EXPECT_GE(server_->count("MCP-Protocol-Version=2025-03-26"), 2u);
}

TEST_F(HttpUpstreamTest, WhatComesOnACallsStreamBelongsToThatCall) {
    ASSERT_TRUE(start("progress").has_value());
    const auto reply = call(5'000, listen());
    ASSERT_TRUE(reply.has_value()) << reply.error().detail;
    ASSERT_EQ(notices_.size(), 2u);
    EXPECT_EQ(notices_[0].params, R"({"progressToken":"mine","progress":1,"message":"half"})");
    EXPECT_EQ(notices_[1].kind, Notice::Kind::kLog);
    EXPECT_EQ(asked_, std::vector<std::string>{"elicitation/create"});
    EXPECT_EQ(server_->count(R"({"jsonrpc":"2.0","id":7,"result":{"action":"decline"}})"), 1u);
    EXPECT_TRUE(
        wait([&] { return server_->count(R"({"jsonrpc":"2.0","id":8,"result":{}})") == 1; }));
    EXPECT_EQ(server_->count("mine"), 0u);
    ASSERT_TRUE(call().has_value());  // nobody listens: refused
    EXPECT_TRUE(wait([&] { return server_->count(R"("id":7,"error":{"code":-32601,)") == 1; }));
}

TEST_F(HttpUpstreamTest, WhatIsNoAnswerIsSaidSoAndNothingIsFollowed) {
    const std::vector<std::pair<const char*, ErrorCode>> cases = {
        {"redirect", ErrorCode::kInvalid},  {"html", ErrorCode::kInvalid},
        {"accepted", ErrorCode::kInvalid},  {"teapot", ErrorCode::kInvalid},
        {"empty", ErrorCode::kInvalid},     {"broken", ErrorCode::kUnavailable},
        {"garbage", ErrorCode::kInvalid},   {"wrongid", ErrorCode::kInvalid},
        {"strays", ErrorCode::kInvalid},    {"huge", ErrorCode::kTooLarge},
        {"endless", ErrorCode::kInvalid},   {"dies", ErrorCode::kUnavailable},
        {"silent", ErrorCode::kUnavailable}};
    for (const auto& [mode, expected] : cases) {
        EXPECT_EQ(code(mode), expected) << mode << ": " << why_;
        EXPECT_NE(why_.find("the outcome is unknown"), std::string::npos) << mode << ": " << why_;
        EXPECT_EQ(server_->calls, 1) << mode;  // never made again
    }
}

// Each answer costs us a request.
TEST_F(HttpUpstreamTest, AServerThatAsksWithoutWaitingForAnswersIsCutOff) {
    for (const char* mode : {"pings", "questions"}) {
        ASSERT_TRUE(start(mode).has_value());
        const auto reply = call(5'000, listen());
        ASSERT_FALSE(reply.has_value()) << mode;
        EXPECT_EQ(reply.error().code, ErrorCode::kInvalid) << mode;
        EXPECT_NE(reply.error().detail.find("the outcome is unknown"), std::string::npos) << mode;
        reactor_.run_until(reactor_.sleep(net::Millis(100)));
        EXPECT_LE(server_->count(R"({"jsonrpc":"2.0","id":"q)"), kMaxAnswersAtOnce) << mode;
        EXPECT_LE(asked_.size(), kMaxAnswersAtOnce);
        EXPECT_TRUE(upstream_->alive());
        upstream_->end();
    }
}

// Revision 2025-03-26 has batches, no other; what stands in one is taken as if it came alone.
TEST_F(HttpUpstreamTest, AnAnswerMayStandInABatchWhereTheRevisionHasThem) {
    ASSERT_TRUE(start("batch").has_value());
    auto reply = call();
    ASSERT_TRUE(reply.has_value()) << reply.error().detail;
    EXPECT_EQ(reply->bytes, R"({"content":[{"type":"text","text":"batched"}]})");
    EXPECT_EQ(upstream_->counters().stray, 1u) << "the other one";
    upstream_->end();
    ASSERT_TRUE(start("batchstream").has_value());
    reply = call(5'000, listen());
    ASSERT_TRUE(reply.has_value()) << reply.error().detail;
    EXPECT_NE(reply->bytes.find("batched"), std::string::npos);
    EXPECT_EQ(notices_.size(), 1u);
    upstream_->end();
    for (const char* mode : {"newbatch", "batchcrowd"})
        EXPECT_EQ(code(mode), ErrorCode::kInvalid) << mode;
}

TEST_F(HttpUpstreamTest, AFloodedStreamEndsWithoutFillingMemory) {
    for (const char* mode : {"comments", "events"}) {
        const auto got = code(mode, 3'000);
        EXPECT_TRUE(got == ErrorCode::kInvalid || got == ErrorCode::kTimeout) << mode << why_;
        EXPECT_EQ(server_->calls, 1);
    }
}

TEST_F(HttpUpstreamTest, AnErrorWithAStatusIsTheServersAnswer) {
    ASSERT_TRUE(start("rpcerror").has_value());
    const auto reply = call();
    ASSERT_TRUE(reply.has_value()) << reply.error().detail;
    EXPECT_TRUE(reply->error);
}

TEST_F(HttpUpstreamTest, AStreamThatEndsOnPurposeIsTakenUpAgainByGet) {
    ASSERT_TRUE(start("resume").has_value());
    const auto reply = call();
    ASSERT_TRUE(reply.has_value()) << reply.error().detail;
    EXPECT_NE(reply->bytes.find("resumed"), std::string::npos);
    EXPECT_EQ(server_->calls, 1);
    EXPECT_EQ(server_->count("Last-Event-ID=e1"), 1u);
    EXPECT_EQ(server_->count("Last-Event-ID=e2"), 1u);
}

TEST_F(HttpUpstreamTest, TheStreamOfInitializeIsTakenUpInItsSession) {
    const auto started = start("primed");
    ASSERT_TRUE(started.has_value()) << started.error().detail;
    EXPECT_EQ(upstream_->session(), "s1");
    const auto resumed = std::ranges::find_if(server_->received, [](const std::string& each) {
        return each.find("Last-Event-ID=i1") != std::string::npos;
    });
    ASSERT_NE(resumed, server_->received.end());
    EXPECT_NE(resumed->find("MCP-Session-Id=s1"), std::string::npos);
    EXPECT_EQ(resumed->find("MCP-Protocol-Version"), std::string::npos) << "none is agreed on yet";
    EXPECT_TRUE(call().has_value());
}

TEST_F(HttpUpstreamTest, ALostSessionIsMadeAnewOnceAndDepartIsAskedAgain) {
    ASSERT_TRUE(start("forget").has_value());
    int departures = 0;
    const auto reply = call(5'000, nullptr, [&departures] {
        ++departures;
        return Status();
    });
    ASSERT_TRUE(reply.has_value()) << reply.error().detail;
    EXPECT_EQ(departures, 2);
    EXPECT_EQ(server_->calls, 2);
    EXPECT_EQ(upstream_->session(), "s3");
    upstream_->end();
    ASSERT_TRUE(start("forget400").has_value());
    EXPECT_TRUE(call().has_value());
    EXPECT_EQ(server_->calls, 2);
    upstream_->end();
    EXPECT_EQ(code("amnesia"), ErrorCode::kUnavailable);
    EXPECT_EQ(server_->calls, 2);
}

TEST_F(HttpUpstreamTest, ARenewalCountsAgainstTheTimeoutOfTheCall) {
    UpstreamOptions options;
    options.start_timeout = net::Millis(6'000);
    ASSERT_TRUE(start("forget", std::move(options)).has_value());
    server_->start_delay = net::Millis(4'000);
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(call(300).error().code, ErrorCode::kTimeout);
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(3));
    EXPECT_EQ(server_->calls, 1);
}

TEST_F(HttpUpstreamTest, ARevokedTaskIsNotRetriedAfterALostSession) {
    ASSERT_TRUE(start("forget").has_value());
    int departures = 0;
    const auto reply = call(5'000, nullptr, [&departures]() -> Status {
        if (++departures > 1) return fail(ErrorCode::kUnauthenticated, "revoked");
        return {};
    });
    EXPECT_EQ(reply.error().code, ErrorCode::kUnauthenticated);
    EXPECT_EQ(server_->calls, 1);
}

TEST_F(HttpUpstreamTest, NothingIsWrittenWhenDepartRefuses) {
    ASSERT_TRUE(start("json").has_value());
    const auto refused =
        call(5'000, nullptr, [] { return Status(fail(ErrorCode::kUnauthenticated, "revoked")); });
    EXPECT_EQ(refused.error().code, ErrorCode::kUnauthenticated);
    EXPECT_EQ(server_->calls, 0);
    EXPECT_TRUE(call().has_value());
}

TEST_F(HttpUpstreamTest, ATimeoutIsToldToTheServer) {
    EXPECT_EQ(code("hang", 50), ErrorCode::kTimeout);
    EXPECT_NE(why_.find("unknown"), std::string::npos);
    EXPECT_TRUE(wait([&] { return server_->count("notifications/cancelled") == 1; }));
    EXPECT_EQ(server_->count(R"("params":{"reason":"timeout","requestId":2})"), 1u);
}

TEST_F(HttpUpstreamTest, CancelEndsTheCallAtOnceAndTellsTheServer) {
    ASSERT_TRUE(start("hang").has_value());
    struct Run {
        static net::Task<void> go(FakeHttpServer* server, net::Reactor* r, ConversationPtr c) {
            auto called = [server] { return server->calls == 1; };
            (void)co_await eventually(r, std::move(called));
            c->cancel("the user");
        }
    };
    const auto conversation = listen();
    reactor_.spawn(Run::go(server_, &reactor_, conversation));
    const auto reply = call(20'000, conversation);
    EXPECT_EQ(reply.error().code, ErrorCode::kCancelled);
    EXPECT_TRUE(wait([&] { return server_->count(R"("reason":"the user")") == 1; }));
    EXPECT_TRUE(upstream_->alive());
    EXPECT_EQ(upstream_->counters().in_flight, 0u);
}

TEST_F(HttpUpstreamTest, EndFailsWhatIsInFlight) {
    ASSERT_TRUE(start("hang").has_value());
    struct Run {
        static net::Task<void> go(net::Reactor* r, std::shared_ptr<HttpUpstream> u) {
            co_await r->sleep(net::Millis(30));
            u->end();
        }
    };
    reactor_.spawn(Run::go(&reactor_, upstream_));
    const auto reply = call(20'000);
    EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(call().error().detail.find("nothing was sent"), std::string::npos);
}

TEST_F(HttpUpstreamTest, TheStreamOfNoCallBringsChangesAndItsQuestionsAreRefused) {
    int changed = 0;
    UpstreamOptions options;
    options.on_tools_changed = [&changed] { ++changed; };
    ASSERT_TRUE(start("changes", std::move(options)).has_value());
    EXPECT_TRUE(wait([&] { return changed == 1; }));
    EXPECT_TRUE(wait([&] { return server_->count(R"("id":"q","error":{"code":-32601)") == 1; }));
    EXPECT_TRUE(server_->stream_open);
    upstream_->end();
    EXPECT_TRUE(wait([&] { return !server_->stream_open; }));
}

TEST_F(HttpUpstreamTest, AStreamOfNoCallThatBringsJunkIsClosedWithOneLine) {
    UpstreamOptions options;
    options.on_tools_changed = [] {};
    testing::internal::CaptureStderr();
    ASSERT_TRUE(start("junk", std::move(options)).has_value());
    EXPECT_TRUE(wait([&] { return server_->streams == 2; })) << "it is tried again";
    const auto junk = upstream_->counters().stray;
    EXPECT_EQ(junk, kMaxStrayLines + 1);
    EXPECT_TRUE(wait([&] { return upstream_->counters().asked > kMaxStrayLines; }));
    reactor_.run_until(reactor_.sleep(net::Millis(300)));
    EXPECT_EQ(upstream_->counters().asked, kMaxStrayLines + 1) << "each cost us a request";
    EXPECT_EQ(server_->streams, 2);
    upstream_->end();
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(testing_peer::count(said, "belong to nobody"), 2u) << said;
}

TEST_F(HttpUpstreamTest, AStreamThatFailsOnceIsTriedAgainAndALostSessionIsMadeAnew) {
    for (const int status : {503, 401, 410}) {
        int changed = 0;
        UpstreamOptions options;
        options.on_tools_changed = [&changed] { ++changed; };
        ASSERT_TRUE(start("changes", std::move(options), {status}).has_value());
        EXPECT_TRUE(wait([&] { return changed > 0 && server_->stream_open; })) << status;
        EXPECT_EQ(upstream_->session(), status == 410 ? "s3" : "s1");
        EXPECT_EQ(server_->count("GET"), 2u);
        upstream_->end();
        EXPECT_TRUE(wait([&] { return !server_->stream_open; }));
    }
}

TEST_F(HttpUpstreamTest, AStreamThatIsNotThereIsNotAskedForAgain) {
    for (const int status : {404, 405}) {
        UpstreamOptions options;
        options.on_tools_changed = [] {};
        ASSERT_TRUE(start("listens", std::move(options), {status}).has_value());
        const std::size_t pings = status == 404 ? 1 : 0;
        EXPECT_TRUE(wait([&] { return server_->count(R"("method":"ping")") == pings; }));
        reactor_.run_until(reactor_.sleep(net::Millis(1'500)));
        EXPECT_EQ(server_->count("GET"), 1u) << status;
        EXPECT_EQ(server_->sessions, 1) << "the session stands";
        upstream_->end();
    }
}

TEST_F(HttpUpstreamTest, AServerThatForgetsEverySessionIsAskedWithGrowingPauses) {
    UpstreamOptions options;
    options.on_tools_changed = [] {};
    ASSERT_TRUE(start("changes", std::move(options), {503}).has_value());
    EXPECT_TRUE(wait([&] { return server_->count("GET") == 1; }));
    server_->forgets = true;  // from the second GET on: after 1 s, then 2 s
    EXPECT_TRUE(wait([&] { return server_->count("GET") >= 2; }));
    EXPECT_TRUE(wait([&] { return server_->sessions >= 2; }));
    reactor_.run_until(reactor_.sleep(net::Millis(1'500)));
    EXPECT_EQ(server_->count("GET"), 2u);
    EXPECT_EQ(server_->sessions, 2);
    server_->forgets = false;
    EXPECT_TRUE(wait([&] { return server_->stream_open; })) << "it is not given up";
}

TEST_F(HttpUpstreamTest, WhatNobodyHeardIsListedAgain) {
    int changed = 0;
    UpstreamOptions options;
    options.on_tools_changed = [&changed] { ++changed; };
    ASSERT_TRUE(start("forget", options).has_value());
    ASSERT_TRUE(call().has_value());
    EXPECT_EQ(upstream_->session(), "s3");
    EXPECT_EQ(changed, 1) << "the session is another one";
    upstream_->end();

    changed = 0;
    servers_.push_back(std::make_unique<FakeHttpServer>(reactor_, "listens"));
    server_ = servers_.back().get();
    server_->hang_up = true;
    HttpUpstream::Where where;
    where.pool = pool_ = *net::HttpPool::make(reactor_, *net::Url::parse(server_->url));
    const auto started = reactor_.run_until(HttpUpstream::start(reactor_, "web", where, options));
    ASSERT_TRUE(started.has_value());
    upstream_ = *started;
    EXPECT_TRUE(wait([&] { return changed == 1 && server_->streams == 1; })) << "it broke once";

    const auto other = reactor_.run_until(HttpUpstream::start(reactor_, "web", where, options));
    ASSERT_TRUE(other.has_value());
    upstream_->end();
    upstream_ = *other;
    EXPECT_TRUE(wait([&] { return changed == 2 && server_->streams == 1; })) << "handed on";
}

TEST_F(HttpUpstreamTest, AStartThatFailsSaysWhy) {
    EXPECT_EQ(start("down").error().code, ErrorCode::kUnavailable);
    const auto unauthenticated = start("noauth");
    EXPECT_NE(unauthenticated.error().detail.find("credential"), std::string::npos)
        << unauthenticated.error().detail;
    EXPECT_EQ(unauthenticated.error().detail.find("operators"), std::string::npos);
    EXPECT_EQ(start("badsession").error().code, ErrorCode::kInvalid);
    const auto at = net::Listener::bind(*net::Endpoint::parse("127.0.0.1:0"))->endpoint();
    HttpUpstream::Where where;
    where.pool = *net::HttpPool::make(reactor_, *net::Url::parse("http://" + at.text() + "/"));
    const auto nobody =
        reactor_.run_until(HttpUpstream::start(reactor_, "gone", std::move(where), {}));
    EXPECT_EQ(nobody.error().code, ErrorCode::kUnavailable);
}

TEST_F(HttpUpstreamTest, ARefusedConnectionEndsOneCallAndThoseInFlightGoOn) {
    ASSERT_TRUE(start("waits").has_value());
    struct Run {
        static net::Task<void> go(std::shared_ptr<HttpUpstream> u,
                                  std::optional<Result<Reply>>* out) {
            Outbound call{"a", "{}", net::Millis(20'000), nullptr, nullptr};
            out->emplace(co_await u->call(std::move(call)));
        }
    };
    std::optional<Result<Reply>> first;
    reactor_.spawn(Run::go(upstream_, &first));
    ASSERT_TRUE(wait([&] { return server_->calls == 1; }));
    server_->refuse();
    const auto refused = call();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(refused.error().detail.find("nothing was sent"), std::string::npos);
    EXPECT_FALSE(upstream_->alive()) << "the next call needs another instance";
    EXPECT_EQ(upstream_->counters().in_flight, 1u);
    server_->let_go = true;
    ASSERT_TRUE(wait([&] { return first.has_value(); }));
    EXPECT_TRUE(first->has_value()) << first->error().detail;
    EXPECT_NE(call().error().detail.find("it has ended"), std::string::npos);
}

TEST_F(HttpUpstreamTest, OnlySoManyCallsAreInFlight) {
    UpstreamOptions options;
    options.in_flight_max = 2;
    ASSERT_TRUE(start("hang", std::move(options)).has_value());
    struct Run {
        static net::Task<void> go(std::shared_ptr<HttpUpstream> u) {
            Outbound out{"a", "{}", net::Millis(20'000), nullptr, nullptr};
            (void)co_await u->call(std::move(out));
        }
    };
    for (int i = 0; i < 2; ++i) reactor_.spawn(Run::go(upstream_));
    EXPECT_TRUE(wait([&] { return upstream_->counters().in_flight == 2; }));
    EXPECT_EQ(call().error().code, ErrorCode::kExhausted);
}

}  // namespace
}  // namespace writ::mcp
