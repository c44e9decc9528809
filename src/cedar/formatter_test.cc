// Formatting: the reference's layout in small, and on many texts with comments anywhere the three
// promises: nothing changes when formatted again, comments stay, the policies stay. The layout of
// whole corpora is held against the reference's by tests/oracle/cedar_syntax.
#include "cedar/formatter.h"

#include <gtest/gtest.h>

#include <random>

#include "cedar/comments.h"
#include "cedar/test_world.h"

namespace writ::cedar {
namespace {

std::string formatted(std::string_view text, const FormatOptions& options = {}) {
    const auto out = format(text, options);
    return out ? *out : out.error().message();
}

TEST(Format, ScopesOfBareVariablesStandOnOneLine) {
    EXPECT_EQ(formatted("permit(principal,action,resource);forbid(principal is User,action,"
                        "resource,);"),
              "permit (principal, action, resource);\n\n"
              "forbid (\n  principal is User,\n  action,\n  resource\n);\n");
    EXPECT_EQ(
        formatted("@a @b(\"x\")permit(principal==?principal,action in[Action::\"a\"],resource);"),
        "@a\n@b(\"x\")\npermit (\n  principal == ?principal,\n"
        "  action in [Action::\"a\"],\n  resource\n);\n");
}

TEST(Format, ConditionsBreakAfterTheirOperators) {
    EXPECT_EQ(formatted("permit(principal,action,resource)when{context.a&&!context . b};"),
              "permit (principal, action, resource)\nwhen { context.a && !context.b };\n");
    EXPECT_EQ(formatted("permit(principal,action,resource) when { (context.aaaaaaaaaaaaaaaaaaaaaaaa"
                        " || context.bbbbbbbbbbbbbbbbbbbbbbbbbbbb || context.cccccccccc) && "
                        "{a:1,\"b c\":2}.a==1 };"),
              "permit (principal, action, resource)\nwhen\n{\n"
              "  (context.aaaaaaaaaaaaaaaaaaaaaaaa ||\n   context.bbbbbbbbbbbbbbbbbbbbbbbbbbbb ||\n"
              "   context.cccccccccc) &&\n  { a: 1, \"b c\": 2 }.a == 1\n};\n");
    EXPECT_EQ(formatted("permit(principal,action,resource) unless { if true then 1 else 2 == 1 };",
                        {.line_width = 20, .indent_width = 4}),
              "permit\n(principal, action, resource)\nunless\n{\n    if\n        true\n    then\n"
              "        1\n    else\n        2 == 1\n};\n");
}

TEST(Format, CommentsStayWhereTheyBelong) {
    constexpr std::string_view kText =
        "// head\n// second\n@id(\"a\") // note\n// before permit\npermit\n( // paren\n"
        "  principal, // p\n  // before action\n  action == Action::\"x\", // a\n  resource // r\n"
        ") // close\n// before when\nwhen\n{ // brace\n  // in the condition\n  context.a && // "
        "and\n"
        "  // next\n  context.b // end\n} // end of when\n; // semicolon\n// end\n";
    EXPECT_EQ(formatted(kText), kText);
    EXPECT_EQ(formatted("// only"), "// only\n");
    EXPECT_EQ(formatted(""), "");
    EXPECT_EQ(formatted("permit(principal,action,resource, // last\n);//end\r\n\r\n// eof\r"),
              "permit (principal, action, resource // last\n); //end\n// eof\n");
}

TEST(Format, StringsKeepTheirLinesAndSpaces) {
    EXPECT_EQ(
        formatted("permit(principal,action,resource)when{\"a\n\n  // no comment \"==\"\"};"),
        "permit (principal, action, resource)\nwhen { \"a\n\n  // no comment \" == \"\" };\n");
}

TEST(Format, WhatDoesNotParseIsRefusedWithItsPlace) {
    const auto out = format("permit(principal, action);", {.file = "p.cedar"});
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().at.file, "p.cedar");
    EXPECT_EQ(out.error().at.line, 1u);
    EXPECT_EQ(out.error().at.column, 25u);
}

// Texts to be formatted: the cookbook's, and one with every form of expression.
std::vector<std::string> texts() {
    std::vector<std::string> out = {
        R"(@id("x") @bare permit(principal is A::B in ?principal,
             action in [A::Action::"x", Action::"y",], resource in R::"r")
             when { if context has a.b."c" then true else false };)",
        R"(@id("x") @bare permit(principal is A::B in ?principal,
             action in [A::Action::"x", Action::"y",], resource in R::"r")
             when { if context has a.b then [1, -2, {"k": --3, l: []},] == [] else
             context.a["b c"].contains(1) }
             unless { principal is T in [R::"q"] || "s" like "a*\*" };)",
        R"(forbid(principal == U::"ü", action, resource == ?resource)
             when { ip("::1").isInRange(ip("::/0"),) && (1 + 2 * 3 - 4 >= 5 || !(!true)) }
             when { context.getTag("k").containsAll({a: 1,}.b) && principal has "a b" };)",
        R"(permit(principal, action, resource); // one
           permit(principal, action, resource); // two)"};
    for (const auto& file : std::filesystem::recursive_directory_iterator(
             std::filesystem::path(WRIT_SOURCE_DIR) / "examples/policies"))
        if (file.path().extension() == ".cedar") out.push_back(test::read_file(file.path()));
    return out;
}

// The text with comments and line breaks between some of its tokens.
std::string with_comments(std::string_view text, std::mt19937& random) {
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    std::string out;
    unsigned number = 0;
    for (const CommentedToken& token : commented_tokens(text)) {
        for (const std::string_view comment : token.above)
            out += "\n" + std::string(comment) + "\n";
        while (chance(20)) out += "\n// above " + std::to_string(++number) + "\n";
        out += token.text;
        if (!token.after.empty())
            out += " " + std::string(token.after) + "\n";
        else if (chance(10))
            out += "// after \" " + std::to_string(++number) + " \t\r\n";
        out += chance(20) ? "\n" : " ";
    }
    return out;
}

TEST(Format, IsIdempotentAndKeepsCommentsAnywhere) {
    std::mt19937 random(7);
    for (const std::string& text : texts()) {
        for (int round = 0; round < 30; ++round) {
            const std::string source = round == 0 ? text : with_comments(text, random);
            const FormatOptions options = {.line_width = round % 3 == 0 ? 80U : random() % 100 + 1,
                                           .indent_width = round % 4 == 0 ? random() % 5 : 2};
            const auto once = format(source, options);
            if (!PolicySet::parse(source)) {
                EXPECT_FALSE(once);
                continue;
            }
            ASSERT_TRUE(once) << once.error().message() << "\n" << source;
            const auto twice = format(*once, options);
            ASSERT_TRUE(twice) << twice.error().message() << "\n" << *once;
            EXPECT_EQ(*twice, *once) << source;
        }
    }
}

TEST(Format, DeepTextsAreWithinTheParsersLimits) {
    std::string deep = "true";
    for (int i = 0; i < 200; ++i) deep = "(" + deep + ")";
    const std::string text = "permit(principal, action, resource) when { " + deep + " };";
    ASSERT_TRUE(format(text)) << format(text).error().message();
    EXPECT_EQ(*format(*format(text)), *format(text));
    EXPECT_EQ(format(std::string(kPolicyBytesMax + 1, ' ')).error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace writ::cedar
