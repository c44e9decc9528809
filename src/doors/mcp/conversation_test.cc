// Defends: what a tool server says during a call reaches that call only, bounded and in order; a
// cancelled call ends at once and its server is told.
#include "doors/mcp/conversation.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "doors/mcp/message.h"
#include "doors/mcp/test_peer.h"
#include "doors/mcp/upstreams.h"

namespace writ::mcp {
namespace {

using testing_peer::count;
using testing_peer::eventually;
using testing_peer::fake;

class ConversationTest : public testing::Test {
  protected:
    void serve(const std::string& mode, bool shared = false) {
        std::vector<catalog::ServerSpec> servers = {fake(folder_, "s", mode, shared)};
        upstreams_ = std::make_unique<Upstreams>(
            std::vector<net::Reactor*>{&reactor_}, std::move(servers),
            [](const std::string&, const json::Value&) { return Status(); });
    }
    ConversationPtr listen(std::string token = R"("client-1")") {
        Conversation::Ears ears;
        ears.on_notice = [this](Notice n) { notices_.push_back(std::move(n)); };
        ears.on_ask = [this](Ask ask) { return answer(this, std::move(ask)); };
        ears.progress_token = std::move(token);
        return Conversation::make(reactor_, std::move(ears));
    }
    static net::Task<Reply> answer(ConversationTest* test, Ask ask) {
        test->asked_.push_back(ask.method + ask.params);
        if (ask.method == "elicitation/create") co_return Reply{false, R"({"action":"decline"})"};
        co_return refuse_ask(-1, "no");
    }
    net::Task<Result<Reply>> ask(ConversationPtr conversation, Depart depart = {}) {
        Outbound out{"a", "{}", net::Millis(20'000), std::move(depart), std::move(conversation)};
        return upstreams_->call({"s", task_, &reactor_}, std::move(out));
    }
    Result<Reply> call(ConversationPtr conversation) {
        return reactor_.run_until(ask(std::move(conversation)));
    }
    std::string received() { return folder_.read("s.log"); }
    void TearDown() override {
        if (upstreams_) reactor_.run_until(upstreams_->close());
    }

    TempDir folder_;
    SystemClock clock_;
    IdSource ids_{clock_};
    TaskId task_ = ids_.mint<TaskId>();
    net::Reactor reactor_;
    std::unique_ptr<Upstreams> upstreams_;
    std::vector<Notice> notices_;
    std::vector<std::string> asked_;
};

TEST_F(ConversationTest, ProgressCarriesTheClientsTokenAndTheServerSeesOurs) {
    serve("progress");
    const auto reply = call(listen(R"("secret \u0061")"));
    ASSERT_TRUE(reply.has_value()) << reply.error().detail;
    ASSERT_EQ(notices_.size(), 3u);
    EXPECT_EQ(notices_[0].params,
              R"({"progressToken":"secret \u0061","progress":0.5,"total":1e0,"message":"half"})");
    EXPECT_EQ(notices_[1].kind, Notice::Kind::kLog);
    EXPECT_EQ(notices_[1].params, R"({"level":"info","data":{"x":1.0}})");
    EXPECT_EQ(notices_[2].params, R"({"progressToken":"secret \u0061","progress":1})");
    EXPECT_EQ(received().find("secret"), std::string::npos);
    EXPECT_EQ(count(received(), R"("_meta":{"progressToken":2})"), 1u);
}

TEST_F(ConversationTest, WithoutATokenNoProgressIsAskedForOrPassedOn) {
    serve("progress");
    ASSERT_TRUE(call(listen("")).has_value());
    EXPECT_EQ(notices_.size(), 1u);  // the log message
    EXPECT_EQ(received().find("progressToken"), std::string::npos);
    ASSERT_TRUE(call(nullptr).has_value());
}

// One process, many tasks: what names no call is nobody's.
TEST_F(ConversationTest, ASharedServersLogMessagesAndQuestionsAreNobodys) {
    serve("progress", true);
    ASSERT_TRUE(call(listen()).has_value());
    EXPECT_EQ(notices_.size(), 2u);
    for (const auto& notice : notices_) EXPECT_EQ(notice.kind, Notice::Kind::kProgress);
    reactor_.run_until(upstreams_->close());
    serve("asks", true);
    ASSERT_TRUE(call(listen()).has_value());
    EXPECT_TRUE(asked_.empty());
    EXPECT_EQ(count(received(), "-32601"), 2u);
}

TEST_F(ConversationTest, WhatTheServerAsksIsDecidedAndAnswered) {
    serve("asks");
    ASSERT_TRUE(call(listen()).has_value());
    ASSERT_EQ(asked_.size(), 2u);
    EXPECT_EQ(asked_[0], "sampling/createMessage{}");
    const bool told = reactor_.run_until(
        eventually(&reactor_, [&] { return count(received(), "decline") == 1; }));
    EXPECT_TRUE(told) << received();
    EXPECT_NE(received().find(R"({"jsonrpc":"2.0","id":7,"result":{"action":"decline"}})"),
              std::string::npos);
    EXPECT_NE(received().find(R"({"jsonrpc":"2.0","id":"s1","error":{"code":-1,"message":"no"}})"),
              std::string::npos);
}

TEST_F(ConversationTest, CancelEndsTheCallAtOnceTellsTheServerAndKnowsTheLateAnswer) {
    serve("late");
    const auto conversation = listen();
    struct Run {
        static net::Task<void> go(net::Reactor* reactor, ConversationPtr c, const TempDir* folder) {
            auto sent = [folder] { return count(folder->read("s.log"), "tools/call") == 1; };
            (void)co_await eventually(reactor, std::move(sent));
            c->cancel("user pressed \"stop\"");
            c->cancel("twice");
        }
    };
    reactor_.spawn(Run::go(&reactor_, conversation, &folder_));
    const auto reply = call(conversation);
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code, ErrorCode::kCancelled);
    EXPECT_NE(reply.error().detail.find("outcome is unknown"), std::string::npos);
    EXPECT_TRUE(reactor_.run_until(
        eventually(&reactor_, [&] { return count(received(), "notifications/cancelled") == 1; })));
    EXPECT_NE(received().find(R"("params":{"reason":"user pressed \"stop\"","requestId":2})"),
              std::string::npos)
        << received();
    conversation->cancel("after the end");  // harmless
    EXPECT_EQ(count(received(), "notifications/cancelled"), 1u);
}

TEST_F(ConversationTest, ACallCancelledBeforeItLeftSendsNothing) {
    serve("echo");
    const auto conversation = listen();
    conversation->cancel("gone");
    bool asked = false;
    const auto reply = reactor_.run_until(ask(conversation, [&asked]() -> Status {
        asked = true;
        return {};
    }));
    EXPECT_EQ(reply.error().code, ErrorCode::kCancelled);
    EXPECT_FALSE(asked);
    EXPECT_EQ(received().find("tools/call"), std::string::npos);
}

TEST_F(ConversationTest, AFloodOfProgressIsClampedAndTheAnswerComes) {
    serve("progressflood");
    const auto conversation = listen();
    const auto reply = call(conversation);
    ASSERT_TRUE(reply.has_value());
    EXPECT_LE(notices_.size(), 3 * kMaxNotices_per_s);
    EXPECT_GE(notices_.size(), kMaxNotices_per_s);
    EXPECT_GT(conversation->dropped(), 0u);
}

// The door's reactor and the instance's are two threads.
TEST(ConversationAcross, NoticesComeBeforeTheReplyAndOnTheDoorsReactor) {
    TempDir folder;
    net::Reactor door, home;
    Upstreams upstreams({&door, &home}, {fake(folder, "s", "progress")},
                        [](const std::string&, const json::Value&) { return Status(); });
    std::thread thread([&home] { home.run(); });
    std::size_t heard = 0;
    bool here = true;
    Conversation::Ears ears;
    ears.on_notice = [&](const Notice&) { ++heard, here = here && door.on_this_thread(); };
    ears.progress_token = "7";
    const auto conversation = Conversation::make(door, std::move(ears));
    SystemClock clock;
    IdSource ids(clock);
    Outbound out{"a", "{}", net::Millis(20'000), nullptr, conversation};
    auto going = upstreams.call({"s", ids.mint<TaskId>(), &home}, std::move(out));
    const auto reply = door.run_until(std::move(going));
    EXPECT_TRUE(reply.has_value());
    EXPECT_EQ(heard, 3u);
    EXPECT_TRUE(here);
    door.run_until(upstreams.close());
    home.stop();
    thread.join();
}

}  // namespace
}  // namespace writ::mcp
