// Attacks on a log at rest and on a bundle, by an outsider and by the operator who holds the key:
// the separate verifier must find each. docs/spec/ledger.md lists them.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>

#include "apps/writ-verify/verify.h"
#include "base/secret.h"
#include "base/temp_dir.h"
#include "ledger/ledger.h"
#include "ledger/note.h"
#include "ledger/policy.h"
#include "ledger/reader.h"
#include "ledger/tile.h"
#include "ledger/tree.h"

namespace writ {
namespace {

namespace fs = std::filesystem;
using Entries = std::vector<std::string>;

std::string uuid(int n) {
    const std::string digits = std::to_string(n);
    return "01a2c1f0-0000-7000-8000-" + std::string(12 - digits.size(), '0') + digits;
}

// Events as a gateway writes them: `sessions` sessions of six events each, interleaved in pairs.
class Story {
  public:
    explicit Story(int sessions) {
        for (int s = 0; s < sessions; s += 2) {
            for (int step = 0; step < 6; ++step)
                for (int k = s; k < std::min(s + 2, sessions); ++k) event(k, step);
        }
    }
    Entries entries;

  private:
    void event(int session, int step) {
        constexpr const char* kTypes[] = {"session.started", "call.decided",     "call.ended",
                                          "call.decided",    "egress.requested", "session.sealed"};
        std::string data = "{}";
        if (step == 1) data = R"({"kind":"permit"})";
        if (step == 3) data = R"({"kind":"forbid"})";
        if (step == 5) data = R"({"calls":2,"denied":1,"events":6})";
        const std::string call = uuid(1'000'000 + session * 10 + (step >= 3 ? 2 : 1));
        std::string prev;
        if (step > 0) prev = R"("prev":")" + digest_text(last_[session]) + "\",";
        std::string out =
            R"({"actor":{"operator":"writ"},"attempt":1,"basis":"observed","call":")" + call +
            R"(","chain":{)" + prev + R"("seq":)" + std::to_string(step) + R"(,"uid":")" +
            uuid(session) + R"("},"data":)" + data + R"(,"emitter":{"boot":")" + uuid(999) +
            R"(","id":"spiffe://t/writ/gw","seq":)" + std::to_string(entries.size()) +
            R"(},"id":")" + uuid(10'000 + static_cast<int>(entries.size())) + R"(","session":")" +
            uuid(session) + R"(","t_us":1795460000000000,"tenant":"t","type":")" + kTypes[step] +
            R"(","v":"writ.evidence/1"})";
        last_[session] = ledger::leaf_hash(as_bytes(out));
        entries.push_back(std::move(out));
    }
    std::map<int, Sha256> last_;
};

class VerifyAttack : public ::testing::Test {
  protected:
    VerifyAttack() {
        write(story.entries, "data");
        log = dir / "data/log/default/node";
        key = *verify::parse_key(text_of(log / "log.vkey"));
    }

    // A log of `entries`, signed by the one key: what the operator can always make.
    void write(const Entries& entries, const std::string& folder) {
        ledger::Options options;
        options.dir = dir / folder;
        options.origin = "test.local/log";
        auto made = ledger::Ledger::open(options, *crypto::Ed25519Key::from_seed(seed), clock);
        ASSERT_TRUE(made);
        for (const auto& entry : entries) (*made)->append(entry, [](auto) {});
        ASSERT_TRUE((*made)->flush());
    }
    // The findings under the trusted key, joined.
    std::string findings(const fs::path& what, const fs::path& older = {},
                         std::optional<verify::Policy> policy = {}) {
        verify::Options options;
        options.trust.log = key;
        options.trust.policy = std::move(policy);
        options.older = older;
        std::string why;
        const auto report = fs::is_directory(what) ? verify::verify_log(what, options, why)
                                                   : verify::verify_bundle(what, options, why);
        if (!report) return "unreadable: " + why;
        std::string out;
        for (const auto& finding : report->findings) out += finding + "\n";
        return out;
    }
    static std::string text_of(const fs::path& path) {
        std::ifstream in(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    }
    static void put(const fs::path& path, const std::string& bytes) {
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << bytes;
    }
    // A copy of the log with one of its bundles rewritten.
    fs::path rewritten(const std::function<void(Entries&)>& change) {
        const fs::path copy = dir / "copy";
        fs::remove_all(copy);
        fs::copy(log, copy, fs::copy_options::recursive);
        Entries entries(story.entries.begin(), story.entries.begin() + 256);
        change(entries);
        std::string bundle;
        for (const auto& entry : entries) ledger::append_entry(bundle, entry);
        put(copy / "tile/entries/000", bundle);
        return copy;
    }
    // A bundle as docs/spec/evidence/bundle.md says, of the events whose index `wanted` takes.
    std::string bundle(const std::function<bool(std::uint64_t)>& wanted, int session, bool whole) {
        const auto reader = ledger::LogReader::open(log, text_of(log / "log.vkey"));
        std::string events;
        std::size_t count = 0;
        for (std::uint64_t i = 0; i < story.entries.size(); ++i) {
            if (!wanted(i)) continue;
            std::string proof;
            const auto path = reader->inclusion(i);
            for (const auto& hash : *path)
                proof += (proof.empty() ? "\"" : ",\"") + to_base64(hash) + "\"";
            events += (count++ > 0 ? "," : "") + (R"({"index":)" + std::to_string(i)) +
                      R"(,"leaf":)" + quoted(story.entries[i]) + R"(,"proof":[)" + proof + "]}";
        }
        const std::string vkey = text_of(log / "log.vkey");
        return R"({"about":{"id":"x","kind":"session","made_us":1},"chains":[{"events":)" +
               std::to_string(count) + R"(,"uid":")" + uuid(session) + R"(","whole":)" +
               (whole ? "true" : "false") + R"(}],"checkpoint":)" +
               quoted(reader->checkpoint().note) + R"(,"events":[)" + events +
               R"(],"log":{"fingerprint":")" + key.fingerprint() +
               R"(","origin":"test.local/log","vkey":)" + quoted(vkey.substr(0, vkey.size() - 1)) +
               R"(},"schema":"writ.evidence-bundle/1","witnesses":[]})";
    }
    static std::string quoted(const std::string& text) {
        std::string out = "\"";
        for (const char c : text) {
            if (c == '"' || c == '\\') out += '\\';
            out += c == '\n' ? std::string("\\n") : std::string(1, c);
        }
        return out + "\"";
    }
    // Session 3's events.
    bool of_session_3(std::uint64_t i) const {
        return story.entries[i].find(R"("session":")" + uuid(3)) != std::string::npos;
    }

    const TempDir temp;
    const fs::path dir = temp.path();
    fs::path log;
    Bytes seed = random_bytes(32);
    SystemClock clock;
    Story story{100};  // 600 events
    verify::Key key;
};

TEST_F(VerifyAttack, AnUntouchedLogHolds) {
    EXPECT_EQ(findings(log), "");
}

TEST_F(VerifyAttack, AFlippedByte) {
    const auto copy = rewritten([](Entries& entries) { entries[7][300] ^= 1; });
    EXPECT_NE(findings(copy).find("tile/0/000: hash 7"), std::string::npos) << findings(copy);
}

TEST_F(VerifyAttack, ADroppedEntry) {
    const auto copy = rewritten([](Entries& entries) { entries.erase(entries.begin() + 7); });
    EXPECT_NE(findings(copy), "");
}

TEST_F(VerifyAttack, AnInsertedEntry) {
    const auto copy =
        rewritten([](Entries& entries) { entries.insert(entries.begin() + 7, entries[8]); });
    EXPECT_NE(findings(copy), "");
}

TEST_F(VerifyAttack, TwoEntriesSwapped) {
    const auto copy = rewritten([](Entries& entries) { std::swap(entries[7], entries[8]); });
    EXPECT_NE(findings(copy), "");
}

TEST_F(VerifyAttack, AMissingBundleTileOrLevel) {
    for (const char* name : {"tile/entries/001", "tile/0/000", "tile/1/000.p/2",
                             "tile/entries/002.p/88", "tile/0/002.p/88"}) {
        const auto copy = rewritten([](Entries&) {});
        EXPECT_EQ(findings(copy), "");
        fs::remove(copy / name);
        EXPECT_NE(findings(copy), "") << name;
    }
}

TEST_F(VerifyAttack, ACheckpointThatIsNotTheKeys) {
    const auto copy = rewritten([](Entries&) {});
    const auto other = crypto::Ed25519Key::generate();
    const auto note = *ledger::Note::parse(text_of(log / "checkpoint"));
    put(copy / "checkpoint", ledger::sign_note(note.text, "test.local/log", other));
    EXPECT_NE(findings(copy), "");
    std::string altered = text_of(log / "checkpoint");
    altered[altered.find("\n600\n") + 1] = '5';
    put(copy / "checkpoint", altered);
    EXPECT_NE(findings(copy), "");
}

// ---- by the operator, with the key: a log without its end, without a session, with another past

TEST_F(VerifyAttack, TheTailCutOffAndSignedAgain) {
    Entries cut(story.entries.begin(), story.entries.end() - 50);
    write(cut, "cut");
    EXPECT_EQ(findings(dir / "cut/log/default/node"), "") << "alone it looks whole";
    EXPECT_NE(findings(dir / "cut/log/default/node", log / "checkpoint").find("cut off"),
              std::string::npos)
        << "whoever kept a checkpoint sees it";
}

TEST_F(VerifyAttack, AWholeSessionDeletedAndSignedAgain) {
    Entries without;
    for (std::uint64_t i = 0; i < story.entries.size(); ++i)
        if (!of_session_3(i)) without.push_back(story.entries[i]);
    write(without, "without");
    EXPECT_NE(findings(dir / "without/log/default/node").find("are missing"), std::string::npos)
        << "the emitter's numbers have a hole";
}

TEST_F(VerifyAttack, AnEditRehashedAndSignedAgain) {
    Entries edited = story.entries;
    auto& entry = *std::find_if(edited.begin(), edited.end(), [](const std::string& text) {
        return text.find("\"kind\":\"forbid\"") != std::string::npos;
    });
    entry.replace(entry.find("\"kind\":\"forbid\""), 15, "\"kind\":\"permit\"");
    write(edited, "edited");
    EXPECT_NE(findings(dir / "edited/log/default/node").find("does not link"), std::string::npos)
        << "the session's chain breaks";
    EXPECT_NE(findings(dir / "edited/log/default/node", log / "checkpoint").find("fork"),
              std::string::npos);
}

TEST_F(VerifyAttack, AForkOfTheSameSizeSignedByTheRealKey) {
    Entries fork = story.entries;
    std::swap(fork[598], fork[599]);
    write(fork, "fork");
    EXPECT_NE(findings(dir / "fork/log/default/node", log / "checkpoint").find("fork"),
              std::string::npos);
}

TEST_F(VerifyAttack, AnOldCheckpointReplayed) {
    write(story.entries, "more");
    const fs::path newer = dir / "newer";
    fs::copy_file(log / "checkpoint", newer);
    Entries first(story.entries.begin(), story.entries.begin() + 512);
    write(first, "first");
    EXPECT_NE(findings(dir / "first/log/default/node", newer).find("cut off"), std::string::npos);
}

TEST_F(VerifyAttack, AStrippedOrForgedCosignature) {
    const auto witness = crypto::Ed25519Key::generate();
    const std::string vkey =
        ledger::make_vkey("w.example", witness.public_key(), ledger::KeyRole::kWitness);
    std::string why;
    const auto policy = verify::parse_policy("witness w " + vkey + "\nquorum w\n", why);
    ASSERT_TRUE(policy) << why;
    for (const char* k : {"0", "01", "+1", "2"})
        EXPECT_FALSE(verify::parse_policy(
            fmt::format("witness w {}\ngroup g {} w\nquorum g\n", vkey, k), why))
            << k;
    const auto copy = rewritten([](Entries&) {});
    EXPECT_NE(findings(copy, {}, policy).find("quorum"), std::string::npos) << "stripped";
    const std::string note = text_of(log / "checkpoint");
    const auto text = ledger::Note::parse(note)->text;
    put(copy / "checkpoint", note + ledger::cosign(text, "w.example", 1'795'460'000, witness));
    EXPECT_EQ(findings(copy, {}, policy), "");
    put(copy / "checkpoint", note + ledger::cosign("test.local/log\n1\n", "w.example", 1, witness));
    EXPECT_NE(findings(copy, {}, policy).find("does not verify"), std::string::npos);
}

// ---- bundles

TEST_F(VerifyAttack, ABundleHoldsAloneAndNotWithoutOneOfItsEvents) {
    const auto all = [this](std::uint64_t i) { return of_session_3(i); };
    put(dir / "b.writ-bundle", bundle(all, 3, true));
    EXPECT_EQ(findings(dir / "b.writ-bundle"), "");
    int removed = 0;
    for (std::uint64_t i = 0; i < story.entries.size(); ++i) {
        if (!of_session_3(i)) continue;
        const auto but_one = [&](std::uint64_t k) { return k != i && of_session_3(k); };
        put(dir / "b.writ-bundle", bundle(but_one, 3, true));
        EXPECT_NE(findings(dir / "b.writ-bundle"), "") << "without event " << i;
        put(dir / "b.writ-bundle", bundle(but_one, 3, false));
        EXPECT_EQ(findings(dir / "b.writ-bundle"), "") << "said to be a part";
        ++removed;
    }
    EXPECT_EQ(removed, 6);
}

TEST_F(VerifyAttack, AnyAlteredByteOfABundleIsFound) {
    const std::string good = bundle([this](std::uint64_t i) { return of_session_3(i); }, 3, true);
    const auto about = good.find("\"chains\"");
    int undetected = 0;
    for (std::size_t i = about; i < good.size(); i += 7) {
        std::string altered = good;
        altered[i] = static_cast<char>(altered[i] ^ 1);
        put(dir / "b.writ-bundle", altered);
        undetected += findings(dir / "b.writ-bundle").empty() ? 1 : 0;
    }
    EXPECT_EQ(undetected, 0);
}

}  // namespace
}  // namespace writ
