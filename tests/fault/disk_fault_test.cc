// A log on a disk that fails below it (disk_shim.cc): nothing acknowledged is lost, nothing is
// acknowledged that is not there, and the reason is told.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/temp_dir.h"
#include "ledger/ledger.h"
#include "ledger/reader.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;

struct Outcome {
    int exit_code = -1;
    std::vector<std::uint64_t> acknowledged;
    std::vector<std::string> refused;
    std::string health, closed;
};

class DiskFault : public ::testing::Test {
  protected:
    Outcome write(int count, const std::string& shim = "") {
        const std::string bin = std::string(WRIT_BINARY_DIR) + "/bin/";
        const fs::path out = dir / "out";
        const pid_t child = fork();
        if (child == 0) {
            if (!shim.empty()) {
                setenv("LD_PRELOAD", (bin + "libdisk_shim.so").c_str(), 1);
                setenv("WRIT_SHIM", shim.c_str(), 1);
                setenv("WRIT_SHIM_DIR", (dir / "data").c_str(), 1);
            }
            if (freopen(out.c_str(), "w", stdout) == nullptr) _exit(99);
            const std::string program = bin + "ledger_writer";
            execl(program.c_str(), program.c_str(), (dir / "data").c_str(),
                  std::to_string(count).c_str(), nullptr);
            _exit(98);
        }
        int status = 0;
        waitpid(child, &status, 0);
        Outcome outcome;
        outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        std::ifstream in(out);
        for (std::string line; std::getline(in, line);) {
            const std::string rest = line.substr(line.find(' ') + 1);
            if (line.starts_with("ok ")) outcome.acknowledged.push_back(std::stoull(rest));
            if (line.starts_with("no ")) outcome.refused.push_back(rest);
            if (line.starts_with("health ")) outcome.health = rest;
            if (line.starts_with("closed ")) outcome.closed = rest;
        }
        return outcome;
    }
    // Opens it on a sound disk: everything acknowledged is there, and it verifies.
    void expect_whole(std::size_t acknowledged) {
        SystemClock clock;
        Options options;
        options.dir = dir / "data";
        options.origin = "test.local/fault";
        const Bytes seed(32, 7);
        auto ledger = Ledger::open(options, *crypto::Ed25519Key::from_seed(seed), clock);
        ASSERT_TRUE(ledger) << ledger.error().message();
        EXPECT_GE((*ledger)->health().durable, acknowledged);
        ASSERT_TRUE((*ledger)->append_sync("after the repair"));
        ASSERT_TRUE((*ledger)->flush());
        const auto log = LogReader::open(dir / "data/log/default/node", (*ledger)->vkey());
        ASSERT_TRUE(log);
        EXPECT_TRUE(log->verify().findings.empty());
    }

    const TempDir temp;
    const fs::path dir = temp.path();
};

TEST_F(DiskFault, AFailedFdatasyncEndsTheWriterForGood) {
    const auto outcome = write(100, "fdatasync:5:30");  // EIO
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_GT(outcome.acknowledged.size(), 0u);
    EXPECT_GT(outcome.refused.size(), 50u) << "not one is taken after it";
    EXPECT_NE(outcome.refused.back().find("cannot sync the log"), std::string::npos);
    EXPECT_TRUE(outcome.health.starts_with("0 ")) << outcome.health;
    expect_whole(outcome.acknowledged.size());
}

TEST_F(DiskFault, AFailedWriteEndsTheWriterForGood) {
    const auto outcome = write(100, "pwrite:5:60");
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_FALSE(outcome.refused.empty());
    EXPECT_TRUE(outcome.health.starts_with("0 "));
    expect_whole(outcome.acknowledged.size());
}

TEST_F(DiskFault, AFullDiskIsSaidAndNothingHangs) {
    const auto outcome = write(100, "pwrite:28:60");  // ENOSPC
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.acknowledged.size() + outcome.refused.size(), 100u);
    ASSERT_FALSE(outcome.refused.empty());
    EXPECT_NE(outcome.refused.back().find("space"), std::string::npos) << outcome.refused.back();
    expect_whole(outcome.acknowledged.size());
}

TEST_F(DiskFault, AReadOnlyDiskRefusesTheStartAndChangesNothing) {
    ASSERT_EQ(write(10).acknowledged.size(), 10u);
    const auto outcome = write(1, "open:30:0");  // EROFS
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.closed.find("Read-only"), std::string::npos) << outcome.closed;
    expect_whole(10);
}

TEST_F(DiskFault, ADiskThatTurnsReadOnlyUnderTheLogDelaysCheckpointsOnly) {
    // The open segment can still be written; new files cannot be made.
    const auto outcome = write(50, "open:30:40");
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.acknowledged.size(), 50u);
    expect_whole(50);
}

TEST_F(DiskFault, TwoProcessesOnOneFolderAreOneTooMany) {
    SystemClock clock;
    Options options;
    options.dir = dir / "data";
    options.origin = "test.local/fault";
    const Bytes seed(32, 7);
    auto ledger = Ledger::open(options, *crypto::Ed25519Key::from_seed(seed), clock);
    ASSERT_TRUE(ledger);
    ASSERT_TRUE((*ledger)->append_sync("mine"));
    const auto outcome = write(1);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.closed.find("another process"), std::string::npos) << outcome.closed;
    ASSERT_TRUE((*ledger)->append_sync("still mine"));
}

// The clock goes back an hour between two runs and within one: order and proofs do not hang on it.
TEST_F(DiskFault, AClockThatGoesBackAnHourChangesNothing) {
    ManualClock clock(1'795'460'000'000'000);
    Options options;
    options.dir = dir / "data";
    options.origin = "test.local/fault";
    options.checkpoint_every_ms = 5;
    const Bytes seed(32, 7);
    for (int run = 0; run < 2; ++run) {
        auto ledger = Ledger::open(options, *crypto::Ed25519Key::from_seed(seed), clock);
        ASSERT_TRUE(ledger) << ledger.error().message();
        ASSERT_TRUE((*ledger)->append_sync("before"));
        clock.step_wall_us(-3'600'000'000);
        ASSERT_TRUE((*ledger)->append_sync("after"));
        ASSERT_TRUE((*ledger)->flush());
    }
    expect_whole(4);
}

}  // namespace
}  // namespace writ::ledger
