// What the end of a call says about itself: whether the effect agrees with the decision, and that
// what a permit obliged to was done.
#include <set>
#include <string>

#include "gate/fixture.h"
#include "gate/gate.h"
#include "gate/home.h"
#include "gate/survival.h"

namespace writ::gate::test {
namespace {

std::string agreement(World& w, bool leaves, Status_ status, std::string output = {}) {
    AdmissionPtr admission = w.allow(w.call(w.session(w.task())));
    if (!admission) return "none";
    if (leaves) {
        EXPECT_TRUE(admission->depart());
    }
    Outcome outcome{.status = status, .error = "", .output = std::move(output)};
    EXPECT_TRUE(w.run(admission->close(std::move(outcome))));
    const auto ended = w.events("call.ended");
    EXPECT_FALSE(ended.empty());
    for (const char* word : {"match", "diverged", "unknown"}) {
        if (ended.back().has(R"("agreement":")" + std::string(word))) return word;
    }
    return "none";
}

TEST(GateEnding, NobodyClaimsToKnowWhatACallWithoutAnAnswerDid) {
    World w;
    EXPECT_EQ(agreement(w, true, Status_::kOk, "{}"), "match");
    EXPECT_EQ(agreement(w, true, Status_::kToolError, "{}"), "match");
    for (const Status_ status : {Status_::kTimeout, Status_::kCancelled, Status_::kProtocolError,
                                 Status_::kBlocked, Status_::kUnknown}) {
        EXPECT_EQ(agreement(w, true, status), "unknown");
    }
    // The server said what it did not like: an answer.
    EXPECT_EQ(agreement(w, true, Status_::kProtocolError, R"({"code":-32602})"), "match");
    for (const Status_ status : {Status_::kCancelled, Status_::kProtocolError, Status_::kBlocked}) {
        EXPECT_EQ(agreement(w, false, status), "match") << "nothing was sent";
    }
}

// Policies over one state of the catalog, as the real ones are.
class OverCatalog final : public TestEngine {
  public:
    explicit OverCatalog(World& w)
        : TestEngine([](const policy::Question&) { return permit(); }),
          catalog_(w.catalog->snapshot()) {}
    std::shared_ptr<const catalog::Snapshot> catalog() const override { return catalog_; }

  private:
    std::shared_ptr<const catalog::Snapshot> catalog_;
};

// Nobody can say that what answered is what was permitted.
TEST(GateEnding, AnAnswerOfAToolThatWasRedefinedMeanwhileDiverges) {
    World w;
    w.gate->set_engine(std::make_shared<OverCatalog>(w));
    const auto session = w.session(w.task());
    AdmissionPtr admission = w.allow(w.call(session));
    AdmissionPtr early = w.allow(w.call(session));
    ASSERT_TRUE(admission && early);
    EXPECT_TRUE(admission->depart());
    w.list_tools("another");
    w.gate->set_engine(std::make_shared<OverCatalog>(w));
    EXPECT_FALSE(early->depart()) << "what has not left does not leave any more";
    w.close(admission);
    EXPECT_TRUE(w.events("call.ended").back().has(R"("agreement":"diverged")"));
    Outcome blocked{.status = Status_::kBlocked, .error = "", .output = {}};
    EXPECT_TRUE(w.run(early->close(std::move(blocked))));
    EXPECT_TRUE(w.events("call.ended").back().has(R"("agreement":"match")"));
}

void oblige_to_redact(World& w) {
    w.gate->set_engine(std::make_shared<TestEngine>([](const policy::Question&) {
        policy::Verdict v = permit();
        v.obligations.push_back({"redact", "email"});
        return v;
    }));
}

// A door that tells an answer which did not pass whole through what the permit asks for.
TEST(GateEnding, AnAnswerThatEscapedAnObligationDiverges) {
    World w;
    oblige_to_redact(w);
    AdmissionPtr admission = w.allow(w.call(w.session(w.task())));
    ASSERT_TRUE(admission);
    EXPECT_TRUE(admission->depart());
    EXPECT_EQ(w.run(admission->chunk(R"({"a":1})")).value(), "");
    w.close(admission);
    EXPECT_TRUE(w.event("call.ended").has(R"("agreement":"diverged")"));
    EXPECT_TRUE(w.events("obligation.fulfilled").empty());
}

// Each with where it is from and how old it was; what the policies never saw has no facts.
TEST(GateEnding, ADecisionSaysWhatItWasAskedWithAndHowOldThatWas) {
    World w;
    const auto session = w.session(w.task());
    w.clock.advance_us(7'000'000);
    w.gate->set_engine(
        std::make_shared<TestEngine>([](const policy::Question&) { return permit(); }));
    w.clock.advance_us(5'000);
    AdmissionPtr admission = w.allow(w.call(session));
    ASSERT_TRUE(admission);
    const std::string now = std::to_string(w.clock.now_us());
    EXPECT_TRUE(w.event("call.decided")
                    .has(R"("facts":[{"k":"now_us","src":"clock","v":)" + now +
                         R"(},{"age_ms":5,"k":"policy_epoch","src":"configuration","v":2},)" +
                         R"({"age_ms":7005,"k":"tool","src":"tools/list","v":"pinned"}])"))
        << w.event("call.decided").text;
    w.close(admission);
    w.refuse(w.call(session, "files__nothing"));
    EXPECT_FALSE(w.events("call.decided").back().has(R"("facts")"));
}

// A tool server may send anything as a method: the event says what it is about all the same.
TEST(GateEnding, ARequestWithoutANameIsNotRecordedAsACall) {
    World w;
    AdmissionPtr admission = w.allow(w.call(w.session(w.task())));
    ASSERT_TRUE(admission);
    const auto answer = w.run(admission->inward({.method = "", .params = "{}"}));
    EXPECT_TRUE(std::holds_alternative<Refusal>(answer));
    EXPECT_TRUE(w.event("call.inward").has(R"("method":"")"));
    EXPECT_FALSE(w.event("call.inward").has("latency_us"));
    w.close(admission);
}

// An auditor looks for one `obligation.fulfilled` for every call whose permit obliged to something.
TEST(GateEnding, AnObligationIsSaidToBeFulfilledAlsoWhereNothingHadToGo) {
    World w;
    oblige_to_redact(w);
    AdmissionPtr admission = w.allow(w.call(w.session(w.task())));
    ASSERT_TRUE(admission);
    EXPECT_EQ(w.run(admission->chunk(R"({"a":1})")).value(), "");
    EXPECT_EQ(w.run(admission->rest()).value(), R"({"a":1})");
    w.close(admission);
    EXPECT_TRUE(w.event("obligation.fulfilled").has(R"("redacted":0,"secrets_withheld":0)"));
}

// The log worked again, and what the call did was known to nobody: no call stays without an end.
TEST(GateEnding, WhatTheLogRefusedIsUnknownOnceItWorksAgain) {
    World w;
    const auto session = w.session(w.task());
    AdmissionPtr closed = w.allow(w.call(session));
    AdmissionPtr dropped = w.allow(w.call(session));
    ASSERT_TRUE(closed && dropped);
    EXPECT_TRUE(closed->depart());
    EXPECT_TRUE(dropped->depart());
    w.ledger.fail_from_now();
    Outcome outcome{.status = Status_::kOk, .error = "", .output = "{}"};
    EXPECT_FALSE(w.run(closed->close(std::move(outcome))));
    w.run(w.gate->survival()->abandon_calls("the test ends it"));
    w.settle();
    auto standing = w.run(w.gate->survival()->standing(0));
    ASSERT_TRUE(standing);
    EXPECT_EQ(standing->calls.size(), 2u) << "a later run would end them";
    w.run(w.reactor[0]->sleep(2 * kSweepEvery));
    EXPECT_TRUE(w.events("call.ended").empty());
    w.ledger.repair();
    w.run_until([&] { return w.events("call.ended").size() == 2; });
    w.settle();
    std::set<std::string> calls;
    for (const Seen& end : w.events("call.ended")) {
        EXPECT_TRUE(end.has(R"("status":"unknown")")) << end.text;
        EXPECT_TRUE(end.has("could not be recorded in time"));
        EXPECT_EQ(end.session, session->id.text());
        calls.insert(end.call);
    }
    EXPECT_EQ(calls, (std::set{closed->call().text(), dropped->call().text()}));
    standing = w.run(w.gate->survival()->standing(0));
    ASSERT_TRUE(standing);
    EXPECT_TRUE(standing->calls.empty());
    w.run(w.reactor[0]->sleep(2 * kSweepEvery));
    EXPECT_EQ(w.events("call.ended").size(), 2u) << "once each";
}

// The session may be sealed by then: its chain stays closed, or its task could not end any more.
TEST(GateEnding, AnEndThatIsToldBehindTheSealOpensNoChainAgain) {
    World w;
    const auto task = w.task();
    const auto session = w.session(task);
    AdmissionPtr admission = w.allow(w.call(session));
    ASSERT_TRUE(admission);
    EXPECT_TRUE(admission->depart());
    w.ledger.fail_from_now();
    Outcome outcome{.status = Status_::kOk, .error = "", .output = "{}"};
    EXPECT_FALSE(w.run(admission->close(std::move(outcome))));
    w.ledger.repair();
    ASSERT_TRUE(w.run(w.gate->end_session(session, "completed")));
    EXPECT_TRUE(w.events("call.ended").empty());
    w.run_until([&] { return w.events("call.ended").size() == 1; });
    EXPECT_EQ(w.event("call.ended").session, session->id.text());
    const Status ended =
        w.run(w.gate->end_task(task->id, identity::TaskState::kEnded, w.operator_(), "done"));
    EXPECT_TRUE(ended) << ended.error().message();
    EXPECT_EQ(w.events("task.ended").size(), 1u);
    EXPECT_EQ(w.events("session.sealed").size(), 1u);
    const auto standing = w.run(w.gate->survival()->standing(0));
    ASSERT_TRUE(standing);
    EXPECT_TRUE(standing->tasks.empty()) << "a later run would end it once more";
}

}  // namespace
}  // namespace writ::gate::test
