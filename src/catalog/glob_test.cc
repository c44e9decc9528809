// Globs match whole uris, `*` inside a segment, `**` across; never in more than linear time.
#include "catalog/glob.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace writ::catalog {
namespace {

using ::testing::HasSubstr;

bool matches(std::string_view pattern, std::string_view uri) {
    const auto glob = Glob::parse(pattern);
    EXPECT_TRUE(glob) << glob.error().detail;
    return glob && glob->matches(uri);
}

TEST(Glob, AStarStaysInsideItsSegment) {
    EXPECT_TRUE(matches("file:///a/*", "file:///a/b"));
    EXPECT_FALSE(matches("file:///a/*", "file:///a/b/c"));
    EXPECT_TRUE(matches("file:///a/*/c", "file:///a/b/c"));
    EXPECT_TRUE(matches("file:///a/summary-*.md", "file:///a/summary-1.md"));
    EXPECT_TRUE(matches("file:///a/summary-*.md", "file:///a/summary-.md"));
    EXPECT_FALSE(matches("file:///a/summary-*.md", "file:///a/summary-x/y.md"));
    EXPECT_TRUE(matches("memory/*", "memory/read_graph"));
}

TEST(Glob, TwoStarsGoAcross) {
    EXPECT_TRUE(matches("file:///a/**.md", "file:///a/b/c.md"));
    EXPECT_TRUE(matches("file:///a/**/c", "file:///a/c"));
    EXPECT_TRUE(matches("file:///a/**/c", "file:///a/x/y/c"));
    EXPECT_FALSE(matches("file:///a/**/c", "file:///a/xc"));
    EXPECT_TRUE(matches("**", "anything at/all"));
    EXPECT_TRUE(matches("file:///a/**/b/**", "file:///a/b/b"));
    EXPECT_FALSE(matches("file:///a/**/b/**", "file:///a/bb"));
}

TEST(Glob, AFolderAndAllBelowButNotItsNeighbours) {
    EXPECT_TRUE(matches("file:///data/**", "file:///data"));
    EXPECT_TRUE(matches("file:///data/**", "file:///data/x"));
    EXPECT_TRUE(matches("file:///data/**", "file:///data/x/y"));
    EXPECT_FALSE(matches("file:///data/**", "file:///database"));
    EXPECT_FALSE(matches("file:///data/**", "file:///data2/x"));
    EXPECT_TRUE(matches("file:///**", "file:///"));
}

TEST(Glob, MatchesTheWholeUriByCase) {
    EXPECT_TRUE(matches("file:///a/b", "file:///a/b"));
    EXPECT_FALSE(matches("file:///a/b", "file:///a/bc"));
    EXPECT_FALSE(matches("file:///a/b", "xfile:///a/b"));
    EXPECT_FALSE(matches("file:///a/*", "file:///A/b"));
    EXPECT_FALSE(matches("file:///a/?", "file:///a/b"));
    EXPECT_TRUE(matches("https://x.y/z?q=*", "https://x.y/z?q=1"));
    EXPECT_TRUE(matches("file:///a/*", std::string_view("file:///a/\0\xff", 12)));
}

TEST(Glob, RefusesWhatCouldNeverMatchAndSaysWhatToWrite) {
    const auto refusal = [](std::string_view pattern) {
        const auto glob = Glob::parse(pattern);
        return glob ? std::string("accepted") : glob.error().detail;
    };
    EXPECT_THAT(refusal(""), HasSubstr("is empty"));
    EXPECT_THAT(refusal("file:///a/***"), HasSubstr("write `**`"));
    EXPECT_THAT(refusal("file:///a/{b,c}"), HasSubstr("one glob for each case"));
    EXPECT_THAT(refusal("file:///a/[ab]"), HasSubstr("one glob for each case"));
    EXPECT_THAT(refusal("file:///a\\b"), HasSubstr("backslash"));
    EXPECT_THAT(refusal("file://data/**"), HasSubstr("three slashes"));
    EXPECT_THAT(refusal("/data/**"), HasSubstr("`file:///data/**`"));
    EXPECT_THAT(refusal("file:///a/../b"), HasSubstr("`..` segment"));
    EXPECT_THAT(refusal("file:///a//b"), HasSubstr("`//`"));
    EXPECT_THAT(refusal("file:///a/"), HasSubstr("`/**` for all below"));
    EXPECT_THAT(refusal("://a"), HasSubstr("no scheme"));
    EXPECT_THAT(refusal("file:///a\xe2\x80\x8b/*"), HasSubstr("invisible"));
    EXPECT_THAT(refusal(std::string(kMaxGlobBytes + 1, 'a')), HasSubstr("over"));
}

TEST(Glob, HostileTextCostsNoMoreThanItsLength) {
    std::string pattern = "file:///";
    for (int i = 0; i < 100; ++i) pattern += "**a*a";
    const auto glob = Glob::parse(pattern + "b");
    ASSERT_TRUE(glob);
    EXPECT_FALSE(
        glob->matches("file:///" + std::string(4000, 'a')));  // would not end if it backtracked
}

// The same language said naively.
bool naive(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern.starts_with("/**") && (pattern.size() == 3 || pattern[3] == '/')) {
        if (naive(pattern.substr(3), text)) return true;
        if (!text.starts_with('/')) return false;
        for (std::size_t n = 1; n <= text.size(); ++n)
            if (naive(pattern.substr(3), text.substr(n))) return true;
        return false;
    }
    const bool any = pattern.starts_with("**");
    if (!any && pattern[0] != '*')
        return !text.empty() && text[0] == pattern[0] && naive(pattern.substr(1), text.substr(1));
    for (std::size_t n = 0; n <= text.size(); ++n) {
        if (naive(pattern.substr(any ? 2 : 1), text.substr(n))) return true;
        if (n < text.size() && !any && text[n] == '/') return false;
    }
    return false;
}

TEST(GlobProperty, AgreesWithANaiveMatcher) {
    EXPECT_TRUE(rc::check("glob == naive", [] {
        const auto pick = [](std::vector<std::string> of, int most) {
            std::string out;
            for (int n = *rc::gen::inRange(0, most); n > 0; --n) out += *rc::gen::elementOf(of);
            return out;
        };
        const std::string pattern = "x" + pick({"a", "b", "/", "*", "**", "/**", "/**/a"}, 8);
        const std::string text = "x" + pick({"a", "b", "/", "/a"}, 10);
        const auto glob = Glob::parse(pattern);
        if (!glob) RC_DISCARD("not a glob");
        RC_ASSERT(glob->matches(text) == naive(pattern, text));
    }));
}

}  // namespace
}  // namespace writ::catalog
