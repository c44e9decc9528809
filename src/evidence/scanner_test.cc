// The scanner must say yes wherever the redactor's own automaton would: what it overlooks would be
// kept in the clear.
#include "evidence/scanner.h"

#include <gtest/gtest.h>

#include <random>

#include "evidence/redact.h"

namespace writ::evidence {
namespace {

TEST(Scanner, IsMadeForWhatItTakesAndNotForTheRest) {
    const auto scanner = Scanner::make({R"(\bsk-[a-z]{3,}\b)", R"re((?i)"pin"\s*:)re"});
    ASSERT_NE(scanner, nullptr);
    EXPECT_TRUE(scanner->finds(R"({"a":"sk-abc"})"));
    EXPECT_TRUE(scanner->finds(R"({"PIN" : 1})"));
    EXPECT_FALSE(scanner->finds(R"({"a":"task-abc","pi":1})"));
    EXPECT_FALSE(scanner->finds(""));
    EXPECT_EQ(Scanner::make({R"((a)\1)"}), nullptr);  // no automaton can
    EXPECT_EQ(Scanner::make({}), nullptr);
    EXPECT_TRUE(Scanner::takes("plain\ttext\n"));
    EXPECT_FALSE(Scanner::takes("a\vb"));
    EXPECT_FALSE(Scanner::takes("\xc5\xbf"));
}

// Redaction of a text must not depend on whether the scanner was asked first. A vertical tab or a
// letter beyond ASCII far from everything sends the same text past the scanner.
TEST(Scanner, RedactionIsTheSameWithAndWithoutIt) {
    const auto redactor = Redactor::make({});
    ASSERT_TRUE(redactor);
    (*redactor)->speed_up();
    const std::vector<std::string> pieces = {"sk-",
                                             "abcdefghijklmnopqrstuvwxyz0123456789",
                                             "\"password\"",
                                             ":",
                                             " ",
                                             "\"x\"",
                                             "bearer ",
                                             "Bearer\t",
                                             "://",
                                             "user",
                                             ":pw",
                                             "@",
                                             "host",
                                             "AKIA",
                                             "0123456789ABCDEF",
                                             "ghp_",
                                             "\\\"",
                                             "eyJhbGciOi",
                                             ".eyJzdWIiOi",
                                             ".c2lnbmF0dXJl",
                                             "token=",
                                             "&",
                                             "{",
                                             "api_key=",
                                             "\n",
                                             "-----BEGIN RSA PRIVATE KEY-----",
                                             "-----END RSA PRIVATE KEY-----",
                                             "Secret",
                                             "\"SECRET\":",
                                             "123",
                                             "_",
                                             "AIza",
                                             "\"client_secret\" : \"v\\\"w\"",
                                             "="};
    std::mt19937 random(20261125);
    std::size_t redacted = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (auto left = random() % 8 + 1; left > 0; --left)
            text += pieces[random() % pieces.size()];
        std::string scanned = text;
        std::string unscanned = text + "  \xc3\xa9";
        scanned += "  e";
        const auto found = (*redactor)->redact(scanned);
        EXPECT_EQ(found, (*redactor)->redact(unscanned)) << text;
        redacted += found > 0 ? 1 : 0;
    }
    EXPECT_GT(redacted, 2'000U);
}

}  // namespace
}  // namespace writ::evidence
