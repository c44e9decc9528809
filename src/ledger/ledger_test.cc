#include "ledger/ledger.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/secret.h"
#include "base/temp_dir.h"
#include "crypto/hash.h"
#include "ledger/file.h"
#include "ledger/open_with_disk.h"
#include "ledger/reader.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;

class LedgerTest : public ::testing::Test {
  protected:
    LedgerTest() { seed = random_bytes(32); }

    Options options() const {
        Options out;
        out.dir = dir;
        out.origin = "test.local/log/default/node";
        out.segment_bytes = 256 << 10;
        out.checkpoint_every_ms = 10;
        return out;
    }
    Result<std::unique_ptr<Ledger>> open(Disk& disk = system_disk()) {
        return open_with_disk(options(), *crypto::Ed25519Key::from_seed(seed), clock, disk);
    }
    fs::path log_dir() const { return dir / "log/default/node"; }
    Result<LogReader> reader() const {
        std::ifstream in(log_dir() / "log.vkey");
        std::string vkey;
        std::getline(in, vkey);
        return LogReader::open(log_dir(), vkey);
    }
    // Opens, appends entries [from, to), closes.
    void fill(int from, int to) {
        auto ledger = open();
        ASSERT_TRUE(ledger) << ledger.error().message();
        std::atomic<int> done = 0;
        for (int i = from; i < to; ++i) {
            // Below kMaxPendingAppends at any time.
            if (i % 8'000 == 7'999) ASSERT_TRUE((*ledger)->flush());
            (*ledger)->append(entry(i), [&](Result<Appended> r) { done += r.has_value() ? 1 : 0; });
        }
        ASSERT_TRUE((*ledger)->flush());
        EXPECT_EQ(done, to - from);
    }
    static std::string entry(int i) {
        return "entry " + std::to_string(i) + std::string(static_cast<std::size_t>(i % 90), '.');
    }

    const TempDir temp;
    const fs::path dir = temp.path();
    Bytes seed;
    ManualClock clock{1'000'000};
};

// A disk that fails when told to.
class BadDisk final : public Disk {
  public:
    ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) override {
        if (full) {
            errno = ENOSPC;
            return -1;
        }
        if (short_writes && size > 1) size = size / 2;
        return Disk::pwrite(fd, data, size, offset);
    }
    int fdatasync(int fd) override {
        if (eio) {
            errno = EIO;
            return -1;
        }
        return Disk::fdatasync(fd);
    }
    std::atomic<bool> full = false, eio = false, short_writes = false;
};

TEST_F(LedgerTest, WhatIsAppendedIsReadAndVerifiesAtEverySize) {
    int have = 0;
    for (int size : {1, 2, 255, 256, 257, 1000}) {
        fill(have, size);
        have = size;
        const auto log = reader();
        ASSERT_TRUE(log) << log.error().message();
        EXPECT_EQ(log->checkpoint().size, static_cast<std::uint64_t>(size));
        const auto report = log->verify();
        EXPECT_TRUE(report.findings.empty()) << report.findings.front().what;
        EXPECT_EQ(report.entries, static_cast<std::uint64_t>(size));
        for (int i = 0; i < size; i += size / 7 + 1) {
            const auto index = static_cast<std::uint64_t>(i);
            EXPECT_EQ(*log->entry(index), entry(i));
            const auto path = log->inclusion(index);
            ASSERT_TRUE(path) << path.error().message();
            EXPECT_TRUE(check_inclusion(index, log->checkpoint().size,
                                        leaf_hash(as_bytes(entry(i))), *path,
                                        log->checkpoint().root));
        }
    }
}

TEST_F(LedgerTest, IndexesRiseAcrossRestartsAndSegments) {
    for (int round = 0; round < 4; ++round) {
        auto ledger = open();
        ASSERT_TRUE(ledger) << ledger.error().message();
        for (int i = 0; i < 50; ++i) {
            const auto done = (*ledger)->append_sync(std::string(10'000, 'x') + std::to_string(i));
            ASSERT_TRUE(done) << done.error().message();
            EXPECT_EQ(done->index, static_cast<std::uint64_t>(round * 50 + i));
        }
    }
    auto ledger = open();
    std::uint64_t next = 17;
    ASSERT_TRUE((*ledger)->read(17, [&](std::uint64_t index, std::string_view bytes) {
        EXPECT_EQ(index, next++);
        EXPECT_EQ(bytes.size(), 10'000 + std::to_string(index % 50).size());
        return true;
    }));
    EXPECT_EQ(next, 200u);
    EXPECT_GT(std::distance(fs::directory_iterator(dir / "wal"), fs::directory_iterator{}), 5);
}

TEST_F(LedgerTest, LimitsAreRefusedNotQueued) {
    auto ledger = open();
    EXPECT_EQ((*ledger)->append_sync("").error().code, ErrorCode::kTooLarge);
    EXPECT_EQ((*ledger)->append_sync(std::string(65'536, 'x')).error().code, ErrorCode::kTooLarge);
    EXPECT_TRUE((*ledger)->append_sync(std::string(65'535, 'x')));
}

TEST_F(LedgerTest, ASecondProcessIsRefused) {
    auto first = open();
    ASSERT_TRUE(first);
    const auto second = open();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kConflict);
}

TEST_F(LedgerTest, ShortWritesLoseNothing) {
    BadDisk disk;
    disk.short_writes = true;
    {
        auto ledger = open(disk);
        for (int i = 0; i < 100; ++i) ASSERT_TRUE((*ledger)->append_sync(entry(i)));
    }
    EXPECT_TRUE(reader()->verify().findings.empty());
    EXPECT_EQ(reader()->checkpoint().size, 100u);
}

TEST_F(LedgerTest, AFailedSyncStopsTheWriterForGood) {
    BadDisk disk;
    {
        auto ledger = open(disk);
        ASSERT_TRUE((*ledger)->append_sync("kept"));
        disk.eio = true;
        EXPECT_EQ((*ledger)->append_sync("lost").error().code, ErrorCode::kUnavailable);
        disk.eio = false;
        EXPECT_EQ((*ledger)->append_sync("after").error().code, ErrorCode::kUnavailable);
        EXPECT_FALSE((*ledger)->health().writable);
        EXPECT_NE((*ledger)->health().reason.find("sync"), std::string::npos);
    }
    auto again = open();
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_TRUE((*again)->append_sync("new"));
}

TEST_F(LedgerTest, AFullDiskIsAClearRefusal) {
    BadDisk disk;
    auto ledger = open(disk);
    ASSERT_TRUE((*ledger)->append_sync("kept"));
    disk.full = true;
    const auto refused = (*ledger)->append_sync("lost");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().detail.find("No space"), std::string::npos) << refused.error().detail;
}

TEST_F(LedgerTest, ADeletedSegmentIsNoticed) {
    auto ledger = open();
    ASSERT_TRUE((*ledger)->append_sync("a"));
    for (const auto& file : fs::directory_iterator(dir / "wal"))
        if (file.path().extension() == ".seg") fs::remove(file.path());
    for (int i = 0; i < 400 && (*ledger)->health().writable; ++i) usleep(10'000);
    EXPECT_FALSE((*ledger)->health().writable);
    EXPECT_FALSE((*ledger)->append_sync("b"));
}

TEST_F(LedgerTest, AShorterLogThanWasSignedIsNeverSignedAgain) {
    fill(0, 300);
    for (const auto& file : fs::directory_iterator(dir / "wal")) {
        if (file.path().extension() != ".seg") continue;
        const auto opened = File::open(file.path(), O_RDWR);
        ASSERT_TRUE(write_at(system_disk(), opened->fd(), std::string(4'000, '\0'), 8'000));
    }
    const auto again = open();
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::kCorrupt);
    EXPECT_NE(again.error().detail.find("signed"), std::string::npos);
}

TEST_F(LedgerTest, ALostSignedStateIsNotStartedAnew) {
    fill(0, 3);
    fs::remove_all(dir / "state");
    const auto again = open();
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::kCorrupt);
}

TEST_F(LedgerTest, AnotherKeyIsAnotherLog) {
    fill(0, 3);
    seed[0] = static_cast<std::uint8_t>(seed[0] ^ 1);
    const auto again = open();
    ASSERT_FALSE(again);
    EXPECT_NE(again.error().detail.find("key"), std::string::npos);
}

TEST_F(LedgerTest, ATornTailIsCutAndCannotComeBackToLife) {
    fill(0, 3);
    fs::path segment;
    for (const auto& file : fs::directory_iterator(dir / "wal"))
        if (file.path().extension() == ".seg") segment = file.path();
    // Two more frames of equal length, as a crash may leave them: the first torn, the second whole.
    {
        auto ledger = open();
        ASSERT_TRUE((*ledger)->append_sync("AAAA"));
        ASSERT_TRUE((*ledger)->append_sync("BBBB"));
    }
    // Pretend nothing of them was ever signed.
    fs::path copy = dir.string() + "-copy";
    fs::copy(segment, dir / "torn.seg");
    fs::remove_all(dir / "wal");
    fs::remove_all(dir / "log");
    fs::remove_all(dir / "state");
    fs::create_directory(dir / "wal");
    fs::rename(dir / "torn.seg", dir / "wal/00000000000000000000.seg");
    std::uint64_t at = 64;
    for (int i = 0; i < 3; ++i) at += 16 + entry(i).size();
    const auto file = File::open(dir / "wal/00000000000000000000.seg", O_RDWR);
    ASSERT_TRUE(write_at(system_disk(), file->fd(), "X", at + 16));
    auto ledger = open();
    ASSERT_TRUE(ledger) << ledger.error().message();
    EXPECT_EQ((*ledger)->append_sync("CCCC")->index, 3u);
    (*ledger).reset();
    auto again = open();
    EXPECT_EQ((*again)->health().durable, 4u);
}

TEST_F(LedgerTest, ManyThreadsShareCommits) {
    auto ledger = open();
    std::vector<std::thread> threads;
    std::atomic<int> done = 0;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 200; ++i)
                if ((*ledger)->append_sync("thread")) ++done;
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(done, 1600);
    ASSERT_TRUE((*ledger)->flush());
    EXPECT_EQ((*ledger)->health().published, 1600u);
    EXPECT_TRUE(reader()->verify().findings.empty());
}

// Every way of changing the published files that a thief of the disk would try first.
TEST_F(LedgerTest, TamperingIsFound) {
    fill(0, 600);
    const auto log = reader();
    ASSERT_TRUE(log->verify().findings.empty());
    const auto expect_found = [&](const char* file, std::uint64_t at, const char* what) {
        const fs::path path = log_dir() / file;
        const auto before = read_file(path, 1 << 20);
        ASSERT_TRUE(before) << file;
        std::string after = *before;
        after[at] = static_cast<char>(after[at] ^ 1);
        std::ofstream(path, std::ios::binary) << after;
        EXPECT_FALSE(log->verify().findings.empty()) << what;
        std::ofstream(path, std::ios::binary) << *before;
        EXPECT_TRUE(log->verify().findings.empty());
    };
    expect_found("tile/entries/000", 300, "a byte of an entry");
    expect_found("tile/0/001", 40, "a byte of a full tile");
    expect_found("tile/1/000.p/2", 3, "a byte of a partial tile above");
    expect_found("tile/0/002.p/88", 3, "a byte of a partial tile");
    fs::rename(log_dir() / "tile/0/001", dir / "away");
    EXPECT_FALSE(log->verify().findings.empty()) << "a missing tile";
    fs::rename(dir / "away", log_dir() / "tile/0/001");
    fs::resize_file(log_dir() / "tile/entries/002.p/88", 100);
    EXPECT_FALSE(log->verify().findings.empty()) << "a truncated bundle";
}

// The checker of ../shared/oracles, built on Go's x/mod/sumdb: it shares nothing with us.
TEST_F(LedgerTest, OracleGoAgrees) {
    const char* env = std::getenv("WRIT_SHARED");
    const fs::path shared =
        env != nullptr ? fs::path(env) : fs::path(WRIT_SOURCE_DIR) / "../shared";
    if (!fs::exists(shared)) GTEST_SKIP() << "no ../shared: the Go checker is not here";
    ASSERT_TRUE(fs::exists(shared / "oracles/verify-go/main.go"));
    const std::string binary =
        std::string(WRIT_BINARY_DIR) + "/bin/verify-go-" + std::to_string(getpid());
    const std::string build = "GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE='" +
                              std::string(WRIT_BINARY_DIR) + "/go-cache' go build -o '" + binary +
                              "' '" + (shared / "oracles/verify-go/main.go").string() + "'";
    ASSERT_EQ(std::system(build.c_str()), 0) << "install golang-go and golang-golang-x-mod-dev";
    const auto check = [&](const std::string& more) {
        const std::string run = "'" + binary + "' -dir '" + log_dir().string() +
                                "' -vkey \"$(cat '" + (log_dir() / "log.vkey").string() +
                                "')\" -full " + more + " >/dev/null";
        return std::system(run.c_str());
    };
    int have = 0;
    for (int size : {1, 2, 255, 256, 257, 70'000}) {
        if (have > 0)
            fs::copy_file(log_dir() / "checkpoint", dir / "old",
                          fs::copy_options::overwrite_existing);
        fill(have, size);
        const std::string old = have > 0 ? " -old '" + (dir / "old").string() + "'" : "";
        EXPECT_EQ(check("-index " + std::to_string(size / 2) + old), 0) << size;
        have = size;
    }
    const fs::path bundle = log_dir() / "tile/entries/100";
    auto bytes = *read_file(bundle, 1 << 24);
    bytes[500] = static_cast<char>(bytes[500] ^ 1);
    std::ofstream(bundle, std::ios::binary) << bytes;
    EXPECT_NE(check(""), 0);
    EXPECT_FALSE(reader()->verify().findings.empty());
    fs::remove(binary);
}

}  // namespace
}  // namespace writ::ledger
