// What the parser accepts and, more important, what it refuses. Names follow the habit of JSON test
// suites: what must be accepted, what must be refused.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "json/testing.h"
#include "json/value.h"

namespace writ::json {
namespace {

using std::string_literals::operator""s;

const std::string kAccepted[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "123456789",
    "0.1",
    "-0.0",
    "1e5",
    "1E+5",
    "1e-5",
    "1.5e10",
    "\"\"",
    "\"a\"",
    " \t\r\n1 \t\r\n",
    "[]",
    "{}",
    "[ ]",
    "{ }",
    "[[]]",
    "[{}]",
    "[1,2,3]",
    "[1 , 2]",
    R"({"a":1})",
    R"({"a":1,"b":2})",
    R"({"a":{"a":{"a":1}}})",
    R"({"":0})",
    R"({"a":1,"A":2})",
    R"(["\"\\\/\b\f\n\r\t"])",
    R"("\u0041\u00e9\u20ac")",
    R"("\ud83d\ude00")",
    R"("\uD83D\uDE00")",
    R"("\u0000")",
    R"("\uffff")",
    R"("\udbff\udfff")",
    "\"\x7f\"",
    "\"\u20ac\"",
    "\"\U0001F600\"",
    "\"\ufeff\"",
    R"([1,"a",null,true,{"b":[]}])",
    "\"0123456789abcdef0123456789abcdef\"",
    R"("0123456789abcde\n0123456789abcdef")",
    "18446744073709551615",
    "-9223372036854775808",
};

const std::string kRefused[] = {
    "",
    " ",
    "nul",
    "tru",
    "True",
    "NULL",
    "nan",
    "NaN",
    "Infinity",
    "-Infinity",
    "undefined",
    "01",
    "-01",
    "00",
    "1.",
    ".1",
    "+1",
    "-",
    "1e",
    "1e+",
    "1.e1",
    "1.5e",
    "0x1",
    "1_000",
    "--1",
    "- 1",
    "1a",
    "\"",
    "\"a",
    "\"\\\"",
    "'a'",
    R"("\a")",
    R"("\u12")",
    R"("\u12g4")",
    R"("\x41")",
    R"("\U0041")",
    "\"\\",
    R"("\u)",
    R"("\u1)",
    "\"a\nb\"",
    "\"\t\"",
    "\"\x1f\"",
    "\"a\0b\""s,
    R"("\ud800")",
    R"("\udc00")",
    R"("\ud800\ud800")",
    R"("\ud800a")",
    R"("\ud83d\u0041")",
    R"("\ude00\ud83d")",
    R"("\ud83d)",
    R"("\ud83d\ude0")",
    "[",
    "]",
    "{",
    "}",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1,,2]",
    "[1}",
    R"({"a":1])",
    "[a]",
    R"({"a"})",
    R"({"a":})",
    R"({"a" 1})",
    R"({a:1})",
    R"({1:1})",
    R"({"a":1,})",
    R"({,"a":1})",
    R"({"a":1 "b":2})",
    R"({"a"::1})",
    R"({"a":1,,"b":2})",
    "{null:1}",
    "{'a':1}",
    R"({"a":1)",
    R"({"a":)",
    R"({"a")",
    "1 2",
    "[] []",
    "{}x",
    "null null",
    "[]\0"s,
    "1\0"s,
    "\0"s,
    "/* */ 1",
    "1 // x",
    "[1]#",
    "\xef\xbb\xbf[]",
    "\xef\xbb[]",
    "\xff",
    "[\xa0]",
    "[\u00a0]",
    "\u2028 1",
    "1\f",
    "\v1",
    "\"\x80\"",
    "\"\xc0\xaf\"",
    "\"\xc1\xbf\"",
    "\"\xe0\x80\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xed\xbf\xbf\"",
    "\"\xf0\x80\x80\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xf5\x80\x80\x80\"",
    "\"\xe2\x82\"",
    "\"\xf0\x9f\x98\"",
    "\"\xe2\x28\xa1\"",
    "\"\xfe\"",
};

std::string refusal(std::string_view text, const ParseLimits& limits = {}) {
    Result<Document> doc = parse(text, limits);
    return doc ? "accepted" : doc.error().detail;
}

TEST(JsonParse, AcceptsWhatRfc8259Allows) {
    for (const std::string& text : kAccepted)
        EXPECT_TRUE(parse(text)) << text << ": " << refusal(text);
}

TEST(JsonParse, RefusesWhatRfc8259Forbids) {
    for (const std::string& text : kRefused) {
        Result<Document> doc = parse(text);
        ASSERT_FALSE(doc) << text;
        EXPECT_EQ(doc.error().code, ErrorCode::kInvalid) << text;
    }
}

TEST(JsonParse, AgreesWithSimdjsonOnTheSuite) {
    for (const std::string& text : kAccepted) EXPECT_TRUE(simdjson_accepts(text)) << text;
    for (const std::string& text : kRefused) {
        if (text.starts_with("\xef\xbb\xbf")) continue;  // simdjson skips a byte order mark
        EXPECT_FALSE(simdjson_accepts(text)) << text;
    }
}

TEST(JsonParse, RefusesEveryProperPrefixOfAContainer) {
    std::string text = R"({"a":[1,-2.5e3,"x\u00e9\ud83d\ude00"],"b":{"c":null,"d":[true,false]}})";
    ASSERT_TRUE(parse(text));
    for (std::size_t n = 0; n < text.size(); ++n) EXPECT_FALSE(parse(text.substr(0, n))) << n;
}

TEST(JsonParse, RefusesDuplicateMembers) {
    EXPECT_EQ(refusal(R"({"a":1,"b":2,"a":3})"), "duplicate member `a` at byte 13");
    EXPECT_EQ(refusal(R"([{"x":{"k":1,"k":1}}])"), "duplicate member `k` at byte 13");
    EXPECT_EQ(refusal(R"({"":1,"":2})"), "duplicate member `` at byte 6");
}

TEST(JsonParse, ComparesMemberNamesAfterUnescaping) {
    EXPECT_FALSE(parse(R"({"method":1,"m\u0065thod":2})"));
    EXPECT_FALSE(parse(R"({"\/":1,"/":2})"));
    EXPECT_FALSE(parse("{\"\\ud83d\\ude00\":1,\"\U0001F600\":2}"));
    EXPECT_TRUE(parse(R"({"a":1,"a\u0000":2})"));
}

TEST(JsonParse, FindsDuplicatesInLargeObjectsAtAnyPlace) {
    for (int members : {15, 16, 17, 18, 100, 1000}) {
        for (int twin : {0, 1, members / 2, members - 1}) {
            std::string text = "{";
            for (int i = 0; i < members; ++i) text += "\"k" + std::to_string(i) + "\":0,";
            std::string unique = text + "\"k\":0}";
            std::string doubled = text + "\"k" + std::to_string(twin) + "\":0}";
            EXPECT_TRUE(parse(unique)) << members;
            EXPECT_FALSE(parse(doubled)) << members << " " << twin;
        }
    }
}

TEST(JsonParse, StaysLinearOnManyMembers) {
    auto seconds = [](int members) {
        std::string text = "{";
        for (int i = 0; i < members; ++i) text += "\"" + std::to_string(i) + "\":0,";
        text.back() = '}';
        auto begin = std::chrono::steady_clock::now();
        EXPECT_TRUE(parse(text, {.bytes_max = 16 << 20}));
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    seconds(1000);
    EXPECT_LT(seconds(400'000), 5.0);  // quadratic would be 80 G comparisons
}

TEST(JsonParse, EscapesForeignNamesInErrors) {
    EXPECT_EQ(refusal("{\"\\u001b[2J\":1,\"\\u001b[2J\":1}").find('\x1b'), std::string::npos);
    EXPECT_EQ(refusal("\x1b").find('\x1b'), std::string::npos);
    std::string name(10'000, 'x');
    EXPECT_LT(refusal("{\"" + name + "\":1,\"" + name + "\":2}").size(), 200U);
}

TEST(JsonParse, LimitsDepthExactly) {
    auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
    EXPECT_TRUE(parse(nested(kMaxJsonDepth)));
    Result<Document> deep = parse(nested(kMaxJsonDepth + 1));
    ASSERT_FALSE(deep);
    EXPECT_EQ(deep.error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(deep.error().detail, "nesting deeper than 64 at byte 64");
    EXPECT_TRUE(parse("1", {.depth_max = 0}));
    EXPECT_FALSE(parse("[]", {.depth_max = 0}));
    EXPECT_TRUE(parse("[[],{},[[]],[]]", {.depth_max = 3}))
        << "depth counts nesting, not containers";
}

TEST(JsonParse, NeedsNoStackForDepth) {
    std::size_t n = 500'000;
    std::string text = std::string(n, '[') + std::string(n, ']');
    EXPECT_TRUE(parse(text, {.depth_max = n}));
    EXPECT_FALSE(parse(std::string(n, '['), {.depth_max = n}));
}

TEST(JsonParse, LimitsBytesExactly) {
    EXPECT_TRUE(parse("[1]", {.bytes_max = 3}));
    Result<Document> large = parse("[1] ", {.bytes_max = 3});
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().code, ErrorCode::kTooLarge);
    EXPECT_FALSE(parse(std::string(kMaxBodyBytes + 1, ' ')));
}

TEST(JsonParse, NamesTheOffsetOfAnError) {
    EXPECT_EQ(refusal(""), "text ends, a value expected at byte 0");
    EXPECT_EQ(refusal("[1,}"), "unexpected `}`, a value expected at byte 3");
    EXPECT_EQ(refusal("{\"a\":1]"), "unexpected `]`, `,` or `}` expected at byte 6");
    EXPECT_EQ(refusal("[1] x"), "trailing bytes after the value at byte 4");
    EXPECT_EQ(refusal("[\"\xff\"]"), "invalid utf-8 at byte 2");
    EXPECT_EQ(refusal("\xef\xbb\xbf{}"), "byte order mark at byte 0");
    EXPECT_EQ(refusal("[\"a\\ud800\"]"), "lone surrogate at byte 3");
    EXPECT_EQ(refusal("[007]"), "number with a leading zero at byte 1");
    EXPECT_EQ(refusal("[1.x]"), "unexpected `x`, a digit expected at byte 3");
    EXPECT_EQ(refusal("[\"a\x01\"]"), "control character in a string at byte 3");
}

TEST(JsonParse, FindsTheEndOfAStringAtEveryAlignment) {
    for (std::size_t n = 0; n < 70; ++n) {
        std::string plain = "\"" + std::string(n, 'x') + "\"";
        Result<Document> doc = parse(plain);
        ASSERT_TRUE(doc) << n;
        EXPECT_EQ(doc->root().as_string()->size(), n);
        EXPECT_FALSE(parse("\"" + std::string(n, 'x') + "\x02\"")) << n;
        EXPECT_FALSE(parse("\"" + std::string(n, 'x'))) << n;
        std::string escaped = "\"" + std::string(n, 'x') + "\\n\"";
        EXPECT_EQ(parse(escaped)->root().as_string()->size(), n + 1);
    }
}

}  // namespace
}  // namespace writ::json
