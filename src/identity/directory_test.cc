// Starting, ending, expiring and restoring tasks and sessions.
#include "identity/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/limits.h"
#include "identity/limits.h"
#include "identity/testing.h"

namespace writ::identity {
namespace {

using testing::child_of;
using ::testing::HasSubstr;
using testing::kStart_us;
using testing::spec_of;
using testing::World;

ErrorCode code_of(const Result<TaskPtr>& result) {
    return result ? ErrorCode::kInternal : result.error().code;
}

TEST(Directory, KnowsAgentsAndPeople) {
    World w;
    ASSERT_EQ(w.directory.agents().size(), 2u);
    EXPECT_EQ(w.directory.agent("coder")->spiffe_id, "spiffe://example.org/agent/coder");
    EXPECT_EQ(w.directory.agent("nobody"), nullptr);
    ASSERT_NE(w.directory.person(1000), nullptr);
    EXPECT_EQ(w.directory.person(1000)->login, "alice");
    EXPECT_EQ(w.directory.person(0), nullptr);  // nobody, although bob has no uid
}

TEST(Start, ARootTaskIsItsOwnRoot) {
    World w;
    const auto task = w.start();
    EXPECT_EQ(task->root, task->id);
    EXPECT_EQ(task->depth, 0);
    EXPECT_FALSE(task->parent);
    EXPECT_EQ(task->agent->name, "planner");
    EXPECT_EQ(task->deadline_us, kStart_us + kDefaultTaskLifetime_s * kSecond_us);
    EXPECT_TRUE(w.live(task));
    EXPECT_EQ(w.directory.task(task->id), task);
}

TEST(Start, RefusesUnknownAgentsAndBadSpecifications) {
    World w;
    auto spec = spec_of();
    spec.agent = "ghost";
    EXPECT_EQ(code_of(w.directory.start(spec, {})), ErrorCode::kNotFound);
    EXPECT_EQ(code_of(w.directory.start(spec_of({"fs"}), {})), ErrorCode::kInvalid);
    EXPECT_EQ(code_of(w.directory.start(spec_of({}), {})), ErrorCode::kInvalid);
    EXPECT_TRUE(w.directory.tasks().empty());
}

TEST(Start, AnAutonomousTaskIsItsOwnAgents) {
    World w;
    auto spec = spec_of();
    spec.subject = "agent:coder";
    EXPECT_EQ(code_of(w.directory.start(spec, {})), ErrorCode::kInvalid);
    spec.subject = "agent:planner";
    const auto root = w.start(spec);
    EXPECT_EQ(w.start(child_of(root), root)->spec.subject, "agent:planner");
}

TEST(Start, AChildHangsBelowItsParent) {
    World w;
    const auto root = w.start();
    auto spec = child_of(root);
    spec.subject.clear();
    w.advance_s(60);
    const auto child = w.start(spec, root);
    EXPECT_EQ(child->root, root->id);
    EXPECT_EQ(child->parent, root->id);
    EXPECT_EQ(child->parent_task, root);
    EXPECT_EQ(child->depth, 1);
    EXPECT_EQ(child->spec.subject, "person:alice");
    EXPECT_EQ(child->deadline_us, root->deadline_us);
    EXPECT_EQ(child->deadline_boot_us, root->deadline_boot_us);
    EXPECT_EQ(w.directory.tasks(), (std::vector<TaskPtr>{child, root}));
}

TEST(Start, AWiderChildIsRefusedWithTheLink) {
    World w;
    const auto root = w.start(spec_of({"fs/read"}));
    auto spec = child_of(root);
    spec.grants[0].tools = {"fs/*"};
    const auto wide = w.directory.start(spec, {}, root);
    ASSERT_EQ(code_of(wide), ErrorCode::kForbidden);
    EXPECT_THAT(wide.error().detail, HasSubstr("at depth 0: `grants[0]`: tool `fs/*`"));
    spec = child_of(root);
    w.advance_s(600);
    spec.deadline_s = kDefaultTaskLifetime_s - 599;
    const auto late = w.directory.start(spec, {}, root);
    ASSERT_EQ(code_of(late), ErrorCode::kForbidden);
    EXPECT_THAT(late.error().detail, HasSubstr("`deadline_s` may be at most 3000"));
}

TEST(Start, AStepOfTheWallClockGivesAChildNoMoreTime) {
    World w;
    const auto root = w.start();
    w.advance_s(600);
    w.clock.step_wall_us(-600 * kSecond_us);
    const auto child = w.start(child_of(root), root);
    EXPECT_LE(child->deadline_boot_us, root->deadline_boot_us);
    EXPECT_LE(child->deadline_us, root->deadline_us);
}

TEST(Start, AChainEndsAtItsDepth) {
    World w;
    auto task = w.start();
    for (int depth = 1; depth <= 3; ++depth) task = w.start(child_of(task), task);
    auto spec = child_of(task);
    spec.depth_max = 0;
    EXPECT_EQ(code_of(w.directory.start(spec, {}, task)), ErrorCode::kForbidden);
}

TEST(Start, ADeadParentHasNoChildren) {
    World w;
    const auto root = w.start();
    const auto child = w.start(child_of(root), root);
    ASSERT_TRUE(w.directory.end(root->id, TaskState::kRevoked));
    EXPECT_EQ(code_of(w.directory.start(child_of(child), {}, child)), ErrorCode::kUnauthenticated);
    const auto other = w.start();
    w.advance_s(kDefaultTaskLifetime_s);
    EXPECT_EQ(code_of(w.directory.start(child_of(other), {}, other)), ErrorCode::kUnauthenticated);
}

TEST(Start, AParentOfAnotherDirectoryIsNone) {
    World w, other;
    const auto root = other.start();
    EXPECT_EQ(code_of(w.directory.start(child_of(root), {}, root)), ErrorCode::kUnauthenticated);
}

TEST(End, KillsTheTreeBelowAndNothingElse) {
    World w;
    const auto root = w.start();
    const auto left = w.start(child_of(root), root), right = w.start(child_of(root), root);
    const auto leaf = w.start(child_of(left), left);
    const auto on_root = w.open(root), on_leaf = w.open(leaf), on_right = w.open(right);
    const auto died = w.directory.end(left->id, TaskState::kEnded);
    ASSERT_TRUE(died);
    EXPECT_EQ(*died, std::vector<SessionPtr>{on_leaf});
    EXPECT_FALSE(w.live(left));
    EXPECT_FALSE(w.live(leaf));
    EXPECT_EQ(leaf->state.load(), TaskState::kEnded);
    EXPECT_FALSE(w.live(on_leaf));
    EXPECT_TRUE(w.live(on_root));
    EXPECT_TRUE(w.live(on_right));
}

TEST(End, ReportsEachDeathOnce) {
    World w;
    const auto root = w.start();
    const auto child = w.start(child_of(root), root);
    w.open(child);
    ASSERT_EQ(w.directory.end(child->id, TaskState::kEnded)->size(), 1u);
    EXPECT_EQ(w.directory.end(child->id, TaskState::kRevoked).error().code, ErrorCode::kConflict);
    EXPECT_EQ(w.directory.end(root->id, TaskState::kRevoked)->size(), 0u);
    EXPECT_EQ(child->state.load(), TaskState::kEnded);  // how it died stays
    EXPECT_EQ(w.directory.end(w.ids.mint<TaskId>(), TaskState::kEnded).error().code,
              ErrorCode::kNotFound);
    EXPECT_EQ(w.directory.end(root->id, TaskState::kLive).error().code, ErrorCode::kInvalid);
}

TEST(Sessions, NeverOutliveTheirTask) {
    World w;
    auto spec = spec_of();
    spec.deadline_s = 400;
    const auto task = w.start(spec);
    const auto session = w.open(task);
    EXPECT_EQ(session->expires_us.load(), kStart_us + kWritLifetime_s * kSecond_us);
    w.advance_s(200);
    ASSERT_TRUE(w.directory.renew(session));
    EXPECT_EQ(session->expires_us.load(), task->deadline_us);
    EXPECT_EQ(session->expires_boot_us.load(), task->deadline_boot_us);
    w.advance_s(200);
    EXPECT_FALSE(w.live(session));
    EXPECT_EQ(w.directory.renew(session).error().code, ErrorCode::kUnauthenticated);
    EXPECT_FALSE(w.directory.open(task, Binding::kUnixPeer, "", {}));
}

TEST(Sessions, RenewalDoesNotReviveTheDead) {
    World w;
    const auto task = w.start();
    const auto ended = w.open(task), expired = w.open(task), orphan = w.open(task);
    w.directory.end_session(ended);
    EXPECT_FALSE(w.live(ended));
    EXPECT_FALSE(w.directory.renew(ended));
    ASSERT_TRUE(w.directory.end(task->id, TaskState::kRevoked));
    EXPECT_FALSE(w.directory.renew(orphan));
    w.advance_s(kWritLifetime_s);
    EXPECT_FALSE(w.directory.renew(expired));
    EXPECT_FALSE(w.directory.renew(nullptr));
    EXPECT_EQ(w.directory.session(ended->id), ended);
    EXPECT_EQ(w.directory.session(w.ids.mint<SessionId>()), nullptr);
}

TEST(Sessions, WallClockStepsChangeNoLife) {
    World w;
    const auto session = w.open(w.start());
    w.clock.step_wall_us(1'000'000 * kSecond_us);
    EXPECT_TRUE(w.live(session));
    w.clock.step_wall_us(-2'000'000 * kSecond_us);
    w.advance_s(kWritLifetime_s);
    EXPECT_FALSE(w.live(session));
}

TEST(Sweep, ReportsWhatExpiredOnce) {
    World w;
    auto spec = spec_of();
    spec.deadline_s = 100;
    const auto brief = w.start(spec);
    const auto child = w.start(child_of(brief), brief);
    const auto lasting = w.start();
    const auto dying = w.open(child), idle = w.open(lasting), kept = w.open(lasting);
    EXPECT_TRUE(w.directory.sweep().sessions.empty());
    w.advance_s(100);
    ASSERT_TRUE(w.directory.renew(kept));
    auto first = w.directory.sweep();
    EXPECT_EQ(first.tasks, (std::vector<TaskPtr>{brief, child}));
    EXPECT_EQ(first.sessions, std::vector<SessionPtr>{dying});
    EXPECT_EQ(brief->state.load(), TaskState::kExpired);
    w.advance_s(kWritLifetime_s - 100);
    const auto second = w.directory.sweep();
    EXPECT_TRUE(second.tasks.empty());
    EXPECT_EQ(second.sessions, std::vector<SessionPtr>{idle});
    EXPECT_TRUE(w.live(kept));
    EXPECT_TRUE(w.directory.sweep().sessions.empty());
}

TEST(Bounds, DeadTasksGiveWayAndLiveOnesDoNot) {
    World w;
    const auto first = w.start();
    const auto session = w.open(first);
    const auto kept = w.start();
    ASSERT_TRUE(w.directory.end(first->id, TaskState::kEnded));
    for (std::size_t i = 2; i < kMaxTasks; ++i) w.start();
    EXPECT_NE(w.directory.task(first->id), nullptr);
    w.start();
    EXPECT_EQ(w.directory.task(first->id), nullptr);
    EXPECT_EQ(w.directory.session(session->id), nullptr);
    EXPECT_EQ(w.directory.task(kept->id), kept);
    EXPECT_EQ(code_of(w.directory.start(spec_of(), {})), ErrorCode::kExhausted);
}

TEST(Bounds, PromptsCannotFillTheMemory) {
    World w;
    auto spec = spec_of();
    spec.prompt.assign(kMaxPromptBytes, 'x');
    for (std::size_t i = 0; i < kMaxSpecsBytes / kMaxPromptBytes; ++i)
        (void)w.directory.start(spec, {});
    EXPECT_EQ(code_of(w.directory.start(spec, {})), ErrorCode::kExhausted);
    const auto some = w.directory.tasks().front();
    ASSERT_TRUE(w.directory.end(some->id, TaskState::kEnded));
    EXPECT_TRUE(w.directory.start(spec, {}));
}

TEST(Bounds, EndedSessionsGiveWayAndLiveOnesDoNot) {
    World w;
    const auto task = w.start();
    const auto first = w.open(task, Binding::kUnixPeer);
    for (std::size_t i = 1; i < kMaxSessions; ++i) w.open(task, Binding::kUnixPeer);
    const auto full = w.directory.open(task, Binding::kUnixPeer, "", {});
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, ErrorCode::kExhausted);
    w.directory.end_session(first);
    EXPECT_TRUE(w.directory.open(task, Binding::kUnixPeer, "", {}));
    EXPECT_EQ(w.directory.session(first->id), nullptr);
    EXPECT_EQ(w.directory.end(task->id, TaskState::kEnded)->size(), kMaxSessions);
}

struct Restart {
    World w;
    TaskId id = w.ids.mint<TaskId>();
    Result<TaskPtr> restore(std::int64_t started_s, std::int64_t deadline_s, TaskState state,
                            TaskSpec spec = spec_of(), TaskPtr parent = nullptr) {
        return w.directory.restore(id, std::move(spec), {}, std::move(parent),
                                   kStart_us + started_s * kSecond_us,
                                   kStart_us + deadline_s * kSecond_us, state);
    }
};

TEST(Restore, PutsALiveTaskBackForTheRestOfItsTime) {
    Restart r;
    const auto task = r.restore(-100, 50, TaskState::kLive);
    ASSERT_TRUE(task);
    EXPECT_EQ((*task)->id, r.id);
    r.w.advance_s(49);
    EXPECT_TRUE(r.w.live(*task));
    r.w.advance_s(1);
    EXPECT_FALSE(r.w.live(*task));
    EXPECT_EQ(code_of(r.restore(-100, 50, TaskState::kLive)), ErrorCode::kConflict);
}

TEST(Restore, TheDeadStayDeadAndTheLateExpire) {
    Restart r;
    const auto revoked = r.restore(-100, 50, TaskState::kRevoked);
    ASSERT_TRUE(revoked);
    EXPECT_FALSE(r.w.live(*revoked));
    r.id = r.w.ids.mint<TaskId>();
    const auto late = r.restore(-100, -1, TaskState::kLive);
    ASSERT_TRUE(late);
    EXPECT_FALSE(r.w.live(*late));
    EXPECT_EQ(r.w.directory.sweep().tasks, std::vector<TaskPtr>{*late});
}

TEST(Restore, BelievesAStoredTaskNoMoreThanALauncher) {
    Restart r;
    EXPECT_EQ(code_of(r.restore(-1, kMaxTaskLifetime_s, TaskState::kLive)), ErrorCode::kInvalid);
    EXPECT_EQ(code_of(r.restore(-1, 50, TaskState::kLive, spec_of({"*"}))), ErrorCode::kInvalid);
    auto ghost = spec_of();
    ghost.agent = "ghost";
    EXPECT_EQ(code_of(r.restore(-1, 50, TaskState::kLive, ghost)), ErrorCode::kNotFound);
    const auto root = r.w.start(spec_of({"fs/read"}));
    auto wide = child_of(root);
    wide.grants[0].tools = {"fs/*"};
    EXPECT_EQ(code_of(r.restore(0, 50, TaskState::kLive, wide, root)), ErrorCode::kForbidden);
    ASSERT_TRUE(r.w.directory.end(root->id, TaskState::kRevoked));
    const auto child = r.restore(0, 50, TaskState::kLive, child_of(root), root);
    ASSERT_TRUE(child);
    EXPECT_EQ((*child)->state.load(), TaskState::kRevoked);
}

TEST(Restore, AClockSetBackGivesNoMoreTimeThanTheTaskHad) {
    Restart r;  // the stored task seems to have started in the future
    const auto task = r.restore(86'400, 86'400 + 50, TaskState::kLive);
    ASSERT_TRUE(task);
    r.w.advance_s(50);
    EXPECT_FALSE(r.w.live(*task));
}

TEST(Registry, IsExchangedAtOnceAndTasksKeepTheirAgent) {
    World w;
    const auto task = w.start();
    w.directory.set_registry({{"planner", "", "carol", {"guests"}, ""}},
                             {{"carol", 1001, {Role::kOperator}}});
    EXPECT_EQ(task->agent->owner, "alice") << "a task keeps what it was started with";
    EXPECT_TRUE(w.live(task));
    EXPECT_EQ(w.start()->agent->owner, "carol");
    EXPECT_EQ(w.directory.agent("planner")->spiffe_id, "spiffe://example.org/agent/planner");
    EXPECT_EQ(code_of(w.directory.start(child_of(task), {}, task)), ErrorCode::kNotFound);
    EXPECT_FALSE(w.directory.person(1000));
    ASSERT_TRUE(w.directory.person(1001));
    EXPECT_TRUE(w.directory.person(1001)->has(Role::kOperator));
}

}  // namespace
}  // namespace writ::identity
