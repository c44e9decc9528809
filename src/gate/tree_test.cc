#include "gate/tree.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "gate/events.h"

namespace writ::gate {
namespace {

struct Family {
    ManualClock clock{1'795'000'000'000'000};
    IdSource ids{clock};

    std::shared_ptr<identity::Task> task(std::int64_t calls, identity::TaskPtr parent = nullptr) {
        auto t = std::make_shared<identity::Task>();
        t->id = ids.mint<TaskId>();
        t->root = parent ? parent->root : t->id;
        t->spec.budget.calls = calls;
        t->deadline_boot_us = INT64_MAX;
        t->parent_task = std::move(parent);
        return t;
    }
    identity::SessionPtr session(identity::TaskPtr of) {
        auto s = std::make_shared<identity::Session>();
        s->id = ids.mint<SessionId>();
        s->task = std::move(of);
        return s;
    }
};

TEST(Tree, TightestBudgetOfTheChainIsTheOneReported) {
    Family f;
    const auto root = f.task(3);
    const auto child = f.task(0, root);
    const auto grandchild = f.task(10, child);
    const auto session = f.session(grandchild);
    Tree tree;
    tree.know(grandchild);
    const BudgetLine line = tree.debit(*session);
    EXPECT_EQ(line.task, root->id);
    EXPECT_EQ(line.calls, 1);
    EXPECT_EQ(line.limit, 3);
    tree.debit(*session);
    EXPECT_FALSE(tree.exhausted(*grandchild));
    tree.debit(*session);
    ASSERT_TRUE(tree.exhausted(*grandchild));
    EXPECT_EQ(tree.exhausted(*grandchild)->task, root->id);
    tree.credit(*session);
    EXPECT_FALSE(tree.exhausted(*grandchild));
}

TEST(Tree, DebitWithoutAnyBudgetIsOfTheOwnTask) {
    Family f;
    const auto session = f.session(f.task(0));
    Tree tree;
    const BudgetLine line = tree.debit(*session);
    EXPECT_EQ(line.task, session->task->id);
    EXPECT_EQ(line.calls, 1);
    EXPECT_EQ(line.limit, 0);
}

TEST(Tree, SpawningChildrenDoesNotRenewTheAllowanceOfDenials) {
    Family f;
    const auto root = f.task(0);
    Tree tree;
    std::optional<TaskId> suspended;
    std::int64_t denials = 0;
    while (!suspended && denials < 2 * kMaxDenials_per_tree) {
        const auto session = f.session(f.task(0, root));
        for (std::int64_t i = 1; i < kMaxDenials_per_task && !suspended; ++i) {
            suspended = tree.deny(*session);
            ++denials;
        }
    }
    ASSERT_TRUE(suspended);
    EXPECT_EQ(*suspended, root->id);
    EXPECT_EQ(denials, kMaxDenials_per_tree);
}

// A server that never starts must not let a caller fill the log.
TEST(Tree, ExcusedRefusalsAreNoStrikesAndEndToo) {
    Family f;
    const auto root = f.task(0);
    const auto session = f.session(root);
    Tree tree;
    for (std::int64_t i = 1; i < kMaxExcused_per_tree; ++i)
        ASSERT_FALSE(tree.deny(*session, true)) << i;
    EXPECT_FALSE(tree.deny(*session)) << "the first that counts";
    EXPECT_EQ(tree.deny(*session, true), root->id);
}

TEST(Tree, EndingATaskFindsItselfAndAllBelowOnce) {
    Family f;
    const auto root = f.task(0);
    const auto a = f.task(0, root);
    const auto b = f.task(0, root);
    const auto below_a = f.task(0, a);
    Tree tree;
    tree.know(below_a);
    tree.know(b);
    EXPECT_EQ(tree.unended_below(a->id), (std::vector<identity::TaskPtr>{below_a, a}));
    tree.link(a->id).ended = tree.link(below_a->id).ended = true;
    EXPECT_EQ(tree.unended_below(root->id), (std::vector<identity::TaskPtr>{b, root}));
}

TEST(Tree, ChainIsSealedOnce) {
    Family f;
    const auto session = f.session(f.task(0));
    Tree tree;
    tree.know(session->task);
    tree.open_chain(session, events::by_writ());
    tree.debit(*session);
    tree.deny(*session);
    EXPECT_EQ(tree.chains_below(session->task->id).size(), 1U);
    const auto chain = tree.seal(session->id);
    ASSERT_TRUE(chain);
    EXPECT_EQ(chain->spent.calls, 1);
    EXPECT_EQ(chain->spent.denied, 1);
    EXPECT_FALSE(tree.seal(session->id));
    EXPECT_TRUE(tree.chains_below(session->task->id).empty());
}

TEST(Tree, IsForgottenOnlyWhenDeadAndNothingIsOpen) {
    Family f;
    const auto task = f.task(0);
    const auto session = f.session(task);
    Tree tree;
    tree.know(task);
    EXPECT_FALSE(tree.forgettable(task->id, 0));
    tree.open_chain(session, events::by_writ());
    task->state.store(identity::TaskState::kEnded);
    EXPECT_FALSE(tree.forgettable(task->id, 0));
    tree.seal(session->id);
    EXPECT_TRUE(tree.forgettable(task->id, 0));
    tree.live = 1;
    EXPECT_FALSE(tree.forgettable(task->id, 0));
}

TEST(EventsClip, CutsBetweenCharactersAndSaysSo) {
    EXPECT_EQ(events::clip("short", 10), "short");
    EXPECT_EQ(events::clip("0123456789", 10), "0123456789");
    EXPECT_EQ(events::clip("0123456789a", 10), "0123456…");
    EXPECT_EQ(events::clip("012345ää89ab", 10), "012345…");
}

}  // namespace
}  // namespace writ::gate
