// kill -9 of the log writer at random points, WRIT_KILLS times (30) over one log: nothing
// acknowledged is lost or changed, and the log verifies at the end.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "base/secret.h"
#include "base/temp_dir.h"
#include "ledger/ledger.h"
#include "ledger/reader.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;

int kills() {
    const char* text = std::getenv("WRIT_KILLS");
    return text != nullptr ? std::atoi(text) : 30;
}

constexpr int kWriters = 3;

// One acknowledgement as the child reports it; smaller than PIPE_BUF, so each arrives whole.
struct Ack {
    std::uint64_t index = 0;
    Sha256 leaf{};
};

class LedgerCrash : public ::testing::Test {
  protected:
    LedgerCrash() { seed = random_bytes(32); }

    Result<std::unique_ptr<Ledger>> open(const fs::path& accepted = {}) const {
        Options options;
        options.accepted = accepted;
        options.dir = dir;
        options.origin = "test.local/crash";
        options.segment_bytes = 1 << 20;  // several rotations a run
        options.checkpoint_every_ms = 5;
        return Ledger::open(std::move(options), *crypto::Ed25519Key::from_seed(seed), clock);
    }

    // Appends until it is killed, reporting each acknowledgement.
    [[noreturn]] void write_forever(int report) const {
        auto ledger = open();
        if (!ledger) {
            fprintf(stderr, "child: %s\n", ledger.error().message().c_str());
            _exit(1);
        }
        std::vector<std::thread> threads;
        for (int t = 0; t < kWriters; ++t)
            threads.emplace_back([&, t] {
                for (int n = 0;; ++n) {
                    const std::string entry = std::to_string(getpid()) + ":" + std::to_string(t) +
                                              ":" + std::to_string(n) +
                                              std::string(static_cast<std::size_t>(n % 700), '.');
                    const auto done = (*ledger)->append_sync(entry);
                    if (!done) _exit(2);
                    const Ack ack{done->index, done->leaf};
                    if (write(report, &ack, sizeof ack) != sizeof ack) _exit(3);
                }
            });
        while (true) pause();
    }

    // Runs one child, kills it after `life_us` from its first acknowledgement, and collects what it
    // reported.
    void run_and_kill(int life_us) {
        int ends[2];
        ASSERT_EQ(pipe(ends), 0);
        const pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            write_forever(ends[1]);
        }
        close(ends[1]);
        std::thread killer;
        Ack ack;
        while (read(ends[0], &ack, sizeof ack) == sizeof ack) {
            if (!killer.joinable())
                killer = std::thread([child, life_us] {
                    usleep(static_cast<useconds_t>(life_us));
                    kill(child, SIGKILL);
                });
            ASSERT_TRUE(acked.emplace(ack.index, ack.leaf).second)
                << "index " << ack.index << " twice";
        }
        close(ends[0]);
        ASSERT_TRUE(killer.joinable()) << "the child acknowledged nothing";
        killer.join();
        int status = 0;
        waitpid(child, &status, 0);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << status;
    }

    // Every acknowledged entry from `from` on is there, unchanged.
    void expect_all(Ledger& ledger, std::uint64_t from) const {
        auto next = acked.lower_bound(from);
        std::uint64_t expected = from;
        ASSERT_TRUE(ledger.read(from, [&](std::uint64_t index, std::string_view entry) {
            EXPECT_EQ(index, expected++);
            if (next != acked.end() && next->first == index) {
                EXPECT_EQ(leaf_hash(as_bytes(entry)), next->second) << index;
                ++next;
            }
            return true;
        }));
        EXPECT_EQ(next, acked.end()) << "acknowledged entries from " << next->first << " are lost";
    }

    const TempDir temp;
    const fs::path dir = temp.path();
    Bytes seed;
    SystemClock clock;
    std::map<std::uint64_t, Sha256> acked;
};

// What outlives the process is promised before the disk has it: one writer tells of each entry at
// once, and all of them are in the log of the next run, in their order and once.
TEST_F(LedgerCrash, WhatOutlivesTheProcessIsThereAfterManyKills) {
    if (access("/dev/shm", W_OK) != 0) GTEST_SKIP() << "no tmpfs at /dev/shm";
    const TempDir memory("/dev/shm");
    const fs::path accepted = memory.path() / "accepted";
    std::mt19937 random(20261126);
    std::uniform_int_distribution<int> life_us(0, 20'000);
    std::size_t promised = 0;
    for (int kill_number = 0; kill_number < kills(); ++kill_number) {
        int ends[2];
        ASSERT_EQ(pipe(ends), 0);
        const pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            auto ledger = open(accepted);
            if (!ledger) _exit(1);
            for (std::uint32_t n = 0;; ++n) {
                const std::string entry = std::to_string(getpid()) + ":" + std::to_string(n) +
                                          std::string(n % 1'500, '.');
                const Sha256 leaf = leaf_hash(as_bytes(entry));
                if (!(*ledger)->append_outliving(entry, leaf, [](Result<Appended>) {})) {
                    if (!(*ledger)->flush()) _exit(2);  // more than it can keep: wait
                    continue;
                }
                if (write(ends[1], &leaf, sizeof leaf) != sizeof leaf) _exit(3);
            }
        }
        close(ends[1]);
        usleep(30'000 + static_cast<useconds_t>(life_us(random)));
        kill(child, SIGKILL);
        std::vector<Sha256> told;
        Sha256 leaf;
        while (read(ends[0], &leaf, sizeof leaf) == sizeof leaf) told.push_back(leaf);
        close(ends[0]);
        int status = 0;
        waitpid(child, &status, 0);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << status;
        auto ledger = open(accepted);
        ASSERT_TRUE(ledger) << ledger.error().message();
        std::map<Sha256, std::uint64_t> where;
        ASSERT_TRUE((*ledger)->read(0, [&](std::uint64_t index, std::string_view entry) {
            EXPECT_TRUE(where.emplace(leaf_hash(as_bytes(entry)), index).second) << "twice";
            return true;
        }));
        std::uint64_t before = 0;
        for (const Sha256& each : told) {
            const auto at = where.find(each);
            ASSERT_NE(at, where.end()) << "lost after kill " << kill_number;
            EXPECT_GE(at->second, before);
            before = at->second;
        }
        promised += told.size();
    }
    printf("%d kills, %zu entries promised before the disk had them\n", kills(), promised);
}

TEST_F(LedgerCrash, NothingAcknowledgedIsLostOverManyKills) {
    std::mt19937 random(20261124);
    std::uniform_int_distribution<int> life_us(0, 60'000);
    for (int kill_number = 0; kill_number < kills(); ++kill_number) {
        const std::uint64_t before = acked.empty() ? 0 : acked.rbegin()->first;
        run_and_kill(life_us(random));
        if (HasFatalFailure()) return;
        auto ledger = open();
        ASSERT_TRUE(ledger) << "after kill " << kill_number << ": " << ledger.error().message();
        expect_all(**ledger, before);
        if (HasFailure()) return;
    }
    auto ledger = open();
    ASSERT_TRUE(ledger);
    expect_all(**ledger, 0);
    ASSERT_TRUE((*ledger)->flush());
    const auto log = LogReader::open(dir / "log/default/node", (*ledger)->vkey());
    ASSERT_TRUE(log) << log.error().message();
    const auto report = log->verify();
    EXPECT_TRUE(report.findings.empty()) << report.findings.front().what;
    EXPECT_GE(report.entries, acked.size());
    printf("%d kills, %zu acknowledged entries, %llu in the log\n", kills(), acked.size(),
           static_cast<unsigned long long>(report.entries));
}

}  // namespace
}  // namespace writ::ledger
