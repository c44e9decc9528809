// Defends: a name server that stalls holds up nobody but who asked for its names, and those no
// longer than they allow.
#include "net/resolver.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "net/asio_impl.h"
#include "net/http_pool.h"

namespace writ::net {
namespace {

// Looks up what is asked: `stalls*` when let go, `none*` fails, all else is 192.0.2.1.
class NameServer {
  public:
    std::shared_ptr<Resolver> resolver() {
        return std::make_shared<Resolver>(
            [state = state_](const std::string& host, std::uint16_t port) {
                std::unique_lock lock(state->mutex);
                ++state->asked;
                if (host.starts_with("stalls"))
                    state->open.wait(lock, [&] { return state->let_go; });
                if (host.starts_with("none"))
                    return Result<Addresses>(fail(ErrorCode::kUnavailable, "no such name"));
                return Result<Addresses>(Addresses{*Address::of_ip("192.0.2.1", port)});
            });
    }
    ~NameServer() { let_go(); }
    void let_go() {
        const std::lock_guard lock(state_->mutex);
        state_->let_go = true;
        state_->open.notify_all();
    }
    int asked() const {
        const std::lock_guard lock(state_->mutex);
        return state_->asked;
    }

  private:
    struct State {
        std::mutex mutex;
        std::condition_variable open;
        bool let_go = false;
        int asked = 0;
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

Deadline in(int ms) {
    return std::chrono::steady_clock::now() + Millis(ms);
}

struct Rig {
    NameServer names;
    Reactor reactor;
    std::shared_ptr<Resolver> resolver = names.resolver();
    std::vector<Result<Addresses>> got;

    Result<Addresses> ask(std::string host, int ms = 5'000) {
        return reactor.run_until(resolver->resolve(&reactor, std::move(host), 443, in(ms)));
    }
    void ask_beside(std::string host, int ms = 5'000) {
        struct Run {
            static Task<void> go(Rig* rig, std::string name, int within) {
                auto found = co_await rig->resolver->resolve(&rig->reactor, std::move(name), 443,
                                                             in(within));
                rig->got.push_back(std::move(found));
            }
        };
        reactor.spawn(Run::go(this, std::move(host), ms));
    }
    bool wait(std::function<bool()> ready) {
        struct Run {
            static Task<bool> go(Reactor* loop, std::function<bool()> done) {
                for (int i = 0; i < 500 && !done(); ++i) co_await loop->sleep(Millis(10));
                co_return done();
            }
        };
        return reactor.run_until(Run::go(&reactor, std::move(ready)));
    }
};

TEST(Resolver, AStallEndsAtTheDeadlineAndOtherNamesAreResolvedMeanwhile) {
    Rig rig;
    const auto began = std::chrono::steady_clock::now();
    const auto late = rig.ask("stalls.example", 200);
    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(late.error().code, ErrorCode::kTimeout);
    EXPECT_LT(std::chrono::steady_clock::now() - began, Millis(2'000));
    EXPECT_TRUE(rig.ask("fine.example").has_value());
    // Whoever comes later waits for the same lookup.
    rig.ask_beside("stalls.example");
    rig.names.let_go();
    ASSERT_TRUE(rig.wait([&] { return rig.got.size() == 1; }));
    EXPECT_TRUE(rig.got[0].has_value());
    EXPECT_EQ(rig.names.asked(), 2);
}

TEST(Resolver, OneLookupServesAllWhoWait) {
    Rig rig;
    for (int i = 0; i < 50; ++i) rig.ask_beside("stalls.example");
    ASSERT_TRUE(rig.wait([&] { return rig.names.asked() > 0; }));
    rig.names.let_go();
    ASSERT_TRUE(rig.wait([&] { return rig.got.size() == 50; }));
    for (const auto& each : rig.got) ASSERT_TRUE(each.has_value());
    EXPECT_EQ(rig.names.asked(), 1);
}

TEST(Resolver, GoodAnswersAreKeptForAWhileAndBadOnesAreNot) {
    Rig rig;
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(rig.ask("fine.example").has_value());
        EXPECT_EQ(rig.ask("none.example").error().detail, "no such name");
    }
    EXPECT_EQ(rig.names.asked(), 1 + 3);
}

TEST(Resolver, LookupsAreBounded) {
    Rig rig;
    for (std::size_t i = 0; i < kMaxLookups; ++i)
        rig.ask_beside("stalls" + std::to_string(i) + ".example");
    ASSERT_TRUE(rig.wait([&] { return rig.names.asked() == static_cast<int>(kMaxLookups); }));
    EXPECT_EQ(rig.ask("fine.example").error().code, ErrorCode::kExhausted);
    rig.names.let_go();
    ASSERT_TRUE(rig.wait([&] { return rig.got.size() == kMaxLookups; }));
    EXPECT_TRUE(rig.ask("fine.example").has_value());
}

TEST(Resolver, AReactorMayEndWhileALookupGoesOn) {
    NameServer names;
    const auto resolver = names.resolver();
    {
        Reactor reactor;
        struct Run {
            static Task<void> go(Reactor* loop, std::shared_ptr<Resolver> from) {
                (void)co_await from->resolve(loop, "stalls.example", 443, in(60'000));
            }
        };
        reactor.spawn(Run::go(&reactor, resolver));
        reactor.run_until(reactor.sleep(Millis(20)));
    }
    names.let_go();
}

// What a person needs to stop what runs goes over the pool of blocking threads (Inside::holds).
TEST(Resolver, CallsToAStalledNameLeaveTheBlockingThreadsFree) {
    NameServer names;
    Reactor reactor;
    HttpPoolOptions options;
    options.resolver = names.resolver();
    const auto pool = HttpPool::make(reactor, *Url::parse("https://stalls.example/mcp"), options);
    ASSERT_TRUE(pool.has_value());
    std::vector<Status> ended;
    struct Run {
        static Task<void> go(HttpPool* to, std::vector<Status>* out) {
            const auto head = *HttpHead::make("POST", "/mcp", to->authority(), Headers());
            const auto call = to->call();
            std::string body = "{}";
            auto begun = co_await call->begin(head, std::move(body), in(500), nullptr);
            out->push_back(std::move(begun));
        }
        static Task<int> person(Reactor* loop) {
            auto look = [] { return 1; };
            co_return co_await loop->offload(std::move(look));
        }
        static Task<void> all(Reactor* loop, const std::vector<Status>* out, std::size_t n) {
            for (int i = 0; i < 500 && out->size() < n; ++i) co_await loop->sleep(Millis(10));
        }
    };
    constexpr std::size_t kCalls = 4 * kBlockingThreads;
    for (std::size_t i = 0; i < kCalls; ++i) reactor.spawn(Run::go(pool->get(), &ended));
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(reactor.run_until(Run::person(&reactor)), 1);
    EXPECT_LT(std::chrono::steady_clock::now() - began, Millis(400));
    reactor.run_until(Run::all(&reactor, &ended, kCalls));
    ASSERT_EQ(ended.size(), kCalls);
    for (const auto& each : ended) {
        ASSERT_FALSE(each.has_value());
        EXPECT_EQ(each.error().code, ErrorCode::kTimeout);
    }
    EXPECT_EQ(names.asked(), 1);
}

}  // namespace
}  // namespace writ::net
