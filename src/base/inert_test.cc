#include "base/inert.h"

#include <gtest/gtest.h>

namespace writ {
namespace {

TEST(Inert, EscapesTerminalControls) {
    EXPECT_EQ(inert("a\x1b[2Jb\r\n\x07"), "a\\x1b[2Jb\\x0d\\n\\x07");
    EXPECT_EQ(inert("\xc2\x9b"
                    "31m"),
              "\\u{9b}31m");  // the one-character CSI
}

TEST(Inert, EscapesBidiAndInvisibleCharacters) {
    EXPECT_EQ(inert("a\xe2\x80\xae"
                    "b"),
              "a\\u{202e}b");
    EXPECT_EQ(inert("a\xe2\x80\x8b"
                    "b\xef\xbb\xbf"),
              "a\\u{200b}b\\u{feff}");
    EXPECT_EQ(inert("\xf3\xa0\x81\x81"), "\\u{e0041}");  // tag characters carry hidden instructions
}

TEST(Inert, EscapesInvalidUtf8AndKeepsTheRest) {
    EXPECT_EQ(inert("é\xff\xc0\xaf…"), "é\\xff\\xc0\\xaf…");
    EXPECT_EQ(inert("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
    EXPECT_EQ(inert("\xe2\x80"), "\\xe2\\x80");
}

TEST(Inert, CutsAtTheLimit) {
    EXPECT_EQ(inert("abcdef", 3), "abc…");
}

TEST(Inert, JsonKeepsItsValueAndItsLines) {
    const std::string_view plain = "{\n  \"a\": \"é \\u001b \\\\ …\"\n}";
    EXPECT_EQ(inert_json(plain), plain);
    EXPECT_EQ(inert_json("\"a\xe2\x80\xae"
                         "b\xc2\x9b"
                         "31m\x7f\""),
              "\"a\\u202eb\\u009b31m\\u007f\"");
    EXPECT_EQ(inert_json("\"\xf3\xa0\x81\x81\""), "\"\\udb40\\udc41\"");
    EXPECT_EQ(inert_json("\"\xff\""), "\"\\ufffd\"");
    EXPECT_EQ(inert_json("[1,\r2]"), "[1, 2]");
}

}  // namespace
}  // namespace writ
