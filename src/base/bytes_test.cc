#include "base/bytes.h"

#include <gtest/gtest.h>

#include <cctype>

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

// Every byte at every place, before and behind the 16 that are done at once.
TEST(Hex, AgreesWithOneDigitAtATimeAtEveryLength) {
    for (std::size_t n = 0; n < 70; ++n) {
        Bytes bytes(n);
        for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::uint8_t>(i * 37 + n * 11);
        std::string expected;
        for (const std::uint8_t b : bytes) {
            expected += "0123456789abcdef"[b >> 4];
            expected += "0123456789abcdef"[b & 15];
        }
        EXPECT_EQ(to_hex(bytes), expected);
        std::string written(2 * n + 1, '.');
        EXPECT_EQ(write_hex(bytes, written.data()), &written.back());
        EXPECT_EQ(written, expected + ".");
        EXPECT_EQ(from_hex(expected), bytes);
    }
}

TEST(Hex, RefusesEveryOtherCharacterAtEveryPlace) {
    for (const std::size_t bytes : {1U, 16U, 17U, 32U}) {
        const std::string good(2 * bytes, '7');
        for (std::size_t at = 0; at < good.size(); ++at) {
            for (int c = 0; c < 256; ++c) {
                std::string text = good;
                text[at] = static_cast<char>(c);
                const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                ASSERT_EQ(from_hex(text).has_value(), digit) << bytes << ' ' << at << ' ' << c;
            }
        }
        Bytes out(bytes);
        EXPECT_FALSE(read_hex(good + "77", out)) << "longer";
        EXPECT_FALSE(read_hex(good.substr(2), out)) << "shorter";
    }
}

TEST(Base64, RoundTripsEveryLengthAndRefusesOtherCharacters) {
    for (std::size_t n = 0; n < 40; ++n) {
        Bytes bytes(n);
        for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::uint8_t>(i * 37 + n * 11);
        EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
        EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
    }
    for (int c = 0; c < 256; ++c) {
        const std::string text = {'A', static_cast<char>(c), 'A', 'A'};
        const bool common = std::isalnum(c) != 0 && c < 128;
        EXPECT_EQ(from_base64(text).has_value(), common || c == '+' || c == '/') << c;
        EXPECT_EQ(from_base64url(text).has_value(), common || c == '-' || c == '_') << c;
    }
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
