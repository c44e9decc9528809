#include "base/bytes.h"

#include <gtest/gtest.h>

namespace writ {
namespace {

// RFC 4648 section 10.
TEST(Base64, EncodesThePublishedVectors) {
    const std::pair<std::string, std::string> vectors[] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, text] : vectors) {
        EXPECT_EQ(to_base64(as_bytes(plain)), text);
        ASSERT_TRUE(from_base64(text));
        EXPECT_EQ(as_text(*from_base64(text)), plain);
    }
}

TEST(Base64, RefusesWhatIsNotCanonical) {
    for (const char* bad : {"Zg", "Zg=", "Zh==", "Zg== ", "Z===", "=", "Zm9v\n", "Zm-_"})
        EXPECT_FALSE(from_base64(bad)) << bad;
}

TEST(Base64Url, HasNoPaddingAndItsOwnAlphabet) {
    const Bytes bytes = {0xfb, 0xff};
    EXPECT_EQ(to_base64url(bytes), "-_8");
    EXPECT_EQ(from_base64url("-_8"), bytes);
    for (const char* bad : {"-_8=", "+/8", "-_9", "a"}) EXPECT_FALSE(from_base64url(bad)) << bad;
}

TEST(Hex, IsLowerCaseOnly) {
    EXPECT_EQ(to_hex(Bytes{0x00, 0xab}), "00ab");
    EXPECT_EQ(from_hex("00ab"), (Bytes{0x00, 0xab}));
    for (const char* bad : {"0", "AB", "0g"}) EXPECT_FALSE(from_hex(bad)) << bad;
}

TEST(DigestText, RoundTripsAndRefusesOtherLengths) {
    Sha256 digest{};
    digest[31] = 7;
    EXPECT_EQ(digest_from_text(digest_text(digest)), digest);
    EXPECT_FALSE(digest_from_text("sha256:00"));
    EXPECT_FALSE(digest_from_text(to_hex(digest)));
}

}  // namespace
}  // namespace writ
