// Defends: loopback only, who the peer is, what a socket file may replace, and descriptors that
// cross processes closed-on-exec.
#include "net/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "net/testing.h"

namespace writ::net {
namespace {

Endpoint unix_endpoint(const TempDir& dir, const char* name = "/s") {
    Endpoint out;
    out.unix_path = dir.path().string() + name;
    return out;
}

TEST(Endpoint, AcceptsLoopbackAndUnixPaths) {
    EXPECT_EQ(Endpoint::parse("127.0.0.1:7420")->text(), "127.0.0.1:7420");
    EXPECT_EQ(Endpoint::parse("[::1]:0")->text(), "[::1]:0");
    EXPECT_EQ(Endpoint::parse("localhost:80")->text(), "127.0.0.1:80");
    EXPECT_EQ(Endpoint::parse("/run/writ/agents.sock")->unix_path, "/run/writ/agents.sock");
}

TEST(Endpoint, RefusesEverythingElseAndNamesWhatIsAllowed) {
    const std::string long_path = "/" + std::string(107, 'a');
    for (const std::string& text :
         {std::string("0.0.0.0:80"), std::string("127.0.0.2:80"), std::string("example.org:80"),
          std::string("::1:80"), std::string("[::]:80"), std::string("127.0.0.1"),
          std::string("127.0.0.1:65536"), std::string("127.0.0.1:+1"), std::string("127.0.0.1:"),
          std::string("127.0.0.1:80x"), std::string("127.0.0.1:080"), std::string("relative.sock"),
          std::string(""), long_path, std::string("/a\0b", 4), std::string("2130706433:80"),
          std::string("0177.0.0.1:80")}) {
        const auto endpoint = Endpoint::parse(text);
        ASSERT_FALSE(endpoint) << text;
        EXPECT_EQ(endpoint.error().code, ErrorCode::kInvalid) << text;
        EXPECT_NE(endpoint.error().detail.find("127.0.0.1:PORT"), std::string::npos) << text;
    }
}

TEST(Listener, ReplacesAStaleSocketAndLeavesALiveOne) {
    const TempDir dir;
    const Endpoint at = unix_endpoint(dir);
    {
        auto first = Listener::bind(at, 0600);
        ASSERT_TRUE(first) << first.error().detail;
        struct stat file = {};
        ASSERT_EQ(lstat(at.unix_path.c_str(), &file), 0);
        EXPECT_EQ(file.st_mode & 07777, 0600u);
        const auto second = Listener::bind(at);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, ErrorCode::kConflict);
        EXPECT_NE(second.error().detail.find(at.unix_path), std::string::npos);
    }
    EXPECT_TRUE(std::filesystem::exists(at.unix_path));
    EXPECT_TRUE(Listener::bind(at, 0660));
}

TEST(Listener, NeverRemovesWhatIsNotASocket) {
    const TempDir dir;
    const Endpoint at = unix_endpoint(dir);
    std::ofstream(at.unix_path) << "precious";
    const auto listener = Listener::bind(at);
    ASSERT_FALSE(listener);
    EXPECT_EQ(listener.error().code, ErrorCode::kConflict);
    EXPECT_TRUE(std::filesystem::is_regular_file(at.unix_path));

    const Endpoint link = unix_endpoint(dir, "/link");
    std::filesystem::create_symlink(at.unix_path, link.unix_path);
    EXPECT_FALSE(Listener::bind(link));
    EXPECT_TRUE(std::filesystem::is_symlink(link.unix_path));
}

TEST(Listener, ATakenPortIsAConflict) {
    const auto first = Listener::bind(*Endpoint::parse("127.0.0.1:0"));
    ASSERT_TRUE(first);
    EXPECT_NE(first->endpoint().port, 0);
    const auto second = Listener::bind(first->endpoint());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kConflict);
}

TEST(Listener, AdoptsOnlyListeningLoopbackSockets) {
    auto listener = Listener::bind(*Endpoint::parse("127.0.0.1:0"));
    const Endpoint at = listener->endpoint();
    Fd handed(fcntl(listener->fd(), F_DUPFD, 0));
    const int raw = handed.get();
    const auto adopted = Listener::adopt(std::move(handed));
    ASSERT_TRUE(adopted);
    EXPECT_EQ(adopted->endpoint().text(), at.text());
    EXPECT_NE(fcntl(raw, F_GETFD) & FD_CLOEXEC, 0);

    Fd any(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in wildcard = {};
    wildcard.sin_family = AF_INET;
    ASSERT_EQ(bind(any.get(), reinterpret_cast<sockaddr*>(&wildcard), sizeof wildcard), 0);
    EXPECT_FALSE(Listener::adopt(Fd(dup(any.get()))));  // not listening
    ASSERT_EQ(listen(any.get(), 1), 0);
    const auto wide = Listener::adopt(std::move(any));
    ASSERT_FALSE(wide);
    EXPECT_EQ(wide.error().code, ErrorCode::kInvalid);
    EXPECT_FALSE(Listener::adopt(Fd(socket(AF_INET, SOCK_DGRAM, 0))));
    EXPECT_FALSE(Listener::adopt(Fd(open("/dev/null", O_RDONLY))));
    EXPECT_FALSE(Listener::adopt(Fd()));
}

// One accepted and one connected end.
struct StreamPair {
    std::unique_ptr<Stream> server;
    std::unique_ptr<Stream> client;
};

Task<StreamPair> connect_pair(Reactor* reactor, Endpoint at) {
    Promise<std::shared_ptr<std::unique_ptr<Stream>>> accepted(*reactor);
    auto listener = Listener::bind(at);
    WRIT_CHECK(listener.has_value());
    const Endpoint bound = listener->endpoint();
    const Acceptor acceptor(
        *reactor, std::move(*listener), [accepted](std::unique_ptr<Stream> stream) {
            accepted.set(std::make_shared<std::unique_ptr<Stream>>(std::move(stream)));
        });
    auto client = co_await Stream::connect(*reactor, bound, kSoon);
    WRIT_CHECK(client.has_value());
    auto server = co_await accepted.wait();
    co_return StreamPair{std::move(*server), std::move(*client)};
}

TEST(Stream, CarriesBytesBothWaysAndEnds) {
    Reactor reactor;
    struct Run {
        static Task<bool> go(Reactor* r, Endpoint at) {
            StreamPair pair = co_await connect_pair(r, at);
            std::string big(3 << 20, 'x');
            struct Send {
                static Task<void> go(Stream* s, std::string bytes) {
                    const Status sent = co_await s->write_all(std::move(bytes), kSoon);
                    EXPECT_TRUE(sent) << sent.error().detail;
                    s->close();
                }
            };
            r->spawn(Send::go(pair.client.get(), big));
            std::string got;
            for (;;) {
                auto some = co_await pair.server->read_some(100'000, kSoon);
                EXPECT_TRUE(some);
                if (!some || some->empty()) break;
                got += *some;
            }
            co_return got == big;
        }
    };
    const TempDir dir;
    EXPECT_TRUE(reactor.run_until(Run::go(&reactor, *Endpoint::parse("127.0.0.1:0"))));
    EXPECT_TRUE(reactor.run_until(Run::go(&reactor, *Endpoint::parse("[::1]:0"))));
    EXPECT_TRUE(reactor.run_until(Run::go(&reactor, unix_endpoint(dir))));
}

TEST(Stream, WaitsNoLongerThanToldAndCloseCancels) {
    Reactor reactor;
    struct Run {
        static Task<void> close_soon(Reactor* r, Stream* s) {
            co_await r->sleep(Millis(5));
            s->close();
        }
        static Task<void> go(Reactor* r) {
            StreamPair pair = co_await connect_pair(r, *Endpoint::parse("127.0.0.1:0"));
            auto late = co_await pair.server->read_some(10, Millis(5));
            EXPECT_EQ(late.error().code, ErrorCode::kTimeout);
            std::string flood(64 << 20, 'x');
            const Status stuck = co_await pair.server->write_all(std::move(flood), Millis(20));
            EXPECT_EQ(stuck.error().code, ErrorCode::kTimeout);
            r->spawn(close_soon(r, pair.server.get()));
            auto cancelled = co_await pair.server->read_some(10, kSoon);
            EXPECT_EQ(cancelled.error().code, ErrorCode::kCancelled);
            auto after = co_await pair.server->read_some(10, kSoon);
            EXPECT_EQ(after.error().code, ErrorCode::kCancelled);
        }
    };
    reactor.run_until(Run::go(&reactor));
}

TEST(Stream, NobodyThereIsUnavailableAndNamed) {
    Reactor reactor;
    const TempDir dir;
    const auto port = Listener::bind(*Endpoint::parse("127.0.0.1:0"))->endpoint();
    for (const Endpoint& at : {port, unix_endpoint(dir)}) {
        const auto stream = reactor.run_until(Stream::connect(reactor, at, kSoon));
        ASSERT_FALSE(stream);
        EXPECT_EQ(stream.error().code, ErrorCode::kUnavailable);
        EXPECT_NE(stream.error().detail.find(at.text()), std::string::npos);
    }
    Endpoint outside;
    outside.host = "192.0.2.1";
    outside.port = 80;
    EXPECT_EQ(reactor.run_until(Stream::connect(reactor, outside, kSoon)).error().code,
              ErrorCode::kInvalid);
}

TEST(Peer, OfAUnixSocketIsTheKernelsWord) {
    Reactor reactor;
    const TempDir dir;
    const StreamPair pair = reactor.run_until(connect_pair(&reactor, unix_endpoint(dir)));
    const Peer& peer = pair.server->peer();
    EXPECT_TRUE(peer.is_unix);
    EXPECT_EQ(peer.uid, getuid());
    EXPECT_EQ(peer.gid, getgid());
    EXPECT_EQ(peer.pid, getpid());
    ASSERT_NE(peer.pidfd, nullptr);
    EXPECT_TRUE(peer.pidfd->valid());
    EXPECT_NE(fcntl(peer.pidfd->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Peer, OfALoopbackConnectionHasOurUid) {
    Reactor reactor;
    for (const char* at : {"127.0.0.1:0", "[::1]:0"}) {
        const StreamPair pair = reactor.run_until(connect_pair(&reactor, *Endpoint::parse(at)));
        EXPECT_FALSE(pair.server->peer().is_unix);
        EXPECT_EQ(pair.server->peer().uid, getuid());
        EXPECT_EQ(pair.server->peer().pid, std::nullopt);
    }
}

// The attack: connect, send, hang up. The kernel then reports the orphan as owned by root.
TEST(Peer, WhoHangsUpEarlyIsNobodyAndNotRoot) {
    Reactor reactor;
    auto pair = reactor.run_until(connect_pair(&reactor, *Endpoint::parse("127.0.0.1:0")));
    const Fd server(dup(pair.server->fd()));
    ASSERT_TRUE(tcp_peer_uid(server.get()));
    pair.client->close();
    const auto uid = tcp_peer_uid(server.get());
    ASSERT_FALSE(uid) << *uid;
    EXPECT_EQ(uid.error().code, ErrorCode::kNotFound);
    EXPECT_FALSE(tcp_peer_uid(-1));
}

TEST(FdPassing, DescriptorsWorkAndCloseOnExec) {
    Reactor reactor;
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    const Fd left(ends[0]);
    const Fd right(ends[1]);
    ASSERT_EQ(pipe(ends.data()), 0);
    const Fd pipe_out(ends[0]);
    const Fd pipe_in(ends[1]);
    const std::array<int, 2> passed = {pipe_in.get(), left.get()};
    ASSERT_TRUE(send_with_fds(left.get(), "bind 7", passed));
    auto got = reactor.run_until(receive_with_fds(reactor, right.get(), 100, kSoon));
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_EQ(got->bytes, "bind 7");
    ASSERT_EQ(got->fds.size(), 2u);
    EXPECT_NE(fcntl(got->fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
    ASSERT_EQ(write(got->fds[0].get(), "x", 1), 1);
    char byte = 0;
    EXPECT_EQ(read(pipe_out.get(), &byte, 1), 1);
    EXPECT_EQ(byte, 'x');
}

TEST(FdPassing, RefusesFloodsTimesOutAndSeesTheEnd) {
    Reactor reactor;
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    Fd left(ends[0]);
    const Fd right(ends[1]);
    EXPECT_EQ(send_with_fds(left.get(), "", {}).error().code, ErrorCode::kInvalid);
    const std::vector<int> many(17, left.get());
    EXPECT_EQ(send_with_fds(left.get(), "x", many).error().code, ErrorCode::kTooLarge);
    const auto late = reactor.run_until(receive_with_fds(reactor, right.get(), 9, Millis(5)));
    EXPECT_EQ(late.error().code, ErrorCode::kTimeout);

    // A sender that ignores our limit: the message is refused and nothing leaks.
    const auto open_fds = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
    };
    const auto before = open_fds();
    ASSERT_EQ(send_raw_fds(left.get(), std::vector<int>(40, left.get())), 1);
    const auto flood = reactor.run_until(receive_with_fds(reactor, right.get(), 9, kSoon));
    EXPECT_EQ(flood.error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(open_fds(), before);

    left = Fd();
    const auto end = reactor.run_until(receive_with_fds(reactor, right.get(), 9, kSoon));
    EXPECT_EQ(end.error().code, ErrorCode::kUnavailable);
}

TEST(WaitReadable, ResumesOnAnEventAndLeavesTheDescriptorOpen) {
    Reactor reactor;
    const Fd event(eventfd(0, EFD_CLOEXEC));
    const auto late = reactor.run_until(wait_readable(reactor, event.get(), Millis(5)));
    EXPECT_EQ(late.error().code, ErrorCode::kTimeout);
    const std::uint64_t one = 1;
    ASSERT_EQ(write(event.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
    EXPECT_TRUE(reactor.run_until(wait_readable(reactor, event.get(), kSoon)));
    EXPECT_NE(fcntl(event.get(), F_GETFD), -1);
}

}  // namespace
}  // namespace writ::net
