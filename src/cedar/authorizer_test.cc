// Decisions over several policies, what a policy set can be asked, and explanations.
#include <gtest/gtest.h>

#include <algorithm>

#include "cedar/test_world.h"

namespace writ::cedar {
namespace {

using test::request;
using test::world;
using Ids = std::vector<std::string>;

PolicySet parse(std::string_view text) {
    return PolicySet::parse(text).value();
}

TEST(Authorize, NothingSatisfiedDenies) {
    const Response response = authorize(request(), PolicySet(), Entities());
    EXPECT_EQ(response.decision, Decision::kDeny);
    EXPECT_TRUE(response.reason.empty());
    EXPECT_TRUE(response.errors.empty());
}

TEST(Authorize, AForbidOutweighsAnyPermit) {
    const auto policies = parse(
        "permit(principal, action, resource); forbid(principal, action, resource) when { true };"
        "permit(principal, action, resource); forbid(principal, action, resource);"
        "forbid(principal, action, resource) when { false };");
    const Response response = authorize(request(), policies, world());
    EXPECT_EQ(response.decision, Decision::kDeny);
    EXPECT_EQ(response.reason, (Ids{"policy1", "policy3"}));
}

TEST(Authorize, AnErringForbidDoesNotForbidButIsReported) {
    const auto policies = parse(
        "permit(principal, action, resource); forbid(principal, action, resource) when { "
        "context.none };");
    const Response response = authorize(request(), policies, world());
    EXPECT_EQ(response.decision, Decision::kAllow);
    EXPECT_EQ(response.reason, (Ids{"policy0"}));
    ASSERT_EQ(response.errors.size(), 1u);
    EXPECT_EQ(response.errors[0].policy, "policy1");
    EXPECT_EQ(response.errors[0].message, "record does not have the attribute `none`");
}

TEST(Authorize, ErrorsOfAllPoliciesAreReportedWhateverTheDecision) {
    const auto policies = parse(
        "forbid(principal, action, resource); permit(principal, action, resource) when { 1 };"
        "forbid(principal, action, resource) when { ip(\"x\").isIpv4() };");
    EXPECT_EQ(authorize(request(), policies, world()).errors.size(), 2u);
}

TEST(Authorize, ScopesThatDoNotMatchSkipTheirConditions) {
    const auto policies = parse(
        "permit(principal == User::\"b\", action, resource) when { context.none };"
        "permit(principal is G, action, resource) when { context.none };"
        "permit(principal, action in [], resource) when { context.none };");
    EXPECT_TRUE(authorize(request(), policies, world()).errors.empty());
}

TEST(Authorize, TemplatesAreNeverEvaluated) {
    const auto policies = parse("permit(principal == ?principal, action, resource in ?resource);");
    EXPECT_EQ(authorize(request(), policies, world()).decision, Decision::kDeny);
    EXPECT_TRUE(evaluate(request(), policies, world(), true).empty());
    EXPECT_FALSE(policies.scope_may_permit({"User", "a"}, {"Action", "x"}, world()));
}

TEST(PolicySets, MergeRefusesAnIdThatExistsAndChangesNothing) {
    auto first = parse("permit(principal, action, resource);");
    const auto second =
        PolicySet::parse("forbid(principal, action, resource);", {.id_prefix = "b"}).value();
    ASSERT_TRUE(first.merge(second));
    EXPECT_EQ(first.size(), 2u);
    EXPECT_EQ(authorize(request(), first, world()).reason, (Ids{"b0"}));
    auto both =
        PolicySet::parse("permit(principal, action, resource);", {.id_prefix = "c"}).value();
    ASSERT_TRUE(both.merge(first));
    EXPECT_EQ(first.merge(both).error().code, ErrorCode::kConflict);
    EXPECT_EQ(first.size(), 2u);
}

TEST(PolicySets, RenameMovesTheIdEverywhere) {
    auto policies =
        parse("permit(principal, action, resource); permit(principal, action, resource);");
    ASSERT_TRUE(policies.rename("policy0", "pay-limit"));
    EXPECT_FALSE(policies.info("policy0"));
    EXPECT_EQ(policies.info("pay-limit")->id, "pay-limit");
    EXPECT_EQ(authorize(request(), policies, world()).reason, (Ids{"pay-limit", "policy1"}));
    EXPECT_EQ(policies.rename("policy0", "x").error().code, ErrorCode::kNotFound);
    EXPECT_EQ(policies.rename("policy1", "pay-limit").error().code, ErrorCode::kConflict);
    EXPECT_TRUE(policies.rename("policy1", "policy1"));
}

TEST(PolicySets, MovedSetsKeepTheirPolicies) {
    auto policies = parse("permit(principal, action, resource);");
    PolicySet moved = std::move(policies);
    EXPECT_EQ(moved.size(), 1u);
    moved = parse("");
    EXPECT_EQ(moved.size(), 0u);
}

TEST(ScopeMayPermit, AsksPrincipalAndActionOnly) {
    const auto may = [](std::string_view text) {
        return parse(text).scope_may_permit({"User", "a"}, {"Action", "x"}, world());
    };
    EXPECT_TRUE(may("permit(principal, action, resource);"));
    EXPECT_TRUE(
        may("permit(principal in G::\"top\", action, resource == R::\"other\") when { "
            "false };"));
    EXPECT_FALSE(may("permit(principal in G::\"zz\", action, resource);"));
    EXPECT_FALSE(may("permit(principal, action == Action::\"y\", resource);"));
    EXPECT_FALSE(may("forbid(principal, action, resource);"));
    EXPECT_FALSE(may(""));
}

std::string detail(std::string_view policy) {
    const auto outcomes = evaluate(request(), parse(policy), world(), true);
    return outcomes.empty() ? "nothing" : outcomes[0].detail;
}

TEST(Evaluate, TellsHowEachMatchingPolicyFared) {
    const auto policies = parse(
        "permit(principal, action, resource); permit(principal, action, resource) when { false };"
        "forbid(principal, action, resource) when { context.none };"
        "forbid(principal is G, action, resource);");
    const auto matching = evaluate(request(), policies, world());
    ASSERT_EQ(matching.size(), 3u);
    EXPECT_EQ(matching[0].outcome, Outcome::kSatisfied);
    EXPECT_EQ(matching[0].detail, "");
    EXPECT_EQ(matching[1].outcome, Outcome::kNotSatisfied);
    EXPECT_EQ(matching[2].outcome, Outcome::kError);
    EXPECT_EQ(matching[2].effect, Effect::kForbid);
    EXPECT_EQ(matching[2].detail, "record does not have the attribute `none`");
    const auto all = evaluate(request(), policies, world(), true);
    ASSERT_EQ(all.size(), 4u);
    EXPECT_EQ(all[3].outcome, Outcome::kScopeMismatch);
    EXPECT_EQ(all[3].policy, "policy3");
    EXPECT_EQ(all[3].detail, "scope `principal is G` does not match User::\"a\"");
}

TEST(Explain, NamesTheConditionAndTheValuesItRead) {
    EXPECT_EQ(detail("permit(principal, action, resource) when { context.c > 0 } when { context.c "
                     "<= 0 && principal.rec.k.z == 1 };"),
              "when { context.c <= 0 && principal.rec.k.z == 1 } is false: context.c is 1, "
              "principal.rec.k.z is 1");
    EXPECT_EQ(detail("permit(principal, action, resource) unless { context.set.contains(1) };"),
              "unless { context.set.contains(1) } is true: context.set is [1, 2]");
    EXPECT_EQ(detail("permit(principal, action, resource) when { principal == User::\"b\" };"),
              "when { principal == User::\"b\" } is false: principal is User::\"a\"");
    EXPECT_EQ(detail("permit(principal, action, resource) when { context has x && context.x == 1 "
                     "};"),
              "when { context has x && context.x == 1 } is false: `context has x` is false");
    EXPECT_EQ(detail("permit(principal, action, resource) when { context[\"a b\"] == 4 };"),
              "when { context[\"a b\"] == 4 } is false: context[\"a b\"] is 3");
    EXPECT_EQ(detail("permit(principal, action, resource) when { false };"),
              "when { false } is false");
}

TEST(Explain, LongValuesAndSourcesAreCut) {
    Request asked = request();
    asked.context = Value::record({{"s", Value::string(std::string(100'000, 'x'))}});
    std::string text = "permit(principal, action, resource) when { context.s == \"";
    text += std::string(100'000, 'y') + "\" };";
    const auto outcomes = evaluate(asked, parse(text), world());
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_LT(outcomes[0].detail.size(), 2'000u);
}

}  // namespace
}  // namespace writ::cedar
