// `like`: against its definition over characters, and against patterns meant to hurt.
#include "cedar/pattern.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>
#include <utility>
#include <vector>

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

// The definition: which prefixes of `text` the pattern so far matches. '*' is the wildcard.
bool by_definition(std::string_view text, std::string_view pattern) {
    std::vector<bool> reached(text.size() + 1, false);
    reached[0] = true;
    for (const char one : pattern) {
        std::vector<bool> next(text.size() + 1, false);
        for (std::size_t i = 0; i <= text.size(); ++i) {
            if (one == '*')
                next[i] = reached[i] || (i > 0 && next[i - 1]);
            else
                next[i] = i > 0 && reached[i - 1] && text[i - 1] == one;
        }
        reached = std::move(next);
    }
    return reached.back();
}

TEST(Pattern, AgreesWithTheDefinition) {
    const bool held = rc::check([] {
        const auto text = *rc::gen::container<std::string>(rc::gen::element('a', 'b'));
        const auto pattern =
            *rc::gen::resize(12, rc::gen::container<std::string>(rc::gen::element('a', 'b', '*')));
        RC_ASSERT(like(text, pattern) == by_definition(text, pattern));
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
