// Defends: who runs what on which thread, and that nothing outlives its reactor.
#include "net/reactor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

namespace writ::net {
namespace {

Task<int> value_later(Reactor* reactor, int value) {
    co_await reactor->sleep(Millis(1));
    co_return value;
}

TEST(Reactor, RunUntilReturnsTheValueAndCanBeRepeated) {
    Reactor reactor;
    EXPECT_EQ(reactor.run_until(value_later(&reactor, 7)), 7);
    EXPECT_EQ(reactor.run_until(value_later(&reactor, 8)), 8);
}

TEST(Reactor, AStopBeforeRunIsNotLost) {
    Reactor reactor;
    reactor.stop();
    reactor.run();
}

TEST(Reactor, PostsFromOtherThreadsRunOnTheLoop) {
    Reactor reactor;
    std::atomic<int> seen{0};
    std::thread poster([&] {
        for (int i = 0; i < 1000; ++i)
            reactor.post([&] {
                EXPECT_TRUE(reactor.on_this_thread());
                if (++seen == 1000) reactor.stop();
            });
    });
    reactor.run();
    poster.join();
    EXPECT_EQ(seen, 1000);
    EXPECT_FALSE(reactor.on_this_thread());
}

TEST(Reactor, OffloadRunsElsewhereAndResumesHere) {
    Reactor reactor;
    struct Run {
        static Task<bool> go(Reactor* r) {
            const auto here = std::this_thread::get_id();
            auto work = [] { return std::this_thread::get_id(); };
            const auto there = co_await r->offload(std::move(work));
            auto nothing = [] {};
            co_await r->offload(std::move(nothing));
            co_return there != here && r->on_this_thread() && std::this_thread::get_id() == here;
        }
    };
    EXPECT_TRUE(reactor.run_until(Run::go(&reactor)));
}

TEST(Reactor, HopMovesACoroutineAndItsFrameEndsAtHome) {
    Reactor home;
    Reactor other;
    std::thread thread([&] { other.run(); });
    struct Run {
        static Task<bool> go(Reactor* h, Reactor* o) {
            co_await o->hop();
            const bool there = o->on_this_thread() && !h->on_this_thread();
            co_await h->hop();
            co_return there && h->on_this_thread();
        }
        static Task<void> stay_away(Reactor* o, Promise<int> done) {
            co_await o->hop();
            done.set(1);
        }
        static Task<int> wait(Promise<int> done) { co_return co_await done.wait(); }
    };
    EXPECT_TRUE(home.run_until(Run::go(&home, &other)));
    const Promise<int> done(home);
    home.spawn(Run::stay_away(&other, done));
    EXPECT_EQ(home.run_until(Run::wait(done)), 1);
    other.stop();
    thread.join();
}

Task<void> walk(Reactor* reactor, char name, int steps, std::string* out) {
    for (int step = 1; step <= steps; ++step) {
        co_await reactor->in_step();
        *out += name;
        *out += std::to_string(step);
    }
}

TEST(Reactor, WhoWaitsInStepGoesOnTogetherAndInOrder) {
    Reactor reactor;
    std::string out;
    reactor.spawn(walk(&reactor, 'a', 3, &out));
    reactor.spawn(walk(&reactor, 'b', 2, &out));
    reactor.spawn(walk(&reactor, 'c', 3, &out));
    reactor.post([&] { out += '|'; });
    reactor.run_until(value_later(&reactor, 0));
    EXPECT_EQ(out, "|a1b1c1a2b2c2a3c3");
}

Task<void> note(std::string* out, char name) {
    *out += name;
    co_return;
}

Task<void> queue_some(Reactor* reactor, std::string* out) {
    reactor->post([reactor, out] {
        *out += 'a';
        reactor->post([out] { *out += 'e'; });
    });
    reactor->spawn(note(out, 'b'));
    co_await reactor->in_step();
    *out += 'c';
    reactor->post([out] { *out += 'f'; });
    reactor->spawn(note(out, 'g'));
    *out += 'd';
}

TEST(Reactor, WhatItsThreadQueuesRunsInOrder) {
    Reactor reactor;
    std::string out;
    reactor.spawn(queue_some(&reactor, &out));
    reactor.run_until(value_later(&reactor, 0));
    EXPECT_EQ(out, "abcdefg");
}

Task<void> wait_for_word(Reactor* reactor, std::string* out) {
    // Inside a handler of the loop another loop of the same thread runs to its end.
    Reactor inner;
    *out += std::to_string(inner.run_until(value_later(&inner, 3)));
    co_await reactor->in_step();
    *out += '4';
}

TEST(Reactor, ALoopInsideALoopRunsWhatItQueues) {
    Reactor reactor;
    std::string out;
    reactor.run_until(wait_for_word(&reactor, &out));
    EXPECT_EQ(out, "34");
}

TEST(Reactor, StepsWithoutEndLetTheLoopGoOn) {
    Reactor reactor;
    std::string out;
    reactor.spawn(walk(&reactor, 'a', 1 << 30, &out));
    EXPECT_EQ(reactor.run_until(value_later(&reactor, 7)), 7);
    EXPECT_FALSE(out.empty());
}

struct Witness {
    std::shared_ptr<int> alive = std::make_shared<int>(0);
};

Task<void> sleep_with(Reactor* reactor, Witness witness) {
    co_await reactor->sleep(std::chrono::hours(1));
    ++*witness.alive;
}

Task<void> outer(Reactor* reactor, Witness witness) {
    co_await sleep_with(reactor, witness);
}

Task<void> nothing() {
    co_return;
}

TEST(Reactor, DestroysSuspendedAndUnstartedTasks) {
    std::weak_ptr<int> started;
    std::weak_ptr<int> unstarted;
    {
        Reactor reactor;
        {
            Witness witness;
            started = witness.alive;
            reactor.spawn(outer(&reactor, witness));
        }
        reactor.run_until(nothing());
        {
            Witness witness;
            unstarted = witness.alive;
            reactor.spawn(outer(&reactor, witness));
        }
        EXPECT_FALSE(started.expired());
        EXPECT_FALSE(unstarted.expired());
    }
    EXPECT_TRUE(started.expired());
    EXPECT_TRUE(unstarted.expired());
}

Task<void> step_with(Reactor* reactor, Witness witness) {
    for (;;) {
        co_await reactor->in_step();
        ++*witness.alive;
    }
}

TEST(Reactor, DestroysWhatWaitsInStep) {
    std::weak_ptr<int> waiting;
    {
        Reactor reactor;
        {
            Witness witness;
            waiting = witness.alive;
            reactor.spawn(step_with(&reactor, witness));
        }
        reactor.run_until(value_later(&reactor, 0));
        EXPECT_GT(*waiting.lock(), 0);
    }
    EXPECT_TRUE(waiting.expired());
}

TEST(Reactor, AnAnswerAfterItsEndIsDropped) {
    std::unique_ptr<Promise<std::string>> late;
    std::shared_ptr<Mailbox> mailbox;
    {
        Reactor reactor;
        late = std::make_unique<Promise<std::string>>(reactor);
        mailbox = reactor.mailbox();
    }
    late->set("too late");
    mailbox->post([] { FAIL(); });
}

TEST(Reactor, APromiseSetBeforeTheAwaitIsNotLost) {
    Reactor reactor;
    struct Run {
        static Task<int> go(Reactor* r) {
            Promise<int> promise(*r);
            promise.set(3);
            co_await r->sleep(Millis(1));
            co_return co_await promise.wait();
        }
    };
    EXPECT_EQ(reactor.run_until(Run::go(&reactor)), 3);
}

}  // namespace
}  // namespace writ::net
