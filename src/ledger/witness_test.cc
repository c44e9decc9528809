// The witness against the words of c2sp.org/tlog-witness, and a log that submits to several.
#include "ledger/witness.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iterator>
#include <map>

#include "base/secret.h"
#include "base/temp_dir.h"
#include "crypto/hash.h"
#include "ledger/ledger.h"
#include "ledger/policy.h"
#include "ledger/reader.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOrigin = "example.com/behind-the-sofa";

class WitnessTest : public ::testing::Test {
  protected:
    WitnessTest() {
        start();
        for (int i = 0; i < 20; ++i) {
            trees.push_back(tree);
            tree.append(leaf_hash(as_bytes(std::to_string(i))));
        }
        trees.push_back(tree);
    }
    void start() {
        witness.reset();
        auto opened = Witness::open({dir.path(), "witness.example/w1"},
                                    *crypto::Ed25519Key::from_seed(seed), clock);
        ASSERT_TRUE(opened) << opened.error().message();
        witness = std::move(*opened);
        ASSERT_TRUE(witness->set_logs({make_vkey(kOrigin, key.public_key())}));
    }
    std::string checkpoint(std::uint64_t size) const {
        return sign_note(checkpoint_text(kOrigin, size, trees[size].root()), kOrigin, key);
    }
    // A proof for trees this small: SUBPROOF over their leaves.
    static Sha256 mth(std::size_t from, std::size_t to) {
        CompactTree out;
        for (std::size_t i = from; i < to; ++i) out.append(leaf_hash(as_bytes(std::to_string(i))));
        return out.root();
    }
    static void subproof(std::size_t m, std::size_t from, std::size_t to, bool b,
                         std::vector<Sha256>& out) {
        if (m == to - from) {
            if (!b) out.push_back(mth(from, to));
            return;
        }
        const std::size_t k = std::bit_floor(to - from - 1);
        if (m <= k) {
            subproof(m, from, from + k, b, out);
            out.push_back(mth(from + k, to));
        } else {
            subproof(m - k, from + k, to, false, out);
            out.push_back(mth(from, from + k));
        }
    }
    static std::string body(std::uint64_t old, std::uint64_t size, const std::string& note) {
        std::vector<Sha256> path;
        if (old > 0 && old < size) subproof(old, 0, size, true, path);
        std::string out = "old " + std::to_string(old) + "\n";
        for (const auto& hash : path) out += to_base64(hash) + "\n";
        return out + "\n" + note;
    }
    WitnessAnswer submit(std::uint64_t old, std::uint64_t size) {
        return witness->add_checkpoint(body(old, size, checkpoint(size)));
    }
    std::int64_t time_of(const WitnessAnswer& answer, std::uint64_t size) {
        const auto self = NoteVerifier::parse(witness->vkey(), KeyRole::kWitness);
        const auto lines = parse_signatures(answer.body);
        if (!self || !lines) return -1;
        const auto at =
            cosigned_at(checkpoint_text(kOrigin, size, trees[size].root()), *lines, *self);
        return at && *at ? **at : -1;
    }

    TempDir dir;
    Bytes seed = random_bytes(32);
    crypto::Ed25519Key key = crypto::Ed25519Key::generate();
    ManualClock clock{1'795'460'000'000'000};
    CompactTree tree;
    std::vector<CompactTree> trees;
    std::unique_ptr<Witness> witness;
};

TEST_F(WitnessTest, CosignsWhatIsConsistentWithWhatItSaw) {
    auto answer = submit(0, 5);
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(time_of(answer, 5), 1'795'460'000);
    answer = submit(5, 17);
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(time_of(answer, 17), 1'795'460'000);
    EXPECT_EQ(submit(17, 17).status, 200) << "a heartbeat gets a new time";
    EXPECT_EQ(witness->seen().front().size, 17u);
}

TEST_F(WitnessTest, AnswersAsTheSpecificationSays) {
    ASSERT_EQ(submit(0, 5).status, 200);
    const auto conflict = submit(3, 7);
    EXPECT_EQ(conflict.status, 409);
    EXPECT_EQ(conflict.type, "text/x.tlog.size");
    EXPECT_EQ(conflict.body, "5\n");
    EXPECT_EQ(submit(0, 7).status, 409);
    EXPECT_EQ(submit(7, 5).status, 400) << "the old size is larger";
    const auto other = crypto::Ed25519Key::generate();
    const std::string stranger =
        sign_note(checkpoint_text(kOrigin, 7, trees[7].root()), kOrigin, other);
    EXPECT_EQ(witness->add_checkpoint(body(5, 7, stranger)).status, 403);
    const std::string unknown = sign_note(checkpoint_text("example.com/other", 7, trees[7].root()),
                                          "example.com/other", other);
    EXPECT_EQ(witness->add_checkpoint(body(5, 7, unknown)).status, 404);
    // A fork at the same size, and one beyond, both signed by the real key.
    const std::string fork = sign_note(checkpoint_text(kOrigin, 5, trees[6].root()), kOrigin, key);
    EXPECT_EQ(witness->add_checkpoint(body(5, 5, fork)).status, 422);
    const std::string beyond =
        sign_note(checkpoint_text(kOrigin, 9, trees[8].root()), kOrigin, key);
    EXPECT_EQ(witness->add_checkpoint(body(5, 9, beyond)).status, 422);
    EXPECT_EQ(witness->add_checkpoint("old 5\n\n" + checkpoint(9)).status, 422) << "no proof";
    EXPECT_EQ(witness->seen().front().size, 5u) << "nothing of that moved it";
}

TEST_F(WitnessTest, MalformedSubmissionsAreRefused) {
    for (const std::string& bad :
         {std::string(), std::string("old"), std::string("old 0"), std::string("old 0\n"),
          "old 00\n\n" + checkpoint(5), "old -1\n\n" + checkpoint(5), "old 0 \n\n" + checkpoint(5),
          "new 0\n\n" + checkpoint(5), "old 0\nnot base64\n\n" + checkpoint(5),
          "old 0\nAAAA\n\n" + checkpoint(5), std::string("old 0\n\nno note\n"),
          "old 0\n\n" + checkpoint(5).substr(0, 20),
          "old 18446744073709551616\n\n" + checkpoint(5)})
        EXPECT_EQ(witness->add_checkpoint(bad).status, 400) << bad;
    std::string many = "old 0\n";
    for (int i = 0; i < 64; ++i) many += to_base64(Sha256{}) + "\n";
    EXPECT_EQ(witness->add_checkpoint(many + "\n" + checkpoint(5)).status, 400);
    EXPECT_EQ(witness->add_checkpoint(std::string(70 << 10, 'x')).status, 413);
}

TEST_F(WitnessTest, RemembersAcrossRestarts) {
    ASSERT_EQ(submit(0, 5).status, 200);
    start();
    EXPECT_EQ(submit(0, 7).body, "5\n");
    EXPECT_EQ(submit(5, 7).status, 200);
    const std::string name = to_hex(crypto::sha256(std::string_view(kOrigin)));
    const auto kept = witness->checkpoint(name);
    EXPECT_EQ(kept.status, 200);
    const auto text =
        open_note(kept.body, *NoteVerifier::parse(make_vkey(kOrigin, key.public_key())));
    ASSERT_TRUE(text) << "the log's signature is kept: it is proof against the log";
    EXPECT_EQ(parse_checkpoint(*text)->size, 7u);
    EXPECT_EQ(witness->checkpoint("00").status, 404);
}

TEST_F(WitnessTest, ARecordThatIsNotItsOwnStopsTheStart) {
    ASSERT_EQ(submit(0, 7).status, 200);
    const fs::path file =
        dir.path() / (to_hex(crypto::sha256(std::string_view(kOrigin))) + ".checkpoint");
    // The log puts an older checkpoint of its own there, to be confirmed in a fork.
    std::ofstream(file) << checkpoint(3);
    witness.reset();
    auto again = Witness::open({dir.path(), "witness.example/w1"},
                               *crypto::Ed25519Key::from_seed(seed), clock);
    ASSERT_TRUE(again);
    EXPECT_EQ((*again)->set_logs({make_vkey(kOrigin, key.public_key())}).error().code,
              ErrorCode::kCorrupt);
}

TEST_F(WitnessTest, NoCosignatureCarriesAnEarlierTimeThanOneBefore) {
    const auto first = submit(0, 5);
    clock.step_wall_us(-3'600'000'000);  // the clock goes back an hour
    const auto second = submit(5, 7);
    EXPECT_GE(time_of(second, 7), time_of(first, 5));
    start();
    EXPECT_GE(time_of(submit(7, 8), 8), time_of(first, 5));
}

TEST_F(WitnessTest, WhatCannotBeKeptIsNotCosigned) {
    struct Broken final : Disk {
        int fsync(int) override {
            errno = EIO;
            return -1;
        }
    } broken;
    TempDir other;
    auto opened = Witness::open({other.path(), "witness.example/w1"},
                                *crypto::Ed25519Key::from_seed(seed), clock, broken);
    ASSERT_TRUE(opened) << opened.error().message();
    ASSERT_TRUE((*opened)->set_logs({make_vkey(kOrigin, key.public_key())}));
    const auto answer = (*opened)->add_checkpoint(body(0, 5, checkpoint(5)));
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.body.find("\xe2\x80\x94"), std::string::npos);
}

TEST_F(WitnessTest, AFloodOfOneLogIsBounded) {
    ASSERT_EQ(submit(0, 5).status, 200);
    int refused = 0;
    for (int i = 0; i < 200; ++i) refused += submit(5, 5).status == 429 ? 1 : 0;
    EXPECT_GT(refused, 100);
    clock.advance_us(1'000'000);
    EXPECT_EQ(submit(5, 5).status, 200);
}

TEST_F(WitnessTest, OneProcessAFolder) {
    const auto second = Witness::open({dir.path(), "witness.example/w1"},
                                      *crypto::Ed25519Key::from_seed(seed), clock);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kConflict);
}

// ---- a log and its witnesses

// Witnesses in memory behind the client's interface, some of them silent.
class FakeWitnesses final : public WitnessClient {
  public:
    Result<WitnessReply> post(const std::string& url, std::string body) override {
        Witness* to = find(url);
        if (to == nullptr) return fail(ErrorCode::kUnavailable, "nobody answers");
        const auto answer = to->add_checkpoint(body);
        return WitnessReply{answer.status, answer.body};
    }
    Result<WitnessReply> get(const std::string& url) override {
        Witness* to = find(url);
        if (to == nullptr) return fail(ErrorCode::kUnavailable, "nobody answers");
        const auto name = url.substr(10, 64);  // http://wN/<64 hex digits>/checkpoint
        const auto answer = to->checkpoint(name);
        return WitnessReply{answer.status, answer.body};
    }
    std::map<std::string, Witness*> by_host;
    std::atomic<bool> silent = false;

  private:
    Witness* find(const std::string& url) {
        const auto it = by_host.find(url.substr(0, 9));
        return silent || it == by_host.end() ? nullptr : it->second;
    }
};

class WitnessedLog : public ::testing::Test {
  protected:
    WitnessedLog() {
        options.dir = dir.path() / "log";
        options.origin = "test.local/log";
        options.checkpoint_every_ms = 5;
        std::string text;
        for (int i = 0; i < 3; ++i) {
            const std::string name = "w" + std::to_string(i);
            auto opened = Witness::open({dir.path() / name, name + ".example", 1e6, 1e6},
                                        crypto::Ed25519Key::generate(), clock);
            EXPECT_TRUE(opened);
            EXPECT_TRUE((*opened)->set_logs({make_vkey(options.origin, key().public_key())}));
            client->by_host["http://" + name] = opened->get();
            text += "witness " + name + " " + (*opened)->vkey() + " http://" + name + "\n";
            witnesses.push_back(std::move(*opened));
        }
        policy = std::make_shared<const TrustPolicy>(
            *TrustPolicy::parse(text + "group two 2 w0 w1 w2\nquorum two\n", "policy"));
        witnessing.policy = policy;
        witnessing.client = client;
        witnessing.every_ms = 5;
        witnessing.grace_ms = 100;
    }
    crypto::Ed25519Key key() const { return *crypto::Ed25519Key::from_seed(seed); }
    std::unique_ptr<Ledger> open(OnMissingQuorum choice) {
        witnessing.on_missing = choice;
        options.witnessing = witnessing;
        auto opened = Ledger::open(options, key(), clock);
        EXPECT_TRUE(opened) << opened.error().message();
        return opened ? std::move(*opened) : nullptr;
    }
    fs::path log_dir() const { return options.dir / "log/default/node"; }
    // The published checkpoint, and whether the quorum stands under it.
    std::pair<std::uint64_t, bool> published() const {
        std::ifstream in(log_dir() / "checkpoint");
        const std::string text(std::istreambuf_iterator<char>(in), {});
        const auto note = Note::parse(text);
        if (!note) return {0, false};
        const auto verdict = policy->judge(note->text, note->signatures);
        return {parse_checkpoint(note->text)->size, verdict && verdict->quorum};
    }
    template <class Until>
    static bool wait(Until until) {
        for (int i = 0; i < 1000; ++i) {
            if (until()) return true;
            usleep(10'000);
        }
        return false;
    }

    TempDir dir;
    SystemClock clock;
    Bytes seed = random_bytes(32);
    Options options;
    std::shared_ptr<FakeWitnesses> client = std::make_shared<FakeWitnesses>();
    std::vector<std::unique_ptr<Witness>> witnesses;
    std::shared_ptr<const TrustPolicy> policy;
    Witnessing witnessing;
};

TEST_F(WitnessedLog, ReadersGetWhatTheQuorumConfirmed) {
    auto ledger = open(OnMissingQuorum::kHold);
    for (int i = 0; i < 300; ++i) ledger->append("entry", [](auto) {});
    ASSERT_TRUE(ledger->flush());
    EXPECT_TRUE(wait([&] { return published() == std::pair<std::uint64_t, bool>(300, true); }));
    EXPECT_EQ(ledger->health().witnessed, 300u);
    EXPECT_TRUE(ledger->health().quorum);
    ASSERT_TRUE(ledger->append_sync("last"));
    ledger.reset();
    EXPECT_EQ(published(), (std::pair<std::uint64_t, bool>(301, true)))
        << "the last checkpoint is confirmed before the log closes";
}

TEST_F(WitnessedLog, OneSilentWitnessOfThreeIsNoLoss) {
    client->by_host.erase("http://w1");
    auto ledger = open(OnMissingQuorum::kHold);
    ASSERT_TRUE(ledger->append_sync("entry"));
    EXPECT_TRUE(wait([&] { return published().second; }));
    const auto health = ledger->health();
    ASSERT_EQ(health.witnesses.size(), 3u);
    EXPECT_EQ(health.witnesses[0].trouble, "");
    EXPECT_NE(health.witnesses[1].trouble, "");
}

TEST_F(WitnessedLog, HoldKeepsTheLastConfirmedCheckpoint) {
    auto ledger = open(OnMissingQuorum::kHold);
    ASSERT_TRUE(ledger->append_sync("seen"));
    ASSERT_TRUE(wait([&] { return published() == std::pair<std::uint64_t, bool>(1, true); }));
    client->silent = true;
    ASSERT_TRUE(ledger->append_sync("unseen"));
    EXPECT_TRUE(wait([&] { return !ledger->health().quorum; }));
    EXPECT_EQ(published().first, 1u);
    EXPECT_TRUE(ledger->health().writable);
    EXPECT_NE(ledger->health().reason, "");
    client->silent = false;
    EXPECT_TRUE(wait([&] { return published() == std::pair<std::uint64_t, bool>(2, true); }));
}

TEST_F(WitnessedLog, PublishGoesOnWithoutThemAfterTheGrace) {
    client->silent = true;
    auto ledger = open(OnMissingQuorum::kPublish);
    ASSERT_TRUE(ledger->append_sync("unseen"));
    EXPECT_TRUE(wait([&] { return published() == std::pair<std::uint64_t, bool>(1, false); }));
    EXPECT_FALSE(ledger->health().quorum) << "and it is told";
    client->silent = false;
    EXPECT_TRUE(wait([&] { return published() == std::pair<std::uint64_t, bool>(1, true); }));
}

TEST_F(WitnessedLog, RefuseStopsCallsButNotNarrowingActs) {
    client->silent = true;
    auto ledger = open(OnMissingQuorum::kRefuse);
    ASSERT_TRUE(ledger->append_sync("before the grace is over"));
    ASSERT_TRUE(wait([&] { return !ledger->health().writable; }));
    EXPECT_EQ(ledger->append_sync("a call").error().code, ErrorCode::kUnavailable);
    std::promise<bool> kept;
    ledger->append_kept("revoked",
                        [&](Result<Appended> done) { kept.set_value(done.has_value()); });
    EXPECT_TRUE(kept.get_future().get());
    client->silent = false;
    ASSERT_TRUE(wait([&] { return ledger->health().writable; }));
    EXPECT_TRUE(ledger->append_sync("again"));
}

// The operator puts the whole data folder back to an older copy and starts again: nothing on the
// disk shows it, but the witnesses do.
TEST_F(WitnessedLog, ARolledBackDataFolderStopsTheLog) {
    auto ledger = open(OnMissingQuorum::kHold);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(ledger->append_sync("entry"));
    ledger.reset();
    fs::copy(options.dir, dir.path() / "old", fs::copy_options::recursive);
    ledger = open(OnMissingQuorum::kHold);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(ledger->append_sync("what shall be forgotten"));
    ledger.reset();
    fs::remove_all(options.dir);
    fs::rename(dir.path() / "old", options.dir);
    ledger = open(OnMissingQuorum::kHold);
    ASSERT_TRUE(ledger);
    EXPECT_TRUE(wait([&] { return !ledger->health().writable; }));
    EXPECT_NE(ledger->health().reason.find("rolled back"), std::string::npos)
        << ledger->health().reason;
    EXPECT_FALSE(ledger->append_sync("another past"));
}

TEST(TrustPolicies, AQuorumOfGroups) {
    std::map<std::string, crypto::Ed25519Key> keys;
    std::string text = "# two houses\n";
    for (const char* name : {"X1", "X2", "X3", "Y1", "Y2"}) {
        keys.emplace(name, crypto::Ed25519Key::generate());
        text += std::string("witness ") + name + "\t" +
                make_vkey(std::string(name) + ".example", keys.at(name).public_key(),
                          KeyRole::kWitness) +
                "\n";
    }
    text += "group X 2 X1 X2 X3\ngroup Y any Y1 Y2\n  group both all X Y\n\nquorum both\n";
    const auto policy = TrustPolicy::parse(text, "p");
    ASSERT_TRUE(policy) << policy.error().message();
    const std::string body = checkpoint_text("o", 1, Sha256{});
    const auto judged = [&](std::initializer_list<const char*> names) {
        std::string lines;
        for (const char* name : names)
            lines += cosign(body, std::string(name) + ".example", 1000, keys.at(name));
        return policy->judge(body, *parse_signatures(lines))->quorum;
    };
    EXPECT_TRUE(judged({"X1", "X3", "Y2"}));
    EXPECT_FALSE(judged({"X1", "Y1", "Y2"}));
    EXPECT_FALSE(judged({"X1", "X2", "X3"}));
    EXPECT_FALSE(judged({"X1", "X1", "Y1"})) << "one witness counts once";
    EXPECT_FALSE(judged({}));
    std::string forged = cosign(body, "X1.example", 1000, keys.at("X2"));
    EXPECT_TRUE(policy->judge(body, *parse_signatures(forged))) << "another key's id: unknown";
}

TEST(TrustPolicies, SayWhereTheyAreWrong) {
    const std::string w =
        "witness a " +
        make_vkey("a.example", crypto::Ed25519Key::generate().public_key(), KeyRole::kWitness) +
        "\n";
    const std::string other =
        "witness b " +
        make_vkey("b.example", crypto::Ed25519Key::generate().public_key(), KeyRole::kWitness) +
        "\n";
    for (const auto& [text, line] : std::vector<std::pair<std::string, std::uint32_t>>{
             {"", 0},
             {w, 1},
             {w + "quorum a", 2},
             {w + "quorum b\n", 2},
             {w + "quorum a\nquorum a\n", 3},
             {w + w + "quorum a\n", 2},
             {w + "group g 2 a\nquorum g\n", 2},
             {w + "group g 0 a\nquorum g\n", 2},
             {w + "group g 01 a\nquorum g\n", 2},
             {w + "group g +1 a\nquorum g\n", 2},
             {w + "group g some a\nquorum g\n", 2},
             {w + "group g any\nquorum g\n", 2},
             {w + other + "group g any a a\nquorum g\n", 3},
             {w + other + "group g any a b\ngroup h any a\nquorum h\n", 4},
             {w + "group none any a\nquorum none\n", 2},
             {w + "group g any g\nquorum g\n", 2},
             {"log " + w.substr(10) + "quorum none\n", 1},
             {"what a\nquorum none\n", 1}}) {
        const auto parsed = TrustPolicy::parse(text, "p");
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, ErrorCode::kInvalid);
        if (line > 0) EXPECT_EQ(parsed.error().at.line, line) << text;
    }
    EXPECT_FALSE(TrustPolicy::parse("quorum none\r\n", "p"));
    EXPECT_TRUE(TrustPolicy::parse("quorum none\n", "p"));
}

}  // namespace
}  // namespace writ::ledger
