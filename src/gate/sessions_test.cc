// Tasks and sessions with their evidence, and the gate over two reactors.
#include <atomic>

#include "gate/fixture.h"
#include "gate/tree.h"

namespace writ::gate::test {
namespace {

TEST(GateTask, StartsWithItsEvidence) {
    World w;
    const auto root = w.task(7);
    const auto child = w.task(2, root);
    const auto started = w.events("task.started");
    ASSERT_EQ(started.size(), 2U);
    for (const char* part :
         {R"("agent":"helper")", R"("subject":"ps:of-alice")", R"("purpose":"tidy up")",
          R"("budget":{"calls":7})", R"("deadline_s":600)", R"("depth":0)", R"("role":"prompt")",
          R"("operator":"ps:operator")"}) {
        EXPECT_TRUE(started[0].has(part)) << part << "\n" << started[0].text;
    }
    EXPECT_FALSE(started[0].has("please tidy")) << "words of a person stay in the vault";
    EXPECT_TRUE(started[0].has(root->started_event.text()));
    EXPECT_TRUE(started[1].has(R"("rel":"spawned_by")"));
    EXPECT_TRUE(started[1].has(root->started_event.text()));
    EXPECT_EQ(child->root, root->id);
}

TEST(GateTask, IsNotStartedWhenItCannotBeRecorded) {
    World w;
    w.ledger.fail_from_now();
    auto started = w.run(w.gate->start_task(w.spec(), w.operator_(), nullptr));
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, ErrorCode::kUnavailable);
    for (const auto& task : w.directory->tasks()) EXPECT_FALSE(task->live(w.clock.boot_us()));
}

TEST(GateSession, OpensWithItsEvidence) {
    World w;
    const auto session = w.session(w.task());
    EXPECT_TRUE(w.event("session.started").has(session->started_event.text()));
    const Seen issued = w.event("identity.issued");
    EXPECT_TRUE(issued.has(session->writ.text()));
    EXPECT_TRUE(issued.has(R"("binding":"unix-peer")"));
    EXPECT_EQ(issued.session, session->id.text());
}

TEST(GateSession, IsDeadWhenItCannotBeRecorded) {
    World w;
    const auto task = w.task();
    w.ledger.fail_from_now();
    auto opened = w.run(w.gate->open_session(task, identity::Binding::kBearer, "bearer"));
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kUnavailable);
}

TEST(GateSession, EndSealsOnceAndRefusesAfterwards) {
    World w;
    const auto session = w.session(w.task());
    AdmissionPtr admission = w.allow(w.call(session));
    w.close(admission);
    w.refuse(w.call(session, "files__write"));
    ASSERT_TRUE(w.run(w.gate->end_session(session, "process exited")));
    const auto again = w.run(w.gate->end_session(session, "process exited"));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::kConflict);
    const Seen sealed = w.event("session.sealed");
    EXPECT_TRUE(sealed.has(R"("calls":2)")) << sealed.text;
    EXPECT_TRUE(sealed.has(R"("denied":1)")) << sealed.text;
    EXPECT_EQ(w.refuse(w.call(session)).verdict.code, "ended");
}

TEST(GateEnd, KillsTheTreeSealsItsSessionsAndEndsItsTasks) {
    World w;
    const auto root = w.task();
    const auto child = w.task(0, root);
    const auto in_root = w.session(root);
    const auto in_child = w.session(child);
    AdmissionPtr departed = w.allow(w.call(in_child));
    AdmissionPtr waiting = w.allow(w.call(in_child));
    ASSERT_TRUE(departed->depart());
    ASSERT_TRUE(w.run(w.gate->end_task(root->id, identity::TaskState::kRevoked, w.operator_(),
                                       "no longer needed")));
    EXPECT_EQ(w.refuse(w.call(in_root)).verdict.code, "revoked");
    EXPECT_EQ(w.refuse(w.call(in_child)).verdict.code, "revoked");
    EXPECT_FALSE(waiting->depart());
    EXPECT_EQ(w.events("session.sealed").size(), 2U);
    EXPECT_EQ(w.events("task.ended").size(), 2U);
    EXPECT_TRUE(w.events("task.ended")[0].has("no longer needed"));
    const auto ended = w.events("call.ended");
    ASSERT_EQ(ended.size(), 2U) << "open calls end with their task";
    EXPECT_TRUE(ended[0].has(R"("status":"unknown")"));
    EXPECT_TRUE(ended[1].has(R"("status":"blocked")"));
    const auto late = w.run(departed->close({.status = Status_::kOk, .error = "", .output = ""}));
    EXPECT_FALSE(late);

    // Nothing of a session stands behind its seal.
    bool sealed = false;
    for (const Seen& event : w.events()) {
        if (event.session != in_child->id.text()) continue;
        EXPECT_FALSE(sealed) << event.text;
        sealed = sealed || event.type == "session.sealed";
    }
    EXPECT_TRUE(sealed);
    const auto again =
        w.run(w.gate->end_task(root->id, identity::TaskState::kEnded, w.operator_(), "again"));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::kConflict);
}

TEST(GateEnd, DecisionUnderWayIsClosedBeforeTheSeal) {
    World w;
    const auto task = w.task();
    const auto session = w.session(task);
    w.ledger.hold();
    std::optional<Answer> answer;
    w.reactor[0]->spawn(answer_into(w.gate.get(), w.call(session), &answer));
    w.run_until([&] { return w.ledger.waiting() == 1; });
    std::optional<Status> ended;
    struct End {
        static net::Task<void> go(World* w, TaskId id, std::optional<Status>* out) {
            auto ending =
                w->gate->end_task(id, identity::TaskState::kRevoked, w->operator_(), "stop");
            Status status = co_await std::move(ending);
            out->emplace(std::move(status));
        }
    };
    w.reactor[0]->spawn(End::go(&w, task->id, &ended));
    w.run_until([&] { return w.ledger.waiting() >= 4; });
    EXPECT_FALSE(ended) << "acknowledged before it was recorded";
    EXPECT_FALSE(session->live(w.clock.boot_us())) << "memory first";
    w.ledger.release();
    w.run_until([&] { return answer && ended; });
    EXPECT_TRUE(*ended);
    EXPECT_EQ(std::get<Refusal>(*answer).kind, RefusalKind::kUnauthenticated);
    std::vector<std::string> types;
    for (const Seen& event : w.events()) {
        if (event.session == session->id.text()) types.push_back(event.type);
    }
    EXPECT_EQ(types, (std::vector<std::string>{"session.started", "identity.issued", "call.decided",
                                               "call.ended", "session.sealed"}));
}

TEST(GateEnd, DeadIsDeadEvenOnAFullDisk) {
    World w;
    const auto task = w.task();
    const auto session = w.session(task);
    w.ledger.fail_from_now();
    const auto ended =
        w.run(w.gate->end_task(task->id, identity::TaskState::kRevoked, w.operator_(), "stop"));
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, ErrorCode::kUnavailable);
    w.ledger.repair();
    EXPECT_FALSE(task->live(w.clock.boot_us()));
    EXPECT_EQ(w.refuse(w.call(session)).verdict.code, "revoked");
}

TEST(GateSweep, ExpiredTasksAndSessionsAreRecorded) {
    World w;
    const auto task = w.task();
    const auto session = w.session(task);
    w.clock.advance_us(601'000'000);
    EXPECT_EQ(w.refuse(w.call(session)).verdict.code, "expired");
    ASSERT_TRUE(w.run(w.gate->sweep()));
    EXPECT_TRUE(w.event("session.sealed").has(R"("reason":"timeout")"));
    EXPECT_TRUE(w.event("task.ended").has(R"("state":"expired")"));
    EXPECT_EQ(w.refuse(w.call(session)).verdict.code, "expired");
}

// Two reactors, each with a thread that calls for trees of both homes, while a third thread swaps
// policies.
net::Task<void> caller(World* w, net::Reactor* mine, identity::SessionPtr session, int calls,
                       std::atomic<int>* wrong, std::atomic<int>* left) {
    for (int i = 0; i < calls; ++i) {
        Call call = w->call(session);
        auto admitting = w->gate->admit(std::move(call));
        Answer answer = co_await std::move(admitting);
        if (!mine->on_this_thread()) ++*wrong;
        auto* admission = std::get_if<AdmissionPtr>(&answer);
        if (admission == nullptr || !(*admission)->depart()) {
            ++*wrong;
            continue;
        }
        auto passing = (*admission)->chunk("abc");
        const Result<std::string> out = co_await std::move(passing);
        if (!out) ++*wrong;
        Outcome outcome{.status = Status_::kOk, .error = "", .output = "{}"};
        auto closing = (*admission)->close(std::move(outcome));
        const auto closed = co_await std::move(closing);
        if (!closed || !mine->on_this_thread()) ++*wrong;
        if (i % 5 == 0) {
            Call again = w->call(session);
            auto dropping = w->gate->admit(std::move(again));
            const Answer dropped = co_await std::move(dropping);  // goes without an end
            if (!std::holds_alternative<AdmissionPtr>(dropped)) ++*wrong;
        }
    }
    --*left;
}

TEST(GateReactors, CallsHopHomeAndBackAndCountThere) {
    constexpr int kCalls = 50;
    World w(2);
    std::thread second([&] { w.reactor[1]->run(); });
    // A tree for each home.
    std::vector<identity::TaskPtr> trees(2);
    while (!trees[0] || !trees[1]) {
        const auto task = w.task(1000);
        const bool is_first = w.gate->home(task->id).reactor == w.reactor[0].get();
        trees[is_first ? 0 : 1] = task;
    }
    const auto a = w.session(trees[0]);
    const auto b = w.session(trees[1]);
    std::atomic<int> wrong{0}, left{4};
    for (const auto& on : w.reactor) {
        for (const auto& session : {a, b}) {
            on->spawn(caller(&w, on.get(), session, kCalls, &wrong, &left));
        }
    }
    std::thread swapper([&] {
        for (std::uint8_t i = 2; left > 0; ++i) {
            w.gate->set_engine(std::make_shared<TestEngine>(by_name, i));
            std::this_thread::yield();
        }
    });
    w.run_until([&] { return left == 0; });
    swapper.join();
    EXPECT_EQ(wrong, 0);
    constexpr int kEach = 2 * (kCalls + kCalls / 5);
    EXPECT_EQ(w.run(w.gate->spent(trees[0]->id)).calls, kEach);
    EXPECT_EQ(w.run(w.gate->spent(trees[1]->id)).calls, kEach);
    w.run_until([&] { return w.events("call.ended").size() == 2 * kEach; });
    w.reactor[1]->stop();
    second.join();
}

TEST(GateReactors, RevocationHoldsForCallersOnOtherReactors) {
    World w(2);
    std::thread second([&] { w.reactor[1]->run(); });
    identity::TaskPtr task;
    do {
        task = w.task();
    } while (w.gate->home(task->id).reactor != w.reactor[1].get());
    const auto session = w.session(task);
    AdmissionPtr admission = w.allow(w.call(session));
    ASSERT_TRUE(
        w.run(w.gate->end_task(task->id, identity::TaskState::kEnded, w.operator_(), "done")));
    EXPECT_FALSE(admission->depart());
    EXPECT_EQ(w.refuse(w.call(session)).verdict.code, "ended");
    EXPECT_EQ(w.events("call.ended").size(), 1U);
    admission.reset();
    w.reactor[1]->stop();
    second.join();
}

// After a restart tools are known before their servers answer: an agent that goes on with its work
// meanwhile is told to wait, and is not taken for one that probes.
TEST(GateStarting, AToolWhoseServerHasNotAnsweredYetIsUnavailableAndNoDenial) {
    World w;
    const auto task = w.task();
    const auto session = w.session(task);
    auto plan = w.catalog->plan(w.catalog->servers(), {}, {"files"});
    ASSERT_TRUE(plan);
    ASSERT_TRUE(w.catalog->commit(*plan));
    for (std::int64_t i = 0; i < 2 * kMaxDenials_per_task; ++i) {
        const Refusal refusal = w.refuse(w.call(session));
        ASSERT_EQ(refusal.kind, RefusalKind::kForbidden);
        ASSERT_EQ(refusal.verdict.code, kUnavailableCode);
    }
    EXPECT_EQ(w.refuse(w.call(session, "files__secret")).kind, RefusalKind::kUnknown)
        << "what the task does not see stays unknown";
    w.list_tools("first");
    AdmissionPtr admission = w.allow(w.call(session));
    ASSERT_TRUE(admission);
    w.close(admission);
    const auto spent = w.run(w.gate->spent(task->id));
    EXPECT_EQ(spent.denied, 2 * kMaxDenials_per_task + 1);
    EXPECT_EQ(spent.strikes(), 1);
}

}  // namespace
}  // namespace writ::gate::test
