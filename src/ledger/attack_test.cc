// What an attacker or a failing disk does to a log that is closed or running: nothing signed is
// destroyed, signed over or silently skipped, and nothing hangs.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "base/secret.h"
#include "base/temp_dir.h"
#include "ledger/file.h"
#include "ledger/ledger.h"
#include "ledger/open_with_disk.h"
#include "ledger/reader.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;

class LedgerAttack : public ::testing::Test {
  protected:
    LedgerAttack() {
        seed = random_bytes(32);
        options.dir = dir;
        options.origin = "test.local/log/default/node";
        options.segment_bytes = 256 << 10;
        options.checkpoint_every_ms = 10;
    }

    Result<std::unique_ptr<Ledger>> open(Disk& disk = system_disk()) {
        return open_with_disk(options, *crypto::Ed25519Key::from_seed(seed), clock, disk);
    }
    void fill(int count, std::size_t bytes = 40) {
        auto ledger = open();
        ASSERT_TRUE(ledger) << ledger.error().message();
        for (int i = 0; i < count; ++i)
            (*ledger)->append(std::string(bytes, 'e') + std::to_string(i), [](auto) {});
        ASSERT_TRUE((*ledger)->flush());
    }
    fs::path log_dir() const { return dir / "log/default/node"; }
    std::string vkey() const { return *read_file(log_dir() / "log.vkey", 1000); }
    fs::path segment(std::uint64_t first) const {
        return dir / "wal" /
               (std::string(20 - std::to_string(first).size(), '0') + std::to_string(first) +
                ".seg");
    }
    static void flip(const fs::path& path, std::uint64_t at) {
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        file.seekg(static_cast<std::streamoff>(at));
        const char byte = static_cast<char>(file.get() ^ 1);
        file.seekp(static_cast<std::streamoff>(at));
        file.put(byte);
    }

    const TempDir temp;
    const fs::path dir = temp.path();
    Bytes seed;
    Options options;
    ManualClock clock{1'000'000};
};

// Fails writes below one folder, as a full file system of its own would.
class FullDisk final : public Disk {
  public:
    explicit FullDisk(std::string part) : part_(std::move(part)) {}
    ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) override {
        if (full && fs::read_symlink("/proc/self/fd/" + std::to_string(fd)).string().find(part_) !=
                        std::string::npos) {
            errno = ENOSPC;
            return -1;
        }
        return Disk::pwrite(fd, data, size, offset);
    }
    // The next sync of the write-ahead log's folder fails.
    int fsync(int fd) override {
        const auto path = fs::read_symlink("/proc/self/fd/" + std::to_string(fd)).string();
        if (!path.ends_with("/wal") || !fail_folders.exchange(false)) return Disk::fsync(fd);
        errno = EIO;
        return -1;
    }
    std::atomic<bool> full = false;
    std::atomic<bool> fail_folders = false;

  private:
    std::string part_;
};

TEST_F(LedgerAttack, ADamagedSignedFrameIsRefusedAndNothingBehindItIsErased) {
    fill(300);
    flip(segment(0), 10'000);
    const auto damaged = *read_file(segment(0), 1 << 20);
    const auto again = open();
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::kCorrupt);
    EXPECT_TRUE(*read_file(segment(0), 1 << 20) == damaged) << "what could be rescued is erased";
}

TEST_F(LedgerAttack, AMissingLogIsNotBegunAnew) {
    fill(3);
    fs::remove_all(dir / "wal");
    EXPECT_EQ(open().error().code, ErrorCode::kCorrupt);
    EXPECT_FALSE(fs::exists(segment(0)));
}

// The frame's checksum is right, only the entry is another one than was signed.
TEST_F(LedgerAttack, AnEntryChangedInTheWriteAheadLogAfterSigningIsNotSignedOver) {
    fill(3);
    const auto state = *read_file(dir / "state/default-node.signed", 10'000);
    fs::copy(log_dir(), dir / "kept", fs::copy_options::recursive);
    fs::remove_all(dir / "wal");
    fs::remove_all(dir / "log");
    fs::remove_all(dir / "state");
    fill(3, 41);  // other entries, whole frames
    fs::remove_all(log_dir());
    fs::rename(dir / "kept", log_dir());
    std::ofstream(dir / "state/default-node.signed") << state;
    const auto again = open();
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::kCorrupt);
}

TEST_F(LedgerAttack, AnAlteredPartialTileDoesNotReachAFullOne) {
    fill(300);
    flip(log_dir() / "tile/0/001.p/44", 70);
    flip(log_dir() / "tile/1/000.p/1", 5);
    {
        auto ledger = open();
        if (!ledger) return;  // refusing is right too
        for (int i = 0; i < 300; ++i) (*ledger)->append("more", [](auto) {});
        ASSERT_TRUE((*ledger)->flush());
    }
    const auto report = LogReader::open(log_dir(), vkey())->verify();
    EXPECT_TRUE(report.findings.empty()) << report.findings.front().what;
}

TEST_F(LedgerAttack, ATornPartialTileIsMadeAgainFromTheWriteAheadLog) {
    fill(300);
    fs::remove(log_dir() / "tile/0/001.p/44");
    fs::resize_file(log_dir() / "tile/entries/001.p/44", 10);
    fs::remove(log_dir() / "tile/1/000.p/1");
    auto ledger = open();
    ASSERT_TRUE(ledger) << ledger.error().message();
    ASSERT_TRUE((*ledger)->flush());
    EXPECT_TRUE(LogReader::open(log_dir(), vkey())->verify().findings.empty());
}

// State and write-ahead log put back to an older copy; only the checkpoint shows what was signed.
TEST_F(LedgerAttack, AnOldCopyOfStateAndLogIsNotSignedBelowTheCheckpoint) {
    fill(3);
    fs::copy(dir / "state", dir / "old-state", fs::copy_options::recursive);
    fs::copy(dir / "wal", dir / "old-wal", fs::copy_options::recursive);
    fill(3);
    fs::remove_all(dir / "state");
    fs::remove_all(dir / "wal");
    fs::rename(dir / "old-state", dir / "state");
    fs::rename(dir / "old-wal", dir / "wal");
    const auto again = open();
    ASSERT_FALSE(again) << "signed " << (*again)->health().published << " after 6";
    EXPECT_EQ(again.error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(LogReader::open(log_dir(), vkey())->checkpoint().size, 6u);
}

TEST_F(LedgerAttack, ReadingSaysWhereTheLogIsDamagedInsteadOfStoppingShort) {
    fill(300, 4'000);  // several segments
    auto ledger = open();
    ASSERT_TRUE(ledger);
    flip(segment(0), 5'000);
    std::uint64_t seen = 0;
    const auto done =
        (*ledger)->read(0, [&](std::uint64_t, std::string_view) { return ++seen > 0; });
    ASSERT_FALSE(done) << "reported success after " << seen << " of 300 entries";
    EXPECT_EQ(done.error().code, ErrorCode::kCorrupt);
}

TEST_F(LedgerAttack, ASegmentCutInPlaceIsNoticed) {
    auto ledger = open();
    ASSERT_TRUE((*ledger)->append_sync("a"));
    fs::resize_file(segment(0), 0);
    for (int i = 0; i < 200 && (*ledger)->health().writable; ++i) usleep(10'000);
    EXPECT_FALSE((*ledger)->health().writable);
}

TEST_F(LedgerAttack, AForeignNameInTheFolderIsNoSegment) {
    fill(3);
    std::ofstream(dir / "wal/99999999999999999999.seg") << "x";
    EXPECT_TRUE(open());
}

TEST_F(LedgerAttack, NamesCannotLeaveTheFolderNorForgeACheckpoint) {
    const auto refused = [&](auto&& change) {
        const Options before = options;
        change(options);
        const auto opened = open();
        options = before;
        return !opened && opened.error().code == ErrorCode::kInvalid;
    };
    EXPECT_TRUE(refused([](Options& o) { o.tenant = "../../evil"; }));
    EXPECT_TRUE(refused([](Options& o) { o.tenant = ""; }));
    EXPECT_TRUE(refused([](Options& o) { o.node = ".."; }));
    EXPECT_TRUE(refused([](Options& o) { o.node = "a/b"; }));
    EXPECT_TRUE(refused([](Options& o) { o.origin = ""; }));
    EXPECT_TRUE(refused([](Options& o) { o.origin = "a b"; }));
    EXPECT_TRUE(refused([](Options& o) { o.origin = "a+b"; }));
    EXPECT_TRUE(refused([](Options& o) { o.origin = "log\n9\nforged"; }));
}

TEST_F(LedgerAttack, ATileThatCannotBeWrittenDelaysCheckpointsOnly) {
    FullDisk disk("/log/");
    auto ledger = open(disk);
    ASSERT_TRUE((*ledger)->append_sync("before"));
    ASSERT_TRUE((*ledger)->flush());
    disk.full = true;
    for (int i = 0; i < 300; ++i) ASSERT_TRUE((*ledger)->append_sync("during")) << i;
    EXPECT_FALSE((*ledger)->flush()) << "a flush says that it could not publish";
    EXPECT_TRUE((*ledger)->health().writable);
    EXPECT_NE((*ledger)->health().reason, "");
    disk.full = false;
    ASSERT_TRUE((*ledger)->flush());
    EXPECT_EQ((*ledger)->health().reason, "");
    EXPECT_EQ((*ledger)->health().published, 301u);
    EXPECT_TRUE(LogReader::open(log_dir(), vkey())->verify().findings.empty());
}

// More waits at every sync than one commit takes, so that the queue is never empty; a sync is slow,
// so that the publisher keeps up: one that falls behind makes every flush longer than the last.
TEST_F(LedgerAttack, FlushReturnsWhileOthersKeepAppending) {
    struct Busy final : Disk {
        int fdatasync(int fd) override {
            if (fill()) usleep(100'000);
            return Disk::fdatasync(fd);
        }
        bool fill() {
            const std::lock_guard lock(mutex);
            for (int more = 12'000 - waiting; ledger && more > 0; --more) {
                ++waiting;
                ledger->append("busy", [this](auto) { --waiting; });
            }
            return ledger != nullptr;
        }
        void serve(Ledger* whom) {
            const std::lock_guard lock(mutex);
            ledger = whom;
        }
        std::mutex mutex;
        Ledger* ledger = nullptr;
        std::atomic<int> waiting = 0;
    } disk;
    auto ledger = open(disk);
    disk.serve(ledger->get());
    ASSERT_TRUE((*ledger)->append_sync("first"));
    for (int i = 0; i < 2; ++i) EXPECT_TRUE((*ledger)->flush());
    EXPECT_GT(disk.waiting, 0);
    disk.serve(nullptr);
    ledger->reset();
}

// A killed writer leaves frames in the system's memory; a power cut after they were signed would
// leave a log shorter than its signature.
TEST_F(LedgerAttack, WhatAKilledWriterLeftIsSyncedBeforeItIsSigned) {
    struct Counting final : Disk {
        int fdatasync(int fd) override {
            ++syncs;
            return Disk::fdatasync(fd);
        }
        std::atomic<int> syncs = 0;
    } disk;
    fill(3);
    ASSERT_TRUE(open(disk));
    EXPECT_GE(disk.syncs, 1);
}

TEST_F(LedgerAttack, AFullDiskRefusesAndRecoversWithoutARestart) {
    FullDisk disk("/wal/spare");
    options.segment_bytes = 128 << 10;
    auto ledger = open(disk);
    ASSERT_TRUE((*ledger)->append_sync("first"));
    disk.full = true;
    int refused = 0;
    for (int i = 0; i < 200; ++i)
        refused += (*ledger)->append_sync(std::string(4'000, 'x')) ? 0 : 1;
    EXPECT_GT(refused, 0);
    EXPECT_FALSE((*ledger)->health().writable);
    EXPECT_NE((*ledger)->health().reason.find("room"), std::string::npos);
    const std::uint64_t kept = (*ledger)->health().durable;
    EXPECT_EQ(kept + static_cast<std::uint64_t>(refused), 201u);
    disk.full = false;
    for (int i = 0; i < 500 && !(*ledger)->health().writable; ++i) usleep(10'000);
    const auto done = (*ledger)->append_sync("again");
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(done->index, kept);
    ASSERT_TRUE((*ledger)->flush());
    EXPECT_TRUE(LogReader::open(log_dir(), vkey())->verify().findings.empty());
}

// With a full disk the kill switch is still recorded: narrowing acts have space kept for them.
TEST_F(LedgerAttack, AFullDiskStillRecordsNarrowingActs) {
    FullDisk disk("/wal/spare");
    options.segment_bytes = 128 << 10;
    auto ledger = open(disk);
    ASSERT_TRUE((*ledger)->append_sync("first"));
    for (int i = 0; i < 500 && !fs::exists(dir / "wal/reserve"); ++i) usleep(10'000);
    disk.full = true;
    while ((*ledger)->append_sync(std::string(4'000, 'x'))) {
    }
    EXPECT_FALSE((*ledger)->health().writable);
    EXPECT_TRUE((*ledger)->health().kept);
    const auto kept = [&](std::string entry) {
        std::promise<Result<Appended>> promise;
        (*ledger)->append_kept(std::move(entry),
                               [&](Result<Appended> done) { promise.set_value(std::move(done)); });
        return promise.get_future().get();
    };
    const std::uint64_t before = (*ledger)->health().durable;
    for (std::uint64_t i = 0; i < 50; ++i) {
        const auto done = kept("revoked " + std::string(500, ' ') + std::to_string(i));
        ASSERT_TRUE(done) << done.error().message();
        EXPECT_EQ(done->index, before + i);
        EXPECT_FALSE((*ledger)->append_sync("a call")) << "calls may not use the space kept";
    }
    ASSERT_TRUE((*ledger)->flush()) << "checkpoints go on where their folder has room";
    // A restart on the full disk keeps the rest of the space for narrowing acts.
    ledger->reset();
    ledger = open(disk);
    ASSERT_TRUE(ledger) << ledger.error().message();
    EXPECT_FALSE((*ledger)->append_sync("a call"));
    ASSERT_TRUE(kept("revoked after the restart"));
    // There is an end to it, and it is told.
    while (kept(std::string(4'000, 'k'))) {
    }
    EXPECT_FALSE((*ledger)->health().kept);
    disk.full = false;
    for (int i = 0; i < 500 && !(*ledger)->health().writable; ++i) usleep(10'000);
    ASSERT_TRUE((*ledger)->append_sync("again"));
    EXPECT_TRUE((*ledger)->health().kept);
    ASSERT_TRUE((*ledger)->flush());
    EXPECT_TRUE(LogReader::open(log_dir(), vkey())->verify().findings.empty());
    for (int i = 0; i < 500 && !fs::exists(dir / "wal/reserve"); ++i) usleep(10'000);
    EXPECT_TRUE(fs::exists(dir / "wal/reserve")) << "the space is kept again";
}

// The next segment may have its name by then: an act that went on into the one before would be
// acknowledged and make the log unreadable.
TEST_F(LedgerAttack, ARotationThatFailsForGoodRefusesNarrowingActsToo) {
    FullDisk disk("/wal/spare.new");
    auto ledger = open(disk);
    ASSERT_TRUE((*ledger)->append_sync("first"));
    for (int i = 0; i < 500 && !fs::exists(dir / "wal/spare"); ++i) usleep(10'000);
    ASSERT_TRUE(fs::exists(dir / "wal/spare"));
    // The reserve is gone and there is no room for another: what comes next wants the next segment.
    disk.full = true;
    fs::remove(dir / "wal/reserve");
    for (int i = 0; i < 500 && (*ledger)->health().reason.empty(); ++i) usleep(10'000);
    ASSERT_TRUE((*ledger)->health().writable);
    disk.fail_folders = true;
    std::promise<Result<Appended>> promise;
    (*ledger)->append_kept("revoked",
                           [&](Result<Appended> done) { promise.set_value(std::move(done)); });
    EXPECT_FALSE(promise.get_future().get());
    EXPECT_FALSE(disk.fail_folders) << "no rotation was tried";
    EXPECT_FALSE((*ledger)->health().kept);
    ledger->reset();
    ledger = open();
    ASSERT_TRUE(ledger) << ledger.error().message();
    EXPECT_EQ((*ledger)->health().durable, 1u);
}

TEST_F(LedgerAttack, AnIdleLogRenewsItsCheckpoint) {
    options.heartbeat_s = 60;
    auto ledger = open();
    ASSERT_TRUE((*ledger)->append_sync("only"));
    ASSERT_TRUE((*ledger)->flush());
    const auto before = fs::last_write_time(log_dir() / "checkpoint");
    const auto text = *read_file(log_dir() / "checkpoint", 1000);
    clock.advance_us(61'000'000);
    for (int i = 0; i < 500 && fs::last_write_time(log_dir() / "checkpoint") == before; ++i)
        usleep(10'000);
    EXPECT_NE(fs::last_write_time(log_dir() / "checkpoint"), before);
    EXPECT_EQ(*read_file(log_dir() / "checkpoint", 1000), text);
}

// The reader is pointed at folders that others wrote.
TEST_F(LedgerAttack, APipeInPlaceOfATileDoesNotHangTheReader) {
    fill(300);
    const auto log = LogReader::open(log_dir(), vkey());
    fs::remove(log_dir() / "tile/0/000");
    ASSERT_EQ(mkfifo((log_dir() / "tile/0/000").c_str(), 0600), 0);
    EXPECT_FALSE(log->verify().findings.empty());
}

TEST_F(LedgerAttack, AProofThatTheRootDoesNotConfirmIsNotHandedOut) {
    fill(300);
    ASSERT_TRUE(LogReader::open(log_dir(), vkey())->proof(7));
    flip(log_dir() / "tile/0/000", 6 * 32);
    const auto log = LogReader::open(log_dir(), vkey());
    EXPECT_EQ(log->inclusion(7).error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(log->inclusion(7).error().code, ErrorCode::kCorrupt) << "asked again";
    EXPECT_EQ(log->proof(7).error().code, ErrorCode::kCorrupt);
    fs::remove(log_dir() / "tile/0/000");
    EXPECT_EQ(LogReader::open(log_dir(), vkey())->inclusion(7).error().code, ErrorCode::kCorrupt);
}

TEST_F(LedgerAttack, AWhollyDamagedLogGivesABoundedReport) {
    fill(2'000);
    for (int n = 0; n < 7; ++n)
        std::ofstream(log_dir() / ("tile/0/00" + std::to_string(n))) << std::string(8192, 'x');
    const auto report = LogReader::open(log_dir(), vkey())->verify();
    EXPECT_FALSE(report.findings.empty());
    EXPECT_LE(report.findings.size(), 130u);
}

}  // namespace
}  // namespace writ::ledger
