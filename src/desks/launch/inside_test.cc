// Defends: who is inside a task is no person, also when the agent has exited, when numbers of
// processes are used again, and when no descriptor is left to look with.
#include "desks/launch/inside.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "base/clock.h"

namespace writ::launch {
namespace {

// A child of this process that waits until it is ended; `below` generations of it do the same, and
// the last one is whom tests ask about.
class Family {
  public:
    explicit Family(int below = 0) {
        int ends[2] = {-1, -1};
        if (pipe(ends) != 0) std::abort();
        first_ = fork();
        if (first_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (int i = 0; i < below; ++i) {
                const pid_t next = fork();
                if (next != 0) break;
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (i + 1 == below) tell(ends[1]);
            }
            if (below == 0) tell(ends[1]);
            for (;;) pause();
        }
        close(ends[1]);
        if (read(ends[0], &last_, sizeof last_) != sizeof last_) std::abort();
        close(ends[0]);
    }
    Family(const Family&) = delete;
    Family& operator=(const Family&) = delete;
    ~Family() {
        kill(first_, SIGKILL);
        waitpid(first_, nullptr, 0);
    }
    Process first() const { return lineage(first_)->front(); }
    net::Peer last() const {
        net::Peer peer;
        peer.is_unix = true;
        peer.pid = last_;
        return peer;
    }

  private:
    static void tell(int end) {
        const pid_t self = getpid();
        if (write(end, &self, sizeof self) != sizeof self) _exit(1);
    }
    pid_t first_ = -1, last_ = -1;
};

struct World {
    ManualClock clock{1'795'460'000'000'000};
    IdSource ids{clock};
    net::Reactor reactor;
    Inside inside{reactor};
    SessionId session = ids.mint<SessionId>();
    Process own = lineage(getpid())->front();

    Result<bool> ask(net::Peer peer) { return reactor.run_until(inside.holds(std::move(peer))); }
    bool holds(net::Peer peer) { return ask(std::move(peer)).value(); }
};

TEST(Inside, HoldsTheAgentAndAllBelowIt) {
    World world;
    const Family agent(3);
    const Family other;
    EXPECT_FALSE(world.holds(agent.last())) << "nothing is launched";
    world.inside.add(world.session, {agent.first(), {}});
    EXPECT_TRUE(world.holds(agent.last()));
    EXPECT_FALSE(world.holds(other.last()));
    world.inside.remove(world.session);
    EXPECT_FALSE(world.holds(agent.last()));
}

// The launcher adopts what its agent leaves behind; itself it speaks for a person.
TEST(Inside, HoldsWhatDescendsFromTheLauncherButNotTheLauncher) {
    World world;
    const Family orphan(1);
    world.inside.add(world.session, {{4'000'000, 7}, world.own});
    EXPECT_TRUE(world.holds(orphan.last()));
    net::Peer self;
    self.pid = getpid();
    EXPECT_FALSE(world.holds(self));
}

TEST(Inside, ANumberThatIsUsedAgainIsAnotherProcess) {
    World world;
    const Family person;
    Process before = person.first();
    before.start -= 1;
    world.inside.add(world.session, {before, {}});
    EXPECT_FALSE(world.holds(person.last()));
}

TEST(Inside, WhoCannotBeVouchedForIsInside) {
    World world;
    world.inside.add(world.session, {{4'000'000, 7}, {}});
    EXPECT_TRUE(world.holds({})) << "no process is known";
    net::Peer vanished;
    {
        const Family gone;
        vanished = gone.last();
        vanished.pidfd =
            std::make_shared<Fd>(static_cast<int>(syscall(SYS_pidfd_open, *vanished.pid, 0)));
    }
    EXPECT_TRUE(world.holds(vanished));
    // Its number is another's by now.
    vanished.pid = getpid();
    EXPECT_TRUE(world.holds(vanished));
    const Family deep(kMaxAncestors + 5);
    EXPECT_TRUE(world.holds(deep.last()));
}

TEST(Inside, LooksWithoutADescriptorLeft) {
    World world;
    const Family agent(1);
    const Family person;
    world.inside.add(world.session, {agent.first(), {}});
    ASSERT_TRUE(world.holds(agent.last()));
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit tight = before;
    tight.rlim_cur = 64;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    std::vector<Fd> all;
    for (int fd = dup(0); fd >= 0; fd = dup(0)) all.emplace_back(fd);
    const auto of_agent = world.ask(agent.last());
    const auto of_person = world.ask(person.last());
    all.clear();
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_TRUE(of_person) << of_person.error().message();
    EXPECT_FALSE(*of_person);
    ASSERT_TRUE(of_agent) << of_agent.error().message();
    EXPECT_TRUE(*of_agent);
}

TEST(Inside, TellsWhoseProcessesAreAllGone) {
    World world;
    const SessionId alive = world.ids.mint<SessionId>();
    const SessionId orphaned = world.ids.mint<SessionId>();
    const Family agent;
    world.inside.add(world.session, {{4'000'000, 7}, {}});
    world.inside.add(alive, {agent.first(), {4'000'000, 7}});
    world.inside.add(orphaned, {{4'000'000, 7}, world.own});
    const auto gone = world.reactor.run_until(world.inside.gone({world.session, alive, orphaned}));
    EXPECT_EQ(gone, std::vector<SessionId>{world.session});
}

TEST(Inside, KinSurviveAsText) {
    const Kin kin{{42, 77}, {7, 12}};
    const auto text = kin.to_json().dump();
    EXPECT_EQ(text, R"({"agent":[42,77],"launcher":[7,12]})");
    const auto read = Kin::from_json(json::parse(text)->root());
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, kin);
    for (const char* bad : {"{}", R"({"agent":[1],"launcher":[7,12]})",
                            R"({"agent":["1",2],"launcher":[7,12]})", R"({"agent":[1,2]})"})
        EXPECT_FALSE(Kin::from_json(json::parse(bad)->root())) << bad;
    EXPECT_EQ(Kin::from_binding("pid:42@77;resume:00")->agent, (Process{42, 77}));
    for (const char* bad : {"", "bearer", "pid:", "pid:42", "pid:42@", "pid:1@7", "pid:x@7"})
        EXPECT_FALSE(Kin::from_binding(bad)) << bad;
}

}  // namespace
}  // namespace writ::launch
