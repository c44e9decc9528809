#include "doors/mcp/answers.h"

#include <gtest/gtest.h>

#include <string>

#include "json/value.h"

namespace writ::mcp {
namespace {

const std::string kMeta = R"("dev.writ/receipt":{"index":1})";

struct Splice {
    const char* result;
    const char* expected;
};

class WithMeta : public testing::TestWithParam<Splice> {};

TEST_P(WithMeta, AddsTheReceiptAndChangesNothingElse) {
    const auto out = read_tool_result(GetParam().result, kMeta);
    ASSERT_TRUE(out.has_value()) << out.error().detail;
    EXPECT_EQ(out->bytes, GetParam().result);
    EXPECT_EQ(out->told, GetParam().expected);
    EXPECT_TRUE(json::parse(out->told).has_value()) << out->told;
}

const Splice kSplices[] = {
    {"{}", R"({"_meta":{"dev.writ/receipt":{"index":1}}})"},
    {"{ }", R"({ "_meta":{"dev.writ/receipt":{"index":1}}})"},
    {R"({"content":[]})", R"({"content":[],"_meta":{"dev.writ/receipt":{"index":1}}})"},
    {R"({ "n" : 1.0, "e":1e400 })",
     R"({ "n" : 1.0, "e":1e400 ,"_meta":{"dev.writ/receipt":{"index":1}}})"},
    {R"({"_meta":{},"content":[]})", R"({"_meta":{"dev.writ/receipt":{"index":1}},"content":[]})"},
    {R"({"content":[], "_meta" : {"a":{"b":1.0}} })",
     R"({"content":[], "_meta" : {"a":{"b":1.0},"dev.writ/receipt":{"index":1}} })"},
    // `_meta` spelt with an escape is the same member; a second one would be a duplicate.
    {R"({"\u005fmeta":{"a":1}})", R"({"\u005fmeta":{"a":1,"dev.writ/receipt":{"index":1}}})"},
    // A `_meta` further down is not the result's.
    {R"({"content":[{"_meta":{"a":1}}]})",
     R"({"content":[{"_meta":{"a":1}}],"_meta":{"dev.writ/receipt":{"index":1}}})"},
};
INSTANTIATE_TEST_SUITE_P(Answers, WithMeta, testing::ValuesIn(kSplices));

TEST(Answers, AServerCannotForgeAReceipt) {
    for (const char* forged : {R"({"_meta":{"dev.writ/receipt":{"forged":1},"x":2}})",
                               R"({"_meta":{"dev\u002ewrit/receipt":{"forged":1},"x":2}})",
                               R"({"_meta":{"x":2,"dev.writ/other":{"forged":1}}})"}) {
        const auto out = read_tool_result(forged, kMeta);
        ASSERT_TRUE(out.has_value());
        EXPECT_EQ(out->told, R"({"_meta":{"x":2,"dev.writ/receipt":{"index":1}}})");
    }
}

TEST(Answers, ReadsToolResultsStrictly) {
    EXPECT_TRUE(read_tool_result(R"({"content":[],"isError":true})", kMeta)->is_error);
    EXPECT_FALSE(read_tool_result(R"({"content":[],"isError":false})", kMeta)->is_error);
    EXPECT_FALSE(read_tool_result(R"({"content":[]})", kMeta)->is_error);
    for (const char* bad : {"[]", "\"x\"", R"({"isError":"true"})", R"({"_meta":[]})",
                            R"({"isError":false,"isError":true})", "{"})
        EXPECT_FALSE(read_tool_result(bad, kMeta).has_value()) << bad;
}

// What was read when it came counts only while the bytes are the same: observation may change them.
TEST(Answers, WhatWasReadBeforeCountsForTheSameBytesOnly) {
    const auto came = json::parse(R"({"content":[],"isError":true})");
    const auto same = read_tool_result(R"({"content":[],"isError":true})", kMeta, came->root());
    ASSERT_TRUE(same);
    EXPECT_TRUE(same->is_error);
    EXPECT_EQ(same->told, read_tool_result(same->bytes, kMeta)->told);
    const auto other = read_tool_result(R"({"content":[1]})", kMeta, came->root());
    ASSERT_TRUE(other);
    EXPECT_FALSE(other->is_error);
    EXPECT_EQ(other->told, read_tool_result(R"({"content":[1]})", kMeta)->told);
    EXPECT_FALSE(read_tool_result("[]", kMeta, came->root()));
    const auto list = json::parse("[]");
    EXPECT_FALSE(read_tool_result("[]", kMeta, list->root()));
}

TEST(Answers, ListsPinnedDefinitionsUnderExposedNames) {
    catalog::Tool tool;
    tool.server = "fs";
    tool.name = "read";
    tool.definition =
        R"({"annotations":{"title":"T"},"description":"d","execution":{"taskSupport":"required"},)"
        R"("icons":[{"src":"https://x"}],"inputSchema":{"properties":{"name":{}},"type":"object"},)"
        R"("name":"read"})";
    const auto one = std::make_shared<const catalog::Tool>(tool);
    EXPECT_EQ(tools_result({one, one}),
              R"({"tools":[{"annotations":{"title":"T"},"description":"d","inputSchema":)"
              R"({"properties":{"name":{}},"type":"object"},"name":"fs__read"},)"
              R"({"annotations":{"title":"T"},"description":"d","inputSchema":)"
              R"({"properties":{"name":{}},"type":"object"},"name":"fs__read"}]})");
    EXPECT_EQ(tools_result({}), R"({"tools":[]})");
}

// What stands under our prefix is ours to say, in a definition too. The catalog's own text, which
// the pin is of, stays as it is.
TEST(Answers, ADefinitionCannotForgeWhatIsOurs) {
    catalog::Tool tool;
    tool.server = "fs";
    tool.name = "read";
    const auto listed = [&tool](const std::string& meta) {
        tool.definition =
            R"({"_meta":)" + meta + R"(,"inputSchema":{"_meta":{"dev.writ/x":1}},"name":"read"})";
        const std::string kept = tool.definition;
        const auto one = std::make_shared<const catalog::Tool>(tool);
        const std::string out = tools_result({one});
        EXPECT_EQ(one->definition, kept);
        EXPECT_TRUE(json::parse(out)) << out;
        const auto from = out.find(R"("_meta":)") + 8;
        return out.substr(from, out.find(R"(,"inputSchema":{"_meta":{"dev.writ/x":1}},)") - from);
    };
    EXPECT_EQ(listed(R"({"dev.writ/receipt":{"index":1},"x.y/k":1.0})"), R"({"x.y/k":1.0})");
    EXPECT_EQ(listed(R"({"a":1,"dev\u002ewrit/call":"c"})"), R"({"a":1})");
    EXPECT_EQ(listed(R"({"dev.writ/other":1})"), "{}");
    EXPECT_EQ(listed(R"({"a":{"dev.writ/inner":1}})"), R"({"a":{"dev.writ/inner":1}})");
    EXPECT_EQ(listed("[]"), "[]");
}

TEST(Answers, ARefusalIsAToolErrorWithTheCallsName) {
    const auto id = CallId::parse("01a209c1-6900-7043-aa71-8774c572bd8a");
    ASSERT_TRUE(id.has_value());
    EXPECT_EQ(refused_result("no \"way\"", *id, nullptr),
              R"({"_meta":{"dev.writ/call":"01a209c1-6900-7043-aa71-8774c572bd8a"},)"
              R"("content":[{"text":"no \"way\"","type":"text"}],"isError":true})");
}

}  // namespace
}  // namespace writ::mcp
