// Defends: who gets which instance, when it starts and ends, and that there is never one too many.
#include "doors/mcp/upstreams.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "doors/mcp/test_peer.h"

namespace writ::mcp {
namespace {

using testing_peer::count;
using testing_peer::eventually;
using testing_peer::fake;
using testing_peer::Folder;

Outbound outbound(std::string arguments = "{}") {
    return {"a", std::move(arguments), net::Millis(20'000), nullptr, nullptr};
}

class UpstreamsTest : public testing::Test {
  protected:
    void make(std::vector<catalog::ServerSpec> servers, UpstreamsOptions options = {}) {
        options.restart_backoff = net::Millis(1);
        options.relist_interval = net::Millis(50);
        upstreams_ = std::make_unique<Upstreams>(
            std::vector<net::Reactor*>{&reactor_}, std::move(servers),
            [this](const std::string& server, const json::Value& tools) {
                listed_.push_back(server + " " + std::string(tools.raw()));
                return listed_status_;
            },
            std::move(options));
    }
    Result<Reply> call(const std::string& server, const TaskId& task,
                       std::string arguments = "{}") {
        return reactor_.run_until(
            upstreams_->call({server, task, &reactor_}, outbound(std::move(arguments))));
    }
    bool wait(std::function<bool()> ready) {
        return reactor_.run_until(eventually(&reactor_, std::move(ready)));
    }
    void TearDown() override {
        if (upstreams_) reactor_.run_until(upstreams_->close());
        EXPECT_TRUE(wait([this] { return !upstreams_ || upstreams_->instances() == 0; }));
    }
    std::size_t starts(const std::string& server) {
        return count(folder_.read(server + ".log"), R"("method":"initialize")");
    }

    Folder folder_;
    SystemClock clock_;
    IdSource ids_{clock_};
    net::Reactor reactor_;
    std::vector<std::string> listed_;
    Status listed_status_;
    std::unique_ptr<Upstreams> upstreams_;
};

TEST_F(UpstreamsTest, EveryTaskHasItsOwnInstance) {
    make({fake(folder_, "fs", "echo")});
    const auto a = ids_.mint<TaskId>(), b = ids_.mint<TaskId>();
    EXPECT_EQ(upstreams_->instances(), 0u);  // lazily
    ASSERT_TRUE(call("fs", a).has_value());
    ASSERT_TRUE(call("fs", a).has_value());
    EXPECT_EQ(upstreams_->instances(), 1u);
    ASSERT_TRUE(call("fs", b).has_value());
    EXPECT_EQ(upstreams_->instances(), 2u);
    upstreams_->release(a);
    EXPECT_TRUE(wait([&] { return upstreams_->instances() == 1; }));
    ASSERT_TRUE(call("fs", b).has_value());
    EXPECT_EQ(starts("fs"), 2u);
}

TEST_F(UpstreamsTest, ASharedServerHasOneForAllAndOutlivesTasks) {
    make({fake(folder_, "web", "echo", true)});
    const auto a = ids_.mint<TaskId>(), b = ids_.mint<TaskId>();
    ASSERT_TRUE(call("web", a).has_value());
    ASSERT_TRUE(call("web", b).has_value());
    upstreams_->release(a);
    ASSERT_TRUE(call("web", b).has_value());
    EXPECT_EQ(upstreams_->instances(), 1u);
    EXPECT_EQ(starts("web"), 1u);
}

TEST_F(UpstreamsTest, ConcurrentFirstCallsStartOneInstance) {
    make({fake(folder_, "fs", "echo")});
    const auto task = ids_.mint<TaskId>();
    int done = 0;
    struct Run {
        static net::Task<void> go(Upstreams* u, Target target, int* n) {
            const auto reply = co_await u->call(std::move(target), outbound());
            EXPECT_TRUE(reply.has_value());
            ++*n;
        }
    };
    for (int i = 0; i < 10; ++i)
        reactor_.spawn(Run::go(upstreams_.get(), {"fs", task, &reactor_}, &done));
    EXPECT_TRUE(wait([&] { return done == 10; }));
    EXPECT_EQ(starts("fs"), 1u);
}

TEST_F(UpstreamsTest, ThereIsALimitAndItIsNamed) {
    UpstreamsOptions options;
    options.instances_max = 1;
    make({fake(folder_, "fs", "echo")}, std::move(options));
    ASSERT_TRUE(call("fs", ids_.mint<TaskId>()).has_value());
    const auto refused = call("fs", ids_.mint<TaskId>());
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kExhausted);
    EXPECT_NE(refused.error().detail.find("kMaxInstances"), std::string::npos);
}

TEST_F(UpstreamsTest, AnUnknownServerIsNotStarted) {
    make({fake(folder_, "fs", "echo")});
    EXPECT_EQ(call("nope", ids_.mint<TaskId>()).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(reactor_.run_until(upstreams_->discover("nope")).error().code, ErrorCode::kNotFound);
}

TEST_F(UpstreamsTest, ADeadInstanceIsStartedAgainByTheNextCall) {
    make({fake(folder_, "fs", "diesonce")});
    const auto task = ids_.mint<TaskId>();
    EXPECT_EQ(call("fs", task).error().code, ErrorCode::kUnavailable);
    EXPECT_TRUE(call("fs", task).has_value());
    EXPECT_EQ(starts("fs"), 2u);
    EXPECT_EQ(count(folder_.read("fs.log"), R"("method":"tools/call")"), 2u);  // never replayed
}

TEST_F(UpstreamsTest, AServerThatKeepsDyingIsGivenUp) {
    make({fake(folder_, "fs", "dies")});
    const auto task = ids_.mint<TaskId>();
    for (int i = 0; i < kMaxRestarts + 4; ++i)
        EXPECT_EQ(call("fs", task).error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(starts("fs"), static_cast<std::size_t>(kMaxRestarts) + 1);
    EXPECT_NE(call("fs", task).error().detail.find("not started again"), std::string::npos);
}

TEST_F(UpstreamsTest, DiscoverListsAndKeepsOnlySharedInstances) {
    make({fake(folder_, "fs", "echo"), fake(folder_, "web", "pages", true)});
    ASSERT_TRUE(reactor_.run_until(upstreams_->discover("fs")).has_value());
    ASSERT_TRUE(reactor_.run_until(upstreams_->discover("web")).has_value());
    ASSERT_EQ(listed_.size(), 2u);
    EXPECT_TRUE(listed_[0].starts_with("fs [{\"name\":\"a\"")) << listed_[0];
    EXPECT_EQ(count(listed_[1], "\"inputSchema\""), 2u);
    EXPECT_TRUE(wait([&] { return upstreams_->instances() == 1; }));
    ASSERT_TRUE(call("web", ids_.mint<TaskId>()).has_value());
    EXPECT_EQ(starts("web"), 1u);
}

TEST_F(UpstreamsTest, DiscoverHandsUpWhatTheCatalogSays) {
    make({fake(folder_, "fs", "echo"), fake(folder_, "gone", "stillborn")});
    listed_status_ = fail(ErrorCode::kInvalid, "no");
    EXPECT_EQ(reactor_.run_until(upstreams_->discover("fs")).error().code, ErrorCode::kInvalid);
    EXPECT_EQ(reactor_.run_until(upstreams_->discover("gone")).error().code,
              ErrorCode::kUnavailable);
    EXPECT_EQ(listed_.size(), 1u);
}

// A server that changes its tools after they were pinned is listed again, so that the catalog sees
// it; saying so fifty times costs two listings, not fifty.
TEST_F(UpstreamsTest, ChangedToolsAreListedAgainAtMostOncePerInterval) {
    make({fake(folder_, "fs", "changes")});
    ASSERT_TRUE(call("fs", ids_.mint<TaskId>()).has_value());
    EXPECT_TRUE(wait([&] { return !listed_.empty(); }));
    EXPECT_NE(listed_[0].find("now evil"), std::string::npos);
    EXPECT_LE(count(folder_.read("fs.log"), R"("method":"tools/list")"), 2u);
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
    reactor_.post([&] { upstreams_->release(task); });
    EXPECT_TRUE(wait([&] { return done; }));
    EXPECT_FALSE(out.has_value());
    EXPECT_EQ(folder_.read("fs.log").find("late"), std::string::npos);
    EXPECT_TRUE(wait([&] { return upstreams_->instances() == 0; }));
}

TEST_F(UpstreamsTest, TheServerSeesNothingOfOurEnvironmentButWhatIsNamed) {
    auto spec = fake(folder_, "fs", "environment");
    spec.env = {"LANG"};
    spec.set = {{"MODE", "test"}};
    UpstreamsOptions options;
    options.environment = [](const std::string& name) -> std::optional<std::string> {
        return "value of " + name;
    };
    make({spec}, std::move(options));
    ::setenv("WRIT_TEST_SECRET", "leak", 1);
    const auto reply = call("fs", ids_.mint<TaskId>());
    ASSERT_TRUE(reply.has_value());
    EXPECT_NE(reply->bytes.find(R"("LANG MODE PATH ")"), std::string::npos) << reply->bytes;
}

TEST_F(UpstreamsTest, AfterCloseNothingStarts) {
    make({fake(folder_, "fs", "echo")});
    ASSERT_TRUE(call("fs", ids_.mint<TaskId>()).has_value());
    reactor_.run_until(upstreams_->close());
    EXPECT_EQ(call("fs", ids_.mint<TaskId>()).error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(starts("fs"), 1u);
}

// Tasks have their instances on their home; a shared one is on the first reactor. Either way the
// caller goes on where it was.
TEST(UpstreamsOnTwoReactors, CallsHopToTheInstanceAndBack) {
    Folder folder;
    SystemClock clock;
    IdSource ids(clock);
    net::Reactor first, second;
    std::thread thread([&first] { first.run(); });
    Upstreams upstreams({&first, &second},
                        {fake(folder, "fs", "echo"), fake(folder, "web", "echo", true)},
                        [](const std::string&, const json::Value&) { return Status{}; });
    struct Run {
        static net::Task<bool> go(Upstreams* u, net::Reactor* here, Target target) {
            int departed = 0;
            Outbound out = outbound();
            out.depart = [&departed] {
                ++departed;
                return Status{};
            };
            auto reply = co_await u->call(std::move(target), std::move(out));
            co_return reply.has_value() && departed == 1 && here->on_this_thread();
        }
    };
    for (const char* server : {"fs", "web"})
        for (auto* home : {&first, &second})
            EXPECT_TRUE(
                second.run_until(Run::go(&upstreams, &second, {server, ids.mint<TaskId>(), home})));
    EXPECT_EQ(upstreams.instances(), 3u);
    second.run_until(upstreams.close());
    EXPECT_TRUE(
        second.run_until(eventually(&second, [&upstreams] { return upstreams.instances() == 0; })));
    first.stop();
    thread.join();
}

}  // namespace
}  // namespace writ::mcp
