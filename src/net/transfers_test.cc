// Defends: every transfer of a step is made once and told its own fate, whether the kernel has
// io_uring or not, and nothing leaves a descriptor that was closed or may not be left.
#include "net/transfers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "net/asio_impl.h"

namespace writ::net {
namespace {

constexpr std::size_t kMany = 70;  // more than are made together

struct PollPair {
    std::shared_ptr<Poll> poll;
    Fd peer;
};

PollPair pair_on(Reactor& reactor) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    auto poll = Poll::open(reactor, Fd(ends[0]));
    EXPECT_TRUE(poll);
    return {*poll, Fd(ends[1])};
}

void say(const PollPair& pair, std::string_view text) {
    ASSERT_EQ(write(pair.peer.get(), text.data(), text.size()), std::ssize(text));
}

std::string hear(const PollPair& pair) {
    std::string out(4096, '\0');
    const ssize_t got = recv(pair.peer.get(), out.data(), out.size(), MSG_DONTWAIT);
    out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return out;
}

class TransfersOf : public testing::TestWithParam<bool> {
  protected:
    std::vector<PollPair> pairs(std::size_t n) {
        std::vector<PollPair> out;
        for (std::size_t i = 0; i < n; ++i) out.push_back(pair_on(reactor_));
        return out;
    }
    void make(std::vector<Transfer>& all) {
        std::vector<Transfer*> each;
        for (Transfer& one : all) each.push_back(&one);
        transfers_.make(each);
    }

    Reactor reactor_;
    Transfers transfers_{GetParam()};
};

TEST_P(TransfersOf, EachReceivesItsOwn) {
    const auto ends = pairs(kMany);
    std::vector<std::string> heard(kMany);
    std::vector<Transfer> all(kMany);
    for (std::size_t i = 0; i < kMany; ++i) {
        say(ends[i], "from " + std::to_string(i));
        heard[i] = "before, ";
        all[i].poll = ends[i].poll.get();
        all[i].into = &heard[i];
    }
    make(all);
    for (std::size_t i = 0; i < kMany; ++i) {
        EXPECT_EQ(heard[i], "before, from " + std::to_string(i));
        EXPECT_EQ(all[i].done, std::ssize(heard[i]) - 8);
    }
    make(all);  // nothing more is there
    for (const Transfer& one : all) EXPECT_EQ(one.done, -EAGAIN);
    EXPECT_EQ(heard[kMany - 1], "before, from 69");
}

TEST_P(TransfersOf, EachSendsItsOwnOnce) {
    const auto ends = pairs(kMany);
    std::vector<std::string> heads(kMany), bodies(kMany);
    std::vector<std::array<iovec, 2>> parts(kMany);
    std::vector<Transfer> all(kMany);
    for (std::size_t i = 0; i < kMany; ++i) {
        heads[i] = "head " + std::to_string(i);
        bodies[i] = ", body";
        parts[i] = {iovec{heads[i].data(), heads[i].size()},
                    iovec{bodies[i].data(), bodies[i].size()}};
        all[i].poll = ends[i].poll.get();
        all[i].message.msg_iov = parts[i].data();
        all[i].message.msg_iovlen = 2;
    }
    make(all);
    for (std::size_t i = 0; i < kMany; ++i) {
        const std::string whole = "head " + std::to_string(i) + ", body";
        EXPECT_EQ(all[i].done, std::ssize(whole));
        EXPECT_EQ(hear(ends[i]), whole);
        EXPECT_EQ(hear(ends[i]), "");
    }
}

TEST_P(TransfersOf, EachHasItsOwnFate) {
    auto ends = pairs(6);
    std::string word = "word";
    std::array<iovec, 1> part = {iovec{word.data(), word.size()}};
    std::vector<std::string> heard(6);
    std::vector<Transfer> all(6);
    for (std::size_t i = 0; i < 6; ++i) {
        all[i].poll = ends[i].poll.get();
        all[i].message.msg_iov = part.data();
        all[i].message.msg_iovlen = 1;
    }
    int asked = 0;
    const std::function<bool()> no = [&] { return ++asked > 100; };
    const std::function<bool()> yes = [&] { return ++asked > 0; };
    all[0].leaves = &no;
    all[1].leaves = &yes;
    ends[2].peer = Fd();      // the peer left: an error, and no SIGPIPE
    ends[3].poll->close();    // closed here
    all[4].into = &heard[4];  // nothing to receive
    ends[5].peer = Fd();      // the end of what comes
    all[5].into = &heard[5];
    make(all);
    EXPECT_EQ(all[0].done, -ECANCELED);
    EXPECT_EQ(hear(ends[0]), "");
    EXPECT_EQ(all[1].done, 4);
    EXPECT_EQ(hear(ends[1]), "word");
    EXPECT_EQ(asked, 2);
    EXPECT_EQ(all[2].done, -EPIPE);
    EXPECT_EQ(all[3].done, -ECANCELED);
    EXPECT_EQ(all[4].done, -EAGAIN);
    EXPECT_EQ(all[5].done, 0);
}

// What the kernel did not take is made by other means, and nothing twice.
TEST_P(TransfersOf, ARingThatBreaksLosesNothing) {
    const auto ends = pairs(kMany);
    std::string word = "word";
    std::array<iovec, 1> part = {iovec{word.data(), word.size()}};
    std::vector<Transfer> all(kMany);
    for (std::size_t i = 0; i < kMany; ++i) {
        all[i].poll = ends[i].poll.get();
        all[i].message.msg_iov = part.data();
        all[i].message.msg_iovlen = 1;
    }
    make(all);
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        if (std::filesystem::read_symlink(each.path(), gone) == "anon_inode:[io_uring]")
            close(std::stoi(each.path().filename()));
    }
    make(all);
    EXPECT_FALSE(transfers_.by_ring());
    for (std::size_t i = 0; i < kMany; ++i) {
        EXPECT_EQ(all[i].done, 4);
        EXPECT_EQ(hear(ends[i]), "wordword");
    }
}

// Whoever is asked last may close what was asked before.
TEST_P(TransfersOf, WhatIsClosedWhileOthersAreAskedIsNotMade) {
    const auto ends = pairs(2);
    std::string word = "word";
    std::array<iovec, 1> part = {iovec{word.data(), word.size()}};
    std::vector<Transfer> all(2);
    for (std::size_t i = 0; i < 2; ++i) {
        all[i].poll = ends[i].poll.get();
        all[i].message.msg_iov = part.data();
        all[i].message.msg_iovlen = 1;
    }
    const std::function<bool()> closes = [&] {
        if (GetParam()) ends[0].poll->close();
        return true;
    };
    all[1].leaves = &closes;
    make(all);
    EXPECT_EQ(all[1].done, 4);
    EXPECT_EQ(all[0].done, GetParam() && transfers_.by_ring() ? -ECANCELED : 4);
}

TEST_P(TransfersOf, AFullSocketSaysSoInsteadOfWaiting) {
    const auto ends = pairs(2);
    std::string much(1 << 20, 'x');
    std::array<iovec, 1> part = {iovec{much.data(), much.size()}};
    std::vector<Transfer> all(2);
    for (std::size_t i = 0; i < 2; ++i) {
        all[i].poll = ends[i].poll.get();
        all[i].message.msg_iov = part.data();
        all[i].message.msg_iovlen = 1;
    }
    make(all);
    for (const Transfer& one : all) {
        EXPECT_GT(one.done, 0);
        EXPECT_LT(one.done, std::ssize(much));
    }
    make(all);
    for (const Transfer& one : all) EXPECT_EQ(one.done, -EAGAIN);
}

TEST_P(TransfersOf, AReceptionTakesNoMoreThanItsRoom) {
    const auto ends = pairs(2);
    const std::string much(kTransferBytes + 5, 'x');
    std::vector<std::string> heard(2);
    std::vector<Transfer> all(2);
    for (std::size_t i = 0; i < 2; ++i) {
        say(ends[i], much);
        all[i].poll = ends[i].poll.get();
        all[i].into = &heard[i];
    }
    make(all);
    for (const Transfer& one : all) EXPECT_EQ(one.done, std::ssize(much) - 5);
    make(all);
    for (const Transfer& one : all) EXPECT_EQ(one.done, 5);
    EXPECT_EQ(heard[1], much);
}

INSTANTIATE_TEST_SUITE_P(Net, TransfersOf, testing::Bool(),
                         [](const auto& info) { return info.param ? "Together" : "OneByOne"; });

}  // namespace
}  // namespace writ::net
