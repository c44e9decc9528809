// `like`: against a backtracking matcher over characters, and against patterns meant to hurt.
#include "cedar/pattern.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>

#include "cedar/escape.h"

namespace writ::cedar {
namespace {

bool like(std::string_view text, std::string_view raw) {
    const Unescaped read = unescape(raw, Literal::kPattern);
    return Pattern(read.text, read.wildcards).matches(text);
}

TEST(Pattern, StarsTakeAnyNumberOfCharacters) {
    EXPECT_TRUE(like("", "*"));
    EXPECT_TRUE(like("", ""));
    EXPECT_FALSE(like("a", ""));
    EXPECT_TRUE(like("a/b/c", "a*c"));
    EXPECT_TRUE(like("h\u00e9\u00e9", "h**\u00e9"));
    EXPECT_FALSE(like("a", "A"));
    EXPECT_TRUE(like("a*", R"(a\*)"));
    EXPECT_FALSE(like("ab", R"(a\*)"));
}

TEST(Pattern, PrefixAndSuffixDoNotShareCharacters) {
    EXPECT_FALSE(like("aba", "ab*ba"));
    EXPECT_TRUE(like("abba", "ab*ba"));
    EXPECT_FALSE(like("a", "a*a"));
}

// The definition, by backtracking. '*' is the wildcard.
bool naive(std::string_view text, std::string_view pattern) {
    if (pattern.empty()) return text.empty();
    if (pattern[0] == '*')
        return naive(text, pattern.substr(1)) || (!text.empty() && naive(text.substr(1), pattern));
    return !text.empty() && text[0] == pattern[0] && naive(text.substr(1), pattern.substr(1));
}

TEST(Pattern, AgreesWithBacktracking) {
    const bool held = rc::check([] {
        const auto text = *rc::gen::container<std::string>(rc::gen::element('a', 'b'));
        const auto pattern =
            *rc::gen::resize(12, rc::gen::container<std::string>(rc::gen::element('a', 'b', '*')));
        RC_ASSERT(like(text, pattern) == naive(text, pattern));
    });
    EXPECT_TRUE(held);
}

TEST(Pattern, ManyStarsDoNotExplode) {
    std::string pattern;
    for (int i = 0; i < 2'000; ++i) pattern += "a*";
    pattern += "b";
    const std::string text(20'000, 'a');
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(like(text, pattern));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

}  // namespace
}  // namespace writ::cedar
