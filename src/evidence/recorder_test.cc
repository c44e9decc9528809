// What reaches the log, in which order, and what happens when the log does not take it.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "base/limits.h"
#include "evidence/check.h"
#include "evidence/leaf.h"
#include "evidence/resume.h"
#include "evidence/samples.h"

namespace writ::evidence {
namespace {

using testing::Rig;
using testing::Story;

// An entry of the log; keeps its bytes.
Leaf leaf_at(const Rig& rig, std::size_t at) {
    auto leaf = read_leaf(rig.ledger.entries.at(at));
    EXPECT_TRUE(leaf) << leaf.error().message();
    return std::move(*leaf);
}

std::vector<std::string> findings(const Rig& rig) {
    Checker checker;
    for (std::size_t i = 0; i < rig.ledger.entries.size(); ++i) {
        checker.feed(i, rig.ledger.entries[i], leaf_hash(rig.ledger.entries[i]));
    }
    return checker.finish([&](std::uint64_t index) { return rig.ledger.entries[index]; }).findings;
}

TEST(Recorder, AReceiptSaysWhereTheEventIs) {
    Rig rig;
    const Story story(rig.ids);
    const auto receipt = rig.record(story.task_started());
    ASSERT_TRUE(receipt);
    EXPECT_EQ(receipt->event, story.task_event) << "the id chosen beforehand";
    EXPECT_EQ(receipt->index, 0u);
    EXPECT_EQ(receipt->origin, "writ.local/log/acme/gw-1");
    EXPECT_EQ(receipt->leaf, leaf_hash(rig.ledger.entries[0]));
    EXPECT_EQ(receipt->t_us, leaf_at(rig, 0).t_us);
}

TEST(Recorder, EveryTypeIsCanonicalKnownAndPassesTheCheck) {
    Rig rig;
    testing::record_everything(rig);
    std::set<std::string> types;
    for (std::size_t i = 0; i < rig.ledger.entries.size(); ++i) {
        const Leaf leaf = leaf_at(rig, i);
        EXPECT_TRUE(known_type(leaf.type)) << leaf.type;
        EXPECT_TRUE(check_canonical(leaf, rig.ledger.entries[i])) << rig.ledger.entries[i];
        EXPECT_LE(rig.ledger.entries[i].size(), kMaxEventBytes);
        EXPECT_EQ(leaf.tenant, "acme");
        EXPECT_EQ(leaf.seq, i);
        types.insert(std::string(leaf.type));
    }
    EXPECT_EQ(types.size(), 24u);
    EXPECT_EQ(findings(rig), std::vector<std::string>());
}

TEST(Recorder, AClockSetBackIsSaidAndTimeNeverGoesBack) {
    Rig rig;
    const Story story(rig.ids);
    ASSERT_TRUE(rig.record(story.task_started()));
    rig.clock.step_wall_us(-3'600'000'000);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(rig.record(story.of_writ("tool.pinned")));
    rig.drain();
    std::int64_t newest = 0;
    int steps = 0;
    for (const auto& bytes : rig.ledger.entries) {
        const auto leaf = read_leaf(bytes);
        EXPECT_GE(leaf->t_us, newest) << bytes;
        newest = leaf->t_us;
        if (leaf->type != "clock.step") continue;
        ++steps;
        EXPECT_LT(leaf->number("step_us"), -3'500'000'000);
    }
    EXPECT_EQ(steps, 1) << "once, however many events wait for the clock";
    // A slewed clock is no step, and a clock that caught up says so by going on.
    rig.clock.step_wall_us(7'200'000'000);
    ASSERT_TRUE(rig.record(story.of_writ("tool.pinned")));
    EXPECT_GT(read_leaf(rig.ledger.entries.back())->t_us, newest);
}

TEST(Recorder, AfterARestartNoEventIsDatedBeforeTheNewestInTheLog) {
    Rig rig;
    const Story story(rig.ids);
    ASSERT_TRUE(rig.record(story.task_started()));
    const auto newest = read_leaf(rig.ledger.entries.back())->t_us;
    EXPECT_EQ(*newest_us(rig.ledger), newest);
    rig.clock.step_wall_us(-86'400'000'000);
    rig.recorder = std::make_unique<Recorder>(
        RecorderOptions{"acme", "spiffe://acme.example/writ/gw-1/0", rig.ids.mint<BootId>(), "o",
                        *newest_us(rig.ledger)},
        rig.reactor, rig.ledger, *rig.vault, rig.ids, rig.clock);
    ASSERT_TRUE(rig.record(story.session_started()));
    EXPECT_GE(read_leaf(rig.ledger.entries.back())->t_us, newest);
}

TEST(Recorder, TheSealCountsTheChain) {
    Rig rig;
    const Story story(rig.ids);
    ASSERT_TRUE(rig.record(story.task_started()));
    ASSERT_TRUE(rig.record(story.session_started()));
    ASSERT_TRUE(rig.record(story.decided(rig.ids.mint<CallId>(), "permit")));
    ASSERT_TRUE(rig.record(story.decided(rig.ids.mint<CallId>(), "forbid")));
    ASSERT_TRUE(rig.seal(story.session, "ended"));
    const Leaf seal = leaf_at(rig, 4);
    EXPECT_EQ(seal.text("reason"), "completed");
    EXPECT_EQ(seal.number("events"), 4);
    EXPECT_EQ(seal.number("calls"), 2);
    EXPECT_EQ(seal.number("denied"), 1);
    EXPECT_EQ(rig.seal(story.session, "ended").error().code, ErrorCode::kNotFound);
}

TEST(Recorder, AnUnknownReasonOfASealIsKeptAsText) {
    Rig rig;
    const Story story(rig.ids);
    ASSERT_TRUE(rig.record(story.session_started()));
    ASSERT_TRUE(rig.seal(story.session, "the holder's process 4711 exited"));
    EXPECT_EQ(leaf_at(rig, 1).text("reason"), "other");
    EXPECT_EQ(leaf_at(rig, 1).text("detail"), "the holder's process 4711 exited");
}

TEST(Recorder, WhatHasNoSessionChainStandsInTheEmitters) {
    Rig rig;
    const Story story(rig.ids);
    ASSERT_TRUE(rig.record(story.task_started()));
    const auto call = rig.ids.mint<CallId>();
    ASSERT_TRUE(rig.record(story.decided(call, "forbid")));
    const Leaf second = leaf_at(rig, 1);
    EXPECT_EQ(second.chain, std::string(second.emitter) + "#" + std::string(second.boot));
    EXPECT_EQ(second.session, story.session.text());
    EXPECT_EQ(*second.prev, leaf_hash(rig.ledger.entries[0]));
}

TEST(Recorder, PayloadsAreInTheVaultAndOnlyReferredTo) {
    Rig rig;
    const Story story(rig.ids);
    ASSERT_TRUE(rig.record(story.task_started()));
    EXPECT_EQ(rig.ledger.entries[0].find("pay what is due"), std::string::npos);
    const Leaf leaf = leaf_at(rig, 0);
    const auto payload = leaf.document->root().find("payloads")->elements().at(0);
    EXPECT_EQ(payload.string("state"), "stored");
    EXPECT_EQ(payload.string("mt"), "text/plain");
    EXPECT_EQ(payload.i64("len"), 15);
    EXPECT_EQ(*rig.vault->get(*payload.string("cid"), *payload.string("kid")), "pay what is due");
    EXPECT_TRUE(
        rig.vault->commits(*payload.string("kid"), *payload.string("com"), "pay what is due"));
}

TEST(Recorder, APayloadTheVaultCannotTakeIsStillCommittedTo) {
    Rig rig;
    const Story story(rig.ids);
    Draft draft = story.task_started();
    draft.payloads[0].bytes = std::string(kMaxUpstreamMessageBytes + 1, 'x');
    const std::string bytes = draft.payloads[0].bytes;
    ASSERT_TRUE(rig.record(std::move(draft)));
    const Leaf leaf = leaf_at(rig, 0);
    const auto payload = leaf.document->root().find("payloads")->elements().at(0);
    EXPECT_EQ(payload.string("state"), "too_large");
    EXPECT_FALSE(payload.find("cid"));
    EXPECT_TRUE(rig.vault->commits(*payload.string("kid"), *payload.string("com"), bytes));
}

TEST(Recorder, ACallWithoutAUsableTraceGetsOneOfTheGateways) {
    Rig rig;
    const Story story(rig.ids);
    Draft draft = story.decided(rig.ids.mint<CallId>(), "permit");
    draft.trace = Trace{.peer = "what the client sent"};
    ASSERT_TRUE(rig.record(std::move(draft)));
    const Leaf leaf = leaf_at(rig, 0);
    const auto trace = *leaf.document->root().find("trace");
    EXPECT_EQ(trace.string("trace_id")->size(), 32u);
    EXPECT_EQ(trace.string("peer"), "what the client sent");
}

TEST(Recorder, ARefusalByTheLogIsUnavailableAndForksNothing) {
    Rig rig;
    const Story story(rig.ids);
    ASSERT_TRUE(rig.record(story.session_started()));
    rig.ledger.refuse = ErrorCode::kExhausted;
    const auto refused = rig.record(story.decided(rig.ids.mint<CallId>(), "permit"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
    rig.ledger.refuse.reset();
    ASSERT_TRUE(rig.record(story.identity("identity.renewed")));
    ASSERT_TRUE(rig.seal(story.session, "completed"));
    EXPECT_EQ(findings(rig).size(), 1u) << "only the start's cause, which this test left out";
    const Leaf gap = leaf_at(rig, 2);
    EXPECT_EQ(gap.type, "evidence.gap");
    EXPECT_EQ(gap.text("why"), "refused");
    EXPECT_EQ(gap.number("n"), 1);
    EXPECT_EQ(gap.number("from"), 1);
}

TEST(Recorder, OnAFullDiskOnlyNarrowingActsAreRecorded) {
    Rig rig;
    const Story story(rig.ids);
    ASSERT_TRUE(rig.record(story.session_started()));
    rig.ledger.full = true;
    for (int i = 0; i < 3; ++i)
        EXPECT_FALSE(rig.record(story.decided(rig.ids.mint<CallId>(), "permit")));
    EXPECT_FALSE(rig.record(story.task_started()));
    ASSERT_TRUE(rig.seal(story.session, "revoked"));
    EXPECT_FALSE(rig.record(story.of_writ("policy.changed"))) << "a reload does not narrow";
    rig.ledger.full = false;
    ASSERT_TRUE(rig.record(story.of_writ("policy.changed")));
    std::int64_t sealed = 0, gaps = 0;
    for (std::size_t i = 0; i < rig.ledger.entries.size(); ++i) {
        const Leaf leaf = leaf_at(rig, i);
        if (leaf.type == "session.sealed") ++sealed;
        if (leaf.type == "evidence.gap") gaps += leaf.number("n");
    }
    EXPECT_EQ(sealed, 1);
    EXPECT_EQ(gaps, 5) << "what was refused is counted";
    EXPECT_EQ(findings(rig).size(), 1u) << "only the start's cause, which this test left out";
}

TEST(Recorder, ADeadLogIsToldToEveryCallerAndNothingHangs) {
    Rig rig;
    const Story story(rig.ids);
    rig.ledger.refuse = ErrorCode::kUnavailable;
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(rig.record(story.task_started()).error().code, ErrorCode::kUnavailable);
        rig.recorder->note(story.of_writ("policy.changed"));
    }
    rig.drain();
    EXPECT_TRUE(rig.ledger.entries.empty());
}

TEST(Recorder, AnEventLostBetweenOthersIsDeclared) {
    Rig rig;
    const Story story(rig.ids);
    ASSERT_TRUE(rig.record(story.task_started()));
    ASSERT_TRUE(rig.record(story.session_started()));
    rig.ledger.hold = true;
    for (const char* type : {"identity.issued", "identity.renewed", "identity.renewed"}) {
        rig.recorder->note(story.identity(type));
    }
    rig.drain();
    rig.ledger.answer(ErrorCode::kExhausted);
    rig.ledger.answer();
    rig.ledger.answer();
    rig.ledger.hold = false;
    rig.drain();
    ASSERT_TRUE(rig.seal(story.session, "completed"));
    const Leaf gap = leaf_at(rig, 4);
    EXPECT_EQ(gap.type, "evidence.gap");
    EXPECT_EQ(gap.text("why"), "lost");
    EXPECT_EQ(gap.number("from"), 2);
    EXPECT_EQ(gap.number("to"), 2);
    EXPECT_EQ(findings(rig), std::vector<std::string>()) << "a declared loss is no finding";
    rig.ledger.entries.erase(rig.ledger.entries.begin() + 4);
    EXPECT_GE(findings(rig).size(), 2u) << "an undeclared one is";
}

TEST(Recorder, NotesBeyondTheBoundAreCountedAndDecisionsStillPass) {
    Rig rig;
    const Story story(rig.ids);
    rig.ledger.hold = true;
    const std::size_t bound = kMaxPendingAppends / 8;
    for (std::size_t i = 0; i < bound + 10; ++i) rig.recorder->note(story.of_writ("tool.list"));
    rig.drain();
    EXPECT_EQ(rig.ledger.waiting(), bound);
    bool recorded = false;
    rig.recorder->record(story.of_writ("policy.changed"),
                         [&](Result<Receipt> receipt) { recorded = receipt.has_value(); });
    rig.drain();
    EXPECT_GE(rig.ledger.waiting(), bound + 1) << "a decision is not kept out by notes";
    rig.ledger.hold = false;
    while (rig.ledger.waiting() > 0) rig.ledger.answer();
    rig.drain();
    EXPECT_TRUE(recorded);
    EXPECT_EQ(findings(rig), std::vector<std::string>());
    std::int64_t counted = 0;
    for (std::size_t i = 0; i < rig.ledger.entries.size(); ++i) {
        const Leaf leaf = leaf_at(rig, i);
        if (leaf.type == "evidence.gap") counted += leaf.number("n");
        if (leaf.type == "evidence.gap") EXPECT_EQ(leaf.text("why"), "overflow");
    }
    EXPECT_EQ(counted, 10);
}

TEST(Recorder, DecisionsBeyondTheBoundAreRefusedNotQueued) {
    Rig rig;
    const Story story(rig.ids);
    rig.ledger.hold = true;
    std::size_t refused = 0;
    for (std::size_t i = 0; i < kMaxPendingAppends; ++i) {
        rig.recorder->record(story.of_writ("policy.changed"), [&](Result<Receipt> receipt) {
            if (!receipt && receipt.error().code == ErrorCode::kUnavailable) ++refused;
        });
    }
    rig.drain();
    EXPECT_EQ(rig.ledger.waiting(), kMaxPendingAppends / 4);
    EXPECT_EQ(refused, kMaxPendingAppends - kMaxPendingAppends / 4);
}

TEST(Recorder, AnEventThatCannotBeShortenedIsRefusedAndCounted) {
    Rig rig;
    const Story story(rig.ids);
    Draft draft = story.of_writ("limit.tripped");
    for (int i = 0; i < 5000; ++i) draft.data["codes"]["code_" + std::to_string(i)] = i;
    EXPECT_EQ(rig.record(std::move(draft)).error().code, ErrorCode::kTooLarge);
    ASSERT_TRUE(rig.record(story.of_writ("gateway.stopped")));
    EXPECT_EQ(leaf_at(rig, 0).type, "evidence.gap");
    EXPECT_EQ(findings(rig), std::vector<std::string>());
}

TEST(Recorder, AnswersFromTheLogsOwnThreadArriveOnTheReactorInOrder) {
    Rig rig;
    const Story story(rig.ids);
    rig.ledger.hold = true;
    std::vector<std::uint64_t> order;
    for (int i = 0; i < 500; ++i) {
        rig.recorder->record(story.of_writ("policy.changed"), [&](Result<Receipt> receipt) {
            EXPECT_TRUE(rig.reactor.on_this_thread());
            order.push_back(receipt->index);
            if (order.size() == 500) rig.reactor.stop();
        });
    }
    rig.drain();
    std::thread committer([&rig] {
        while (rig.ledger.waiting() > 0) rig.ledger.answer();
    });
    rig.reactor.run();
    committer.join();
    EXPECT_TRUE(std::ranges::is_sorted(order));
    EXPECT_EQ(findings(rig), std::vector<std::string>());
}

// One turn of the loop writes them together; what narrows takes along what was asked for before it.
TEST(Recorder, WhatATurnRecordsIsWrittenAtItsEndInItsOrder) {
    Rig rig;
    const Story story(rig.ids);
    rig.recorder->note(story.task_started());
    rig.recorder->note(story.session_started());
    EXPECT_TRUE(rig.ledger.entries.empty());
    rig.drain();
    ASSERT_EQ(rig.ledger.entries.size(), 2u);
    for (const char* verdict : {"permit", "forbid"}) {
        rig.recorder->note(story.decided(rig.ids.mint<CallId>(), verdict));
    }
    EXPECT_EQ(rig.ledger.entries.size(), 2u);
    ASSERT_TRUE(rig.seal(story.session, "revoked"));
    ASSERT_EQ(rig.ledger.entries.size(), 5u);
    const Leaf seal = leaf_at(rig, 4);
    EXPECT_EQ(seal.type, "session.sealed");
    EXPECT_EQ(seal.number("calls"), 2) << "the seal counts what was asked for before it";
    EXPECT_EQ(findings(rig), std::vector<std::string>());
}

// Payloads of many events and owners are sealed together: none may end up in another's event or
// under another's key.
TEST(Recorder, EveryEventOfATurnKeepsItsOwnPayloads) {
    Rig rig;
    const Story story(rig.ids);
    const auto text = [](int i, int k) { return "payload " + std::to_string(100 * i + k); };
    for (int i = 0; i < 20; ++i) {
        Draft draft = story.of_writ("policy.changed");
        Actor actor;
        actor.op = "ps:" + std::string(15, '0') + std::to_string(i % 3);
        draft.actor = std::move(actor);
        for (int k = 0; k < i % 4; ++k) draft.payloads.push_back({"note", text(i, k)});
        rig.recorder->note(std::move(draft));
    }
    rig.drain();
    ASSERT_EQ(rig.ledger.entries.size(), 20u);
    std::map<std::string, std::string> key_of;  // by owner
    for (int i = 0; i < 20; ++i) {
        const Leaf leaf = leaf_at(rig, static_cast<std::size_t>(i));
        const auto payloads = leaf.document->root().find("payloads");
        ASSERT_EQ(payloads.has_value(), i % 4 > 0);
        if (!payloads) continue;
        const auto all = payloads->elements();
        ASSERT_EQ(all.size(), static_cast<std::size_t>(i % 4));
        for (int k = 0; k < i % 4; ++k) {
            const json::Value one = all[static_cast<std::size_t>(k)];
            const std::string kid(*one.string("kid"));
            EXPECT_EQ(*rig.vault->get(*one.string("cid"), kid), text(i, k));
            EXPECT_TRUE(rig.vault->commits(kid, *one.string("com"), text(i, k)));
            const auto [known, first] = key_of.emplace(std::to_string(i % 3), kid);
            EXPECT_EQ(known->second, kid) << "one owner, one key";
        }
    }
    std::set<std::string> keys;
    for (const auto& [owner, kid] : key_of) keys.insert(kid);
    EXPECT_EQ(keys.size(), 3u) << "three owners, three keys";
}

TEST(Recorder, ItsEndWritesWhatWasAskedFor) {
    Rig rig;
    const Story story(rig.ids);
    rig.recorder->note(story.task_started());
    rig.recorder.reset();
    EXPECT_EQ(rig.ledger.entries.size(), 1u);
}

TEST(Recorder, AnAnswerAfterItsEndIsHarmless) {
    Rig rig;
    const Story story(rig.ids);
    rig.ledger.hold = true;
    bool called = false;
    rig.recorder->record(story.task_started(), [&](Result<Receipt>) { called = true; });
    rig.recorder.reset();
    rig.ledger.answer();
    rig.drain();
    EXPECT_FALSE(called);
}

TEST(Recorder, AnAdoptedSessionKeepsOneChainOverARestart) {
    Rig rig;
    const Story story(rig.ids), sealed(rig.ids);
    ASSERT_TRUE(rig.record(story.task_started()));
    ASSERT_TRUE(rig.record(story.session_started()));
    ASSERT_TRUE(rig.record(sealed.task_started()));
    ASSERT_TRUE(rig.record(sealed.session_started()));
    ASSERT_TRUE(rig.seal(sealed.session, "completed"));
    ASSERT_TRUE(rig.record(story.decided(rig.ids.mint<CallId>(), "forbid")));
    rig.start();
    const auto open = open_chains(rig.ledger);
    ASSERT_TRUE(open);
    ASSERT_EQ(open->size(), 1u);
    EXPECT_EQ(open->front().session, story.session);
    rig.recorder->adopt(open->front().session, open->front().end);
    ASSERT_TRUE(rig.record(story.decided(rig.ids.mint<CallId>(), "permit")));
    ASSERT_TRUE(rig.seal(story.session, "completed"));
    EXPECT_EQ(findings(rig), std::vector<std::string>());
    const Leaf seal = leaf_at(rig, 7);
    EXPECT_EQ(seal.number("events"), 4);
    EXPECT_EQ(seal.number("calls"), 2);
    EXPECT_EQ(seal.number("denied"), 1);
}

TEST(Recorder, WithoutAdoptionARestartForksNothingEither) {
    Rig rig;
    const Story story(rig.ids);
    ASSERT_TRUE(rig.record(story.task_started()));
    ASSERT_TRUE(rig.record(story.session_started()));
    rig.start();
    ASSERT_TRUE(rig.record(story.decided(rig.ids.mint<CallId>(), "permit")));
    EXPECT_EQ(findings(rig), std::vector<std::string>());
}

// A start reads the log from the earliest standing on: an emitter that says nothing must not hold
// it at what it said last.
TEST(Recorder, TheStandingOfAnIdleEmitterFollowsTheLog) {
    Rig rig;
    const Story story(rig.ids);
    Recorder idle({"acme", "spiffe://acme.example/writ/gw-1/1", rig.ids.mint<BootId>(), "o"},
                  rig.reactor, rig.ledger, *rig.vault, rig.ids, rig.clock);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(rig.record(story.of_writ("tool.pinned")));
    EXPECT_EQ(idle.standing()->from, 3u);
    rig.ledger.hold = true;
    idle.note(story.of_writ("tool.pinned"));
    EXPECT_EQ(idle.standing()->from, 3u);
    rig.recorder->note(story.of_writ("tool.pinned"));
    rig.drain();
    ASSERT_TRUE(rig.ledger.append_sync("another emitter's"));
    EXPECT_EQ(idle.standing()->from, 3u)
        << "its event is on its way, and may stand anywhere behind";
    rig.ledger.answer();
    rig.ledger.answer();
    rig.drain();
    EXPECT_EQ(idle.standing()->from, rig.ledger.entries.size());
}

TEST(Pseudonym, NamesNobodyAndTellsPeopleApart) {
    Rig rig;
    const auto alice = pseudonym(*rig.vault, "https://idp", "alice");
    EXPECT_EQ(alice, pseudonym(*rig.vault, "https://idp", "alice"));
    EXPECT_NE(alice, pseudonym(*rig.vault, "https://idp", "bob"));
    EXPECT_NE(pseudonym(*rig.vault, "ab", "c"), pseudonym(*rig.vault, "a", "bc"));
    EXPECT_EQ(alice.size(), 3u + 16u);
    EXPECT_TRUE(alice.starts_with("ps:"));
}

}  // namespace
}  // namespace writ::evidence
