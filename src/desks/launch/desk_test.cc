// Defends: what a launcher handed over and gave up ends nothing, and of several hand-overs of one
// session the last is its launcher.
#include "desks/launch/desk.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gate/fixture.h"
#include "json/node.h"
#include "json/value.h"

namespace writ::launch {
namespace {

constexpr net::Millis kMoment{50};

// An agent that waits until it is ended; the test is its launcher.
class Agent {
  public:
    Agent() : pid_(fork()) {
        if (pid_ != 0) return;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) pause();
    }
    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;
    ~Agent() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_;
};

net::Task<Status> keep(SessionId /*session*/, Kin /*kin*/) {
    co_return Status();
}
net::Task<void> forget(SessionId /*session*/) {
    co_return;
}
net::Task<void> serve_nothing(net::HttpRequest /*request*/, net::Responder& /*responder*/) {
    co_return;
}

// A desk over a gate, and the launcher of one agent.
struct Rig {
    Rig() {
        w.directory->set_registry(
            {{.name = "helper",
              .spiffe_id = "spiffe://test/agent/helper",
              .owner = "alice",
              .groups = {},
              .charter = ""}},
            {{.login = "alice", .uid = getuid(), .roles = {identity::Role::kLauncher}}});
        task = w.task();
        bind();
        serve();
        launch();
    }

    // From here on launchers can connect; they are served from serve() on.
    void bind() { bound = *net::Listener::bind(*net::Endpoint::parse(socket)); }
    void serve() {
        Parts parts{
            *w.gate,
            *w.directory,
            *w.reactor[0],
            w.clock,
            [](identity::SessionPtr, const std::string&, std::uint16_t) { return serve_nothing; },
            [](const Refused&) {},
            keep,
            forget,
            {}};
        desk = std::make_unique<Desk>(std::move(parts), std::move(*bound));
    }
    void launch() {
        json::Node request = json::Node::object();
        request["op"] = "launch";
        request["pid"] = agent.pid();
        request["task"] = task->id.text();
        link = hand_over(request);
        const std::string line = answer(link);
        const auto read = json::parse(line);
        ASSERT_TRUE(read) << line;
        const json::Value served = read->root();
        session = w.directory->session(*SessionId::parse(served.string("session").value_or("")));
        ASSERT_TRUE(session) << line;
        again["op"] = "resume";
        again["pid"] = agent.pid();
        again["session"] = session->id.text();
        again["path"] = served.string("path").value_or("");
        again["resume"] = served.string("resume").value_or("");
    }
    net::Fd hand_over(const json::Node& request) {
        net::Fd out(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, socket.c_str(), socket.size() + 1);
        EXPECT_EQ(connect(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
                  0);
        const int fds[1] = {listener.fd()};
        EXPECT_TRUE(net::send_with_fds(out.get(), request.dump() + "\n", fds));
        return out;
    }
    net::Fd resume() { return hand_over(again); }
    std::string answer(const net::Fd& from) {
        w.run_until([&] {
            pollfd ready{from.get(), POLLIN, 0};
            return poll(&ready, 1, 0) > 0;
        });
        std::array<char, 1024> buffer{};
        const ssize_t size = read(from.get(), buffer.data(), buffer.size());
        return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
    }
    // The gateway stops; launchers wait for the next.
    void restart() {
        desk.reset();
        bind();
    }
    // The gateway is there again, and its log holds the first hand-over.
    net::Fd resume_held() {
        restart();
        serve();
        w.ledger.hold();
        net::Fd first = resume();
        w.run_until([this] { return w.ledger.waiting() == 1; });
        return first;
    }
    void pass_a_moment() { w.run(w.reactor[0]->sleep(kMoment)); }
    bool goes_on() const {
        return desk->serves(session->id) && session->live(w.clock.boot_us()) &&
               w.events("session.sealed").empty();
    }

    const Agent agent;
    gate::test::World w;
    const std::string socket = (w.dir.path() / "agents.sock").string();
    const net::Listener listener = *net::Listener::bind(*net::Endpoint::parse("127.0.0.1:0"));
    std::optional<net::Listener> bound;
    std::unique_ptr<Desk> desk;
    identity::TaskPtr task;
    identity::SessionPtr session;
    net::Fd link;
    json::Node again = json::Node::object();  // what hands the listener over again
};

// A start may take longer than a launcher waits for its answer: it tries again, on another
// connection, while the gateway finds both.
TEST(LaunchDesk, AResumptionWhoseLauncherGaveItUpEndsNothing) {
    Rig rig;
    rig.restart();
    rig.resume();  // and closes it
    const net::Fd link = rig.resume();
    rig.serve();
    EXPECT_NE(rig.answer(link).find(rig.session->id.text()), std::string::npos);
    rig.pass_a_moment();
    EXPECT_TRUE(rig.goes_on());
}

TEST(LaunchDesk, AResumptionGivenUpWhileItIsRecordedEndsNothing) {
    Rig rig;
    net::Fd first = rig.resume_held();
    first = net::Fd();
    const net::Fd second = rig.resume();
    rig.w.run_until([&] { return rig.w.ledger.waiting() == 2; });
    rig.w.ledger.release();
    EXPECT_NE(rig.answer(second).find(rig.session->id.text()), std::string::npos);
    rig.pass_a_moment();
    EXPECT_TRUE(rig.goes_on());
}

TEST(LaunchDesk, OfTwoResumptionsAtOnceTheLastIsTheLaunchers) {
    Rig rig;
    net::Fd first = rig.resume_held();
    net::Fd second = rig.resume();
    rig.w.run_until([&] { return rig.w.ledger.waiting() == 2; });
    rig.w.ledger.release();
    EXPECT_NE(rig.answer(second).find(rig.session->id.text()), std::string::npos);
    EXPECT_EQ(rig.desk->running(), 1u);
    first = net::Fd();
    rig.pass_a_moment();
    EXPECT_TRUE(rig.goes_on());
    second = net::Fd();
    rig.w.run_until([&] { return rig.w.events("session.sealed").size() == 1; });
    EXPECT_TRUE(rig.w.event("session.sealed").has(R"("reason":"crashed")"));
}

}  // namespace
}  // namespace writ::launch
