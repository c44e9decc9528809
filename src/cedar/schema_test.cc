// Schemas in both syntaxes: what is accepted, what is refused with which words, and that both
// printers give back the same schema.
#include "cedar/schema.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "cedar/test_world.h"

namespace writ::cedar {
namespace {

std::string refusal(std::string_view text) {
    const auto schema = Schema::parse(text, {.file = "s"});
    return schema ? "ok" : schema.error().message();
}

std::string refusal_json(std::string_view text) {
    const auto schema = Schema::parse_json(text, {.file = "s"});
    return schema ? "ok" : schema.error().message();
}

TEST(SchemaProbes, CedarSyntaxIsAcceptedAsByTheReference) {
    const auto folder = test::shared_folder();
    if (!folder) GTEST_SKIP() << "no shared folder with the corpora";
    const std::string text = test::read_rows(*folder / "corpora/cedar-probes-validate.json");
    const auto document = json::parse(text);
    ASSERT_TRUE(document) << document.error().message();
    std::size_t asked = 0;
    for (const json::Value& probe : document->root().elements()) {
        const auto columns = probe.elements();
        if (columns[0].as_string() != "schema") continue;
        ++asked;
        const std::string_view input = *columns[1].as_string();
        std::string_view expected = *columns[2].as_string();
        const auto schema = Schema::parse(input);
        if (expected == "ok") {
            EXPECT_TRUE(schema) << input << "\n" << schema.error().message();
            continue;
        }
        for (const std::string_view prefix :
             {"ERR: ", "failed to parse schema from string: ", "error parsing schema: "})
            if (expected.starts_with(prefix)) expected.remove_prefix(prefix.size());
        ASSERT_FALSE(schema) << input;
        EXPECT_EQ(schema.error().detail.substr(0, expected.size()), expected) << input;
    }
    EXPECT_GE(asked, 70u);
}

TEST(Schema, SaysWhereANameDoesNotResolveAndWhatWasMeant) {
    EXPECT_EQ(refusal("entity User { friend: Usr };"),
              "s:1:23: failed to resolve type: Usr: `Usr` has not been declared as a common or "
              "entity type, did you mean `User`?");
    EXPECT_EQ(refusal("namespace N {\n  entity A;\n}\nnamespace M { type X = A; }"),
              "s:4:24: failed to resolve type: A: neither `M::A` nor `A` refers to anything that "
              "has been declared as a common or entity type, did you mean `N::A`?");
    EXPECT_EQ(refusal("entity A { x: Boolean };"),
              "s:1:15: failed to resolve type: Boolean: `Boolean` has not been declared as a "
              "common or entity type, did you mean `Bool`?");
    EXPECT_EQ(refusal("action view; action edit in veiw;"),
              "s:1:29: undeclared action: Action::\"veiw\": any actions appearing as parents need "
              "to be declared as actions, did you mean `view`?");
}

TEST(Schema, CollectsSeveralErrors) {
    const std::string message = refusal("entity A { x: P, y: Q } in;");
    EXPECT_NE(message.find("unexpected token `in`"), std::string::npos) << message;
    const std::string both = refusal("entity A { x: P, y: Q };\nentity B in R;");
    EXPECT_NE(both.find("s:1:15: failed to resolve type: P"), std::string::npos) << both;
    EXPECT_NE(both.find("s:1:21: failed to resolve type: Q"), std::string::npos) << both;
    EXPECT_NE(both.find("s:2:13: failed to resolve type: R"), std::string::npos) << both;
}

TEST(Schema, JsonRefusesWhatItDoesNotKnow) {
    EXPECT_EQ(refusal_json(R"({"": {"entityTypes": {}}})"),
              "s:1:6: missing field `actions` in a namespace");
    EXPECT_EQ(refusal_json(R"({"": {"entityTypes": {"A": {"foo": 1}}, "actions": {}}})"),
              "s:1:36: unknown field `foo`, expected one of `memberOfTypes`, `shape`, `tags`, "
              "`enum`, `annotations`");
    EXPECT_NE(refusal_json(R"({"": {"entityTypes": {"A": {"shape": {"type": "Record",
                "attributes": {}, "additionalAttributes": true}}}, "actions": {}}})")
                  .find("experimental"),
              std::string::npos);
    EXPECT_NE(refusal_json(R"({"": {"entityTypes": {}, "actions": {}, "actions": {}}})")
                  .find("duplicate"),
              std::string::npos);
    EXPECT_NE(refusal_json("[").find("s:"), std::string::npos);
}

TEST(Schema, PrintsBothWaysAndReadsBackTheSame) {
    const std::string_view text =
        R"(@a("x") namespace N { @d entity A, B { @e("f") x?: Long, "a b": __cedar::Long, b: Bool }
        tags {a: ipaddr}; @h type T = Set<A>; type T2 = {};
        @g("q\"") action "a b", c in [Action::"z", "y"]
          appliesTo { principal: A, resource: [B], context: T2}; action y, z; }
        type X = decimal; entity En enum ["z","a","z"]; namespace M {}
        namespace E2 { type Q = N::T; entity L in [N::A]; })";
    const auto schema = Schema::parse(text);
    ASSERT_TRUE(schema) << schema.error().message();
    const auto cedar = schema->to_cedar();
    const auto json = schema->to_json();
    ASSERT_TRUE(cedar && json);
    const auto again = Schema::parse(*cedar);
    ASSERT_TRUE(again) << again.error().message() << *cedar;
    EXPECT_EQ(again->to_json().value(), *json);
    EXPECT_EQ(again->to_cedar().value(), *cedar);
    const auto from_json = Schema::parse_json(*json);
    ASSERT_TRUE(from_json) << from_json.error().message() << *json;
    EXPECT_EQ(from_json->to_json().value(), *json);
    EXPECT_EQ(from_json->to_cedar().value(), *cedar);
}

TEST(Schema, SeveralTextsMakeOneSchema) {
    const std::vector<SchemaText> texts = {
        {"namespace N { entity A in B; action x in group; }", "one", SchemaSyntax::kCedar},
        {R"({"N": {"entityTypes": {"B": {}}, "actions": {"group": {}}}})", "two",
         SchemaSyntax::kJson}};
    const auto schema = Schema::parse_all(texts);
    ASSERT_TRUE(schema) << schema.error().message();
    EXPECT_TRUE(schema->has_action({"N::Action", "x"}));
    EXPECT_TRUE(schema->has_entity_type("N::B"));
    const auto twice = Schema::parse_all(std::vector<SchemaText>{texts[1], texts[1]});
    ASSERT_FALSE(twice);
    EXPECT_NE(twice.error().detail.find("declared twice"), std::string::npos);
}

// What the reference's own types serialise: members that are optional there may be null.
TEST(Schema, NullStandsForAMemberThatIsNotThereWhereTheReferenceHasItSo) {
    const auto action = [](std::string_view members) {
        return refusal_json("{\"\": {\"entityTypes\": {}, \"actions\": {\"z\": {}, \"a\": {" +
                            std::string(members) + "}}}}");
    };
    EXPECT_EQ(action(R"("attributes": null, "appliesTo": null, "memberOf": null)"), "ok");
    EXPECT_EQ(action(R"("memberOf": [{"id": "z", "type": null}])"), "ok");
    EXPECT_NE(action(R"("annotations": null)"), "ok");
    EXPECT_NE(action(R"("attributes": {})").find("action declared with attributes: [a]"),
              std::string::npos);
}

TEST(SchemaLimits, DeepCyclicAndHugeAreRefusedQuickly) {
    std::string deep = "type T = ";
    for (int i = 0; i < 10'000; ++i) deep += "Set<";
    EXPECT_NE(refusal(deep).find("nest at most 64 deep"), std::string::npos);
    std::string records = "type T = ";
    for (int i = 0; i < 10'000; ++i) records += "{a:";
    EXPECT_NE(refusal(records).find("nest at most 64 deep"), std::string::npos);

    std::string chain = "type T0 = {a: Long};";
    for (int i = 1; i < 5'000; ++i) chain += fmt::format("type T{} = {{a: T{}}};", i, i - 1);
    EXPECT_NE(refusal(chain).find("nest at most 256 deep"), std::string::npos);
    std::string cycle = chain + "type X = T4999;";
    cycle.replace(0, 20, "type T0 = {a: T4999};");
    EXPECT_NE(refusal(cycle).find("cycle in common type"), std::string::npos);
    // Each common type twice in the next: exponential for whoever walks all paths.
    std::string doubled = "type T0 = Long;";
    for (int i = 1; i < 200; ++i)
        doubled += fmt::format("type T{0} = {{a: T{1}, b: T{1}}};", i, i - 1);
    EXPECT_EQ(refusal(doubled + "entity A { x: T199 };"), "ok");

    std::string ids = "entity E enum [\"x\"";
    for (int i = 0; i < 200'000; ++i) ids += ",\"x\"";
    EXPECT_NE(refusal(ids + "];").find("at most 100000 ids"), std::string::npos);
    std::string names = "entity A";
    for (int i = 0; i < 20'000; ++i) names += fmt::format(",A{}", i);
    EXPECT_NE(refusal(names + ";").find("at most 10000 entity types"), std::string::npos);
    EXPECT_NE(refusal(std::string(9 << 20, ' ')).find("at most"), std::string::npos);
    EXPECT_NE(refusal("entity \xff;").find("not UTF-8"), std::string::npos);
}

TEST(SchemaLimits, LongHierarchiesAreClosedWithoutRecursion) {
    std::string text = "entity A0;";
    for (int i = 1; i < 4'000; ++i) text += fmt::format("entity A{} in A{};", i, i - 1);
    text += "action a0;";
    for (int i = 1; i < 4'000; ++i) text += fmt::format("action a{} in a{};", i, i - 1);
    EXPECT_EQ(refusal(text), "ok");
    std::string loop = text;
    loop.replace(loop.find("action a0;"), 10, "action a0 in a3999;");
    EXPECT_NE(refusal(loop).find("cycle in action hierarchy"), std::string::npos);
}

}  // namespace
}  // namespace writ::cedar
