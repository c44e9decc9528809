// Defends: what tool servers need never takes the descriptors that are kept for people, and their
// processes do not notice that the gateway may open more.
#include "net/descriptors.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "net/asio_impl.h"
#include "net/child.h"
#include "net/testing.h"

namespace writ::net {
namespace {

// Of an instance's start: four pipes and a pidfd.
constexpr std::size_t kOfStart = 9;

class Descriptors : public testing::Test {
  protected:
    Descriptors() { getrlimit(RLIMIT_NOFILE, &before_); }
    ~Descriptors() override {
        held_.clear();
        setrlimit(RLIMIT_NOFILE, &before_);
    }
    static void set_soft(rlim_t soft) {
        rlimit limit{};
        ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = soft;
        ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    // Takes all descriptors but those that are kept, and gives `free` back.
    void leave(std::size_t free) {
        set_soft(200);
        do held_.emplace_back(dup(0));
        while (!is_kept_descriptor(held_.back().get()));
        for (std::size_t i = 0; i <= free; ++i) held_.pop_back();
    }
    Result<std::unique_ptr<Child>> start(std::string script) {
        ChildSpec spec;
        spec.argv = {"sh", "-c", std::move(script)};
        spec.env = {{"PATH", "/usr/bin:/bin"}};
        return reactor_.run_until(Child::spawn(reactor_, std::move(spec)));
    }

    Reactor reactor_;
    rlimit before_{};
    std::vector<Fd> held_;
};

TEST_F(Descriptors, AConnectionDoesNotTakeAKeptOne) {
    const auto listener = Listener::bind(*Endpoint::parse("127.0.0.1:0"));
    ASSERT_TRUE(listener.has_value());
    leave(0);
    const auto refused =
        reactor_.run_until(connect_fd(&reactor_, listener->endpoint(), deadline_in(kSoon)));
    held_.clear();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kExhausted);
    EXPECT_NE(refused.error().detail.find("kept for people"), std::string::npos);
    EXPECT_TRUE(
        reactor_.run_until(connect_fd(&reactor_, listener->endpoint(), deadline_in(kSoon))));
}

TEST_F(Descriptors, AChildDoesNotTakeAKeptOneAndIsNotLeftRunning) {
    ASSERT_TRUE(start("exit 0").has_value());  // makes what all children share
    reactor_.run_until(Child::farewell(reactor_, kSoon));
    reactor_.run_until(reactor_.sleep(Millis(200)));  // and gives back what is its own
    leave(0);
    for (std::size_t free = 0; free < kOfStart; ++free) {
        const auto refused = start("sleep 60");
        ASSERT_FALSE(refused.has_value()) << free;
        EXPECT_EQ(refused.error().code, ErrorCode::kExhausted) << free;
        held_.pop_back();
    }
    auto child = start("sleep 60");
    ASSERT_TRUE(child.has_value()) << child.error().detail;
    held_.clear();
    siginfo_t info = {};
    EXPECT_EQ(waitid(P_PGID, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    (*child)->kill();
}

TEST_F(Descriptors, ChildrenGetTheLimitOfBefore) {
    ASSERT_GT(before_.rlim_max, 300u);
    set_soft(300);
    raise_descriptor_limit();
    rlimit now{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &now), 0);
    EXPECT_EQ(now.rlim_cur, before_.rlim_max);
    auto child = start("ulimit -n; ulimit -Hn");
    ASSERT_TRUE(child.has_value()) << child.error().detail;
    EXPECT_EQ(*reactor_.run_until((*child)->read_line(100, kSoon)), "300");
    const auto hard = *reactor_.run_until((*child)->read_line(100, kSoon));
    EXPECT_EQ(hard,
              before_.rlim_max == RLIM_INFINITY ? "unlimited" : std::to_string(before_.rlim_max));
}

}  // namespace
}  // namespace writ::net
