// Defends: what a tool server may do to us (nothing), and what may reach it (decided calls only).
#include "doors/mcp/upstream_stdio.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "doors/mcp/test_peer.h"

namespace writ::mcp {
namespace {

using testing_peer::count;
using testing_peer::eventually;

Outbound asked(std::string arguments = "{}", int timeout_ms = 20'000, Depart depart = {}) {
    return {"a", std::move(arguments), net::Millis(timeout_ms), std::move(depart), nullptr};
}

using Started = Result<std::shared_ptr<StdioUpstream>>;

class StdioUpstreamTest : public testing::Test {
  protected:
    Started start(const std::string& mode, UpstreamOptions options = {}) {
        net::ChildSpec spec;
        spec.argv = {WRIT_FAKE_SERVER, mode, folder_.file("log")};
        spec.env = {{"PATH", "/usr/bin:/bin"}};
        auto started = reactor_.run_until(
            StdioUpstream::start(reactor_, "fake", std::move(spec), std::move(options)));
        if (started) upstream_ = *started;
        return started;
    }
    Result<Reply> call(std::string arguments = "{}", int timeout_ms = 20'000, Depart depart = {}) {
        return reactor_.run_until(
            upstream_->call(asked(std::move(arguments), timeout_ms, std::move(depart))));
    }
    bool wait(std::function<bool()> ready) {
        return reactor_.run_until(eventually(&reactor_, std::move(ready)));
    }
    std::string received() { return folder_.read("log"); }
    void TearDown() override {
        if (upstream_) upstream_->end();
    }

    TempDir folder_;
    net::Reactor reactor_;
    std::shared_ptr<StdioUpstream> upstream_;
};

TEST_F(StdioUpstreamTest, ShakesHandsAndCallsWithTheRawArguments) {
    ASSERT_TRUE(start("echo").has_value());
    const auto reply = call(R"({ "n" : 1.0, "big":1e400, "s":"\u0061\/" })");
    ASSERT_TRUE(reply.has_value()) << reply.error().detail;
    EXPECT_FALSE(reply->error);
    EXPECT_EQ(reply->bytes,
              R"({"content":[],"structuredContent":{ "n" : 1.0, "big":1e400, "s":"\u0061\/" }})");
    const std::string log = received();
    EXPECT_EQ(count(log, "\n"), 3u) << log;
    EXPECT_TRUE(log.starts_with(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":)"
                                R"({"capabilities":{},"clientInfo":{"name":"writ",)"))
        << log;
    EXPECT_NE(log.find(R"({"jsonrpc":"2.0","method":"notifications/initialized"})"),
              std::string::npos);
    EXPECT_NE(log.find(R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a",)"
                       R"("arguments":{ "n" : 1.0, "big":1e400, "s":"\u0061\/" }}})"),
              std::string::npos);
}

// The second line of a pretty-printed argument must not arrive as a call of its own.
TEST_F(StdioUpstreamTest, ArgumentsCannotSmuggleACallNobodyDecided) {
    ASSERT_TRUE(start("echo").has_value());
    const auto reply = call(
        "{\"a\":\n{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":"
        "\"delete_everything\",\"arguments\":{}}}\n}");
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(count(received(), "\n"), 3u);
    EXPECT_EQ(upstream_->counters().stray, 0u);
}

TEST_F(StdioUpstreamTest, NothingIsWrittenWhenDepartRefuses) {
    ASSERT_TRUE(start("echo").has_value());
    const auto refused = call(R"({"secret":1})", 20'000,
                              [] { return Status(fail(ErrorCode::kUnauthenticated, "revoked")); });
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kUnauthenticated);
    ASSERT_TRUE(call(R"({"next":1})").has_value());
    EXPECT_EQ(received().find("secret"), std::string::npos);
    EXPECT_EQ(upstream_->counters().in_flight, 0u);
}

net::Task<std::pair<std::string, std::string>> two_calls(net::Reactor* reactor,
                                                         std::shared_ptr<StdioUpstream> upstream) {
    const net::Promise<std::string> second(*reactor);
    struct Run {
        static net::Task<void> go(std::shared_ptr<StdioUpstream> u,
                                  net::Promise<std::string> done) {
            auto reply = co_await u->call(asked());
            done.set(reply ? reply->bytes : reply.error().detail);
        }
    };
    reactor->spawn(Run::go(upstream, second));
    auto first = co_await upstream->call(asked());
    std::string other = co_await second.wait();
    co_return std::pair(first ? first->bytes : first.error().detail, other);
}

TEST_F(StdioUpstreamTest, ConcurrentCallsAreToldApartById) {
    ASSERT_TRUE(start("reorder").has_value());
    const auto [first, second] = reactor_.run_until(two_calls(&reactor_, upstream_));
    EXPECT_NE(first.find("first"), std::string::npos);  // asked first, answered last
    EXPECT_NE(second.find("ok"), std::string::npos);
}

TEST_F(StdioUpstreamTest, ATimeoutIsToldToTheServerAndALateAnswerIsDropped) {
    ASSERT_TRUE(start("late").has_value());
    const auto reply = call("{}", 50);
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code, ErrorCode::kTimeout);
    EXPECT_TRUE(wait([&] { return upstream_->counters().late == 1; }));
    EXPECT_NE(received().find(R"("method":"notifications/cancelled","params":)"
                              R"({"reason":"timeout","requestId":2})"),
              std::string::npos);
    EXPECT_EQ(upstream_->counters().stray, 0u);
    EXPECT_TRUE(upstream_->alive());
}

TEST_F(StdioUpstreamTest, AServerThatHangsCostsOneTimeout) {
    ASSERT_TRUE(start("hang").has_value());
    EXPECT_EQ(call("{}", 30).error().code, ErrorCode::kTimeout);
    EXPECT_EQ(upstream_->counters().in_flight, 0u);
}

TEST_F(StdioUpstreamTest, DeathFailsTheCallWithAnUnknownOutcome) {
    ASSERT_TRUE(start("dies").has_value());
    const auto reply = call();
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(reply.error().detail.find("outcome is unknown"), std::string::npos);
    EXPECT_FALSE(upstream_->alive());
    EXPECT_NE(call().error().detail.find("nothing was sent"), std::string::npos);
}

TEST_F(StdioUpstreamTest, EndFailsWhatIsInFlight) {
    ASSERT_TRUE(start("hang").has_value());
    reactor_.spawn([](std::shared_ptr<StdioUpstream> u, net::Reactor* r) -> net::Task<void> {
        co_await r->sleep(net::Millis(20));
        u->end();
    }(upstream_, &reactor_));
    EXPECT_EQ(call().error().code, ErrorCode::kUnavailable);
}

TEST_F(StdioUpstreamTest, EndedItMayTidyUpCutOffItMayNot) {
    UpstreamOptions options;
    options.ticket = std::make_shared<int>();
    const std::weak_ptr<void> running = options.ticket;
    ASSERT_TRUE(start("tidy", options).has_value());
    options.ticket.reset();
    upstream_->end();
    EXPECT_FALSE(upstream_->alive());
    EXPECT_TRUE(wait([&] { return running.expired(); }));  // not before it is gone
    EXPECT_EQ(count(received(), "tidied up"), 1u);
    options.ticket = std::make_shared<int>();
    const std::weak_ptr<void> second = options.ticket;
    ASSERT_TRUE(start("tidy", options).has_value());
    options.ticket.reset();
    upstream_->cut();
    EXPECT_TRUE(wait([&] { return second.expired(); }));
    EXPECT_EQ(count(received(), "tidied up"), 1u);
}

TEST_F(StdioUpstreamTest, GarbageIsCountedAndTheCallStillAnswered) {
    ASSERT_TRUE(start("garbage").has_value());
    ASSERT_TRUE(call().has_value());
    EXPECT_EQ(upstream_->counters().stray, 1u);
}

TEST_F(StdioUpstreamTest, TooMuchGarbageEndsTheInstance) {
    ASSERT_TRUE(start("flood").has_value());
    EXPECT_EQ(call().error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(upstream_->counters().stray, kMaxStrayLines + 1);
    EXPECT_FALSE(upstream_->alive());
}

TEST_F(StdioUpstreamTest, TooManyEmptyLinesEndTheInstanceAFewDoNot) {
    ASSERT_TRUE(start("spaced").has_value());
    for (std::size_t i = 0; i < kMaxEmptyLines + kMaxStrayLines; ++i)
        ASSERT_TRUE(call().has_value()) << i;
    EXPECT_EQ(upstream_->counters().stray, 0u);
    upstream_->end();
    ASSERT_TRUE(start("blank").has_value());
    EXPECT_EQ(call().error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(upstream_->counters().stray, kMaxStrayLines + 1);
    EXPECT_FALSE(upstream_->alive());
}

TEST_F(StdioUpstreamTest, AnswersNobodyAwaitsAreNotTakenForOthers) {
    ASSERT_TRUE(start("wrongid").has_value());
    const auto reply = call();
    ASSERT_TRUE(reply.has_value());
    EXPECT_NE(reply->bytes.find("ok"), std::string::npos);
    EXPECT_EQ(upstream_->counters().stray, 3u);
    EXPECT_NE(call()->bytes.find("ok"), std::string::npos);  // its answer came before the question
}

TEST_F(StdioUpstreamTest, ASecondAnswerIsCountedNotUsed) {
    ASSERT_TRUE(start("twice").has_value());
    EXPECT_NE(call()->bytes.find("ok"), std::string::npos);
    EXPECT_NE(call()->bytes.find("ok"), std::string::npos);
    EXPECT_TRUE(wait([&] { return upstream_->counters().stray == 2; }));
}

TEST_F(StdioUpstreamTest, AMessageOverTheLimitEndsTheInstance) {
    UpstreamOptions options;
    options.message_bytes_max = 64 << 10;
    ASSERT_TRUE(start("huge", std::move(options)).has_value());
    EXPECT_EQ(call().error().code, ErrorCode::kUnavailable);
    EXPECT_FALSE(upstream_->alive());
}

TEST_F(StdioUpstreamTest, InvalidUtf8AndDuplicateKeysAreNoAnswer) {
    for (const char* mode : {"badutf8", "duplicate"}) {
        ASSERT_TRUE(start(mode).has_value());
        EXPECT_EQ(call("{}", 300).error().code, ErrorCode::kTimeout) << mode;
        EXPECT_EQ(upstream_->counters().stray, 1u) << mode;
        upstream_->end();
    }
}

TEST_F(StdioUpstreamTest, AnAnswerOfTheWrongShapeFailsItsCallAtOnce) {
    ASSERT_TRUE(start("badresult").has_value());
    EXPECT_EQ(call().error().code, ErrorCode::kInvalid);
    EXPECT_TRUE(upstream_->alive());
}

TEST_F(StdioUpstreamTest, ErrorsComeBackRaw) {
    ASSERT_TRUE(start("rpcerror").has_value());
    const auto reply = call();
    ASSERT_TRUE(reply.has_value());
    EXPECT_TRUE(reply->error);
    EXPECT_EQ(reply->bytes, R"({"code":-32000,"message":"boom","data":{"k":1}})");
}

// We declared no capability: sampling and elicitation are refused, ping is answered.
TEST_F(StdioUpstreamTest, WhatTheServerAsksIsRefused) {
    ASSERT_TRUE(start("asks").has_value());
    const auto reply = call();
    ASSERT_TRUE(reply.has_value());
    EXPECT_NE(reply->bytes.find("asked"), std::string::npos);
    const std::string log = received();
    EXPECT_NE(log.find(R"({"jsonrpc":"2.0","id":"s1","error":{"code":-32601,)"), std::string::npos);
    EXPECT_NE(log.find(R"({"jsonrpc":"2.0","id":7,"error":{"code":-32601,)"), std::string::npos);
    EXPECT_NE(log.find(R"({"jsonrpc":"2.0","id":"p","result":{}})"), std::string::npos);
    EXPECT_EQ(upstream_->counters().asked, 2u);
}

TEST_F(StdioUpstreamTest, NotificationsAreDroppedButForListChanged) {
    int changed = 0;
    UpstreamOptions options;
    options.on_tools_changed = [&changed] { ++changed; };
    ASSERT_TRUE(start("notifies", options).has_value());
    ASSERT_TRUE(call().has_value());
    EXPECT_EQ(upstream_->counters().dropped, 2u);
    EXPECT_EQ(changed, 0);
    upstream_->end();
    ASSERT_TRUE(start("changes", options).has_value());
    ASSERT_TRUE(call().has_value());
    EXPECT_TRUE(wait([&] { return changed == 50; }));
}

TEST_F(StdioUpstreamTest, AServerThatStopsReadingIsGivenUp) {
    UpstreamOptions options;
    options.write_timeout = net::Millis(200);
    ASSERT_TRUE(start("deaf", std::move(options)).has_value());
    const auto reply = call(R"({"a":")" + std::string(900'000, 'x') + R"("})", 10'000);
    EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable) << reply.error().detail;
    EXPECT_FALSE(upstream_->alive());
}

// What was cancelled before its turn holds no place in front of a server that reads slowly.
TEST_F(StdioUpstreamTest, CallsThatAreCancelledBeforeTheyAreSentDoNotPileUp) {
    ASSERT_TRUE(start("deaf").has_value());
    struct Run {
        static net::Task<void> call(std::shared_ptr<StdioUpstream> u, ConversationPtr c,
                                    std::string arguments, std::size_t* ended) {
            Outbound out = asked(std::move(arguments));
            out.conversation = std::move(c);
            const auto reply = co_await u->call(std::move(out));
            if (!reply && reply.error().code == ErrorCode::kCancelled) ++*ended;
        }
        static net::Task<void> many(net::Reactor* r, std::shared_ptr<StdioUpstream> u,
                                    std::size_t n, std::size_t* ended) {
            for (std::size_t i = 0; i < n && u->alive(); ++i) {
                const auto conversation = Conversation::make(*r, {});
                conversation->begin(*r);
                r->spawn(call(u, conversation, "{}", ended));
                co_await r->sleep(net::Millis(0));
                conversation->cancel("the user");
                while (*ended <= i && u->alive()) co_await r->sleep(net::Millis(0));
            }
        }
    };
    std::size_t ended = 0;
    std::string large = R"({"a":")" + std::string(900'000, 'x') + R"("})";  // fills the pipe
    reactor_.spawn(Run::call(upstream_, nullptr, std::move(large), &ended));
    reactor_.run_until(Run::many(&reactor_, upstream_, kMaxOutbox + 100, &ended));
    EXPECT_EQ(ended, kMaxOutbox + 100);
    EXPECT_TRUE(upstream_->alive()) << upstream_->why_ended();
    EXPECT_EQ(upstream_->counters().in_flight, 1u);
}

// Revision 2025-03-26 has batches, no other; what stands in one is taken as if it came alone.
TEST_F(StdioUpstreamTest, AnswersMayStandInABatchWhereTheRevisionHasThem) {
    ASSERT_TRUE(start("batch").has_value());
    const auto reply = call();
    ASSERT_TRUE(reply.has_value()) << reply.error().detail;
    EXPECT_NE(reply->bytes.find("ok"), std::string::npos);
    EXPECT_EQ(upstream_->counters().dropped, 1u) << "the notification";
    EXPECT_EQ(upstream_->counters().stray, 1u) << "the answer that nobody awaits";
    upstream_->end();
    for (const char* mode : {"newbatch", "crowdbatch"}) {
        ASSERT_TRUE(start(mode).has_value());
        EXPECT_EQ(call("{}", 300).error().code, ErrorCode::kTimeout) << mode;
        EXPECT_EQ(upstream_->counters().stray, 1u) << mode;
        upstream_->end();
    }
}

TEST_F(StdioUpstreamTest, OnlySoManyCallsAreInFlight) {
    ASSERT_TRUE(start("hang").has_value());
    for (std::size_t i = 0; i < kMaxInFlight; ++i)
        reactor_.spawn([](std::shared_ptr<StdioUpstream> u) -> net::Task<void> {
            (void)co_await u->call(asked());
        }(upstream_));
    EXPECT_TRUE(wait([&] { return upstream_->counters().in_flight == kMaxInFlight; }));
    const auto refused = call();
    EXPECT_EQ(refused.error().code, ErrorCode::kExhausted);
}

TEST_F(StdioUpstreamTest, SpeaksOlderRevisionsAndRefusesStrangeOnes) {
    EXPECT_TRUE(start("old").has_value());
    const auto alien = start("alien");
    ASSERT_FALSE(alien.has_value());
    EXPECT_EQ(alien.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(alien.error().detail.find("1999-01-01"), std::string::npos);
}

TEST_F(StdioUpstreamTest, AStartThatFailsSaysWhy) {
    const auto dead = start("stillborn");
    ASSERT_FALSE(dead.has_value());
    EXPECT_EQ(dead.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(dead.error().detail.find("cannot find module x"), std::string::npos)
        << dead.error().detail;

    UpstreamOptions options;
    options.start_timeout = net::Millis(50);
    EXPECT_EQ(start("mute", std::move(options)).error().code, ErrorCode::kTimeout);
    EXPECT_EQ(received().find("cancelled"), std::string::npos);  // initialize is never cancelled

    net::ChildSpec spec;
    spec.argv = {"/nonexistent/server"};
    const auto none = reactor_.run_until(
        StdioUpstream::start(reactor_, "gone", std::move(spec), UpstreamOptions{}));
    EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
}

TEST_F(StdioUpstreamTest, ListsToolsOverPagesWithinBounds) {
    ASSERT_TRUE(start("pages").has_value());
    const auto pages = reactor_.run_until(upstream_->list_tools());
    ASSERT_TRUE(pages.has_value()) << pages.error().detail;
    EXPECT_EQ(count(*pages, R"("inputSchema")"), 2u);
    EXPECT_TRUE(json::parse(*pages).has_value());
    EXPECT_NE(received().find(R"("params":{"cursor":""})"), std::string::npos);
    upstream_->end();
    for (const char* mode : {"endless", "crowd"}) {
        ASSERT_TRUE(start(mode).has_value());
        EXPECT_EQ(reactor_.run_until(upstream_->list_tools()).error().code, ErrorCode::kTooLarge);
        upstream_->end();
    }
}

TEST(ChildEnvironment, HoldsOnlyWhatTheOperatorNamed) {
    catalog::ServerSpec spec;
    spec.env = {"HOME", "UNSET"};
    spec.set = {{"TOKEN_FILE", "/run/x"}, {"HOME", "/set"}};
    const auto lookup = [](const std::string& name) -> std::optional<std::string> {
        if (name == "HOME") return "/root";
        if (name == "AWS_SECRET_ACCESS_KEY") return "leak";
        return std::nullopt;
    };
    const std::map<std::string, std::string> expected = {
        {"HOME", "/set"}, {"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"TOKEN_FILE", "/run/x"}};
    EXPECT_EQ(child_environment(spec, lookup), expected);
}

}  // namespace
}  // namespace writ::mcp
