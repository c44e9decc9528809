// Escapes: what each stands for, what is refused, and that what is written reads back.
#include "cedar/escape.h"

#include <gtest/gtest.h>

namespace writ::cedar {
namespace {

std::string read(std::string_view raw) {
    const Unescaped out = unescape(raw, Literal::kString);
    return out.errors.empty() ? out.text : "ERROR " + out.errors[0].message;
}

TEST(Escape, EachEscapeStandsForOneCharacter) {
    EXPECT_EQ(read(R"(\n\r\t\\\'\")"), "\n\r\t\\'\"");
    EXPECT_EQ(read(R"(\0)"), std::string(1, '\0'));
    EXPECT_EQ(read(R"(\x41\x7f)"), "A\x7f");
    EXPECT_EQ(read(R"(\u{e9}\u{1_F6_00}\u{10ffff})"), "\u00e9\U0001f600\U0010ffff");
    EXPECT_EQ(read("raw \n\t\u00e9"), "raw \n\t\u00e9");
}

TEST(Escape, RefusesWhatIsNoEscape) {
    for (const char* raw :
         {R"(\q)", R"(\*)", R"(\x80)", R"(\x4)", R"(\xg0)", R"(\u)", R"(\u{})", R"(\u{_1})",
          R"(\u{1234567})", R"(\u{110000})", R"(\u{d800})", R"(\u{61)", R"(\u{6g})", "a\rb"})
        EXPECT_TRUE(read(raw).starts_with("ERROR ")) << raw;
}

TEST(Escape, CollectsEveryErrorWithItsPlace) {
    const Unescaped out = unescape(R"(a\q b\x80 \u{d800})", Literal::kString);
    ASSERT_EQ(out.errors.size(), 3u);
    EXPECT_EQ(out.errors[0].at, 1u);
    EXPECT_EQ(out.errors[1].at, 5u);
    EXPECT_EQ(out.errors[1].message, R"(the input `\x80` is not a valid escape)");
    EXPECT_EQ(out.errors[2].message, R"(the input `\u{d800}` is not a valid escape)");
}

TEST(Escape, InPatternsStarsAreWildcardsUnlessEscaped) {
    const Unescaped out = unescape(R"(a*\*\x2a\u{2a})", Literal::kPattern);
    EXPECT_EQ(out.text, "a*");
    EXPECT_EQ(out.wildcards, (std::vector<std::size_t>{1, 2, 2}));
}

TEST(Escape, WritesNothingThatMisleadsAReader) {
    EXPECT_EQ(string_literal("a\"b\\c\n\r\t"), R"("a\"b\\c\n\r\t")");
    EXPECT_EQ(string_literal(std::string_view("\0\x1b\x7f", 3)), R"("\0\u{1b}\u{7f}")");
    EXPECT_EQ(string_literal("\u202e\u200b\ufeff\u0085"), R"("\u{202e}\u{200b}\u{feff}\u{85}")");
    EXPECT_EQ(string_literal("d\u00e9j\u00e0 \U0001f600 '*'"), "\"d\u00e9j\u00e0 \U0001f600 '*'\"");
    EXPECT_EQ(string_literal("a\xff"), R"("a\u{fffd}")");
}

}  // namespace
}  // namespace writ::cedar
