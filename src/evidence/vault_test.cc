// The vault as its promises have it, and as somebody with the disk in his hands would try it.
#include "evidence/vault.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <set>
#include <sstream>

#include "base/limits.h"
#include "base/temp_dir.h"
#include "crypto/hash.h"
#include "evidence/packs.h"
#include "evidence/vault_keys.h"

namespace writ::evidence {
namespace {

namespace fs = std::filesystem;

class VaultTest : public ::testing::Test {
  protected:
    fs::path at(const std::string& name = "v") const { return dir_ / name; }
    std::unique_ptr<Vault> open(const std::string& name = "v", const std::string& tenant = "acme") {
        auto vault = Vault::open(at(name), tenant);
        EXPECT_TRUE(vault) << vault.error().message();
        return std::move(*vault);
    }
    static std::string bytes_of(const fs::path& file) {
        std::ostringstream out;
        out << std::ifstream(file, std::ios::binary).rdbuf();
        return out.str();
    }
    std::vector<fs::path> files(std::string_view ending, const std::string& name = "v") const {
        std::vector<fs::path> out;
        for (const auto& entry : fs::recursive_directory_iterator(at(name))) {
            if (entry.path().extension() == ending) out.push_back(entry.path());
        }
        return out;
    }
    const TempDir temp_;
    const fs::path dir_ = temp_.path();
};

TEST_F(VaultTest, GivesBackWhatWasPutBeforeAndAfterTheDiskHasIt) {
    auto vault = open();
    const auto ref = vault->put("pay 9900 to DE00");
    ASSERT_TRUE(ref);
    EXPECT_EQ(ref->bytes, 16u);
    EXPECT_TRUE(digest_from_text(ref->cid));
    EXPECT_TRUE(ref->com.starts_with("hmac-sha256:"));
    EXPECT_EQ(*vault->get(ref->cid, ref->kid), "pay 9900 to DE00");
    ASSERT_TRUE(vault->flush());
    EXPECT_EQ(*vault->get(ref->cid, ref->kid), "pay 9900 to DE00");
    vault.reset();
    EXPECT_EQ(*open()->get(ref->cid, ref->kid), "pay 9900 to DE00");
}

TEST_F(VaultTest, NothingReadableLiesOnTheDisk) {
    auto vault = open();
    ASSERT_TRUE(vault->put("the patient is called Maier"));
    vault.reset();
    for (const auto& entry : fs::recursive_directory_iterator(dir_)) {
        if (!entry.is_regular_file()) continue;
        EXPECT_EQ(bytes_of(entry.path()).find("Maier"), std::string::npos) << entry.path();
    }
}

TEST_F(VaultTest, FilesAndFoldersAreTheOwnersOnly) {
    auto vault = open();
    ASSERT_TRUE(vault->put("x"));
    vault.reset();
    struct stat st{};
    ASSERT_EQ(::stat(at().c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777U, 0700u);
    for (const auto& entry : fs::recursive_directory_iterator(at())) {
        ASSERT_EQ(::stat(entry.path().c_str(), &st), 0);
        EXPECT_EQ(st.st_mode & 0777U, entry.is_directory() ? 0700u : 0600u) << entry.path();
    }
}

TEST_F(VaultTest, EqualContentIsStoredOnceAndOnlyInsideOneKey) {
    auto acme = open("a", "acme");
    auto other = open("b", "other");
    const auto first = acme->put(std::string(5000, 'x'));
    const auto again = acme->put(std::string(5000, 'x'));
    const auto elsewhere = other->put(std::string(5000, 'x'));
    EXPECT_EQ(first->cid, again->cid);
    EXPECT_EQ(first->com, again->com);
    EXPECT_NE(first->cid, elsewhere->cid) << "equality must not show across tenants";
    EXPECT_NE(first->com, elsewhere->com);
    ASSERT_TRUE(acme->flush());
    EXPECT_LT(fs::file_size(files(".pack", "a").front()), 6000u);
}

TEST_F(VaultTest, TheCidIsTheDigestOfTheBlobOnDisk) {
    auto vault = open();
    const auto ref = vault->put("content");
    ASSERT_TRUE(vault->flush());
    const std::string pack = bytes_of(files(".pack").front());
    ASSERT_GT(pack.size(), 48u);
    EXPECT_EQ(pack.substr(0, 8), "WRITPAK1");
    EXPECT_EQ(pack.substr(8, 4), "WVB1");
    EXPECT_EQ(digest_text(crypto::sha256(pack.substr(48))), ref->cid);
    EXPECT_EQ(as_text(*from_hex(ref->cid.substr(7))), pack.substr(16, 32));
}

TEST_F(VaultTest, ManyTogetherAreWhatEachAloneWouldBe) {
    auto vault = open();
    const std::string large(kMaxUpstreamMessageBytes + 1, 'x');
    const std::string texts[] = {"a", "", std::string(5000, 'b'), large, "a", "c"};
    const char* const owners[] = {"ps:alice", "ps:bob", "ps:alice", "ps:bob", "ps:bob", ""};
    std::vector<Vault::Put> puts;
    for (std::size_t i = 0; i < std::size(texts); ++i)
        puts.push_back({texts[i], {owners[i], 1'795'460'000'000'000}});
    vault->put_each(puts);
    for (const Vault::Put& put : puts) {
        const auto alone = vault->put(put.plain, put.owner);
        ASSERT_EQ(put.ref.has_value(), alone.has_value());
        if (!alone) {
            EXPECT_EQ(put.plain.size(), large.size());
            EXPECT_EQ(put.ref.error().code, ErrorCode::kTooLarge);
            continue;
        }
        EXPECT_EQ(put.ref->cid, alone->cid);
        EXPECT_EQ(put.ref->com, alone->com);
        EXPECT_EQ(put.ref->kid, alone->kid);
        EXPECT_EQ(*vault->get(put.ref->cid, put.ref->kid), put.plain);
    }
    EXPECT_NE(puts[0].ref->cid, puts[4].ref->cid) << "the same words of two owners";
    vault->put_each({});
}

TEST_F(VaultTest, TheCommitmentHoldsForThePlainBytesOnly) {
    auto vault = open();
    const auto ref = vault->put("9900");
    EXPECT_TRUE(vault->commits(ref->kid, ref->com, "9900"));
    EXPECT_FALSE(vault->commits(ref->kid, ref->com, "9901"));
    EXPECT_FALSE(vault->commits("k1-0000000000000000", ref->com, "9900"));
    EXPECT_NE(ref->com, "hmac-sha256:" + to_hex(crypto::sha256("9900"))) << "must not be guessable";
    EXPECT_EQ(vault->commit_only("9900").com, ref->com);
    EXPECT_EQ(vault->commit_only("9900").cid, "");
}

TEST_F(VaultTest, ShreddingTheKeyEndsContentAndCommitmentAlsoForARunningProcess) {
    auto vault = open();
    const auto ref = vault->put("forget me");
    ASSERT_TRUE(vault->flush());
    ASSERT_EQ(files(".key").size(), 1u);
    fs::remove(files(".key").front());
    EXPECT_EQ(vault->get(ref->cid, ref->kid).error().code, ErrorCode::kForbidden);
    EXPECT_FALSE(vault->commits(ref->kid, ref->com, "forget me"));
    vault = open();
    EXPECT_EQ(vault->get(ref->cid, ref->kid).error().code, ErrorCode::kForbidden);
    const auto next = vault->put("forget me");
    EXPECT_NE(next->kid, ref->kid) << "a new key for what comes";
    EXPECT_NE(next->cid, ref->cid);
}

TEST_F(VaultTest, AMissingBlobIsToldApartFromAShreddedOne) {
    auto vault = open();
    const auto ref = vault->put("gone");
    vault.reset();
    for (const auto& file : files(".pack")) fs::remove(file);
    EXPECT_EQ(open()->get(ref->cid, ref->kid).error().code, ErrorCode::kNotFound);
}

TEST_F(VaultTest, AChangedBlobIsCorrupt) {
    auto vault = open();
    const auto ref = vault->put("original");
    vault.reset();
    {
        std::fstream pack(files(".pack").front(), std::ios::in | std::ios::out | std::ios::binary);
        pack.seekp(60);
        pack.put('!');
    }
    EXPECT_EQ(open()->get(ref->cid, ref->kid).error().code, ErrorCode::kCorrupt);
}

TEST_F(VaultTest, ABlobCannotBePassedOffAsAnother) {
    // Even with a repaired digest a blob opens only under its own key and name.
    auto acme = open("a", "acme");
    auto other = open("b", "other");
    const auto ref = acme->put("acme's");
    ASSERT_TRUE(acme->flush());
    ASSERT_TRUE(other->put("other's"));
    ASSERT_TRUE(other->flush());
    other.reset();
    fs::copy_file(files(".pack", "a").front(), files(".pack", "b").front(),
                  fs::copy_options::overwrite_existing);
    fs::remove(files(".idx", "b").front());
    other = open("b", "other");
    const auto kid = other->put("x")->kid;
    EXPECT_EQ(other->get(ref->cid, kid).error().code, ErrorCode::kCorrupt);
}

TEST_F(VaultTest, ForgedNamesDoNotBecomePaths) {
    auto vault = open();
    const auto ref = vault->put("x");
    for (const char* kid :
         {"../../etc/passwd", "", "k1-", "k1-../../../../a", "current", "k1-0123456789ABCDEF"}) {
        EXPECT_EQ(vault->get(ref->cid, kid).error().code, ErrorCode::kForbidden) << kid;
    }
    EXPECT_EQ(vault->get("sha256:../..", ref->kid).error().code, ErrorCode::kNotFound);
}

TEST_F(VaultTest, AKeyFileOfAnotherTenantOrOpenToOthersIsRefused) {
    {
        open("v", "acme");
    }
    EXPECT_EQ(Vault::open(at(), "other").error().code, ErrorCode::kCorrupt);
    ::chmod(files(".key").front().c_str(), 0644);
    EXPECT_EQ(Vault::open(at(), "acme").error().code, ErrorCode::kCorrupt);
}

TEST_F(VaultTest, ATornTailLosesOnlyItself) {
    std::vector<PayloadRef> refs;
    {
        auto vault = open();
        for (int i = 0; i < 10; ++i) refs.push_back(*vault->put("blob " + std::to_string(i)));
    }
    fs::remove(files(".idx").front());  // as after a crash
    const auto pack = files(".pack").front();
    fs::resize_file(pack, fs::file_size(pack) - 5);
    auto vault = open();
    for (std::size_t i = 0; i < 9; ++i) {
        EXPECT_EQ(*vault->get(refs[i].cid, refs[i].kid), "blob " + std::to_string(i));
    }
    EXPECT_EQ(vault->get(refs[9].cid, refs[9].kid).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(*vault->get(vault->put("blob 9")->cid, refs[9].kid), "blob 9") << "stored anew";
}

TEST_F(VaultTest, ADamagedIndexIsOnlyALostShortcut) {
    PayloadRef ref;
    {
        auto vault = open();
        ref = *vault->put("found anyway");
    }
    std::ofstream(files(".idx").front(), std::ios::binary) << "WRITIDX1 nonsense";
    EXPECT_EQ(*open()->get(ref.cid, ref.kid), "found anyway");
}

TEST_F(VaultTest, AReaderSeesWhatAnotherProcessWrites) {
    auto writer = open();
    auto reader = open();
    const auto ref = writer->put("one");
    ASSERT_TRUE(writer->flush());
    EXPECT_EQ(*reader->get(ref->cid, ref->kid), "one");
    const auto next = writer->put("two");
    ASSERT_TRUE(writer->flush());
    EXPECT_EQ(*reader->get(next->cid, next->kid), "two");
    EXPECT_EQ(files(".pack").size(), 1u) << "a reader starts no pack";
}

// Many times over: the stop may meet a try to write that is under way.
TEST_F(VaultTest, ADiskErrorIsToldAndAResumedDiskKeepsWhatWaited) {
    for (int i = 0; i < 50; ++i) {
        const std::string name = "v" + std::to_string(i);
        auto vault = open(name);
        // A file stands where the folder of packs should be.
        std::ofstream(at(name) / "packs") << "in the way";
        const auto ref = vault->put("waits");
        ASSERT_TRUE(ref);
        EXPECT_FALSE(vault->flush());
        EXPECT_EQ(vault->put("refused").error().code, ErrorCode::kUnavailable);
        fs::remove(at(name) / "packs");
        vault.reset();  // the last try
        const auto kept = open(name)->get(ref->cid, ref->kid);
        ASSERT_TRUE(kept) << "round " << i << ": " << kept.error().message();
        EXPECT_EQ(*kept, "waits");
    }
}

TEST_F(VaultTest, RefusesWhatIsTooLarge) {
    auto vault = open();
    EXPECT_EQ(vault->put(std::string(kMaxUpstreamMessageBytes + 1, 'x')).error().code,
              ErrorCode::kTooLarge);
    EXPECT_TRUE(vault->put(std::string(kMaxUpstreamMessageBytes, 'x')));
}

TEST_F(VaultTest, ManyPacksAreSearched) {
    const auto dir = at("p");
    std::vector<Sha256> cids;
    for (int pack = 0; pack < 3; ++pack) {
        Packs packs(dir);
        std::vector<Blob> blobs;
        for (int i = 0; i < 100; ++i) {
            const std::string text = std::to_string(pack) + "/" + std::to_string(i);
            blobs.push_back({crypto::sha256(text), Bytes(text.begin(), text.end())});
            cids.push_back(blobs.back().cid);
        }
        ASSERT_TRUE(packs.append(blobs));
    }
    Packs packs(dir);
    for (const auto& cid : cids) EXPECT_TRUE(packs.find(cid));
    EXPECT_EQ(packs.find(crypto::sha256("no")).error().code, ErrorCode::kNotFound);
}

TEST_F(VaultTest, KeysOfDifferentUseAndTenantDiffer) {
    const Bytes key(32, 7);
    const auto a = derive_keys(key, "acme");
    const auto b = derive_keys(key, "other");
    std::set<std::string> seen;
    for (const auto* keys : {&a, &b}) {
        for (const auto* part : {&std::get<SecretBytes>(keys->sealing), &keys->pseudonym}) {
            seen.insert(to_hex(part->view()));
        }
        for (const auto* part : {&keys->nonce, &keys->commit}) {
            seen.insert(to_hex(part->mac({})));
        }
    }
    EXPECT_EQ(seen.size(), 8u);
    EXPECT_NE(a.kid, b.kid);
    // The vectors of docs/spec/evidence/vault.md.
    EXPECT_EQ(a.kid, "k1-f8d99f31c178d5dd");
    EXPECT_EQ(to_hex(std::get<SecretBytes>(a.sealing).view()),
              "8208a74b4c24cbabc9623754410f758f91671e70a1980455733e82bd74fa28ee");
    const auto is = [](const crypto::HmacKey& key, std::string_view hex) {
        return key.mac(as_bytes("x")) == crypto::hmac_sha256(*from_hex(hex), as_bytes("x"));
    };
    EXPECT_TRUE(is(a.nonce, "8a2a010317905a9df62714e4fefa45f60849ef05c4454690fd36b8863d9217d2"));
    EXPECT_TRUE(is(a.commit, "a50dc2f41304b6198b6d0d74abd5763e990fcc15fcee85756ee5dcf9487e2c69"));
    EXPECT_EQ(to_hex(a.pseudonym.view()),
              "f0d8030da5be7670b69e8e5e197e4440f16b1302b01eed1a806fc3e84ce574cd");
}

}  // namespace
}  // namespace writ::evidence
