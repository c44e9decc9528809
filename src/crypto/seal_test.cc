#include "crypto/seal.h"

#include <gtest/gtest.h>

#include "crypto/testing.h"

namespace writ::crypto {
namespace {

const Bytes kKey = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
const Bytes kNonce = hex("404142434445464748494a4b4c4d4e4f5051525354555657");
const Bytes kAssociated = hex("50515253c0c1c2c3c4c5c6c7");
constexpr std::string_view kPlain =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    "sunscreen would be it.";

// draft-irtf-cfrg-xchacha-03 appendix A.3.1, behind the nonce.
TEST(Seal, XChaChaDraftVector) {
    Bytes sealed = seal(kKey, kNonce, as_bytes(kPlain), kAssociated);
    EXPECT_EQ(
        to_hex(sealed),
        "404142434445464748494a4b4c4d4e4f5051525354555657"
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f"
        "4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f"
        "76b2383565d3fff921f9664c97637da9768812f615c68b13b52e"
        "c0875924c1c7987947deafd8780acf49");
    EXPECT_EQ(as_text(open(kKey, sealed, kAssociated).value()), kPlain);
}

TEST(Seal, OpensOnlyWhatIsWhole) {
    Bytes sealed = seal(kKey, kNonce, as_bytes("secret"), kAssociated);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        Bytes bad = sealed;
        bad[i] ^= 0x01;
        Result<Bytes> opened = open(kKey, bad, kAssociated);
        ASSERT_FALSE(opened) << i;
        EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
        EXPECT_FALSE(open(kKey, ByteView(sealed).first(i), kAssociated)) << i;
    }
    sealed.push_back(0);
    EXPECT_FALSE(open(kKey, sealed, kAssociated));
}

TEST(Seal, BindsKeyAndAssociatedData) {
    Bytes sealed = seal(kKey, kNonce, as_bytes("secret"), kAssociated);
    EXPECT_FALSE(open(Bytes(32), sealed, kAssociated));
    EXPECT_FALSE(open(kKey, sealed, {}));
    EXPECT_FALSE(open(kKey, sealed, hex("50")));
}

TEST(Seal, SealsNothing) {
    Bytes sealed = seal(kKey, kNonce, {});
    EXPECT_EQ(sealed.size(), kSealNonceBytes + 16);
    EXPECT_TRUE(open(kKey, sealed)->empty());
}

TEST(SealDeathTest, RefusesKeysAndNoncesOfAnotherLength) {
    EXPECT_DEATH(seal(Bytes(31), kNonce, {}), "");
    EXPECT_DEATH(seal(kKey, Bytes(12), {}), "");
    EXPECT_DEATH((void)open(Bytes(33), Bytes(64)), "");
}

}  // namespace
}  // namespace writ::crypto
