#include "gate/gate.h"

#include "base/limits.h"
#include "gate/fixture.h"
#include "gate/secrets.h"
#include "gate/tree.h"

namespace writ::gate::test {
namespace {

TEST(GateAdmit, PermitsAndRecordsDecisionAndEnd) {
    World w;
    const auto session = w.session(w.task(5));
    AdmissionPtr admission = w.allow(w.call(session));
    ASSERT_TRUE(admission);
    EXPECT_TRUE(admission->depart());
    EXPECT_EQ(admission->arguments(), R"({"path":"/a"})");
    EXPECT_EQ(w.run(admission->chunk("12345")).value(), "12345");
    w.close(admission);

    const Seen decided = w.event("call.decided");
    EXPECT_EQ(decided.call, admission->call().text());
    for (const char* part :
         {R"("kind":"permit")", R"("code":"permitted")", R"("door":"mcp")",
          R"("tool":"files__read")", R"("server":"files")", R"("action":"files/read")",
          R"("resource":"file:///a")", R"("domains":["unclassified"])", R"("granted":true)",
          R"("budget":{"calls":1,"limit":5)", R"("role":"args")", R"("rel":"requested_by")",
          R"("policy_set":"sha256:0101)", R"("sub":"ps:of-alice")", R"("kind":"unix-peer")",
          R"("determining":[{"effect":"permit","id":"all"}])"}) {
        EXPECT_TRUE(decided.has(part)) << part << "\n" << decided.text;
    }
    EXPECT_TRUE(decided.has(session->started_event.text()));
    EXPECT_FALSE(decided.has("person:alice"));
    const Seen ended = w.event("call.ended");
    EXPECT_EQ(ended.call, decided.call);
    for (const char* part : {R"("status":"ok")", R"("agreement":"match")", R"("bytes":11)",
                             R"("rel":"decided_by")", R"("role":"result")"}) {
        EXPECT_TRUE(ended.has(part)) << part << "\n" << ended.text;
    }
}

TEST(GateAdmit, DecisionIsDurableBeforeItIsHandedOut) {
    World w;
    const auto session = w.session(w.task());
    w.ledger.hold();
    std::optional<Answer> answer;
    w.reactor[0]->spawn(answer_into(w.gate.get(), w.call(session), &answer));
    w.run_until([&] { return w.ledger.waiting() == 1; });
    w.settle();
    EXPECT_FALSE(answer) << "handed out before the disk had it";
    w.ledger.release();
    w.run_until([&] { return answer.has_value(); });
    ASSERT_TRUE(std::holds_alternative<AdmissionPtr>(*answer));
    EXPECT_EQ(w.events("call.decided").size(), 1U);
    w.close(std::get<AdmissionPtr>(*answer));
}

TEST(GateAdmit, ForbiddenIsRecordedAndHasNoEnd) {
    World w;
    const auto session = w.session(w.task());
    const Refusal refusal = w.refuse(w.call(session, "files__write"));
    EXPECT_EQ(refusal.kind, RefusalKind::kForbidden);
    EXPECT_EQ(refusal.advice, "this is against the rules");
    EXPECT_TRUE(refusal.receipt);
    EXPECT_TRUE(w.event("call.decided").has(R"("kind":"forbid")"));
    EXPECT_TRUE(w.events("call.ended").empty());
}

TEST(GateAdmit, HoldIsRefusedAsHeldAndNeverParked) {
    World w;
    const Refusal refusal = w.refuse(w.call(w.session(w.task()), "files__hold"));
    EXPECT_EQ(refusal.kind, RefusalKind::kForbidden);
    EXPECT_EQ(refusal.verdict.code, "held");
    EXPECT_EQ(refusal.advice, "this call needs a person's approval, which is not available here");
    EXPECT_TRUE(w.event("call.decided").has(R"("holds":["four eyes"])"));
}

TEST(GateAdmit, UngrantedToolAnswersExactlyLikeOneThatDoesNotExist) {
    World w;
    const auto session = w.session(w.task());
    const Refusal base = w.refuse(w.call(session, "files__nothing"));
    EXPECT_EQ(base.kind, RefusalKind::kUnknown);
    std::vector<Call> probes;
    probes.push_back(w.call(session, "files__secret"));
    probes.push_back(w.call(session, "files__secret", "not json"));
    probes.push_back(w.call(session, "files__secret", "{}"));
    probes.push_back(w.call(session, "files__secret", R"({"path":"/a/../b"})"));
    probes.push_back(w.call(session, "files__nothing", "not json"));
    probes.push_back(w.call(session, "files__secret"));
    for (Call& probe : probes) {
        if (&probe == &probes.back()) w.list_tools("changed behind the pin");
        const Refusal other = w.refuse(std::move(probe));
        EXPECT_EQ(other.kind, base.kind);
        EXPECT_EQ(other.advice, base.advice);
        EXPECT_EQ(other.verdict.code, base.verdict.code);
        EXPECT_EQ(other.verdict.reason, base.verdict.reason);
        EXPECT_EQ(other.verdict.granted, base.verdict.granted);
        EXPECT_EQ(other.verdict.advice, base.verdict.advice);
        EXPECT_EQ(other.receipt.has_value(), base.receipt.has_value());
    }
    // Evidence knows the difference.
    const auto decided = w.events("call.decided");
    ASSERT_EQ(decided.size(), 7U);
    EXPECT_TRUE(decided[0].has("unknown_tool")) << decided[0].text;
    EXPECT_TRUE(decided[1].has("not_granted")) << decided[1].text;
    EXPECT_TRUE(decided[2].has("bad_argument")) << decided[2].text;
    EXPECT_TRUE(decided[6].has("tool_changed")) << decided[6].text;
}

TEST(GateAdmit, RefusesArgumentsThatTwoReadersCouldReadDifferently) {
    World w;
    const auto session = w.session(w.task());
    for (const char* arguments : {"", "[]", R"({"path":"/a","path":"/b"})", R"({"path":"/a"} x)",
                                  R"({"path":"/a/../b"})", R"({"path":7})", "{}", "\xff"}) {
        const Refusal refusal = w.refuse(w.call(session, "files__read", arguments));
        EXPECT_EQ(refusal.kind, RefusalKind::kInvalid) << arguments;
        EXPECT_EQ(refusal.verdict.code, "bad_argument") << arguments;
        EXPECT_TRUE(refusal.receipt) << arguments;
    }
}

TEST(GateAdmit, ChangedToolIsForbiddenUntilAPersonPinsIt) {
    World w;
    const auto session = w.session(w.task());
    w.list_tools("changed behind the pin");
    const Refusal refusal = w.refuse(w.call(session));
    EXPECT_EQ(refusal.kind, RefusalKind::kForbidden);
    EXPECT_EQ(refusal.verdict.code, "tool_changed");
    EXPECT_TRUE(w.run(w.gate->visible(session)).empty());
    ASSERT_TRUE(w.catalog->pin("files", "read"));
    AdmissionPtr admission = w.allow(w.call(session));
    w.close(admission);
}

TEST(GateAdmit, HugeNamesStillFitIntoTheRecord) {
    World w;
    const auto session = w.session(w.task());
    const Refusal refusal = w.refuse(w.call(session, std::string(500'000, 'x')));
    EXPECT_EQ(refusal.kind, RefusalKind::kUnknown);
    const std::string path = "/" + std::string(4'000, 'y');
    AdmissionPtr admission = w.allow(w.call(session, "files__read", R"({"path":")" + path + "\"}"));
    ASSERT_TRUE(admission);
    w.close(admission);
}

TEST(GateStream, ObligationsAndLentSecretsAreCarriedOutAndSaidInEvidence) {
    World w;
    std::vector<Secrets::Value> values;
    values.push_back({"token", SecretBytes(as_bytes(std::string_view("lent-s3cret-value")))});
    w.gate->guard(*Secrets::make(std::move(values)));
    w.gate->set_engine(std::make_shared<TestEngine>([](const policy::Question&) {
        policy::Verdict v = permit();
        v.obligations.push_back({"redact", "email"});
        v.obligations.push_back({"cap", "1KiB"});
        return v;
    }));
    const auto session = w.session(w.task());
    AdmissionPtr admission = w.allow(w.call(session));
    ASSERT_TRUE(admission);
    EXPECT_EQ(w.run(admission->chunk(R"({"a":"me@b.example, lent-s3cret)")).value(), "");
    EXPECT_EQ(w.run(admission->chunk(R"(-value"})")).value(), "");
    EXPECT_EQ(w.run(admission->rest()).value(), R"({"a":"[redacted], [withheld: token]"})");
    w.close(admission);
    EXPECT_TRUE(w.event("obligation.fulfilled").has(R"("redacted":1,"secrets_withheld":1)"));
    admission = w.allow(w.call(session));
    static_cast<void>(w.run(admission->chunk("\"" + std::string(2000, 'x') + "\"")));
    EXPECT_FALSE(w.run(admission->rest())) << "over the policy's cap";
    w.close(admission, Status_::kBlocked);
}

TEST(GateStream, AStreamNobodyClosesEndsUnknownAndReleasesNothingMore) {
    World w;
    const auto session = w.session(w.task());
    AdmissionPtr admission = w.allow(w.call(session));
    EXPECT_EQ(w.run(admission->chunk("first")).value(), "first");
    w.clock.advance_us(kAdmissionDeadline_s * 1'000'000);
    ASSERT_TRUE(w.run(w.gate->sweep()));
    EXPECT_FALSE(w.run(admission->chunk("second")));
    EXPECT_FALSE(w.run(admission->rest()));
    w.run_until([&] { return !w.events("call.ended").empty(); });
    EXPECT_TRUE(w.event("call.ended").has(R"("status":"unknown")"));
}

TEST(GateAdmit, PermitWithAnObligationItCannotKeepForbids) {
    World w;
    const auto session = w.session(w.task());
    w.gate->set_engine(std::make_shared<TestEngine>([](const policy::Question&) {
        policy::Verdict v = permit();
        v.obligations.push_back({"escrow", "x"});
        return v;
    }));
    const Refusal refusal = w.refuse(w.call(session));
    EXPECT_EQ(refusal.kind, RefusalKind::kForbidden);
    EXPECT_EQ(refusal.verdict.code, "obligation");
}

TEST(GateAdmit, EngineThatPermitsWhatIsNotGrantedIsNotBelieved) {
    World w;
    const auto session = w.session(w.task());
    w.gate->set_engine(std::make_shared<TestEngine>([](const policy::Question&) {
        policy::Verdict v = permit();
        v.granted = false;
        return v;
    }));
    EXPECT_EQ(w.refuse(w.call(session)).kind, RefusalKind::kUnknown);
}

TEST(GateAdmit, StrangersAreCountedAndNeverOneEventEach) {
    World w;
    for (int i = 0; i < 50; ++i) {
        const Refusal refusal = w.refuse(w.call(nullptr));
        EXPECT_EQ(refusal.kind, RefusalKind::kUnauthenticated);
        EXPECT_EQ(refusal.verdict.code, "unauthenticated");
    }
    w.run_until([&] { return w.events("limit.tripped").size() == 1; });
    w.clock.advance_us(61'000'000);
    ASSERT_TRUE(w.run(w.gate->sweep()));
    w.run_until([&] { return w.events("limit.tripped").size() == 2; });
    EXPECT_TRUE(w.events("limit.tripped")[1].has(R"("unauthenticated":49)"));
    EXPECT_EQ(w.events().size(), 2U);
}

// The door refuses these before there is a call.
TEST(GateAdmit, WhomADoorTurnsAwayIsCountedToo) {
    World w;
    const auto session = w.session(w.task());
    ASSERT_TRUE(w.run(w.gate->end_session(session, "done")));
    for (int i = 0; i < 50; ++i) w.gate->turned_away(i % 2 == 0 ? nullptr : session);
    w.run_until([&] { return w.events("limit.tripped").size() == 1; });
    w.clock.advance_us(61'000'000);
    ASSERT_TRUE(w.run(w.gate->sweep()));
    w.run_until([&] { return w.events("limit.tripped").size() == 2; });
    EXPECT_TRUE(w.events("limit.tripped")[1].has(R"({"ended":25,"unauthenticated":24})"));
    EXPECT_EQ(w.gate->totals().refused[static_cast<std::size_t>(RefusalKind::kUnauthenticated)],
              50U);
}

TEST(GateBudget, StopsAtTheLimitAndOnlyPermitsCount) {
    World w;
    const auto task = w.task(2);
    const auto session = w.session(task);
    w.refuse(w.call(session, "files__write"));
    for (int i = 0; i < 2; ++i) {
        AdmissionPtr admission = w.allow(w.call(session));
        ASSERT_TRUE(admission);
        w.close(admission);
    }
    const Refusal refusal = w.refuse(w.call(session));
    EXPECT_EQ(refusal.kind, RefusalKind::kForbidden);
    EXPECT_EQ(refusal.verdict.code, "budget");
    EXPECT_TRUE(w.events("call.decided").back().has(R"("budget":{"calls":2,"limit":2)"));
    const Spent spent = w.run(w.gate->spent(task->id));
    EXPECT_EQ(spent.calls, 2);
    EXPECT_EQ(spent.denied, 2);
}

TEST(GateBudget, ChildSpendsItsParentsBudgetToo) {
    World w;
    const auto root = w.task(3);
    const auto child = w.task(3, root);
    const auto other = w.task(3, root);
    const auto in_child = w.session(child);
    const auto in_other = w.session(other);
    for (const auto& session : {in_child, in_child, in_other}) {
        AdmissionPtr admission = w.allow(w.call(session));
        ASSERT_TRUE(admission);
        w.close(admission);
    }
    EXPECT_EQ(w.refuse(w.call(in_other)).verdict.code, "budget");
    EXPECT_TRUE(w.events("call.decided").back().has(root->id.text()));
    EXPECT_EQ(w.run(w.gate->spent(root->id)).calls, 3);
    EXPECT_EQ(w.run(w.gate->spent(child->id)).calls, 2);
    EXPECT_EQ(w.run(w.gate->spent(other->id)).calls, 1);
}

TEST(GateBudget, CallsAtTheSameTimeCannotPassItTogether) {
    World w;
    const auto session = w.session(w.task(3));
    w.ledger.hold();
    std::vector<std::optional<Answer>> answers(10);
    for (auto& answer : answers) {
        w.reactor[0]->spawn(answer_into(w.gate.get(), w.call(session), &answer));
    }
    w.run_until([&] { return w.ledger.waiting() == 10; });
    w.ledger.release();
    const auto all = [&] {
        return std::all_of(answers.begin(), answers.end(), [](auto& a) { return a.has_value(); });
    };
    w.run_until(all);
    int admitted = 0;
    for (auto& answer : answers) {
        auto* admission = std::get_if<AdmissionPtr>(&*answer);
        if (admission == nullptr) continue;
        ++admitted;
        w.close(*admission);
    }
    EXPECT_EQ(admitted, 3);
}

TEST(GateBudget, IsRestoredAfterARestart) {
    World w;
    const auto task = w.task(5);
    w.run(w.gate->restore(task->id, {.calls = 4, .denied = 1}));
    const auto session = w.session(task);
    AdmissionPtr admission = w.allow(w.call(session));
    w.close(admission);
    EXPECT_EQ(w.refuse(w.call(session)).verdict.code, "budget");
    EXPECT_EQ(w.run(w.gate->spent(task->id)).calls, 5);
    EXPECT_EQ(w.run(w.gate->spent(task->id)).denied, 2);
}

TEST(GateRecord, WithoutEvidenceNothingHappensAndNothingIsSpent) {
    World w;
    const auto task = w.task(1);
    const auto session = w.session(task);
    w.ledger.fail_from_now();
    for (const char* tool : {"files__read", "files__write", "files__secret", "files__nothing"}) {
        const Refusal refusal = w.refuse(w.call(session, tool));
        EXPECT_EQ(refusal.kind, RefusalKind::kUnrecordable) << tool;
        EXPECT_FALSE(refusal.receipt);
    }
    EXPECT_EQ(w.run(w.gate->spent(task->id)).calls, 0);
}

// Calls that came together are decided together: what ended meanwhile has no decision any more.
TEST(GateAdmit, EndedWhileItWaitedForOthers) {
    World w;
    const auto task = w.task();
    const auto session = w.session(task);
    std::optional<Answer> answer;
    w.reactor[0]->spawn(answer_into(w.gate.get(), w.call(session), &answer));
    w.reactor[0]->post([&] {
        EXPECT_FALSE(answer.has_value());
        EXPECT_TRUE(w.directory->end(task->id, identity::TaskState::kRevoked));
    });
    w.run_until([&] { return answer.has_value(); });
    const Refusal& refusal = std::get<Refusal>(*answer);
    EXPECT_EQ(refusal.kind, RefusalKind::kUnauthenticated);
    EXPECT_EQ(refusal.verdict.code, "revoked");
    w.settle();
    EXPECT_TRUE(w.events("call.decided").empty());
}

TEST(GateRecheck, RevokedWhileTheDecisionWasWritten) {
    World w;
    const auto task = w.task();
    const auto session = w.session(task);
    w.ledger.hold();
    std::optional<Answer> answer;
    w.reactor[0]->spawn(answer_into(w.gate.get(), w.call(session), &answer));
    w.run_until([&] { return w.ledger.waiting() == 1; });
    ASSERT_TRUE(w.directory->end(task->id, identity::TaskState::kRevoked));
    w.ledger.release();
    w.run_until([&] { return answer.has_value(); });
    const Refusal& refusal = std::get<Refusal>(*answer);
    EXPECT_EQ(refusal.kind, RefusalKind::kUnauthenticated);
    EXPECT_EQ(refusal.verdict.code, "revoked");
    w.run_until([&] { return w.events("call.ended").size() == 1; });
    EXPECT_TRUE(w.event("call.ended").has(R"("status":"blocked")"));
}

TEST(GateRecheck, PolicyThatChangedWhileTheDecisionWasWritten) {
    World w;
    const auto session = w.session(w.task());
    w.ledger.hold();
    std::optional<Answer> answer;
    w.reactor[0]->spawn(answer_into(w.gate.get(), w.call(session), &answer));
    w.run_until([&] { return w.ledger.waiting() == 1; });
    w.gate->set_engine(
        std::make_shared<TestEngine>([](const policy::Question&) { return forbidden(true); }, 2));
    w.ledger.release();
    w.run_until([&] { return answer.has_value(); });
    EXPECT_EQ(std::get<Refusal>(*answer).kind, RefusalKind::kForbidden);
    w.run_until([&] { return w.events("call.ended").size() == 1; });
    EXPECT_TRUE(w.event("call.ended").has(R"("status":"blocked")"));
}

TEST(GateDepart, RevocationBetweenAdmissionAndFirstByte) {
    World w;
    const auto task = w.task();
    AdmissionPtr admission = w.allow(w.call(w.session(task)));
    ASSERT_TRUE(w.directory->end(task->id, identity::TaskState::kRevoked));
    const Status gone = admission->depart();
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, ErrorCode::kUnauthenticated);
    EXPECT_FALSE(w.run(admission->chunk("x")));
    w.close(admission, Status_::kBlocked);
}

TEST(GateDepart, PoliciesAreAskedAgainAfterASwap) {
    World w;
    const auto session = w.session(w.task());
    AdmissionPtr admission = w.allow(w.call(session));
    w.gate->set_engine(std::make_shared<TestEngine>(by_name, 2));
    EXPECT_TRUE(admission->depart());
    w.gate->set_engine(
        std::make_shared<TestEngine>([](const policy::Question&) { return forbidden(true); }, 3));
    const Status gone = admission->depart();
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, ErrorCode::kForbidden);
    w.close(admission, Status_::kBlocked);
}

TEST(GateAdmission, NotClosedIsRecordedAsUnknown) {
    World w;
    AdmissionPtr admission = w.allow(w.call(w.session(w.task())));
    ASSERT_TRUE(admission->depart());
    admission.reset();
    w.run_until([&] { return w.events("call.ended").size() == 1; });
    EXPECT_TRUE(w.event("call.ended").has(R"("status":"unknown")"));
    EXPECT_TRUE(w.event("call.ended").has(R"("agreement":"unknown")"));
}

TEST(GateAdmission, DeadlineClosesItAsUnknownAndALateCloseSaysSo) {
    World w;
    auto task = w.task();
    AdmissionPtr admission = w.allow(w.call(w.session(task)));
    w.clock.advance_us(kAdmissionDeadline_s * 1'000'000);
    ASSERT_TRUE(w.run(w.gate->sweep()));
    w.run_until([&] { return w.events("call.ended").size() == 1; });
    EXPECT_TRUE(w.event("call.ended").has(R"("status":"unknown")"));
    auto late = w.run(admission->close({.status = Status_::kOk, .error = "", .output = ""}));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::kCancelled);
    EXPECT_EQ(w.events("call.ended").size(), 1U);
}

TEST(GateAdmission, OutputIsBounded) {
    World w;
    AdmissionPtr admission = w.allow(w.call(w.session(w.task())));
    const std::string half(kMaxUpstreamMessageBytes / 2, 'x');
    EXPECT_TRUE(w.run(admission->chunk(half)));
    EXPECT_TRUE(w.run(admission->chunk(half)));
    const auto more = w.run(admission->chunk("y"));
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().code, ErrorCode::kTooLarge);
    w.close(admission, Status_::kProtocolError);
}

TEST(GateAdmission, EveryRequestOfTheUpstreamToTheClientIsForbidden) {
    World w;
    AdmissionPtr admission = w.allow(w.call(w.session(w.task())));
    for (int i = 0; i < 40; ++i) {
        auto answer =
            w.run(admission->inward({.method = "sampling/createMessage", .params = "{}"}));
        ASSERT_TRUE(std::holds_alternative<Refusal>(answer));
        EXPECT_EQ(std::get<Refusal>(answer).kind, RefusalKind::kForbidden);
    }
    w.close(admission);
    const auto inward = w.events("call.inward");
    EXPECT_EQ(inward.size(), 16U) << "a server cannot fill the log";
    EXPECT_EQ(inward[0].call, admission->call().text());
    EXPECT_TRUE(inward[0].has(R"("kind":"forbid")"));
    EXPECT_TRUE(w.event("call.ended").has(R"("inward":40)"));
}

TEST(GateSuspend, TaskThatIsDeniedTooOftenIsRevoked) {
    World w;
    const auto task = w.task();
    const auto session = w.session(task);
    for (std::int64_t i = 0; i < kMaxDenials_per_task; ++i) {
        EXPECT_EQ(w.refuse(w.call(session, "files__nothing")).kind, RefusalKind::kUnknown);
    }
    const Refusal refusal = w.refuse(w.call(session));
    EXPECT_EQ(refusal.kind, RefusalKind::kUnauthenticated);
    EXPECT_EQ(refusal.verdict.code, "revoked");
    EXPECT_TRUE(w.event("task.ended").has("too many denials"));
    EXPECT_TRUE(w.event("task.ended").has(R"("state":"revoked")"));
    EXPECT_TRUE(w.event("session.sealed").has(R"("denied":100)"));
}

// While its last refusal is written the directory may forget it for new tasks: it is dead.
TEST(GateSuspend, TaskThatIsForgottenMeanwhileIsSealedAllTheSame) {
    World w;
    const auto task = w.task(0, w.task());
    const auto session = w.session(task);
    for (std::int64_t i = 1; i < kMaxDenials_per_task; ++i)
        w.refuse(w.call(session, "files__nothing"));
    w.ledger.hold();
    std::optional<Answer> answer;
    w.reactor[0]->spawn(answer_into(w.gate.get(), w.call(session, "files__nothing"), &answer));
    w.run_until([&] { return w.ledger.waiting() == 1; });
    for (std::size_t i = 0; i <= kMaxTasks && w.directory->task(task->id); ++i)
        ASSERT_TRUE(w.directory->start(task->spec, w.ids.mint<EventId>()));
    ASSERT_EQ(w.directory->task(task->id), nullptr);
    w.ledger.release();
    w.run_until([&] { return answer.has_value(); });
    EXPECT_TRUE(w.event("task.ended").has("too many denials"));
    EXPECT_TRUE(w.event("session.sealed").has(R"("denied":100)"));
}

}  // namespace
}  // namespace writ::gate::test
