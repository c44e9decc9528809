// Policies as JSON: what is written, what is read, and in which words the rest is refused. That the
// reference writes and reads the same is held by tests/oracle/cedar_est.
#include "cedar/est.h"

#include <gtest/gtest.h>

#include "cedar/test_world.h"
#include "json/node.h"

namespace writ::cedar {
namespace {

std::string json_of(std::string_view text) {
    const auto policies = PolicySet::parse(text);
    if (!policies) return policies.error().message();
    return policies->policy_json("policy0").value();
}

std::string body_of(std::string_view expression) {
    const std::string json =
        json_of("permit(principal, action, resource) when { " + std::string(expression) + " };");
    const auto document = json::parse(json, {.bytes_max = kEstBytesMax, .depth_max = kEstDepthMax});
    if (!document) return json;
    const auto condition = document->root().find("conditions")->elements().front();
    return std::string(condition.find("body")->raw());
}

std::string with_body(std::string_view body) {
    return R"({"effect":"permit","principal":{"op":"All"},"action":{"op":"All"},)"
           R"("resource":{"op":"All"},"conditions":[{"kind":"when","body":)" +
           std::string(body) + "}]}";
}

// The text of the policy, or the error.
std::string text_from(std::string_view json) {
    PolicySet policies;
    const auto status = policies.add_json("p", json, {.file = "p.json"});
    if (!status) return status.error().message();
    return policies.info("p")->text;
}

std::string body_from(std::string_view body) {
    constexpr std::string_view kBefore = "permit(principal, action, resource)\nwhen { ";
    const std::string text = text_from(with_body(body));
    return text.starts_with(kBefore) ? text.substr(kBefore.size(), text.size() - kBefore.size() - 3)
                                     : text;
}

TEST(Est, IsWrittenAsTheReferenceDoes) {
    EXPECT_EQ(
        json_of("@a(\"\") @b permit(principal == U::\"a\", action in [Action::\"x\"], resource is "
                "T in R::\"x\") unless { true };"),
        R"({"effect":"permit","principal":{"op":"==","entity":{"type":"U","id":"a"}},)"
        R"("action":{"op":"in","entity":{"type":"Action","id":"x"}},)"
        R"("resource":{"op":"is","entity_type":"T","in":{"entity":{"type":"R","id":"x"}}},)"
        R"("conditions":[{"kind":"unless","body":{"Value":true}}],)"
        R"("annotations":{"a":"","b":null}})");
    EXPECT_EQ(json_of("forbid(principal in ?principal, action in [], resource is T in ?resource);"),
              R"({"effect":"forbid","principal":{"op":"in","slot":"?principal"},)"
              R"("action":{"op":"in","entities":[]},)"
              R"("resource":{"op":"is","entity_type":"T","in":{"slot":"?resource"}},)"
              R"("conditions":[]})");
}

TEST(Est, ExpressionsKeepTheirOperators) {
    EXPECT_EQ(body_of("1 >= -1"), R"({">=":{"left":{"Value":1},"right":{"Value":-1}}})");
    EXPECT_EQ(body_of("--1 != -(1)"), R"({"!=":{"left":{"neg":{"arg":{"Value":-1}}},)"
                                      R"("right":{"neg":{"arg":{"Value":1}}}}})");
    EXPECT_EQ(body_of(R"("é*" like "é\**")"),
              R"({"like":{"left":{"Value":"é*"},)"
              R"("pattern":[{"Literal":"é"},{"Literal":"*"},"Wildcard"]}})");
    EXPECT_EQ(body_of(R"({"a b": ip("::1")})"), R"({"Record":{"a b":{"ip":[{"Value":"::1"}]}}})");
    EXPECT_EQ(body_of("true && false && true"),
              R"({"&&":{"left":{"&&":{"left":{"Value":true},"right":{"Value":false}}},)"
              R"("right":{"Value":true}}})");
    EXPECT_EQ(body_of("context has a.b"),
              R"({"&&":{"left":{"has":{"left":{"Var":"context"},"attr":"a"}},)"
              R"("right":{"has":{"left":{".":{"left":{"Var":"context"},"attr":"a"}},)"
              R"("attr":"b"}}}})");
}

TEST(Est, IsReadWithParenthesesWhereTheyAreNeeded) {
    EXPECT_EQ(body_from(R"({"has":{"left":{"Var":"context"},"attr":["a","b"]}})"),
              "context has a.b");
    EXPECT_EQ(body_from(R"({".":{"left":{"Value":-1},"attr":"if"}})"), R"((-1)["if"])");
    EXPECT_EQ(body_from(R"({"neg":{"arg":{"Value":1}}})"), "-(1)");
    EXPECT_EQ(body_from(R"({"-":{"left":{"Value":1},"right":{"-":{"left":{"Value":2},)"
                        R"("right":{"Value":3}}}}})"),
              "1 - (2 - 3)");
    EXPECT_EQ(body_from(R"({"&&":{"left":{"&&":{"left":{"Value":true},"right":{"Value":true}}},)"
                        R"("right":{"||":{"left":{"Value":true},"right":{"Value":true}}}}})"),
              "true && true && (true || true)");
    EXPECT_EQ(body_from(R"({"isInRange":[{"ip":[{"Value":"::1"}]},{"Var":"context"}]})"),
              R"(ip("::1").isInRange(context))");
    EXPECT_EQ(body_from(R"({"like":{"left":{"Value":"a"},"pattern":[{"Literal":"*\n"},)"
                        R"("Wildcard"]}})"),
              R"("a" like "\*\n*")");
    EXPECT_EQ(body_from(R"({"Value":{"a":[1,{"__entity":{"type":"U","id":"x"}}],)"
                        R"("b":{"__extn":{"fn":"offset","args":[1,2]}}}})"),
              R"({a: [1, U::"x"], b: (1).offset(2)})");
}

TEST(Est, RefusesWithThePlace) {
    const std::string at = "p.json: at `/conditions/0/body";
    EXPECT_EQ(body_from(R"({"Var":"me"})"),
              at + "/Var`: expected `principal`, `action`, `resource` or `context`, but got "
                   "`\"me\"`");
    EXPECT_EQ(body_from(R"({"&&":{"left":{"Value":true}}})"), at + "/&&`: missing member `right`");
    EXPECT_EQ(body_from(R"({"Set":[{"Value":1},{"Value":1.5}]})"),
              at + "/Set/1/Value`: expected a 64-bit integer, but got `1.5`");
    EXPECT_EQ(body_from(R"({"Value":null})"), at + "/Value`: there is no `null` in Cedar");
    EXPECT_EQ(body_from(R"({"Record":{"a/~":{"Unknown":1}}})"),
              at + "/Record/a~1~0/Unknown`: `Unknown` is no operator and no extension function");
    EXPECT_EQ(body_from(R"({"==":{"left":{"Value":1},"rihgt":{"Value":1}}})"),
              at + "/==`: unknown member `rihgt`, did you mean `right`?");
    EXPECT_EQ(body_from(R"({"Slot":"?principal"})"),
              at + "/Slot`: slots stand in the scope only, not in a condition");
    EXPECT_EQ(body_from("{}"), at + "`: expected an expression, an object with one member such as "
                                    "`Value`, `Var` or an operator, but got `{}`");
    EXPECT_NE(text_from(R"({"effect":"permit"})").find("missing member `principal`"),
              std::string::npos);
    EXPECT_NE(text_from("[]").find("at `/`: expected a policy, an object"), std::string::npos);
    EXPECT_NE(text_from("{").find("policies as JSON"), std::string::npos);
}

// A member that the reference would not look at changes what the writer thinks is permitted.
TEST(Est, RefusesWhatWouldBeIgnored) {
    const auto scope = [](std::string_view principal, std::string_view action = R"({"op":"All"})") {
        return text_from(R"({"effect":"permit","principal":)" + std::string(principal) +
                         R"(,"action":)" + std::string(action) +
                         R"(,"resource":{"op":"All"},"conditions":[]})");
    };
    EXPECT_NE(scope(R"({"op":"All","entity":{"type":"U","id":"x"}})").find("unknown member"),
              std::string::npos);
    EXPECT_NE(scope(R"({"op":"==","entity":{"type":"U","id":"x"},"slot":"?principal"})")
                  .find("either an `entity` or a `slot`"),
              std::string::npos);
    EXPECT_NE(scope(R"({"op":"==","slot":"?resource"})").find("expected `\"?principal\"`"),
              std::string::npos);
    EXPECT_NE(scope(R"({"op":"All"})", R"({"op":"==","entity":{"type":"U","id":"x"}})")
                  .find("of type `Action`"),
              std::string::npos);
    EXPECT_NE(scope(R"({"op":"is","entity_type":"U "})").find("without spaces"), std::string::npos);
    EXPECT_NE(scope(R"({"op":"like"})").find("expected an `op`"), std::string::npos);
}

TEST(Est, DeepAndLongExpressionsMeetTheSameLimitsAsText) {
    const auto nested = [](std::size_t n) {
        std::string out;
        for (std::size_t i = 0; i < n; ++i) out += R"({"!":{"arg":)";
        out += R"({"Value":true})";
        out.append(2 * n, '}');
        return out;
    };
    EXPECT_TRUE(body_from(nested(200)).starts_with("!(!("));
    EXPECT_NE(body_from(nested(300)).find("nest at most 256 deep"), std::string::npos);
    EXPECT_NE(body_from(nested(100'000)).find("nesting deeper than"), std::string::npos);
    // A limit of the parser points into the JSON.
    PolicySet policies;
    const auto status =
        policies.add_json("p", with_body(nested(30)), {.limits = {.depth_max = 10}});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kTooLarge);
    EXPECT_NE(status.error().message().find("/conditions/0/body/!/arg/!/arg"), std::string::npos)
        << status.error().message();
    // A chain is as long as it likes in both.
    std::string chain = "true";
    for (int i = 0; i < 5'000; ++i) chain += " && true";
    EXPECT_EQ(body_from(body_of(chain)), chain);
}

// `has a.b.c` repeats its receiver: nested in each other their JSON would double each time.
TEST(Est, WritingIsBounded) {
    std::string expression = "context";
    for (int i = 0; i < 60; ++i) expression = "(" + expression + " has a.b)";
    const auto policies =
        PolicySet::parse("permit(principal, action, resource) when { " + expression + " };");
    ASSERT_TRUE(policies);
    EXPECT_EQ(policies->policy_json("policy0").error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace writ::cedar
