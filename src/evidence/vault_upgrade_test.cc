// Both versions of the vault's format: their vectors, and a vault as version 1 left it on the disk.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "base/temp_dir.h"
#include "crypto/hash.h"
#include "evidence/files.h"
#include "evidence/subject_keys.h"
#include "evidence/testing.h"
#include "evidence/vault.h"
#include "evidence/vault_keys.h"

namespace writ::evidence {
namespace {

namespace fs = std::filesystem;
using testing::kNovember;

constexpr std::string_view kSubject = "ps:6a003337541f5c1c";
constexpr std::string_view kTenantKid = "k1-f8d99f31c178d5dd";
constexpr std::string_view kOldKid = "k2-21db4a850b79b3ae";
constexpr std::string_view kOldName = "63baf09f561f2b52-k2-21db4a850b79b3ae.dek";
// Written by version 1 of the vault, tenant `acme`, whose key is 32 bytes 0x07.
constexpr std::string_view kOldKey =
    "5752495444454b316b312d6638643939663331633137386435646439128f142bc47a78459dead4a367756bce72c040"
    "853d98afa55026331ee4f9477c1d8c7d4dfc5189b9f8939498447a03e3bb9408876acf75bc6ad5986c4389172744b6"
    "4bd12626a8";
constexpr std::string_view kOldPack =
    "5752495450414b3157564231380000005408bdc694c88afbd663b3a4dca0cec957f3a65a97a2e6aa58c5614a03c22d"
    "1e0629c0c87d323ce97a63b3112c9c2c6af564f672c8a78c6de90d7ba2caf2d48df1aa13683911ee1694b3e426d085"
    "ae5dc10aa29add5f78d95756423134000000fe1eca2037c52987442388652f3996b9b7528c0906bd6f554e86f5b2a5"
    "8abe23e1dd141ed263f9d327e0d65de520a1493c3ba4257e20a3e70c4565936f08abed8ba28403e46bbd6be82e9f1d"
    "c00890fca62dd640";
// `pay 9900 to DE00` of kSubject, and `{"tools":[]}` of the tenant.
constexpr std::string_view kPayCid =
    "sha256:5408bdc694c88afbd663b3a4dca0cec957f3a65a97a2e6aa58c5614a03c22d1e";
constexpr std::string_view kPayCom =
    "hmac-sha256:33319d0173d9ea61e6eb2e82de4a347943f8dc28844713fd69fcf461a501c295";
constexpr std::string_view kToolsCid =
    "sha256:fe1eca2037c52987442388652f3996b9b7528c0906bd6f554e86f5b2a58abe23";
constexpr std::string_view kToolsCom =
    "hmac-sha256:d0c3c307e4df99e5b0ce3bd0f23bd765f77606328a1d8026359c3805de77099e";

class VaultUpgradeTest : public ::testing::Test {
  protected:
    void SetUp() override {
        for (const auto& folder : {dir_, dir_ / "keys", month(), dir_ / "packs"}) {
            ASSERT_TRUE(make_private_dir(folder));
        }
        const std::string key = "WRITKEY1" + std::string(32, '\x07');
        write(dir_ / "keys" / std::string(kTenantKid).append(".key"), as_bytes(key));
        write(dir_ / "keys" / "current", as_bytes(std::string(kTenantKid) + "\n"));
        write(month() / kOldName, *from_hex(kOldKey));
        write(dir_ / "packs" / "00000001.pack", *from_hex(kOldPack));
    }
    fs::path month() const { return dir_ / "keys" / "2026-11"; }
    static void write(const fs::path& file, ByteView content) {
        ASSERT_TRUE(replace_file(file, content));
    }
    std::unique_ptr<Vault> open() const {
        auto vault = Vault::open(dir_, "acme");
        EXPECT_TRUE(vault) << vault.error().message();
        return std::move(*vault);
    }
    const TempDir temp_;
    const fs::path dir_ = temp_.path();
};

TEST_F(VaultUpgradeTest, WhatVersion1WroteIsRead) {
    const auto vault = open();
    EXPECT_EQ(*vault->get(kPayCid, kOldKid), "pay 9900 to DE00");
    EXPECT_TRUE(vault->commits(kOldKid, kPayCom, "pay 9900 to DE00"));
    EXPECT_EQ(*vault->get(kToolsCid, kTenantKid), R"({"tools":[]})");
    EXPECT_TRUE(vault->commits(kTenantKid, kToolsCom, R"({"tools":[]})"));
    // The tenant's own key goes on as it was.
    EXPECT_EQ(vault->put(R"({"tools":[]})")->cid, kToolsCid);
}

TEST_F(VaultUpgradeTest, WhatComesNowIsSealedUnderAKeyOfVersion2) {
    auto vault = open();
    const auto ref = vault->put("pay 9900 to DE00", {kSubject, kNovember});
    ASSERT_TRUE(ref);
    EXPECT_TRUE(ref->kid.starts_with("k3-")) << ref->kid;
    EXPECT_NE(ref->cid, kPayCid);
    vault.reset();
    int made = 0;
    for (const auto& file : fs::directory_iterator(month())) {
        if (file.path().filename() == kOldName) continue;
        std::ostringstream content;
        content << std::ifstream(file.path(), std::ios::binary).rdbuf();
        EXPECT_TRUE(content.str().starts_with("WRITDEK2"));
        ++made;
    }
    EXPECT_EQ(made, 1);
    vault = open();
    EXPECT_EQ(*vault->get(ref->cid, ref->kid), "pay 9900 to DE00");
    EXPECT_EQ(*vault->get(kPayCid, kOldKid), "pay 9900 to DE00");
    EXPECT_EQ(vault->get(ref->cid, kOldKid).error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(vault->get(kPayCid, ref->kid).error().code, ErrorCode::kCorrupt);
}

TEST_F(VaultUpgradeTest, ShreddingTakesKeysOfBothVersions) {
    const auto vault = open();
    const auto ref = vault->put("new", {kSubject, kNovember});
    const auto bob = vault->put("bob", {"ps:b", kNovember});
    ASSERT_TRUE(vault->flush());
    EXPECT_EQ(*vault->get(kPayCid, kOldKid), "pay 9900 to DE00");
    const auto plan = vault->plan_shredding(kSubject, "");
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->kids, (std::vector<std::string>{std::string(kOldKid), ref->kid}));
    ASSERT_TRUE(vault->shred(kSubject, *plan));
    EXPECT_EQ(vault->get(kPayCid, kOldKid).error().code, ErrorCode::kForbidden);
    EXPECT_EQ(vault->get(ref->cid, ref->kid).error().code, ErrorCode::kForbidden);
    EXPECT_FALSE(vault->commits(kOldKid, kPayCom, "pay 9900 to DE00"));
    EXPECT_EQ(*vault->get(bob->cid, bob->kid), "bob");
}

TEST_F(VaultUpgradeTest, AKeyDoesNotPassForOneOfTheOtherVersion) {
    // Its file says 2, its name 1, and the other way round.
    Bytes key = *from_hex(kOldKey);
    key[7] = '2';
    write(month() / kOldName, key);
    EXPECT_EQ(open()->get(kPayCid, kOldKid).error().code, ErrorCode::kCorrupt);
    const std::string renamed = "k3-" + std::string(kOldKid.substr(3));
    fs::rename(month() / kOldName, month() / ("63baf09f561f2b52-" + renamed + ".dek"));
    EXPECT_EQ(open()->get(kPayCid, renamed).error().code, ErrorCode::kCorrupt);
    write(month() / ("63baf09f561f2b52-" + renamed + ".dek"), *from_hex(kOldKey));
    EXPECT_EQ(open()->get(kPayCid, renamed).error().code, ErrorCode::kCorrupt);
}

// The vectors of docs/spec/evidence/vault.md, computed by another implementation.
TEST(VaultFormat, Version2Vectors) {
    const auto hex = [](std::string_view text) { return from_hex(text).value(); };
    const Bytes key(32, 7);
    const auto keys = derive_subject_keys(key, "acme", SubjectCipher::kXaes256Gcm);
    EXPECT_EQ(keys.kid, "k3-a23b2340c933f809");
    const Sha256 committed = keys.commitment("9900");
    EXPECT_EQ(to_hex(committed),
              "d7bdbdab85b61ac96ad43e7b1199223e63507db5fba62c96ee04c45823b88f0a");
    const Bytes blob = keys.seal("9900", keys.nonce.mac(committed));
    EXPECT_EQ(to_hex(blob),
              "298ed8162e1d6944386c11250f3554416ee80697219b806d198b0af9e0ec928ab73fec74495864357e31"
              "cb53");
    EXPECT_EQ(to_hex(crypto::sha256(ByteView(blob))),
              "8ea2113d1b9f4718ff0322843f5c905cb7f858f0c60871bb9c3b1f80c67b6569");
    EXPECT_EQ(as_text(*keys.open(blob)), "9900");
    const crypto::XaesKey seal(
        hex("5a0e6024f3a2badf880cc73da72c7418ec40160d8360bdede2a9f25bde4f39be"));
    EXPECT_EQ(as_text(*seal.open(blob, as_bytes(std::string("writ vault 2 blob\0acme\0", 23) +
                                                "k3-a23b2340c933f809"))),
              "9900");
}

}  // namespace
}  // namespace writ::evidence
