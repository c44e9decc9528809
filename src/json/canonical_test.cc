// RFC 8785: its own vectors, then the corners.
#include "json/canonical.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <limits>

#include "json/node.h"

namespace writ::json {
namespace {

std::string canonical(std::string_view text) {
    Result<Document> doc = parse(text);
    if (!doc) return "refused: " + doc.error().detail;
    return canonicalize(doc->root()).value_or("failed");
}

std::string number(std::uint64_t bits) {
    std::string out;
    append_number(out, std::bit_cast<double>(bits));
    return out;
}

TEST(JsonCanonical, Rfc8785Section322Example) {
    EXPECT_EQ(
        canonical(R"({
       "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
       "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
       "literals": [null, true, false] })"),
        R"({"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],)"
        "\"string\":\"\u20ac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

TEST(JsonCanonical, Rfc8785Section323SortsByUtf16CodeUnits) {
    EXPECT_EQ(canonical(R"({
       "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
       "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
       "\u00f6": "Latin Small Letter O With Diaeresis" })"),
              "{\"\\r\":\"Carriage "
              "Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"\u00f6\":\"Latin Small "
              "Letter O With Diaeresis\",\"\u20ac\":\"Euro Sign\",\"\U0001F600\":\"Emoji: Grinning "
              "Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(JsonCanonical, Rfc8785AppendixBNumbers) {
    EXPECT_EQ(number(0x0000000000000000), "0");
    EXPECT_EQ(number(0x8000000000000000), "0");
    EXPECT_EQ(number(0x0000000000000001), "5e-324");
    EXPECT_EQ(number(0x8000000000000001), "-5e-324");
    EXPECT_EQ(number(0x7fefffffffffffff), "1.7976931348623157e+308");
    EXPECT_EQ(number(0xffefffffffffffff), "-1.7976931348623157e+308");
    EXPECT_EQ(number(0x4340000000000000), "9007199254740992");
    EXPECT_EQ(number(0xc340000000000000), "-9007199254740992");
    EXPECT_EQ(number(0x4430000000000000), "295147905179352830000");
    EXPECT_EQ(number(0x44b52d02c7e14af5), "9.999999999999997e+22");
    EXPECT_EQ(number(0x44b52d02c7e14af6), "1e+23");
    EXPECT_EQ(number(0x44b52d02c7e14af7), "1.0000000000000001e+23");
    EXPECT_EQ(number(0x444b1ae4d6e2ef4e), "999999999999999700000");
    EXPECT_EQ(number(0x444b1ae4d6e2ef4f), "999999999999999900000");
    EXPECT_EQ(number(0x444b1ae4d6e2ef50), "1e+21");
    EXPECT_EQ(number(0x3eb0c6f7a0b5ed8c), "9.999999999999997e-7");
    EXPECT_EQ(number(0x3eb0c6f7a0b5ed8d), "0.000001");
    EXPECT_EQ(number(0x41b3de4355555553), "333333333.3333332");
    EXPECT_EQ(number(0x41b3de4355555554), "333333333.33333325");
    EXPECT_EQ(number(0x41b3de4355555555), "333333333.3333333");
    EXPECT_EQ(number(0x41b3de4355555556), "333333333.3333334");
    EXPECT_EQ(number(0x41b3de4355555557), "333333333.33333343");
    EXPECT_EQ(number(0xbecbf647612f3696), "-0.0000033333333333333333");
    EXPECT_EQ(number(0x43143ff3c1cb0959), "1424953923781206.2");
}

TEST(JsonCanonical, WritesNumbersAsEcmaScript) {
    EXPECT_EQ(canonical("[1.0,-0,-0.0,10,100e-2,1e20,1e21,123e-7,0.1e1,-1.5]"),
              "[1,0,0,10,1,100000000000000000000,1e+21,0.0000123,1,-1.5]");
    EXPECT_EQ(canonical("9007199254740993"), "9007199254740992");
    EXPECT_EQ(canonical("1e-400"), "0");
}

TEST(JsonCanonical, RefusesNumbersBeyondDouble) {
    Document doc = parse("[1e400]").value();
    Result<std::string> out = canonicalize(doc.root());
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, ErrorCode::kInvalid);
}

TEST(JsonCanonical, UsesTheShortestEscapes) {
    EXPECT_EQ(canonical(R"("\u0008\u0009\u000a\u000c\u000d\u0000\u001F\u007f\/\u2028")"),
              "\"\\b\\t\\n\\f\\r\\u0000\\u001f\x7f/\u2028\"");
}

TEST(JsonCanonical, SortsShorterNamesFirstAndEmptyOnes) {
    EXPECT_EQ(canonical(R"({"ab":1,"a":2,"":3,"B":4,"aa":5})"),
              R"({"":3,"B":4,"a":2,"aa":5,"ab":1})");
}

TEST(JsonCanonical, ReplacesInvalidUtf8InProgramText) {
    std::string out;
    append_string(out, "a\xff\xe2\x82z\xed\xa0\x80");
    EXPECT_EQ(out, "\"a\ufffd\ufffd\ufffdz\ufffd\ufffd\ufffd\"");
    EXPECT_TRUE(parse(out));
}

TEST(JsonCanonical, NeverWritesANumberThatIsNotJson) {
    std::string out;
    append_number(out, std::numeric_limits<double>::infinity());
    append_number(out, std::numeric_limits<double>::quiet_NaN());
    EXPECT_EQ(out, "nullnull");
}

// Every place of a byte that needs an escape, in every length around the blocks that are looked at
// together.
TEST(AppendString, FindsWhatNeedsAnEscapeAtEveryPlace) {
    for (std::size_t size = 1; size <= 40; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            for (const std::string special : {"\"", "\\", "\x1f", "\xff", "\x7f"}) {
                std::string text(size, 'a');
                text.replace(at, 1, special);
                std::string escaped = special == "\x1f"   ? "\\u001f"
                                      : special == "\xff" ? "\xef\xbf\xbd"
                                      : special == "\x7f" ? special
                                                          : "\\" + special;
                std::string out;
                append_string(out, text);
                EXPECT_EQ(out, '"' + std::string(at, 'a') + escaped +
                                   std::string(size - at - 1, 'a') + '"');
            }
        }
    }
}

}  // namespace
}  // namespace writ::json
