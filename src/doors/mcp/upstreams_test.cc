// Defends: who gets which instance, when it starts and ends, and that there is never one too many.
#include "doors/mcp/upstreams.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "doors/mcp/test_upstreams.h"

namespace writ::mcp {
namespace {

TEST_F(UpstreamsTest, EveryTaskHasItsOwnInstance) {
    make({fake(folder_, "fs", "echo")});
    const auto a = ids_.mint<TaskId>(), b = ids_.mint<TaskId>();
    EXPECT_EQ(upstreams_->instances(), 0u);  // lazily
    ASSERT_TRUE(call("fs", a).has_value());
    ASSERT_TRUE(call("fs", a).has_value());
    EXPECT_EQ(upstreams_->instances(), 1u);
    ASSERT_TRUE(call("fs", b).has_value());
    EXPECT_EQ(upstreams_->instances(), 2u);
    upstreams_->release(a, Parting::kAsk);
    EXPECT_TRUE(wait([&] { return upstreams_->instances() == 1; }));
    ASSERT_TRUE(call("fs", b).has_value());
    EXPECT_EQ(starts("fs"), 2u);
}

// One that has ended may finish, one that was revoked may not; who is ended otherwise is asked, and
// the end of the gateway waits for them.
TEST_F(UpstreamsTest, AnInstanceIsAskedToGoUnlessItsTaskWasRevoked) {
    make({fake(folder_, "fs", "tidy"), fake(folder_, "web", "tidy", true)});
    const auto tidied = [this] { return count(folder_.read("fs.log"), "tidied up"); };
    ASSERT_TRUE(reactor_.run_until(upstreams_->discover("fs")).has_value());
    EXPECT_TRUE(wait([&] { return tidied() == 1; }));
    const auto ended = ids_.mint<TaskId>(), revoked = ids_.mint<TaskId>();
    ASSERT_TRUE(call("fs", ended).has_value());
    ASSERT_TRUE(call("fs", revoked).has_value());
    upstreams_->release(ended, Parting::kAsk);
    EXPECT_TRUE(wait([&] { return upstreams_->instances() == 1 && tidied() == 2; }));
    upstreams_->release(revoked, Parting::kCut);
    EXPECT_TRUE(wait([&] { return upstreams_->instances() == 0; }));
    EXPECT_EQ(tidied(), 2u);
    ASSERT_TRUE(call("fs", ids_.mint<TaskId>()).has_value());
    ASSERT_TRUE(call("web", ids_.mint<TaskId>()).has_value());
    const auto begun = std::chrono::steady_clock::now();
    reactor_.run_until(upstreams_->close());
    EXPECT_EQ(tidied(), 3u);
    EXPECT_EQ(count(folder_.read("web.log"), "tidied up"), 1u);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, net::Millis(1'900));  // not all of its time
}

TEST(Parting, OnlyRevocationCutsOffItsOwnOrAnAncestors) {
    using identity::TaskState;
    const auto parent = std::make_shared<identity::Task>();
    identity::Task task;
    task.parent_task = parent;
    for (const auto state : {TaskState::kLive, TaskState::kEnded, TaskState::kExpired}) {
        parent->state = state;
        EXPECT_EQ(parting_of(task), Parting::kAsk);
        EXPECT_EQ(parting_of(*parent), Parting::kAsk);
    }
    parent->state = TaskState::kRevoked;
    EXPECT_EQ(parting_of(task), Parting::kCut);
    EXPECT_EQ(parting_of(*parent), Parting::kCut);
    parent->state = TaskState::kEnded;
    task.state = TaskState::kRevoked;
    EXPECT_EQ(parting_of(task), Parting::kCut);
}

TEST_F(UpstreamsTest, ASharedServerHasOneForAllAndOutlivesTasks) {
    make({fake(folder_, "web", "echo", true)});
    const auto a = ids_.mint<TaskId>(), b = ids_.mint<TaskId>();
    ASSERT_TRUE(call("web", a).has_value());
    ASSERT_TRUE(call("web", b).has_value());
    upstreams_->release(a, Parting::kAsk);
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

TEST_F(UpstreamsTest, WatchKnowsTheWellAndWaitsForNoOther) {
    UpstreamsOptions options;
    options.upstream.start_timeout = net::Millis(4'000);
    make({fake(folder_, "mute", "mute"), fake(folder_, "fs", "echo"),
          fake(folder_, "gone", "stillborn"), fake(folder_, "web", "pages", true)},
         std::move(options));
    const auto before = std::chrono::steady_clock::now();
    reactor_.run_until(upstreams_->watch(net::Millis(1'500)));
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(3));
    EXPECT_EQ(listed_.size(), 2u);
    const auto health = reactor_.run_until(upstreams_->health());
    EXPECT_EQ(health[0].state, ServerState::kStarting);
    EXPECT_EQ(health[1].state, ServerState::kUp);
    EXPECT_EQ(health[2].state, ServerState::kBackoff);
    EXPECT_NE(health[2].last_error.find("cannot find module x"), std::string::npos);
    EXPECT_EQ(health[3].instances, 1u);
}

TEST_F(UpstreamsTest, AServerThatComesLaterIsFoundByItself) {
    auto spec = fake(folder_, "fs", "echo");
    const std::string program = folder_.file("late");
    const std::string real = std::exchange(spec.command.front(), program);
    make({spec});
    reactor_.run_until(upstreams_->watch(net::Millis(5'000)));
    EXPECT_TRUE(listed_.empty());
    std::filesystem::create_symlink(real, program);
    EXPECT_TRUE(wait([&] { return listed_.size() == 1; }));
    EXPECT_EQ(reactor_.run_until(upstreams_->health())[0].state, ServerState::kUp);
}

TEST_F(UpstreamsTest, AReloadKeepsWhatStaysAndReplacesWhatIsStartedOtherwise) {
    struct Run {
        static net::Task<void> go(Upstreams* upstreams, std::vector<catalog::ServerSpec> servers,
                                  int* meanwhile) {
            upstreams->reconfigure(std::move(servers), [meanwhile] { ++*meanwhile; });
            co_return;
        }
    };
    int meanwhile = 0;
    const auto reload = [&](std::vector<catalog::ServerSpec> servers) {
        reactor_.run_until(Run::go(upstreams_.get(), std::move(servers), &meanwhile));
    };
    auto stays = fake(folder_, "stays", "echo"), changes = fake(folder_, "changes", "echo");
    make({stays, changes, fake(folder_, "goes", "echo")});
    const auto task = ids_.mint<TaskId>();
    for (const char* server : {"stays", "changes", "goes"})
        ASSERT_TRUE(call(server, task).has_value());
    EXPECT_EQ(upstreams_->instances(), 3u);
    stays.calls_per_second = 1;
    stays.timeout_s = 5;
    changes.command.back() = folder_.file("other.log");
    reload({stays, changes, fake(folder_, "comes", "echo")});
    EXPECT_EQ(meanwhile, 1);
    EXPECT_TRUE(wait([&] { return listed_.size() == 2; })) << "the changed and the new are listed";
    EXPECT_TRUE(wait([&] { return upstreams_->instances() == 1; })) << "one stays, idle ones end";
    ASSERT_TRUE(call("stays", task).has_value());
    EXPECT_EQ(call("stays", task).error().code, ErrorCode::kExhausted) << "its new limit";
    EXPECT_EQ(starts("stays"), 1u) << "the same instance";
    ASSERT_TRUE(call("changes", task, R"({"where":"other"})").has_value());
    EXPECT_NE(folder_.read("other.log").find(R"("where":"other")"), std::string::npos);
    EXPECT_EQ(call("goes", task).error().code, ErrorCode::kNotFound);
    ASSERT_TRUE(call("comes", task).has_value());
}

TEST_F(UpstreamsTest, AnInstanceThatIsReplacedEndsItsCallsFirst) {
    struct Run {
        static net::Task<void> go(Upstreams* upstreams, std::vector<catalog::ServerSpec> servers) {
            co_await upstreams->here().sleep(net::Millis(150));
            upstreams->reconfigure(std::move(servers), [] {});
        }
    };
    auto spec = fake(folder_, "fs", "slow");
    make({spec});
    spec.set["X"] = "1";
    reactor_.spawn(Run::go(upstreams_.get(), {spec}));
    const auto reply = call("fs", ids_.mint<TaskId>());
    EXPECT_TRUE(reply.has_value()) << reply.error().message();
}

TEST_F(UpstreamsTest, LimitsOfAServerAreItsOwnAndNamed) {
    auto slow = fake(folder_, "slow", "hang");
    slow.timeout_s = 1;
    auto rare = fake(folder_, "rare", "echo");
    rare.calls_per_second = 3;
    make({slow, rare});
    EXPECT_EQ(call("slow", ids_.mint<TaskId>()).error().code, ErrorCode::kTimeout);
    const auto task = ids_.mint<TaskId>();
    int good = 0;
    std::string why;
    for (int i = 0; i < 10; ++i) {
        const auto reply = call("rare", task);
        good += reply ? 1 : 0;
        if (!reply) why = reply.error().detail;
    }
    EXPECT_GE(good, 3);
    EXPECT_LE(good, 5);
    EXPECT_NE(why.find("calls_per_second"), std::string::npos);
}

// Two tasks, one HTTP server: each has its session, both use the same few connections.
TEST_F(UpstreamsTest, EveryTaskHasItsOwnSessionOfAnHttpServer) {
    testing_peer::FakeHttpServer web(reactor_, "sessions");
    catalog::ServerSpec spec;
    spec.name = "web";
    spec.url = web.url;
    spec.bearer_env = "WEB_TOKEN";
    spec.header_env = {{"X-Tenant", "WEB_TENANT"}};
    UpstreamsOptions options;
    options.environment = [](const std::string& name) -> std::optional<std::string> {
        return "value-of-" + name;
    };
    make({spec}, std::move(options));
    ASSERT_TRUE(reactor_.run_until(upstreams_->discover("web")).has_value());
    const auto a = ids_.mint<TaskId>();
    const auto b = ids_.mint<TaskId>();
    for (const auto& task : {a, b, a, b}) ASSERT_TRUE(call("web", task).has_value());
    EXPECT_EQ(web.sessions, 3);  // the listing's, and one a task
    EXPECT_EQ(web.count("Authorization=Bearer value-of-WEB_TOKEN"), web.received.size());
    EXPECT_EQ(web.count("X-Tenant=value-of-WEB_TENANT"), web.received.size());
    EXPECT_LE(web.connections(), 3u);
    upstreams_->release(a, Parting::kAsk);
    EXPECT_TRUE(wait([&] { return web.count("DELETE") == 2; }));
    reactor_.run_until(upstreams_->close());
    EXPECT_EQ(web.count("DELETE"), 3u);
}

// A GET stream of every session would use up the connections that the calls of all need.
TEST_F(UpstreamsTest, OneStreamListensForAllSessionsAndIsTakenUpByAnother) {
    auto& web = serve("listens");
    catalog::ServerSpec spec;
    spec.name = "web";
    spec.url = web.url;
    make({spec});
    std::vector<TaskId> tasks;
    for (std::size_t i = 0; i < net::kMaxConnectionsPerOrigin + 10; ++i) {
        tasks.push_back(ids_.mint<TaskId>());
        const auto reply = call("web", tasks.back());
        ASSERT_TRUE(reply.has_value()) << i << ": " << reply.error().detail;
    }
    EXPECT_TRUE(wait([&] { return web.streams == 1; }));
    EXPECT_LE(web.connections(), 4u);
    for (int i = 0; i < 3; ++i) {
        const auto before = web.count("GET");
        upstreams_->release(tasks[static_cast<std::size_t>(i)], Parting::kAsk);
        if (i == 0) EXPECT_TRUE(wait([&] { return web.count("GET") > before; }));
        EXPECT_TRUE(wait([&] { return web.streams == 1; }));
    }
    EXPECT_LE(web.count("GET"), 4u);
}

// A refused connection is one call's; the others of the session end when they end, or with the
// task.
TEST_F(UpstreamsTest, CallsOfAnInstanceThatIsReplacedGoOnUntilTheTaskEnds) {
    auto& web = serve("waits");
    catalog::ServerSpec spec;
    spec.name = "web";
    spec.url = web.url;
    make({spec});
    struct Run {
        static net::Task<void> go(Upstreams* u, Target target, std::optional<Result<Reply>>* out) {
            Outbound call = outbound();
            out->emplace(co_await u->call(std::move(target), std::move(call)));
        }
    };
    const auto task = ids_.mint<TaskId>();
    std::optional<Result<Reply>> first;
    reactor_.spawn(Run::go(upstreams_.get(), {"web", task, &reactor_}, &first));
    ASSERT_TRUE(wait([&] { return web.calls == 1; }));
    web.refuse();
    for (int i = 0; i < 2; ++i) EXPECT_EQ(call("web", task).error().code, ErrorCode::kUnavailable);
    EXPECT_FALSE(first.has_value());
    EXPECT_EQ(reactor_.run_until(upstreams_->health())[0].in_flight, 1u);
    upstreams_->release(task, Parting::kAsk);
    ASSERT_TRUE(wait([&] { return first.has_value(); }));
    EXPECT_EQ(first->error().code, ErrorCode::kUnavailable);
}

TEST_F(UpstreamsTest, ACredentialThatIsNotThereIsSaidSo) {
    catalog::ServerSpec spec;
    spec.name = "web";
    spec.url = "http://127.0.0.1:1/mcp";
    spec.bearer_env = "WEB_TOKEN";
    UpstreamsOptions options;
    options.environment = [](const std::string&) { return std::nullopt; };
    make({spec}, std::move(options));
    const auto refused = call("web", ids_.mint<TaskId>());
    EXPECT_NE(refused.error().detail.find("`WEB_TOKEN`, which is not set"), std::string::npos);
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

// Listing finds no session, a new one is made, and what is new is listed: without end.
TEST_F(UpstreamsTest, AListingThatLosesItsSessionIsTriedAgainWithGrowingPauses) {
    auto& web = serve("json");
    catalog::ServerSpec spec;
    spec.name = "web";
    spec.url = web.url;
    make({spec});
    const auto task = ids_.mint<TaskId>();
    ASSERT_TRUE(call("web", task).has_value());
    web.forgets = true;
    EXPECT_FALSE(call("web", task).has_value());
    reactor_.run_until(reactor_.sleep(net::Millis(1'200)));  // of pauses of 100, 200, 400 … ms
    const auto asked = web.count(R"("method":"tools/list")");
    EXPECT_GE(asked, 4u) << "it is not given up";
    EXPECT_LE(asked, 10u);
    web.forgets = false;
    EXPECT_TRUE(wait([&] { return !listed_.empty(); }));
}

// A pace of its own for each of its instances would let a server ask as often as tasks use it.
TEST_F(UpstreamsTest, TheInstancesOfAServerAreListedAtOnePace) {
    make({fake(folder_, "fs", "changes")});
    constexpr std::size_t kTasks = 16;
    for (std::size_t i = 0; i < kTasks; ++i)
        ASSERT_TRUE(call("fs", ids_.mint<TaskId>()).has_value());
    reactor_.run_until(reactor_.sleep(net::Millis(200)));
    // Pauses of 50, 100, 200 ms …: the ninth listing is not due before 12 s.
    EXPECT_GE(listed_.size(), 1u);
    EXPECT_LE(listed_.size(), kTasks / 2);
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
    TempDir folder;
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
