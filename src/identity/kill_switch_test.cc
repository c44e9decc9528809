// Dead is dead (docs/architecture.md, rule 5): once end() has returned, no thread sees a session of
// that tree live. To be run under ThreadSanitizer too.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "identity/testing.h"

namespace writ::identity {
namespace {

using testing::child_of;
using testing::spec_of;
using testing::World;

// Readers that ask live() without end, and count what they saw after `over` was set.
class Readers {
  public:
    Readers(const std::vector<SessionPtr>& sessions, std::int64_t boot_us) {
        for (int i = 0; i < 3; ++i)
            threads_.emplace_back([this, &sessions, boot_us] {
                while (!stop_.load()) {
                    for (const SessionPtr& session : sessions) {
                        const bool after = over_.load();
                        const bool live = session->live(boot_us);
                        if (after && live) ++violations_;
                        if (live) seen_live_.store(true);
                    }
                    rounds_.fetch_add(1);
                }
            });
    }
    ~Readers() { join(); }

    void over() { over_.store(true); }
    // Lets every reader make whole rounds more.
    void run_on() {
        const std::int64_t until = rounds_.load() + 30;
        while (rounds_.load() < until) std::this_thread::yield();
    }
    void join() {
        stop_.store(true);
        for (std::thread& thread : threads_)
            if (thread.joinable()) thread.join();
    }
    int violations() const { return violations_.load(); }
    bool seen_live() const { return seen_live_.load(); }

  private:
    std::atomic<bool> over_{false}, stop_{false}, seen_live_{false};
    std::atomic<int> violations_{0};
    std::atomic<std::int64_t> rounds_{0};
    std::vector<std::thread> threads_;
};

struct Tree {
    World w;
    TaskPtr root = w.start(), child = w.start(child_of(root), root);
    std::vector<SessionPtr> sessions;
    Tree() {
        const auto leaf = w.start(child_of(child), child);
        for (int i = 0; i < 8; ++i) sessions.push_back(w.open(i % 2 == 0 ? leaf : child));
    }
};

TEST(KillSwitch, NobodySeesALiveSessionAfterEndReturned) {
    for (int round = 0; round < 50; ++round) {
        Tree tree;
        Readers readers(tree.sessions, tree.w.clock.boot_us());
        readers.run_on();
        const auto died = tree.w.directory.end(tree.root->id, TaskState::kRevoked);
        readers.over();
        readers.run_on();
        readers.join();
        ASSERT_TRUE(died);
        EXPECT_EQ(died->size(), tree.sessions.size());
        EXPECT_TRUE(readers.seen_live());
        EXPECT_EQ(readers.violations(), 0);
    }
}

TEST(KillSwitch, NoSessionOrChildSlipsInWhileTheTreeEnds) {
    for (int round = 0; round < 50; ++round) {
        Tree tree;
        std::atomic<bool> over{false};
        std::vector<SessionPtr> opened;
        std::vector<TaskPtr> started;
        std::size_t reported = 0;
        std::atomic<int> made{0};
        std::thread maker([&] {
            while (!over.load() && opened.size() < 5'000) {
                auto session = tree.w.directory.open(tree.child, Binding::kUnixPeer, "", {});
                if (session) opened.push_back(*session);
                auto task = tree.w.directory.start(child_of(tree.root), {}, tree.root);
                if (task) started.push_back(*task);
                for (const SessionPtr& each : tree.sessions) (void)tree.w.directory.renew(each);
                made.fetch_add(1);
            }
            while (!over.load()) std::this_thread::yield();  // its 5,000 are made before the end
            // After end() returned: nothing can be made any more.
            EXPECT_FALSE(tree.w.directory.open(tree.child, Binding::kUnixPeer, "", {}));
            EXPECT_FALSE(tree.w.directory.start(child_of(tree.root), {}, tree.root));
        });
        while (made.load() < 5) std::this_thread::yield();
        if (auto died = tree.w.directory.end(tree.root->id, TaskState::kEnded))
            reported = died->size();
        over.store(true);
        maker.join();
        EXPECT_EQ(reported, tree.sessions.size() + opened.size());
        for (const SessionPtr& each : opened) EXPECT_FALSE(tree.w.live(each));
        for (const SessionPtr& each : tree.sessions) EXPECT_FALSE(tree.w.live(each));
        for (const TaskPtr& each : started) EXPECT_FALSE(tree.w.live(each));
    }
}

TEST(KillSwitch, AuthenticationStopsWithTheTask) {
    Tree tree;
    const SessionPtr session = tree.sessions.front();
    const std::string token = tree.w.directory.writ(*session);
    std::atomic<bool> over{false}, stop{false};
    std::atomic<int> violations{0}, good{0};
    std::thread caller([&] {
        while (!stop.load()) {
            const bool after = over.load();
            const bool ok = tree.w.directory.authenticate(token).has_value();
            if (ok) ++good;
            if (ok && after) ++violations;
            (void)tree.w.directory.sweep();
        }
    });
    while (good.load() < 3) std::this_thread::yield();
    ASSERT_TRUE(tree.w.directory.end(tree.root->id, TaskState::kRevoked));
    over.store(true);
    EXPECT_FALSE(tree.w.directory.authenticate(token));
    stop.store(true);
    caller.join();
    EXPECT_EQ(violations.load(), 0);
}

}  // namespace
}  // namespace writ::identity
