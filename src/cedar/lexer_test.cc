// Tokens: longest match, comments, white space, and what is no token.
#include "cedar/lexer.h"

#include <gtest/gtest.h>

#include <vector>

namespace writ::cedar {
namespace {

std::vector<std::string> texts(std::string_view text) {
    std::vector<std::string> out;
    Lexer lexer(text);
    for (Token token = lexer.next(); token.kind != Kind::kEnd; token = lexer.next())
        out.emplace_back(text.substr(token.begin, token.end - token.begin));
    return out;
}

std::vector<Kind> kinds(std::string_view text) {
    std::vector<Kind> out;
    Lexer lexer(text);
    for (Token token = lexer.next(); token.kind != Kind::kEnd; token = lexer.next())
        out.push_back(token.kind);
    return out;
}

using Texts = std::vector<std::string>;

TEST(Lexer, TakesTheLongestSymbol) {
    EXPECT_EQ(texts("a::b:c==d=e!=!f<=<>=>&&||"),
              (Texts{"a", "::", "b", ":", "c", "==", "d", "=", "e", "!=", "!", "f", "<=", "<",
                     ">=", ">", "&&", "||"}));
    EXPECT_EQ(texts("===="), (Texts{"==", "=="}));
    EXPECT_EQ(texts("12ab"), (Texts{"12", "ab"}));
}

TEST(Lexer, CommentsEndAtEitherLineBreak) {
    EXPECT_EQ(texts("a // x\nb // y\rc // z"), (Texts{"a", "b", "c"}));
    EXPECT_EQ(texts("\"// no comment\""), (Texts{"\"// no comment\""}));
}

TEST(Lexer, WhiteSpaceIsUnicodeWhiteSpaceOnly) {
    EXPECT_EQ(texts("a\u00a0b\u2003c\u3000d\v\fe"), (Texts{"a", "b", "c", "d", "e"}));
    EXPECT_EQ(kinds("a\u200bb"),
              (std::vector<Kind>{Kind::kIdentifier, Kind::kInvalid, Kind::kIdentifier}));
}

TEST(Lexer, NamesAreAscii) {
    EXPECT_EQ(kinds("caf\u00e9"), (std::vector<Kind>{Kind::kIdentifier, Kind::kInvalid}));
    EXPECT_EQ(kinds("_a1"), (std::vector<Kind>{Kind::kIdentifier}));
}

TEST(Lexer, StringsTakeEscapedQuotesAndRawLineBreaks) {
    EXPECT_EQ(kinds("\"a\\\"b\nc\""), (std::vector<Kind>{Kind::kString}));
    EXPECT_EQ(kinds("\"a\\\\\" b"), (std::vector<Kind>{Kind::kString, Kind::kIdentifier}));
}

TEST(Lexer, UnclosedStringsAndLineContinuationsAreInvalid) {
    EXPECT_EQ(kinds("\"abc"), (std::vector<Kind>{Kind::kInvalid}));
    EXPECT_EQ(kinds("\"abc\\"), (std::vector<Kind>{Kind::kInvalid}));
    EXPECT_EQ(kinds("\"a\\\nb\"")[0], Kind::kInvalid);
}

TEST(Lexer, SlotsAndLoneSignsAreToldApart) {
    EXPECT_EQ(kinds("?principal ? & |"),
              (std::vector<Kind>{Kind::kSlot, Kind::kInvalid, Kind::kInvalid, Kind::kInvalid}));
}

TEST(Lexer, StaysAtTheEnd) {
    Lexer lexer("");
    EXPECT_EQ(lexer.next().kind, Kind::kEnd);
    EXPECT_EQ(lexer.next().kind, Kind::kEnd);
}

}  // namespace
}  // namespace writ::cedar
