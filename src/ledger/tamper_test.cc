// What is done to the files of a running log is noticed within a second; what retention and the
// second copy do to them is not damage.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/secret.h"
#include "base/temp_dir.h"
#include "ledger/file.h"
#include "ledger/ledger.h"
#include "ledger/note.h"
#include "ledger/prune.h"
#include "ledger/reader.h"
#include "ledger/replica.h"
#include "ledger/segment.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;

class LedgerTamper : public ::testing::Test {
  protected:
    LedgerTamper() {
        options.dir = dir / "data";
        options.origin = "test.local/log/default/node";
        options.segment_bytes = 128 << 10;
        options.checkpoint_every_ms = 10;
    }
    ~LedgerTamper() override {
        ledger.reset();
        fs::remove_all(dir);
    }
    void open() {
        ledger.reset();
        auto opened = Ledger::open(options, *crypto::Ed25519Key::from_seed(seed), clock);
        ASSERT_TRUE(opened) << opened.error().message();
        ledger = std::move(*opened);
    }
    void fill(int count, std::size_t bytes = 40) {
        for (int i = 0; i < count; ++i)
            ledger->append(std::string(bytes, 'e') + std::to_string(i), [](auto) {});
        ASSERT_TRUE(ledger->flush());
    }
    template <class Until>
    static bool within_a_second(Until until) {
        // The promise is a second; a loaded machine gets some more before this fails.
        for (int i = 0; i < 1'200; ++i) {
            if (until()) return true;
            usleep(25'000);
        }
        return false;
    }
    bool checked() {
        return within_a_second([&] { return ledger->health().check != CheckState::kRunning; }) &&
               ledger->health().check == CheckState::kGood;
    }
    fs::path log_dir() const { return options.dir / "log/default/node"; }
    fs::path segment(std::size_t n) const {
        std::vector<fs::path> out;
        for (const auto& entry : fs::directory_iterator(options.dir / "wal"))
            if (entry.path().extension() == ".seg") out.push_back(entry.path());
        std::sort(out.begin(), out.end());
        return out.at(n);
    }
    static std::string text_of(const fs::path& path) {
        std::ifstream in(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    }
    static void flip(const fs::path& path, std::uint64_t at) {
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        file.seekg(static_cast<std::streamoff>(at));
        const char byte = static_cast<char>(file.get() ^ 1);
        file.seekp(static_cast<std::streamoff>(at));
        file.put(byte);
    }

    void expect_published(std::uint64_t index, std::string_view entry) const {
        const auto reader = LogReader::open(log_dir(), ledger->vkey());
        ASSERT_TRUE(reader);
        ASSERT_GT(reader->checkpoint().size, index);
        EXPECT_EQ(*reader->entry(index), entry);
        EXPECT_TRUE(reader->verify().findings.empty());
    }
    void expect_no_start() {
        ledger.reset();
        const auto again = Ledger::open(options, *crypto::Ed25519Key::from_seed(seed), clock);
        ASSERT_FALSE(again) << "nothing goes on over an altered entry";
        EXPECT_EQ(again.error().code, ErrorCode::kCorrupt) << again.error().message();
    }

    const TempDir temp;
    const fs::path dir = temp.path();
    Bytes seed = random_bytes(32);
    Options options;
    SystemClock clock;
    std::unique_ptr<Ledger> ledger;
};

TEST_F(LedgerTamper, AClosedSegmentThatIsRemovedStopsTheLog) {
    open();
    fill(300, 1'000);
    fs::remove(segment(0));
    EXPECT_TRUE(within_a_second([&] { return !ledger->health().writable; }));
    EXPECT_FALSE(ledger->append_sync("after"));
}

TEST_F(LedgerTamper, AClosedSegmentThatIsWrittenToStopsTheLog) {
    open();
    fill(300, 1'000);
    ASSERT_TRUE(within_a_second([&] { return ledger->health().check == CheckState::kGood; }));
    usleep(600'000);  // it has been looked at
    flip(segment(0), 5'000);
    EXPECT_TRUE(within_a_second([&] { return !ledger->health().writable; }));
}

// Acknowledged, altered on disk, and published only then: what is published is what was
// acknowledged, and the next start sees that the disk says otherwise.
TEST_F(LedgerTamper, AFrameAlteredBeforeItsPublicationIsNotPublished) {
    options.checkpoint_every_ms = 3'600'000;
    open();
    fill(3);
    ASSERT_TRUE(ledger->append_sync("the truth"));
    ASSERT_TRUE(ledger->append_sync("and what came after"));
    const std::string wal = text_of(segment(0));
    const auto at = wal.find("the truth");
    ASSERT_NE(at, std::string::npos);
    flip(segment(0), at);
    ASSERT_TRUE(ledger->flush()) << "the truth is signed";
    expect_published(3, "the truth");
    expect_no_start();
}

// The same after tiles could not be written: the publisher begins again and reads the log.
TEST_F(LedgerTamper, AFrameAlteredBeforeItIsReadAgainIsNotSigned) {
    options.checkpoint_every_ms = 3'600'000;
    options.segment_bytes = 4 << 20;  // one, as closed ones are watched
    open();
    fill(3);
    const std::string before = text_of(log_dir() / "checkpoint");
    fs::rename(log_dir() / "tile", log_dir() / "gone");
    std::ofstream(log_dir() / "tile") << "nothing can be written here";
    for (int i = 0; i < 20 || ledger->health().reason.empty(); ++i)
        ASSERT_TRUE(ledger->append_sync("entry " + std::to_string(i) + std::string(60'000, 'e')));
    fs::remove(log_dir() / "tile");
    fs::rename(log_dir() / "gone", log_dir() / "tile");
    const std::string wal = text_of(segment(0));
    const auto at = wal.find("entry 1e");
    ASSERT_NE(at, std::string::npos);
    flip(segment(0), at);
    EXPECT_FALSE(ledger->flush());
    EXPECT_FALSE(ledger->health().reason.empty());
    EXPECT_EQ(text_of(log_dir() / "checkpoint"), before);
    ledger.reset();
    EXPECT_EQ(text_of(log_dir() / "checkpoint"), before) << "nor at the end";
}

// The same by somebody who makes the checksum fit: the other text is under no signature.
TEST_F(LedgerTamper, AFrameForgedBeforeItsPublicationGetsNoSignature) {
    options.checkpoint_every_ms = 3'600'000;
    open();
    fill(3);
    const auto truth = ledger->append_sync("the truth");
    ASSERT_TRUE(truth);
    ASSERT_TRUE(ledger->append_sync("and what came after"));
    std::string forged, right;
    append_frame(right, truth->index, "the truth");
    append_frame(forged, truth->index, "the untru");
    const auto at = text_of(segment(0)).find(right);
    ASSERT_NE(at, std::string::npos);
    {
        std::fstream file(segment(0), std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(static_cast<std::streamoff>(at));
        file << forged;
    }
    ASSERT_TRUE(ledger->flush()) << "the truth is signed";
    EXPECT_EQ(truth->leaf, leaf_hash(as_bytes(std::string_view("the truth"))));
    expect_published(3, "the truth");
    expect_no_start();
}

TEST_F(LedgerTamper, ARemovedLockStopsTheLog) {
    open();
    fs::remove(options.dir / "lock");
    EXPECT_TRUE(within_a_second([&] { return !ledger->health().writable; }));
}

TEST_F(LedgerTamper, SignedStateCheckpointAndKeyArePutBackAndTold) {
    open();
    fill(3);
    std::size_t told = 0;
    for (const fs::path& file : {options.dir / "state/default-node.signed",
                                 log_dir() / "checkpoint", log_dir() / "log.vkey"}) {
        const std::string before = text_of(file);
        for (const bool remove : {true, false}) {
            if (remove)
                fs::remove(file);
            else
                std::ofstream(file) << "something else";
            EXPECT_TRUE(within_a_second([&] { return text_of(file) == before; })) << file;
            ++told;
            EXPECT_TRUE(within_a_second([&] { return ledger->health().tampered.size() == told; }));
        }
    }
    EXPECT_TRUE(ledger->append_sync("goes on"));
}

TEST_F(LedgerTamper, ARemovedOrAlteredTileIsToldAndMadeAgain) {
    open();
    fill(600);
    ASSERT_TRUE(checked());
    fs::remove(log_dir() / "tile/0/000");
    EXPECT_TRUE(within_a_second([&] { return ledger->health().tampered.size() == 1; }));
    flip(log_dir() / "tile/entries/001", 100);
    EXPECT_TRUE(within_a_second([&] { return ledger->health().tampered.size() >= 2; }));
    open();
    EXPECT_TRUE(checked()) << "the entries are right, so the start is";
    EXPECT_EQ(ledger->health().tampered.size(), 2u) << "both are made again, and told";
    EXPECT_TRUE(LogReader::open(log_dir(), ledger->vkey())->verify().findings.empty());
}

// The start reads the tail only and is ready at once; the rest is checked beside it.
TEST_F(LedgerTamper, AnOldEntryThatWasChangedIsFoundBesideTheStart) {
    open();
    fill(300, 1'000);
    ledger.reset();
    flip(segment(0), 5'000);
    open();
    EXPECT_TRUE(within_a_second([&] { return ledger->health().check == CheckState::kBad; }));
    EXPECT_FALSE(ledger->health().writable);
    EXPECT_FALSE(ledger->append_sync("after"));
}

TEST_F(LedgerTamper, PruningFreesTheBytesAndKeepsTheProofs) {
    open();
    fill(2'000, 500);
    const auto proof = LogReader::open(log_dir(), ledger->vkey())->inclusion(100);
    ASSERT_TRUE(proof);
    EXPECT_EQ(ledger->prune(3'000).error().code, ErrorCode::kInvalid);
    const auto bound = ledger->prune(1'500);
    ASSERT_TRUE(bound) << bound.error().message();
    EXPECT_EQ(*bound, 1'280u);
    EXPECT_EQ(text_of(log_dir() / "minimum-index"), "1280\n");
    EXPECT_FALSE(fs::exists(log_dir() / "tile/entries/004"));
    EXPECT_TRUE(fs::exists(log_dir() / "tile/entries/005"));
    EXPECT_GT(segment(0).filename().string(), "00000000000000000000.seg");
    const auto log = LogReader::open(log_dir(), ledger->vkey());
    EXPECT_EQ(*log->inclusion(100), *proof) << "old proofs still verify";
    EXPECT_EQ(log->entry(100).error().code, ErrorCode::kNotFound);
    EXPECT_TRUE(log->entry(1'280));
    EXPECT_TRUE(log->verify().findings.empty()) << log->verify().findings.front().what;
    usleep(700'000);
    EXPECT_TRUE(ledger->health().tampered.empty()) << ledger->health().tampered.front();
    EXPECT_EQ(ledger->health().minimum_index, 1'280u);
    // A copy made now has the hashes of what is gone, and verifies.
    FolderSource source(log_dir());
    auto replica = Replica::open(dir / "copy", ledger->vkey());
    ASSERT_TRUE(replica);
    const auto copied = replica->update(source);
    ASSERT_TRUE(copied) << copied.error().message();
    EXPECT_EQ(text_of(dir / "copy/minimum-index"), "1280\n");
    EXPECT_TRUE(LogReader::open(dir / "copy", ledger->vkey())->verify().findings.empty());
    // What is left is a log that starts, is checked, and goes on.
    open();
    EXPECT_TRUE(checked());
    std::uint64_t first = 0;
    ASSERT_TRUE(ledger->read(0, [&](std::uint64_t index, std::string_view) {
        first = index;
        return false;
    }));
    EXPECT_EQ(first, 1'280u);
    EXPECT_EQ(ledger->append_sync("next")->index, 2'000u);
}

TEST_F(LedgerTamper, APruningBesideAReaderIsNoDamage) {
    open();
    fill(2'000);
    const auto reader = LogReader::open(log_dir(), ledger->vkey());
    ASSERT_TRUE(reader);
    ASSERT_TRUE(ledger->prune(1'300));
    for (const auto& found : reader->verify().findings) ADD_FAILURE() << found.what;
    fs::remove(log_dir() / "tile/entries/006");
    EXPECT_FALSE(reader->verify().findings.empty()) << "what is not pruned must be there";
}

TEST_F(LedgerTamper, RetentionPrunesByItself) {
    options.keep_entries = 300;
    open();
    fill(2'000, 100);
    EXPECT_TRUE(within_a_second([&] { return ledger->health().check != CheckState::kRunning; }));
    ledger.reset();
    open();  // the first round of a run comes at once after the check
    ledger->needed_from(2'000);
    EXPECT_TRUE(within_a_second([&] { return ledger->health().minimum_index == 1'536; }));
    for (const auto& found : LogReader::open(log_dir(), ledger->vkey())->verify().findings)
        ADD_FAILURE() << found.what;
    EXPECT_TRUE(ledger->health().tampered.empty());
}

TEST_F(LedgerTamper, RetentionKeepsWhatTheNextStartReads) {
    options.keep_entries = 300;
    open();
    fill(2'000, 100);
    EXPECT_TRUE(within_a_second([&] { return ledger->health().check == CheckState::kGood; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(600));  // two looks of the watch
    EXPECT_EQ(ledger->health().minimum_index, 0u) << "nobody has said what is needed";
    ledger->needed_from(600);
    EXPECT_TRUE(within_a_second([&] { return ledger->health().minimum_index == 512; }));
}

TEST_F(LedgerTamper, TheSecondCopyFollowsAndIsALogOfItsOwn) {
    options.mirror = dir / "copy";
    open();
    fill(700);
    EXPECT_TRUE(within_a_second([&] { return ledger->health().mirrored == 700; }))
        << ledger->health().mirror_trouble;
    fill(300);
    ledger.reset();
    auto opened = Ledger::open(options, *crypto::Ed25519Key::from_seed(seed), clock);
    ASSERT_TRUE(opened);
    ledger = std::move(*opened);
    const auto copy = LogReader::open(options.mirror, ledger->vkey());
    ASSERT_TRUE(copy) << copy.error().message();
    EXPECT_EQ(copy->checkpoint().size, 1'000u) << "the last entries are copied before it closes";
    EXPECT_TRUE(copy->verify().findings.empty());
}

TEST_F(LedgerTamper, ACopyIsNotMovedByWhatDoesNotVerify) {
    open();
    fill(700);
    const std::string vkey = ledger->vkey();
    FolderSource source(log_dir());
    auto replica = Replica::open(dir / "copy", vkey);
    ASSERT_TRUE(replica);
    ASSERT_TRUE(replica->update(source));
    EXPECT_EQ(replica->size(), 700u);
    const auto kept = text_of(dir / "copy/checkpoint");
    fill(700);
    flip(log_dir() / "tile/entries/003", 50);
    EXPECT_EQ(replica->update(source).error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(text_of(dir / "copy/checkpoint"), kept);
    EXPECT_EQ(Replica::open(dir / "copy", vkey)->size(), 700u);
    // Another log's key does not take the folder over.
    const auto other = make_vkey("other.example", crypto::Ed25519Key::generate().public_key());
    EXPECT_EQ(Replica::open(dir / "copy", other).error().code, ErrorCode::kConflict);
}

// A source that is cut off between two answers, many times: the copy goes on where it was.
TEST_F(LedgerTamper, AnInterruptedCopyGoesOn) {
    open();
    fill(3'000);
    struct Unsteady final : LogSource {
        explicit Unsteady(fs::path dir) : folder(std::move(dir)) {}
        Result<std::string> get(const std::string& path, std::size_t bytes_max) override {
            if (path.starts_with("tile/") && ++asked % 4 == 0)
                return fail(ErrorCode::kUnavailable, "the line is cut");
            return folder.get(path, bytes_max);
        }
        FolderSource folder;
        int asked = 0;
    } source(log_dir());
    int rounds = 0;
    for (; rounds < 20; ++rounds) {
        auto replica = Replica::open(dir / "copy", ledger->vkey());
        ASSERT_TRUE(replica) << replica.error().message();
        if (replica->update(source)) break;
    }
    EXPECT_GT(rounds, 1);
    EXPECT_LE(source.asked, 20) << "what is there is not asked for again";
    EXPECT_TRUE(LogReader::open(dir / "copy", ledger->vkey())->verify().findings.empty());
}

}  // namespace
}  // namespace writ::ledger
