// What outlives the process: a standing taken at any moment, with the events after it, says the
// same as the whole log; and a gateway brought back from it goes on where the other stopped.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gate/fixture.h"
#include "gate/survival.h"

namespace writ::gate::test {
namespace {

// All that must be equal, as text.
std::string text_of(Replay::Truth truth) {
    Standing out;
    out.tasks = std::move(truth.tasks);
    out.sessions = std::move(truth.sessions);
    for (auto& session : out.sessions) {
        session.expires_us = session.issued_us = 0;  // whole seconds in events
        session.counted = false;
    }
    out.calls = std::move(truth.calls);
    return out.to_json().pretty();
}

std::string replayed(std::vector<Standing> standings, const std::vector<std::string>& log) {
    for (Standing& each : standings) {
        const std::string stored = each.to_json().dump();  // the document points into it
        const auto document = json::parse(stored);
        auto read = Standing::from_json(document->root());
        EXPECT_TRUE(read) << read.error().detail;
        if (read) each = std::move(*read);
    }
    Replay replay(std::move(standings));
    for (std::size_t i = replay.from(); i < log.size(); ++i) replay.take(log[i]);
    return text_of(std::move(replay).finish());
}

struct Story {
    World w;
    std::vector<Standing> taken;

    void take() {
        auto standing = w.run(w.gate->survival()->standing(0));
        ASSERT_TRUE(standing);
        taken.push_back(std::move(*standing));
    }
};

TEST(Replay, AStandingAndWhatFollowsSayTheSameAsTheWholeLog) {
    Story s;
    World& w = s.w;
    s.take();
    const auto root = w.task(10);
    s.take();
    const auto child = w.task(5, root);
    const auto first = w.session(root);
    const auto second = w.session(child);
    s.take();
    std::vector<AdmissionPtr> open;
    for (int i = 0; i < 3; ++i) {
        AdmissionPtr done = w.allow(w.call(i == 1 ? first : second));
        w.close(done);
        s.take();
        static_cast<void>(w.refuse(w.call(second, "files__write")));
        static_cast<void>(w.refuse(w.call(first, "files__hold")));
        s.take();
        open.push_back(w.allow(w.call(first)));
        s.take();
    }
    w.close(open[0]);
    s.take();
    ASSERT_TRUE(w.run(w.gate->end_session(second, "completed")));
    s.take();
    ASSERT_TRUE(
        w.run(w.gate->end_task(child->id, identity::TaskState::kRevoked, w.operator_(), "x")));
    s.take();
    static_cast<void>(w.refuse(w.call(first, "files__write")));
    s.take();

    const auto log = w.ledger.entries();
    const std::string whole = replayed({}, log);
    for (std::size_t i = 0; i < s.taken.size(); ++i)
        EXPECT_EQ(replayed({s.taken[i]}, log), whole) << "standing " << i;
    EXPECT_NE(whole.find("\"calls\": ["), std::string::npos) << whole;
    w.close(open[1]);
    w.close(open[2]);
}

TEST(Replay, WhatIsOnItsWayToTheDiskIsNoPartOfAStanding) {
    Story s;
    World& w = s.w;
    const auto session = w.session(w.task(10));
    AdmissionPtr ending = w.allow(w.call(session));
    const auto before = w.ledger.entries();
    w.ledger.hold();
    std::optional<Answer> answer;
    w.reactor[0]->spawn(answer_into(w.gate.get(), w.call(session), &answer));
    w.reactor[0]->spawn(close_into(std::move(ending)));
    w.run_until([&] { return w.ledger.waiting() > 0; });
    w.run(w.reactor[0]->sleep(net::Millis(20)));
    s.take();
    EXPECT_EQ(replayed(s.taken, before), replayed({}, before)) << "killed before the sync";
    w.ledger.release();
    w.run_until([&] { return answer.has_value(); });
    w.run(w.reactor[0]->sleep(net::Millis(20)));
    const auto after = w.ledger.entries();
    EXPECT_EQ(replayed(s.taken, after), replayed({}, after)) << "killed behind it";
    w.close(std::get<AdmissionPtr>(*answer));
}

// Refused for another reason than what the agent did, and so no strike: counted once as well.
TEST(Replay, AnExcusedRefusalOnItsWayToTheDiskIsCountedOnce) {
    Story s;
    World& w = s.w;
    const auto session = w.session(w.task());
    auto plan = w.catalog->plan(w.catalog->servers(), {}, {"files"});  // its server is starting
    ASSERT_TRUE(plan && w.catalog->commit(*plan));
    ASSERT_EQ(w.refuse(w.call(session)).verdict.code, kUnavailableCode);
    const auto before = w.ledger.entries();
    w.ledger.hold();
    std::optional<Answer> answer;
    w.reactor[0]->spawn(answer_into(w.gate.get(), w.call(session), &answer));
    w.run_until([&] { return w.ledger.waiting() > 0; });
    s.take();
    EXPECT_EQ(replayed(s.taken, before), replayed({}, before)) << "killed before the sync";
    w.ledger.release();
    w.run_until([&] { return answer.has_value(); });
    const auto after = w.ledger.entries();
    EXPECT_EQ(replayed(s.taken, after), replayed({}, after)) << "killed behind it";
}

// An end that is owed for long is told when its session is sealed already.
TEST(Replay, TheEndOfACallWhoseSessionIsGoneEndsItAllTheSame) {
    World w;
    const auto session = w.session(w.task());
    AdmissionPtr admission = w.allow(w.call(session));
    ASSERT_TRUE(admission);
    Standing standing;
    standing.calls.push_back({admission->call(), session->id, session->task->id, {}, 1});
    w.close(admission);
    Replay replay({standing});
    replay.take(w.event("call.ended").text);
    EXPECT_TRUE(std::move(replay).finish().calls.empty());
}

TEST(Replay, ADamagedStandingIsNone) {
    for (const char* text : {"{}", "[]",
                             R"({"emitter":"e","boot":"b","seq":1,"from":0,"t_us":0,)"
                             R"("tasks":[{}],"sessions":[],"calls":[]})",
                             R"({"emitter":"e","boot":"b","seq":-1,"from":0,"t_us":0,)"
                             R"("tasks":[],"sessions":[],"calls":[]})"}) {
        const auto document = json::parse(text);
        const auto read = Standing::from_json(document->root());
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
    }
}

TEST(Survival, AGatewayBroughtBackGoesOnWithBudgetChainAndUnknownCalls) {
    World old;
    const auto task = old.task(3);
    const auto session = old.session(task);
    AdmissionPtr done = old.allow(old.call(session));
    old.close(done);
    AdmissionPtr open = old.allow(old.call(session));
    const auto log = old.ledger.entries();  // here it is killed
    Replay replay({});
    for (const auto& leaf : log) replay.take(leaf);
    Replay::Truth truth = std::move(replay).finish();
    ASSERT_EQ(truth.tasks.size(), 1U);
    ASSERT_EQ(truth.sessions.size(), 1U);
    ASSERT_EQ(truth.calls.size(), 1U);

    World next;
    auto again =
        next.directory->restore(task->id, task->spec, task->started_event, nullptr,
                                task->started_us, task->deadline_us, identity::TaskState::kLive);
    ASSERT_TRUE(again) << again.error().detail;
    const SessionStanding& stood = truth.sessions[0];
    auto back = next.directory->restore_session(
        *again, {stood.id, stood.writ, stood.binding, stood.bound_to, stood.started_event,
                 stood.issued_us, stood.expires_us});
    ASSERT_TRUE(back) << back.error().detail;
    Revival revival;
    revival.tasks.push_back({*again, truth.tasks[0]});
    revival.sessions.push_back({*back, stood});
    revival.calls = truth.calls;
    ASSERT_TRUE(next.run(next.gate->survival()->revive(std::move(revival))));

    const Seen ended = next.event("call.ended");
    EXPECT_TRUE(ended.has(R"("status":"unknown")"));
    EXPECT_EQ(ended.call, open->call().text());
    EXPECT_TRUE(ended.has(R"("seq":)" + std::to_string(stood.end.next))) << ended.text;
    EXPECT_EQ(next.run(next.gate->spent(task->id)).calls, 2);
    ASSERT_TRUE(next.run(next.gate->survival()->resume_session(*back)));
    AdmissionPtr third = next.allow(next.call(*back));
    next.close(third);
    EXPECT_EQ(next.refuse(next.call(*back)).verdict.code, "budget");
    ASSERT_TRUE(next.run(next.gate->end_session(*back, "completed")));
    EXPECT_TRUE(next.event("session.sealed").has(R"("calls":4)")) << "one chain over both runs";
    old.close(open);
}

TEST(Survival, WhatDoesNotGoOnIsSealedAndEndedOnTheRecord) {
    World old;
    const auto session = old.session(old.task(3));
    Replay replay({});
    for (const auto& leaf : old.ledger.entries()) replay.take(leaf);
    Replay::Truth truth = std::move(replay).finish();
    World next;
    Revival revival;
    revival.lost_sessions.push_back({truth.sessions[0], "crashed", "nobody came back"});
    revival.lost_tasks.push_back({truth.tasks[0], identity::TaskState::kEnded, "not stored"});
    ASSERT_TRUE(next.run(next.gate->survival()->revive(std::move(revival))));
    EXPECT_TRUE(next.event("session.sealed").has(R"("reason":"crashed")"));
    EXPECT_EQ(next.event("session.sealed").session, session->id.text());
    EXPECT_TRUE(next.event("task.ended").has(R"("reason":"not stored")"));
}

TEST(Survival, ASessionThatIsSealedIsNotResumed) {
    World w;
    const auto session = w.session(w.task());
    ASSERT_TRUE(w.run(w.gate->end_session(session, "completed")));
    session->ended = false;  // as it was when the resumption began
    EXPECT_FALSE(w.run(w.gate->survival()->resume_session(session)));
    EXPECT_TRUE(w.events("identity.renewed").empty());
}

TEST(Survival, ATaskThatCannotBeStoredDoesNotStart) {
    World w;
    struct Refuse {
        static net::Task<Status> keep(identity::TaskPtr) {
            co_return fail(ErrorCode::kIo, "no space left");
        }
    };
    w.gate->survival()->on_started(Refuse::keep);
    const auto started = w.run(w.gate->start_task(w.spec(0), w.operator_(), nullptr));
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().detail.find("no space left"), std::string::npos);
    EXPECT_TRUE(w.event("task.ended").has("could not be stored"));
    for (const auto& task : w.directory->tasks()) EXPECT_FALSE(task->live(w.clock.boot_us()));
}

}  // namespace
}  // namespace writ::gate::test
