// Defends: when an instance is started, how long anybody waits for that, and what follows a
// restart.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>

#include "doors/mcp/test_upstreams.h"

namespace writ::mcp {
namespace {

TEST_F(UpstreamsTest, AServerThatKeepsDyingIsStartedEverMoreRarely) {
    UpstreamsOptions options;
    options.restart_backoff = net::Millis(400);
    make({fake(folder_, "fs", "dies")}, std::move(options));
    const auto task = ids_.mint<TaskId>();
    for (int i = 0; i < 20; ++i) EXPECT_EQ(call("fs", task).error().code, ErrorCode::kUnavailable);
    // Waits of about 0.4, 0.8 and 1.6 s are worth a call's patience, 3.2 s is not.
    EXPECT_LE(starts("fs"), 5u);
    EXPECT_GE(starts("fs"), 3u);
    const auto refused = call("fs", task);
    EXPECT_NE(refused.error().detail.find("not started again for"), std::string::npos);
    EXPECT_NE(refused.error().detail.find("nothing was sent"), std::string::npos);
    const auto health = reactor_.run_until(upstreams_->health());
    ASSERT_EQ(health.size(), 1u);
    EXPECT_EQ(health[0].state, ServerState::kBackoff);
    EXPECT_GE(health[0].restarts, 2);
    EXPECT_GT(health[0].retry_us, health[0].since_us);
    EXPECT_EQ(health[0].instances, 0u);
    EXPECT_FALSE(health[0].last_error.empty());
}

TEST_F(UpstreamsTest, ACancelledCallDoesNotWaitForAStart) {
    UpstreamsOptions options;
    options.upstream.start_timeout = net::Millis(4'000);
    make({fake(folder_, "fs", "mute")}, std::move(options));
    auto conversation = Conversation::make(reactor_, {});
    struct Run {
        static net::Task<void> go(net::Reactor* reactor, ConversationPtr c) {
            co_await reactor->sleep(net::Millis(50));
            c->cancel("gone");
        }
    };
    reactor_.spawn(Run::go(&reactor_, conversation));
    Outbound out = outbound();
    out.conversation = conversation;
    const auto before = std::chrono::steady_clock::now();
    const auto reply = reactor_.run_until(
        upstreams_->call({"fs", ids_.mint<TaskId>(), &reactor_}, std::move(out)));
    EXPECT_EQ(reply.error().code, ErrorCode::kCancelled);
    EXPECT_NE(reply.error().detail.find("nothing was sent"), std::string::npos);
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(3));
}

TEST_F(UpstreamsTest, AStartCountsAgainstTheTimeoutOfTheCall) {
    UpstreamsOptions options;
    options.upstream.start_timeout = net::Millis(6'000);
    auto mute = fake(folder_, "mute", "mute");
    mute.timeout_s = 1;
    auto& slow = serve("hang");
    slow.start_delay = net::Millis(1'500);
    catalog::ServerSpec web;
    web.name = "web";
    web.url = slow.url;
    web.timeout_s = 2;
    make({mute, web}, std::move(options));
    auto before = std::chrono::steady_clock::now();
    const auto unstarted = call("mute", ids_.mint<TaskId>());
    ASSERT_FALSE(unstarted.has_value());
    EXPECT_EQ(unstarted.error().code, ErrorCode::kTimeout);
    EXPECT_NE(unstarted.error().detail.find("nothing was sent"), std::string::npos);
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(4));
    before = std::chrono::steady_clock::now();
    const auto late = call("web", ids_.mint<TaskId>());
    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(late.error().code, ErrorCode::kTimeout);
    EXPECT_EQ(slow.calls, 1);
    EXPECT_LT(std::chrono::steady_clock::now() - before, net::Millis(3'200));
}

TEST_F(UpstreamsTest, ATaskReleasedWhileItsInstanceStartsGetsNone) {
    make({fake(folder_, "fs", "echo")});
    const auto task = ids_.mint<TaskId>();
    Result<Reply> out = fail(Error{});
    bool done = false;
    struct Run {
        static net::Task<void> go(Upstreams* u, Target target, Result<Reply>* result, bool* end) {
            *result = co_await u->call(std::move(target), outbound(R"({"too":"late"})"));
            *end = true;
        }
    };
    reactor_.spawn(Run::go(upstreams_.get(), {"fs", task, &reactor_}, &out, &done));
    reactor_.post([&] { upstreams_->release(task, Parting::kAsk); });
    EXPECT_TRUE(wait([&] { return done; }));
    EXPECT_FALSE(out.has_value());
    EXPECT_EQ(folder_.read("fs.log").find("late"), std::string::npos);
    EXPECT_TRUE(wait([&] { return upstreams_->instances() == 0; }));
}

// What is started again may be another version than the one that was listed.
TEST_F(UpstreamsTest, ASharedServerThatIsStartedAgainIsListedAgain) {
    make({fake(folder_, "fs", "diesonce", true)});
    EXPECT_EQ(call("fs", ids_.mint<TaskId>()).error().code, ErrorCode::kUnavailable);
    EXPECT_TRUE(listed_.empty());
    EXPECT_TRUE(call("fs", ids_.mint<TaskId>()).has_value());
    EXPECT_TRUE(wait([&] { return listed_.size() == 1; }));
}

}  // namespace
}  // namespace writ::mcp
