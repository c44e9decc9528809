// Chains and numbers under refusals: nothing forks, what is missing is known.
#include "evidence/sequence.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace writ::evidence {
namespace {

Sha256 leaf(std::uint8_t n) {
    Sha256 out{};
    out[0] = n;
    return out;
}

class SequenceTest : public ::testing::Test {
  protected:
    std::uint64_t put(std::string_view type, std::optional<SessionId> of, std::uint8_t n,
                      Sequence::Kind kind = {}) {
        const auto slot = sequence.next(type, of);
        sequence.handed_over(slot, leaf(n), kind);
        return slot.seq;
    }
    ManualClock clock{1'000'000};
    IdSource ids{clock};
    const SessionId session = ids.mint<SessionId>();
    Sequence sequence{"emitter#boot"};
};

TEST_F(SequenceTest, ASessionsChainOpensWithItsStartAndClosesWithItsSeal) {
    EXPECT_FALSE(sequence.next("call.decided", session).session);
    EXPECT_EQ(sequence.own_chain(), "emitter#boot");
    put("session.started", session, 1);
    const auto second = sequence.next("call.decided", session);
    EXPECT_EQ(second.session, session);
    EXPECT_EQ(second.end.next, 1u);
    EXPECT_EQ(second.end.prev, leaf(1));
    put("session.sealed", session, 2, {.closes = true});
    EXPECT_FALSE(sequence.open(session));
    EXPECT_FALSE(sequence.next("call.ended", session).session);
}

TEST_F(SequenceTest, SeqRunsOverAllChainsOfTheEmitter) {
    EXPECT_EQ(put("session.started", session, 1), 0u);
    EXPECT_EQ(put("task.started", std::nullopt, 2), 1u);
    EXPECT_EQ(put("call.decided", session, 3), 2u);
    EXPECT_EQ(sequence.next("x", std::nullopt).end.next, 1u);
    EXPECT_EQ(sequence.next("x", session).end.next, 2u);
}

TEST_F(SequenceTest, ARefusedNewestIsTakenBackWithEverythingItChanged) {
    put("session.started", session, 1);
    sequence.settle(0, true);
    put("call.decided", session, 2, {.call = true, .denied = true});
    sequence.settle(1, false);
    const auto next = sequence.next("call.decided", session);
    EXPECT_EQ(next.seq, 1u);
    EXPECT_EQ(next.end.next, 1u);
    EXPECT_EQ(next.end.prev, leaf(1));
    EXPECT_EQ(next.end.calls, 0u);
    const auto fates = sequence.take_fates();
    ASSERT_EQ(fates.size(), 1u);
    EXPECT_FALSE(fates[0].lost);
    EXPECT_EQ(sequence.in_flight(), 0u);
}

TEST_F(SequenceTest, ARefusedStartLeavesNoChain) {
    put("session.started", session, 1);
    sequence.settle(0, false);
    EXPECT_FALSE(sequence.open(session));
    EXPECT_EQ(sequence.next_seq(), 0u);
}

TEST_F(SequenceTest, ARefusedSealLeavesTheChainOpen) {
    put("session.started", session, 1);
    put("session.sealed", session, 2, {.closes = true});
    sequence.settle(0, true);
    sequence.settle(1, false);
    EXPECT_TRUE(sequence.open(session));
    EXPECT_EQ(sequence.next("session.sealed", session).end.next, 1u);
}

TEST_F(SequenceTest, WhenTheLogDiesAllThatWaitedIsTakenBack) {
    put("session.started", session, 1);
    for (std::uint8_t i = 2; i < 10; ++i) put(i % 2 ? "a" : "b", session, i);
    sequence.settle(0, true);
    for (std::uint64_t i = 1; i < 9; ++i) sequence.settle(i, false);
    EXPECT_EQ(sequence.next_seq(), 1u);
    EXPECT_EQ(sequence.next("x", session).end.prev, leaf(1));
    EXPECT_EQ(sequence.take_fates().size(), 8u);
}

TEST_F(SequenceTest, ARefusedOneBetweenTakenOnesIsLost) {
    for (std::uint8_t i = 0; i < 4; ++i) put("a", std::nullopt, i);
    sequence.settle(1, false);
    EXPECT_TRUE(sequence.take_fates().empty()) << "not known yet";
    sequence.settle(0, true);
    EXPECT_TRUE(sequence.take_fates().empty());
    sequence.settle(2, true);
    const auto fates = sequence.take_fates();
    ASSERT_EQ(fates.size(), 1u);
    EXPECT_EQ(fates[0].seq, 1u);
    EXPECT_TRUE(fates[0].lost);
    sequence.settle(3, false);
    EXPECT_EQ(sequence.next_seq(), 3u) << "the last one goes back";
}

TEST_F(SequenceTest, AnAdoptedChainGoesOn) {
    sequence.adopt(session, {.next = 7, .prev = leaf(9), .calls = 2, .denied = 1});
    const auto next = sequence.next("call.decided", session);
    EXPECT_EQ(next.session, session);
    EXPECT_EQ(next.end.next, 7u);
}

}  // namespace
}  // namespace writ::evidence
