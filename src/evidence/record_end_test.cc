// When an end is answered: before the disk has it, where it outlives the process.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "evidence/samples.h"

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
