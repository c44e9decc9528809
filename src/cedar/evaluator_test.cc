// Evaluation beyond the recorded probes: order of evaluation, chains, limits.
#include "cedar/evaluator.h"

#include <gtest/gtest.h>

#include "cedar/test_world.h"

namespace writ::cedar {
namespace {

using test::ask;

TEST(Evaluator, LeftIsEvaluatedAndCheckedBeforeRight) {
    EXPECT_EQ(ask("(1 + \"a\") + context.none == 1"), "ERR: type error: expected long, got string");
    EXPECT_EQ(ask("\"a\" + context.none == 1"), "ERR: record does not have the attribute `none`");
    EXPECT_EQ(ask("\"a\" + true == 1"), "ERR: type error: expected long, got string");
    EXPECT_EQ(ask("[context.x, context.y] == []"), "ERR: record does not have the attribute `x`");
    EXPECT_EQ(ask("{b: context.x, a: context.y} == {}"),
              "ERR: record does not have the attribute `y`");
    EXPECT_EQ(ask("ip(\"x\").isInRange(context.x)"),
              "ERR: error while evaluating `ipaddr` extension function: invalid IP address: x");
    EXPECT_EQ(ask("decimal(context.x, 1)"), "ERR: record does not have the attribute `x`");
}

TEST(Evaluator, ChainsShortCircuitLikeNestedOperators) {
    EXPECT_EQ(ask("true && false && context.none"), "false");
    EXPECT_EQ(ask("false || true || context.none"), "true");
    EXPECT_EQ(ask("true && true && 1"), "ERR: type error: expected bool, got long");
    EXPECT_EQ(ask("false && 1 || true"), "true");
}

TEST(Evaluator, HasChainsStopAtTheFirstThatIsMissing) {
    EXPECT_EQ(ask("context has a.b.c"), "false");
    EXPECT_EQ(ask("principal has rec.k.z"), "true");
    EXPECT_EQ(ask("principal has rec.k.z.y").substr(0, 16), "ERR: type error:");
    EXPECT_EQ(ask("User::\"nobody\" has a.b"), "false");
}

TEST(Evaluator, IsInEvaluatesTheGroupOnlyIfTheTypeIsRight) {
    EXPECT_EQ(ask("principal is G in context.none"), "false");
    EXPECT_EQ(ask("principal is User in context.none"),
              "ERR: record does not have the attribute `none`");
    EXPECT_EQ(ask("principal is User in [G::\"zz\", G::\"top\"]"), "true");
}

// Of several elements that are no entities the error names the first in the set's order, whatever
// the order in which they are written.
TEST(Evaluator, InNamesTheFirstWrongElementInTheOrderOfTypes) {
    const std::vector<std::pair<std::string, std::string>> ordered = {
        {"bool", "true"},
        {"long", "1"},
        {"string", "\"a\""},
        {"set", "[1]"},
        {"record", "{a: 1}"},
        {"datetime", "datetime(\"2024-01-01\")"},
        {"decimal", "decimal(\"1.0\")"},
        {"duration", "duration(\"1h\")"},
        {"ipaddr", "ip(\"1.2.3.4\")"},
    };
    for (std::size_t i = 0; i < ordered.size(); ++i)
        for (std::size_t j = i + 1; j < ordered.size(); ++j) {
            const std::string error =
                "ERR: type error: expected (entity of type `any_entity_type`), got " +
                ordered[i].first;
            const auto& [a, b] = std::pair(ordered[i].second, ordered[j].second);
            EXPECT_EQ(ask("principal in [principal, " + a + ", " + b + "]"), error);
            EXPECT_EQ(ask("principal in [" + b + ", " + a + ", principal]"), error);
        }
}

TEST(Evaluator, ConditionsFollowEachOtherAndMustBeBool) {
    const auto run = [](std::string_view conditions) {
        const auto policies = PolicySet::parse("permit(principal, action, resource) " +
                                               std::string(conditions) + ";");
        const Response response = authorize(test::request(), *policies, test::world());
        if (!response.errors.empty()) return response.errors[0].message;
        return std::string(response.decision == Decision::kAllow ? "allow" : "deny");
    };
    EXPECT_EQ(run(""), "allow");
    EXPECT_EQ(run("when { true } unless { false }"), "allow");
    EXPECT_EQ(run("when { false } when { context.none }"), "deny");
    EXPECT_EQ(run("unless { true } when { context.none }"), "deny");
    EXPECT_EQ(run("when { true } when { 1 }"), "type error: expected bool, got long");
    EXPECT_EQ(run("unless { 1 }"), "type error: expected bool, got long");
}

TEST(Evaluator, ConstantsThatErrAreErrorsOnlyWhenReached) {
    EXPECT_EQ(ask("false && ip(\"x\").isIpv4()"), "false");
    EXPECT_EQ(ask("true || [decimal(\"x\")].isEmpty()"), "true");
    EXPECT_EQ(ask("datetime(\"2024-01-01\").offset(duration(\"1d\")) == datetime(\"2024-01-02\")"),
              "true");
}

TEST(Evaluator, ActionsAreEntitiesLikeOthers) {
    EXPECT_EQ(ask("action in [Action::\"y\", Action::\"x\"]"), "true");
    EXPECT_EQ(ask("action == N::Action::\"x\""), "false");
    EXPECT_EQ(ask("action.foo"), "ERR: entity `Action::\"x\"` does not exist");
}

TEST(Evaluator, TheDeepestTreeIsEvaluated) {
    std::string text = "true";
    for (int i = 0; i < 62; ++i) text = "!!!!(" + text + ")";
    EXPECT_EQ(ask(text), "true");
    std::string sums = "0";
    for (int i = 0; i < 250; ++i) sums += " + 1";
    EXPECT_EQ(ask(sums + " == 250"), "true");
}

TEST(Evaluator, AContextThatIsNoRecordIsAnErrorNotACrash) {
    Request request = test::request();
    request.context = Value::integer(1);
    EXPECT_EQ(ask("context.x == 1", request, test::world()).substr(0, 4), "ERR:");
    EXPECT_EQ(ask("context == 1", request, test::world()), "true");
}

}  // namespace
}  // namespace writ::cedar
