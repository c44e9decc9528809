// When an end is answered: before the disk has it, where it outlives the process.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evidence/gap.h"
#include "evidence/samples.h"
#include "evidence/sequence.h"

namespace writ::evidence {
namespace {

using testing::Rig;
using testing::Story;

// Starts `recording`, and says how it ended so far.
std::shared_ptr<std::optional<Status>> watch(Rig& rig, net::Task<Status> recording) {
    auto out = std::make_shared<std::optional<Status>>();
    rig.reactor.spawn([](net::Task<Status> task, auto into) -> net::Task<void> {
        *into = co_await std::move(task);
    }(std::move(recording), out));
    rig.drain();
    rig.drain();
    return out;
}

TEST(RecordEnd, IsAnsweredOnceItOutlivesTheProcess) {
    Rig rig;
    const Story story(rig.ids);
    ASSERT_TRUE(rig.record(story.task_started()));
    rig.ledger.hold = true;
    const auto waits = watch(rig, rig.recorder->record_end(story.of_writ("tool.pinned")));
    EXPECT_FALSE(waits->has_value()) << "only the disk would keep it";
    rig.ledger.outlives = true;
    const auto early = watch(rig, rig.recorder->record_end(story.of_writ("tool.pinned")));
    ASSERT_TRUE(early->has_value());
    EXPECT_TRUE(**early);
    rig.ledger.answer();
    rig.drain();
    ASSERT_TRUE(waits->has_value());
    EXPECT_TRUE(**waits);
    rig.ledger.answer();
    rig.drain();
    EXPECT_EQ(rig.ledger.entries.size(), 3u);
}

TEST(RecordEnd, WhatTheDiskDoesNotTakeThenIsAGap) {
    Rig rig;
    const Story story(rig.ids);
    ASSERT_TRUE(rig.record(story.task_started()));
    rig.ledger.hold = rig.ledger.outlives = true;
    const auto early = watch(rig, rig.recorder->record_end(story.of_writ("tool.pinned")));
    ASSERT_TRUE(early->has_value());
    EXPECT_TRUE(**early);
    rig.ledger.answer(ErrorCode::kUnavailable);
    rig.ledger.hold = false;
    rig.drain();
    ASSERT_TRUE(rig.record(story.of_writ("tool.pinned")));
    rig.drain();
    EXPECT_NE(rig.ledger.entries.at(2).find("\"type\":\"evidence.gap\""), std::string::npos);
}

TEST(RecordEnd, AnEndThatTheLogDidNotTakeIsTold) {
    Rig rig;
    const Story story(rig.ids);
    std::vector<CallId> lost;
    rig.recorder->on_lost_end([&](const CallEnd& end) { lost.push_back(end.call); });
    ASSERT_TRUE(rig.record(story.task_started()));
    const auto early = rig.ids.mint<CallId>(), late = rig.ids.mint<CallId>();
    rig.ledger.hold = rig.ledger.outlives = true;
    watch(rig, rig.recorder->record_end(story.ended(early, rig.ids.mint<EventId>())));
    watch(rig, rig.recorder->record_end(story.of_writ("tool.pinned")));
    EXPECT_TRUE(lost.empty());
    rig.ledger.answer(ErrorCode::kUnavailable);
    rig.ledger.answer(ErrorCode::kUnavailable);
    rig.drain();
    EXPECT_EQ(lost, std::vector{early}) << "also where it was answered before";
    rig.ledger.hold = rig.ledger.outlives = false;
    rig.ledger.refuse = ErrorCode::kUnavailable;
    rig.recorder->note(story.ended(late, rig.ids.mint<EventId>()));
    rig.drain();
    rig.drain();
    EXPECT_EQ(lost, (std::vector{early, late}));
}

TEST(Gap, TakesNumbersInAnyOrder) {
    Gap gap;
    for (const std::uint64_t at : {7u, 9u, 8u, 5u}) gap.add(at, "full");
    EXPECT_EQ(gap.from, 5u);
    EXPECT_EQ(gap.to, 9u);
    gap.add(Gap{.why = {}, .detail = "before", .from = 3, .to = 12, .n = 2});
    EXPECT_EQ(gap.from, 3u);
    EXPECT_EQ(gap.to, 12u);
    EXPECT_EQ(gap.n, 6u);
    EXPECT_EQ(gap.detail, "full");
}

TEST(RecordEnd, WhatIsRefusedAtOnceIsNotAnswered) {
    Rig rig;
    const Story story(rig.ids);
    rig.ledger.outlives = true;
    rig.ledger.refuse = ErrorCode::kUnavailable;
    const auto refused = watch(rig, rig.recorder->record_end(story.of_writ("tool.pinned")));
    ASSERT_TRUE(refused->has_value());
    EXPECT_EQ((*refused)->error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace writ::evidence
