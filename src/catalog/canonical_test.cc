// What counts as canonical, attack by attack: one text, one meaning.
#include "catalog/canonical.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace writ::catalog {
namespace {

using ::testing::HasSubstr;

TEST(CanonicalPath, AcceptsPlainAbsolutePaths) {
    for (const char* good : {"/", "/a", "/data/x.md", "/data/.hidden", "/data/..x", "/data/a b/c",
                             "/data/caf\xc3\xa9", "/data/100%", "/data/a%20b", "/data/what?",
                             "/data/#1", "/data/\xd9\xa1", "/data/Shot 1\xe2\x80\xafPM.png"})
        EXPECT_EQ(absolute_path_fault(good), "") << good;
}

TEST(CanonicalPath, RefusesTraversal) {
    EXPECT_THAT(absolute_path_fault("/data/../etc/passwd"), HasSubstr("`..`"));
    EXPECT_THAT(absolute_path_fault("/data/.."), HasSubstr("`..`"));
    EXPECT_THAT(absolute_path_fault("/.."), HasSubstr("`..`"));
    EXPECT_THAT(absolute_path_fault("/data/./x"), HasSubstr("`.`"));
    EXPECT_THAT(absolute_path_fault("/data//x"), HasSubstr("`//`"));
    EXPECT_THAT(absolute_path_fault("//data/x"), HasSubstr("`//`"));
    EXPECT_THAT(absolute_path_fault("/data/x/"), HasSubstr("ends with"));
    EXPECT_THAT(absolute_path_fault("//"), HasSubstr("//"));
    for (const char* bad : {"", "data/x", "./x", "../x", "~/x", "file:///x", " /data/x", "C:\\x",
                            "/data/x ", "/data/x\xc2\xa0"})
        EXPECT_NE(absolute_path_fault(bad), "") << bad;
}

TEST(CanonicalPath, RefusesEncodedTraversal) {
    for (const char* bad : {"/data/%2e%2e/x", "/data/%2E%2E/x", "/data/.%2e/x", "/data%2fx",
                            "/data%2Fx", "/data/%5c..", "/data/%252e%252e/x", "/data/%00",
                            "/data/x%0a", "/data\\..\\x", "/data/x\\"})
        EXPECT_NE(absolute_path_fault(bad), "") << bad;
}

TEST(CanonicalPath, RefusesControlAndInvisibleCharacters) {
    EXPECT_NE(absolute_path_fault(std::string_view("/data/x\0.md", 11)), "");
    for (const char* bad : {"/data/x\n", "/data/x\t", "/data/x\x7f", "/data/x\xc2\x85",
                            "/data/\xe2\x80\x8bx", "/data/\xe2\x80\xaex", "/data/\xef\xbb\xbfx",
                            "/data/\xe2\x81\xa0x", "/da\xc2\xadta/x", "/data/\xf3\xa0\x81\x81x"})
        EXPECT_THAT(absolute_path_fault(bad), HasSubstr("invisible")) << bad;
    EXPECT_THAT(absolute_path_fault("/data/\xff"), HasSubstr("UTF-8"));
    EXPECT_THAT(absolute_path_fault("/data/\xc0\xaf"), HasSubstr("UTF-8"));  // overlong `/`
}

TEST(CanonicalPath, RefusesLookAlikes) {
    for (const char* bad :
         {"/data\xef\xbc\x8f..", "/data/\xe2\x88\x95x", "/data/\xe2\x81\x84x",     // slashes
          "/data/\xef\xbc\x8e\xef\xbc\x8e/x", "/data/\xe2\x80\xa4\xe2\x80\xa4/x",  // dots
          "/data/\xe2\x80\xa5/x", "/data/\xef\xbc\xbcx",
          "/data/\xef\xbc\x85"
          "2e",
          "/\xef\xbd\x84\xef\xbd\x81ta/x", "/data/\xf0\x9d\x90\x9a"})
        EXPECT_THAT(absolute_path_fault(bad), HasSubstr("may be read as")) << bad;
}

TEST(CanonicalPath, IsBounded) {
    EXPECT_EQ(absolute_path_fault("/" + std::string(kMaxUriBytes - 1, 'a')), "");
    EXPECT_THAT(absolute_path_fault("/" + std::string(kMaxUriBytes, 'a')), HasSubstr("longer"));
}

TEST(CanonicalUrl, AcceptsOneFormOnly) {
    for (const char* good :
         {"https://example.com/", "https://example.com", "https://example.com/a/b",
          "https://a.b/c/", "http://127.0.0.1:8080/x?y=1#z", "https://x.y/?q=a/../b",
          "https://xn--caf-dma.com/", "http://[::1]:8080/", "https://x.y/a%20b",
          "https://x.y/%C3%A9", "https://x.y/100%25", "file:///data/x", "git://host/repo",
          "https://a_b.c/x"})
        EXPECT_EQ(url_fault(good), "") << good;
}

TEST(CanonicalUrl, RefusesOtherFormsOfTheSame) {
    for (const char* bad : {"HTTPS://example.com/",
                            "https://Example.com/",
                            "https://example.com:443/",
                            "https://example.com./",
                            "https://user@example.com/",
                            "https://example.com@evil.com/",
                            "https://example.com\\@evil.com/",
                            "https://x.y/a/../b",
                            "https://x.y/./b",
                            "https://x.y//b",
                            "https://x.y/%2e%2e/b",
                            "https://x.y/a%2Fb",
                            "https://x.y/%41",
                            "https://x.y/%c3%a9",
                            "https://x.y/%252e",
                            "https://x.y/%",
                            "https://x.y?q=1",
                            "https://x.y/a b",
                            " https://x.y/",
                            "https://x.y/\n",
                            "https:/x.y/",
                            "https:x.y",
                            "//x.y/",
                            "https:///x",
                            "https://x..y/",
                            "https://caf\xc3\xa9.com/",
                            "https://x.y:0/",
                            "https://x.y:080/",
                            "https://x.y:99999/",
                            "https://x.y:/",
                            "ht\ntps://x.y/",
                            "https://\xef\xbd\x85xample.com/",
                            "file://host/x",
                            "file:///a/../b",
                            "javascript:alert(1)"})
        EXPECT_NE(url_fault(bad), "") << bad;
}

TEST(CanonicalUrl, RefusesDisguisedAddresses) {
    for (const char* bad :
         {"http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/",
          "http://127.0.0.01/", "http://0x7f.0.0.1/", "http://127.0.0.256/", "http://1.2.3.4.5/",
          "http://127.0.0.1./", "http://[::FFFF]/", "http://[::1/", "http://[]/"})
        EXPECT_NE(url_fault(bad), "") << bad;
    EXPECT_EQ(url_fault("http://127.0.0.1/"), "");
    EXPECT_EQ(url_fault("http://0.0.0.0/"), "");
}

TEST(CanonicalNumber, IsPlainDecimal) {
    for (const char* good : {"0", "7", "-12.5", "1000", "0.05", "4111111111111111"})
        EXPECT_EQ(number_fault(good), "") << good;
    for (const char* bad : {"", "-", "+1", "007", "1.0", "1.", ".5", "-0", "1e3", "0x10", "1_000",
                            "1,000", " 1", "1 ", "\xef\xbc\x91", "NaN", "0.0"})
        EXPECT_NE(number_fault(bad), "") << bad;
}

std::string fault_of(std::string_view argument) {
    const auto document = json::parse(argument);
    EXPECT_TRUE(document) << argument;
    return sensitive_fault(document->root());
}

TEST(Sensitive, PlainTextPasses) {
    for (const char* good :
         {R"("hello")", R"("")", R"("SELECT a FROM b\nWHERE c = 1")", R"("and then 3. we go")",
          R"("2026-11-24")", R"("1.2.3")", R"("text/plain")", R"("alice@example.org")", "null",
          "true", R"(["a", {"b": "c"}])", R"("a/b.md")", R"("/data/x y.md")", R"("100% sure")",
          R"("日本語、全角！")"})
        EXPECT_EQ(fault_of(good), "") << good;
}

TEST(Sensitive, PathsHoweverDisguisedMustBeCanonical) {
    for (const char* bad : {R"("/a/../b")",
                            R"("../b")",
                            R"("a/../b")",
                            R"("a b/../c")",
                            R"("./b")",
                            R"("..")",
                            R"(" /etc/passwd")",
                            R"("/etc/passwd\n")",
                            R"("\t/etc/passwd")",
                            R"("~/x")",
                            R"("~root")",
                            R"("a//b")",
                            R"("a/")",
                            R"("C:\\x")",
                            R"("a\\b")",
                            R"("C:/x")",
                            R"("%2e%2e")",
                            R"("..%2fx")",
                            "\"\xef\xbc\x8f"
                            "etc\"",
                            "\"a/\xe2\x80\xa5/b\"",
                            "\"\xe2\x80\x8b/etc\""})
        EXPECT_NE(fault_of(bad), "") << bad;
}

TEST(Sensitive, UrlsHoweverDisguisedMustBeCanonical) {
    for (const char* bad :
         {R"("HTTP://x.y/")", R"(" http://x.y/")", R"("ht\ntp://x.y/")", R"("http:\\\\x.y")",
          R"("http:x.y")", R"("file:/etc/passwd")", R"("FILE:///etc/passwd")", R"("javascript:x")",
          R"("https://x.y@z/")", R"("http://127.1/")", "\"\xef\xbd\x88ttp://x.y/\"",
          "\"http\xef\xbc\x9a//x.y/\""})
        EXPECT_THAT(fault_of(bad), HasSubstr("URL")) << bad;
    EXPECT_EQ(fault_of(R"("https://x.y/z")"), "");
}

TEST(Sensitive, NumbersHoweverDisguisedMustBeCanonical) {
    for (const char* bad : {R"("1e3")", R"("007")", R"("+5")", R"("1_000")", R"("1,000")",
                            R"("0x1F")", R"(" 5")", R"("5.0")", "\"\xd9\xa1\xd9\xa2\"",
                            "\"\xef\xbc\x95\"", "1e3", "1.0", "-0", "1.50", "5E0"})
        EXPECT_THAT(fault_of(bad), HasSubstr("number")) << bad;
    for (const char* good : {R"("1000")", "1000", "-3", "0.5"})
        EXPECT_EQ(fault_of(good), "") << good;
}

TEST(Sensitive, LooksIntoArraysObjectsAndTheirNames) {
    EXPECT_NE(fault_of(R"(["ok", ["/a/../b"]])"), "");
    EXPECT_NE(fault_of(R"({"a": {"b": "/a//b"}})"), "");
    EXPECT_NE(fault_of(R"({"/a/../b": 1})"), "");
}

TEST(Skeleton, IsWhatACarelessReaderSees) {
    EXPECT_EQ(skeleton(" \t\xe2\x80\x8b/a\xef\xbc\x8f\xe2\x80\xa5 "), "/a/..");
    EXPECT_EQ(skeleton("\xc2\xa0\xe3\x80\x80"), "");
    EXPECT_EQ(skeleton("\xd9\xa3\xf0\x9d\x9f\x8e"), "30");
}

}  // namespace
}  // namespace writ::catalog
