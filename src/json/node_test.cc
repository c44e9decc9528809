#include "json/node.h"

#include <gtest/gtest.h>

#include <limits>

namespace writ::json {
namespace {

TEST(JsonNode, BuildsWhatItsHeaderShows) {
    Node n = Node::object();
    n["task"] = "t-1";
    n["calls"] = 3;
    n["tools"].push_back("a");
    EXPECT_EQ(n.dump(), R"({"calls":3,"task":"t-1","tools":["a"]})");
}

TEST(JsonNode, WritesEveryKind) {
    Node n = Node::array();
    n.push_back(nullptr);
    n.push_back(true);
    n.push_back(false);
    n.push_back(std::numeric_limits<std::int64_t>::min());
    n.push_back(std::numeric_limits<std::int64_t>::max());
    n.push_back(1.5);
    n.push_back(1e21);
    n.push_back("\"\n");
    n.push_back(Node::array());
    n.push_back(Node::object());
    n.push_back(Node::raw("{ \"x\" : 1 }"));
    EXPECT_EQ(
        n.dump(),
        "[null,true,false,-9223372036854775808,9223372036854775807,1.5,1e+21,\"\\\"\\n\",[],{},"
        "{ \"x\" : 1 }]");
}

TEST(JsonNode, SortsMembersByUtf16CodeUnits) {
    Node n;
    n["\ufb33"] = 1;
    n["\U0001F600"] = 2;
    n["\u20ac"] = 3;
    n["z"] = 4;
    EXPECT_EQ(n.dump(), "{\"z\":4,\"\u20ac\":3,\"\U0001F600\":2,\"\ufb33\":1}");
}

TEST(JsonNode, PrettyIndentsByTwo) {
    Node n;
    n["a"].push_back(1);
    n["a"].push_back(Node::object());
    n["b"]["c"] = nullptr;
    n["d"] = Node::array();
    EXPECT_EQ(
        n.pretty(),
        "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n    \"c\": null\n  },\n  \"d\": []\n}");
    EXPECT_TRUE(parse(n.pretty()));
}

TEST(JsonNode, CopiesParsedValuesAndKeepsNumberLexemes) {
    std::string text = R"({"a":[1,-0,1.50,1e400,12345678901234567890,"\u0041",null,true],"b":{}})";
    Document doc = parse(text).value();
    Node n = Node::from(doc.root());
    EXPECT_EQ(n.dump(), R"({"a":[1,-0,1.50,1e400,12345678901234567890,"A",null,true],"b":{}})");
    ASSERT_NE(n["a"].if_array()->at(0).if_i64(), nullptr);
}

TEST(JsonNode, CopiesAreDeep) {
    Node a;
    a["x"]["y"] = 1;
    Node b = a;
    b["x"]["y"] = 2;
    EXPECT_EQ(a.dump(), R"({"x":{"y":1}})");
}

TEST(JsonNodeDeathTest, AScalarDoesNotBecomeAnObject) {
    Node n = 1;
    EXPECT_DEATH(n["a"], "");
    EXPECT_DEATH(n.push_back(1), "");
}

}  // namespace
}  // namespace writ::json
