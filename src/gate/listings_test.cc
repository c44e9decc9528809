// tools/list: which tools it shows, how long an answer is kept, and that a call asks none of it.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "gate/fixture.h"

namespace writ::gate {
namespace {

using namespace test;

class ListingEngine final : public policy::Engine {
  public:
    policy::Verdict decide(const policy::Question& /*question*/) const override { return permit(); }
    bool visible(const identity::Task& /*task*/, const catalog::Tool& /*tool*/) const override {
        return true;
    }
    bool possible(const identity::Task& task, const catalog::Tool& tool,
                  std::int64_t now_us) const override {
        ++asked;
        const auto& grants = task.spec.grants;
        const bool expired = grants[0].expires_s != 0 && now_us / 1'000'000 >= grants[0].expires_s;
        return !expired && !impossible.contains(tool.name);
    }
    Status check_grants(const std::vector<identity::Grant>& grants) const override {
        if (grants[0].when != "wrong") return {};
        return fail(ErrorCode::kInvalid, "unknown attribute", {"grants[0].when", 1, 1});
    }
    const Sha256& digest() const override { return digest_; }
    json::Node explain(const policy::Question& /*question*/) const override { return {}; }
    std::size_t policies() const override { return 1; }
    std::shared_ptr<const policy::Engine> with(
        std::shared_ptr<const catalog::Snapshot> /*catalog*/) const override {
        return nullptr;
    }

    std::set<std::string> impossible;
    mutable int asked = 0;

  private:
    Sha256 digest_{};
};

std::set<std::string> listed(World& w, const identity::SessionPtr& session) {
    std::set<std::string> out;
    for (const auto& tool : w.run(w.gate->visible(session))) out.insert(tool->name);
    return out;
}

TEST(GateListing, LeavesOutWhatNoCallCouldBePermittedFor) {
    World w;
    auto engine = std::make_shared<ListingEngine>();
    engine->impossible = {"read"};
    w.gate->set_engine(engine);
    const auto session = w.session(w.task());
    const auto names = listed(w, session);
    EXPECT_FALSE(names.contains("read"));
    EXPECT_TRUE(names.contains("write"));
}

TEST(GateListing, IsKeptUntilPoliciesOrToolsChange) {
    World w;
    auto engine = std::make_shared<ListingEngine>();
    w.gate->set_engine(engine);
    const auto task = w.task();
    const auto session = w.session(task);
    const auto all = listed(w, session);
    const int asked = engine->asked;
    EXPECT_EQ(listed(w, session), all);
    EXPECT_EQ(listed(w, w.session(task)), all);  // another session of the task
    EXPECT_EQ(engine->asked, asked);
    w.list_tools("other words");  // behind the pins
    EXPECT_TRUE(listed(w, session).empty());
    auto stricter = std::make_shared<ListingEngine>();
    stricter->impossible = {"write"};
    w.gate->set_engine(stricter);
    EXPECT_FALSE(listed(w, session).contains("write"));
}

TEST(GateListing, EndsWithTheGrantAndWithTheSession) {
    World w;
    w.gate->set_engine(std::make_shared<ListingEngine>());
    auto spec = w.spec();
    spec.grants[0].expires_s = World::kNow / 1'000'000 + 5;
    const auto task = w.run(w.gate->start_task(std::move(spec), w.operator_(), nullptr));
    ASSERT_TRUE(task);
    const auto session = w.session(*task);
    EXPECT_FALSE(listed(w, session).empty());
    w.clock.advance_us(6'000'000);
    EXPECT_TRUE(listed(w, session).empty());
    const auto other = w.session(w.task());
    EXPECT_FALSE(listed(w, other).empty());
    ASSERT_TRUE(w.run(w.gate->end_session(other, "done")));
    EXPECT_TRUE(listed(w, other).empty());
}

// A server that is still starting, or down since the start, is there for whom it will be.
TEST(GateListing, AServerIsThereBeforeItsToolsAre) {
    World w;
    w.gate->set_engine(std::make_shared<ListingEngine>());
    const auto session = w.session(w.task());
    const auto serves = [&](const char* server) { return w.run(w.gate->serves(session, server)); };
    EXPECT_TRUE(serves("files"));
    EXPECT_FALSE(serves("file"));
    EXPECT_FALSE(serves("elsewhere"));
    // As after a start: what was accepted is known, and of a new server nothing.
    using namespace writ::catalog;
    std::vector<ServerSpec> servers(3);
    servers[0].name = "files";
    servers[1].name = "new";
    servers[2].name = "ungranted";
    for (auto& server : servers) server.command = {"/bin/true"};
    auto plan = w.catalog->plan(servers, {}, {"files"});
    ASSERT_TRUE(plan && w.catalog->commit(*plan));
    ASSERT_TRUE(w.catalog->snapshot()->tools().empty());
    EXPECT_TRUE(listed(w, session).empty());
    EXPECT_TRUE(serves("files"));
    EXPECT_FALSE(serves("new"));  // its task may not use it
    auto stricter = std::make_shared<ListingEngine>();
    stricter->impossible = {"read", "write", "hold", "secret", "lookup"};
    w.gate->set_engine(stricter);
    EXPECT_FALSE(serves("files"));
    auto spec = w.spec();
    spec.grants.push_back({.tools = {"new/thing"}, .domains = {}, .when = "", .expires_s = 0});
    const auto other = w.run(w.gate->start_task(std::move(spec), w.operator_(), nullptr));
    ASSERT_TRUE(other);
    const auto wider = w.session(*other);
    EXPECT_TRUE(w.run(w.gate->serves(wider, "new")));
    EXPECT_FALSE(w.run(w.gate->serves(wider, "ungranted")));
    EXPECT_FALSE(w.run(w.gate->serves(wider, "nowhere")));
    ASSERT_TRUE(w.run(w.gate->end_session(wider, "done")));
    EXPECT_FALSE(w.run(w.gate->serves(wider, "new")));
}

TEST(GateListing, ACallAsksNothingOfIt) {
    World w;
    auto engine = std::make_shared<ListingEngine>();
    w.gate->set_engine(engine);
    auto admission = w.allow(w.call(w.session(w.task())));
    ASSERT_TRUE(admission);
    w.close(admission);
    EXPECT_EQ(engine->asked, 0);
}

TEST(GateTask, IsNotStartedWithAConditionThatDoesNotFitItsTools) {
    World w;
    w.gate->set_engine(std::make_shared<ListingEngine>());
    auto spec = w.spec();
    spec.grants[0].when = "wrong";
    const auto started = w.run(w.gate->start_task(std::move(spec), w.operator_(), nullptr));
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(started.error().message(), "grants[0].when:1:1: unknown attribute");
    EXPECT_TRUE(w.events("task.started").empty());
    EXPECT_TRUE(w.directory->tasks().empty());
}

}  // namespace
}  // namespace writ::gate
