#include "ledger/wal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <random>
#include <thread>

#include "base/temp_dir.h"
#include "ledger/watch.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kSectorBytes = 512;

bool is_direct(int fd) {
    return (::fcntl(fd, F_GETFL) & O_DIRECT) != 0;
}

std::string entry(int i) {
    return std::to_string(i) + std::string(static_cast<std::size_t>(i * 37 % 1'700), 'e');
}

class WalTest : public ::testing::Test {
  protected:
    Wal open(Disk& disk = system_disk()) {
        auto wal = Wal::open(dir, 256 << 10, disk, 0);
        EXPECT_TRUE(wal) << wal.error().message();
        EXPECT_TRUE(wal->start());
        return std::move(*wal);
    }
    // Adds entries end(), end() + 1, … and commits them; in the next segment where this is full.
    static Status commit(Wal& wal, int count) {
        for (int i = 0; i < count; ++i) {
            if (wal.add(entry(static_cast<int>(wal.end())))) continue;
            if (auto done = wal.commit(); !done) return done;
            if (auto done = wal.rotate(); !done) return done;
            if (!wal.add(entry(static_cast<int>(wal.end())))) return fail(ErrorCode::kIo, "full");
        }
        return wal.commit();
    }
    void expect_entries(std::uint64_t count) const {
        std::uint64_t next = 0;
        const auto done = WalReader(dir, 0).read(count, [&](auto index, std::string_view bytes) {
            EXPECT_EQ(index, next++);
            EXPECT_EQ(bytes, entry(static_cast<int>(index)));
            return true;
        });
        EXPECT_TRUE(done) << done.error().message();
        EXPECT_EQ(next, count);
    }

    const TempDir temp;
    const fs::path dir = temp.path();
};

// Told of each write to a segment.
class WatchedDisk : public Disk {
  public:
    ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) override {
        direct += is_direct(fd) ? 1 : 0;
        const auto address = reinterpret_cast<std::uintptr_t>(data);
        if ((address | size | static_cast<std::size_t>(offset)) % kPageBytes != 0) pages = false;
        return Disk::pwrite(fd, data, size, offset);
    }
    std::atomic<int> direct = 0;
    std::atomic<bool> pages = true;
};

TEST_F(WalTest, CommitsGoPastTheCacheInWholePages) {
    const int probe =
        ::open((dir / "probe").c_str(), O_CREAT | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
    if (probe < 0) GTEST_SKIP() << "this file system has no way past the cache";
    ::close(probe);
    WatchedDisk disk;
    Wal wal = open(disk);
    const int before = disk.direct;
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(commit(wal, i % 5 + 1));
    EXPECT_GE(disk.direct, before + 50);
    EXPECT_TRUE(disk.pages);
    expect_entries(wal.end());
}

// What a reader has in the system's cache is older than what was written past it.
TEST_F(WalTest, AReaderSeesWhatWasWrittenPastTheCache) {
    Wal wal = open();
    WalReader reader(dir, 0);
    for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(commit(wal, i % 3 + 1));
        std::uint64_t next = reader.next();
        ASSERT_TRUE(reader.read(wal.end(), [&](auto index, std::string_view bytes) {
            EXPECT_EQ(bytes, entry(static_cast<int>(index)));
            ++next;
            return true;
        }));
        ASSERT_EQ(next, wal.end());
    }
}

// Room may be there again the moment after: the next segment then has the name of the reserve that
// nothing was written to.
TEST_F(WalTest, ASegmentWithoutAnEntryIsReplacedByTheNext) {
    Wal wal = open();
    ASSERT_TRUE(commit(wal, 3));
    for (int i = 0; i < 500 && !fs::exists(dir / "reserve"); ++i) usleep(10'000);
    ASSERT_TRUE(wal.enter_reserve());
    ASSERT_TRUE(wal.rotate());
    EXPECT_EQ(wal.segments(), (std::vector<std::uint64_t>{0, 3}));
    EXPECT_TRUE(wal.in_place());
    SegmentWatch watch(dir);
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(commit(wal, 2));
        EXPECT_EQ(watch.look(wal.segments(), 0), "");
    }
    expect_entries(9);
}

TEST_F(WalTest, AFileSystemThatCannotIsWrittenThroughTheCache) {
    struct : Disk {
        ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) override {
            if (!is_direct(fd)) return Disk::pwrite(fd, data, size, offset);
            ++refused;
            errno = EINVAL;
            return -1;
        }
        std::atomic<int> refused = 0;
    } disk;
    std::uint64_t end = 0;
    for (int run = 0; run < 2; ++run) {
        Wal wal = open(disk);
        EXPECT_EQ(wal.end(), end);
        for (int i = 0; i < 100; ++i) ASSERT_TRUE(commit(wal, 3));
        end = wal.end();
    }
    EXPECT_GT(disk.refused, 0);
    expect_entries(end);
}

// The power fails while a batch is written: of its sectors, and of the page before it that is
// written again, any may be the old one or the new one.
TEST_F(WalTest, ATornWriteTakesNothingThatWasAcknowledged) {
    struct : Disk {
        ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) override {
            // The spare is made by another thread.
            if (std::this_thread::get_id() != test || !tear)
                return Disk::pwrite(fd, data, size, offset);
            const int through_cache =
                ::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_WRONLY | O_CLOEXEC);
            const char* bytes = static_cast<const char*>(data);
            for (std::size_t at = 0; at < size; at += kSectorBytes)
                if (random() % 2 == 0)
                    EXPECT_EQ(Disk::pwrite(through_cache, bytes + at, kSectorBytes,
                                           offset + static_cast<off_t>(at)),
                              static_cast<ssize_t>(kSectorBytes));
            ::close(through_cache);
            errno = EIO;
            return -1;
        }
        const std::thread::id test = std::this_thread::get_id();
        bool tear = false;
        std::mt19937 random{20261126};
    } disk;
    std::uint64_t acknowledged = 0;
    for (int run = 0; run < 60; ++run) {
        disk.tear = false;
        Wal wal = open(disk);
        ASSERT_GE(wal.end(), acknowledged);
        ASSERT_TRUE(commit(wal, run % 4 + 1));
        acknowledged = wal.end();
        int more = 0;
        while (more < run % 7 + 1 && wal.add(entry(static_cast<int>(wal.end())))) ++more;
        disk.tear = more > 0;
        EXPECT_EQ(wal.commit().has_value(), more == 0);
        expect_entries(acknowledged);
    }
}

}  // namespace
}  // namespace writ::ledger
