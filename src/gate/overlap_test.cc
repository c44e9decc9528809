// Which calls may leave before their decision is durable: the rule is a list of refusals.
#include "gate/overlap.h"

#include <gtest/gtest.h>

#include <string>

#include "json/value.h"

namespace writ::gate {
namespace {

catalog::Tool tool(std::string properties, std::string more = "") {
    catalog::Tool out;
    out.server = "files";
    out.name = "read";
    out.effect = catalog::Effect::kRead;
    out.rule.effect = catalog::Effect::kRead;
    out.input_schema = R"({"type":"object","properties":{)" + properties + "}" + more + "}";
    return out;
}
const std::string kPath = R"("path":{"type":"string"})";

TEST(Overlap, ADeclaredReadOfPlainArgumentsMay) {
    EXPECT_TRUE(may_overlap(tool(kPath)));
    EXPECT_TRUE(may_overlap(tool("")));
    EXPECT_TRUE(
        may_overlap(tool(R"("lines":{"type":"array","items":{"type":"integer"}},)"
                         R"("o":{"type":"object","properties":{"deep":{"type":"boolean"}}})")));
    EXPECT_TRUE(may_overlap(
        tool(R"("day":{"type":"string","format":"date"})", R"(,"additionalProperties":false)")));
}

TEST(Overlap, NobodyElse) {
    catalog::Tool undeclared = tool(kPath);
    undeclared.rule.effect.reset();
    EXPECT_FALSE(may_overlap(undeclared));
    catalog::Tool raised = tool(kPath);
    raised.effect = catalog::Effect::kWrite;
    EXPECT_FALSE(may_overlap(raised));
    catalog::Tool write = raised;
    write.rule.effect = catalog::Effect::kWrite;
    EXPECT_FALSE(may_overlap(write));
    catalog::Tool changed = tool(kPath);
    changed.changed = true;
    EXPECT_FALSE(may_overlap(changed));
    catalog::Tool remote = tool(kPath);
    remote.rule.resource = "https://{path}";
    EXPECT_FALSE(may_overlap(remote));
    catalog::Tool vague = tool(kPath);
    vague.input_schema = "{}";
    EXPECT_FALSE(may_overlap(vague));
}

TEST(Overlap, NoArgumentThatMayNameAPlace) {
    for (const char* properties :
         {R"("url":{"type":"string"})", R"("sourceUrl":{"type":"string"})",
          R"("base_url":{"type":"string"})", R"("HOST":{"type":"string"})",
          R"("a":{"type":"string","format":"uri"})", R"("a":{"type":"string","format":"hostname"})",
          R"("a":{"type":"string","format":7})", R"("a":{})", R"("a":true)",
          R"("a":{"type":["string","null"]})", R"("a":{"$ref":"#/x"})", R"("a":{"type":"object"})",
          R"("a":{"type":"string","anyOf":[]})", R"("a":{"type":"array"})",
          R"("a":{"type":"object","properties":{"callback":{"type":"string"}}})",
          R"("a":{"type":"object","properties":{},"patternProperties":{}})"})
        EXPECT_FALSE(may_overlap(tool(properties))) << properties;
}

TEST(Overlap, NorAnArgumentThatLooksLikeOne) {
    for (const char* text :
         {R"({"path":"http://evil"})", R"({"path":"//evil/x"})", R"({"path":"\\\\evil\\x"})",
          R"({"path":"file:/x"})", R"({"q":["a",{"b":"ftp://x"}]})", R"({"q":"me@evil"})",
          R"({"q":"www.evil"})", R"({"hidden_url":"x"})", R"({"q":"data:x"})"}) {
        const auto arguments = json::parse(text);
        EXPECT_TRUE(names_a_place(arguments->root())) << text;
    }
    for (const char* text :
         {R"({"path":"/a/b.txt","n":7,"q":"is it 10:30?"})", "{}", R"({"path":"C:\\x"})"}) {
        const auto arguments = json::parse(text);
        EXPECT_FALSE(names_a_place(arguments->root())) << text;
    }
}

}  // namespace
}  // namespace writ::gate
