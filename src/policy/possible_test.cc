// Which tools a task is shown: those of which some call could be permitted, or held.
#include <gtest/gtest.h>

#include <memory>

#include "policy/bank.h"
#include "policy/policy.h"

namespace writ::policy {
namespace {

using test::kAll;
using test::kNow_us;

class PossibleTest : public test::Bank {
  protected:
    PossibleTest()
        : Bank(R"([
            {"name":"pay","inputSchema":{"type":"object","additionalProperties":false,
                "required":["to","amount"],"properties":{
                "to":{"type":"string"},"amount":{"type":"integer"},"memo":{"type":"string"},
                "at":{"type":"object","additionalProperties":false,
                      "properties":{"place":{"type":"string"}}}}}},
            {"name":"balance","inputSchema":{"type":"object","properties":{
                "limit":{"type":"integer"}}}}])") {}

    std::shared_ptr<const Engine> engine(const std::string& text, bool check_types = false) {
        EngineOptions options;
        options.check_types = check_types;
        auto made =
            Engine::make({{"policies/test.cedar", text}}, {agent_}, catalog_->snapshot(), options);
        EXPECT_TRUE(made) << made.error().message();
        return *made;
    }

    bool possible(const std::string& policies, const std::string& tool = "bank/pay",
                  std::int64_t now_us = kNow_us) {
        return engine(policies)->possible(*task_, *catalog_->snapshot()->by_qualified(tool),
                                          now_us);
    }

    // The policy with this condition, which permits.
    bool permitted_when(const std::string& condition, const std::string& tool = "bank/pay") {
        return possible("permit (principal, action, resource) when { " + condition + " };", tool);
    }
};

TEST_F(PossibleTest, SomeArgumentsAreEnough) {
    EXPECT_TRUE(possible(kAll));
    EXPECT_TRUE(permitted_when("context.input.amount <= 100"));
    EXPECT_TRUE(permitted_when("resource in Writ::Domain::\"accounts\""));
    EXPECT_TRUE(permitted_when("context.input has memo && context.input.memo like \"rent*\""));
    EXPECT_TRUE(permitted_when("context.now < datetime(\"2000-01-01\")"));  // clocks move
    EXPECT_TRUE(permitted_when("context.flow has anything"));
    EXPECT_TRUE(permitted_when("!context.agent.charter_changed"));
}

// The agent must hear why a call is refused; until a person accepts it, nothing advertises the
// tool.
TEST_F(PossibleTest, AChangedToolIsKnownAndNotShown) {
    const auto other = json::parse(
        R"([{"name":"pay","description":"other words","inputSchema":{"type":"object"}}])");
    ASSERT_TRUE(catalog_->update("bank", other->root()));
    const auto tool = catalog_->snapshot()->by_qualified("bank/pay");
    ASSERT_TRUE(tool->changed);
    EXPECT_TRUE(engine(kAll)->visible(*task_, *tool));
    EXPECT_FALSE(engine(kAll)->possible(*task_, *tool, kNow_us));
    grant("", {"bank/balance"});
    EXPECT_FALSE(engine(kAll)->visible(*task_, *tool)) << "who was not granted it hears nothing";
}

TEST_F(PossibleTest, WhatNoArgumentsCanChangeHides) {
    EXPECT_FALSE(possible(""));
    EXPECT_FALSE(permitted_when("context.task.purpose == \"feed the cat\""));
    EXPECT_TRUE(permitted_when("context.task.purpose == \"pay the rent\""));
    EXPECT_FALSE(permitted_when("context.tool.effect == \"read\" && context.input.amount < 1"));
    EXPECT_FALSE(permitted_when("context.task.depth > 0"));
    EXPECT_FALSE(permitted_when("principal in Writ::Group::\"auditors\""));
    EXPECT_FALSE(possible("permit (principal, action, resource is Writ::Agent);"));
}

TEST_F(PossibleTest, ArgumentsAreThoseOfTheSchema) {
    EXPECT_FALSE(permitted_when("context.input has limit"));
    EXPECT_TRUE(permitted_when("context.input has limit", "bank/balance"));
    EXPECT_FALSE(permitted_when("context.input has at && context.input.at has planet"));
    EXPECT_TRUE(permitted_when("context.input has at && context.input.at has place"));
    EXPECT_FALSE(permitted_when("!(context.input has amount)"));
}

TEST_F(PossibleTest, AForbidThatHoldsShowsAndOneThatAlwaysForbidsHides) {
    const std::string all = kAll;
    EXPECT_FALSE(possible(all + "forbid (principal, action, resource);"));
    EXPECT_TRUE(possible(all + "@hold(\"a person\") forbid (principal, action, resource);"));
    EXPECT_TRUE(possible(
        all + "forbid (principal, action, resource) when { context.input.amount > 100 };"));
    EXPECT_FALSE(
        possible(all + "forbid (principal, action, resource) when { context.input has amount };"));
    EXPECT_FALSE(possible("@hold(\"a person\") forbid (principal, action, resource);"));
}

TEST_F(PossibleTest, APolicyThatErrsForEveryCallHides) {
    EXPECT_FALSE(possible(std::string(kAll) +
                          "permit (principal, action, resource) when { principal.nothing };"));
    // Only some arguments make this one err.
    EXPECT_TRUE(possible(std::string(kAll) + "permit (principal, action, resource)"
                                             " when { context.input.amount + 1 > 0 };"));
    EXPECT_FALSE(permitted_when("context.input.nothing == 1"));
    EXPECT_FALSE(permitted_when("resource.uri == \"x\" && 1 == true.x"));
}

TEST_F(PossibleTest, EveryLinkOfTheChainIsAsked) {
    grant("context.input.amount <= 100", {"bank/pay"});
    EXPECT_TRUE(possible(kAll));
    child("context.task.depth == 0", {"bank/pay"});
    EXPECT_FALSE(possible(kAll));
    grant("context.task.purpose == \"else\"", {"bank/pay"});
    child("", {"bank/pay"});
    EXPECT_FALSE(possible(kAll));
    grant("principal.nothing", {"bank/pay"});
    EXPECT_FALSE(possible(kAll));
    grant("", {"bank/balance"});
    EXPECT_FALSE(possible(kAll));
    grant("", {"bank/pay"}, {}, kNow_us / 1'000'000 + 5);
    EXPECT_TRUE(possible(kAll));
    EXPECT_FALSE(possible(kAll, "bank/pay", kNow_us + 5'000'000));
}

// What possible() hides, decide() refuses: with arguments of every kind.
TEST_F(PossibleTest, NothingThatIsHiddenIsPermitted) {
    const char* conditions[] = {"context.input.amount <= 100",
                                "context.input has memo",
                                "context.input has limit && context.input.limit > 1",
                                "context.tool.effect == \"pay\"",
                                "context.input.to like \"1*\" || context.input.limit == 1",
                                "principal.owner == \"\"",
                                "resource.sensitivity == \"unclassified\"",
                                "context.input has at && context.input.at.place == \"x\"",
                                "!(context.input has memo) || context.input.memo == \"m\"",
                                "context.input.none"};
    const char* calls[] = {R"({"to":"12","amount":1})",
                           R"({"to":"2","amount":1000,"memo":"m"})",
                           R"({"to":"1","amount":5,"at":{"place":"x"}})",
                           R"({"limit":1})",
                           R"({"limit":5,"other":[1]})",
                           "{}"};
    const auto snapshot = catalog_->snapshot();
    int permitted = 0;
    for (const char* first : conditions) {
        for (const char* second : conditions) {
            const auto made =
                engine(std::string("permit (principal, action, resource) when { ") + first +
                       " }; forbid (principal, action, resource) unless { " + second + " };");
            for (const auto& tool : snapshot->tools()) {
                const bool shown = made->possible(*task_, *tool, kNow_us);
                for (const char* call : calls) {
                    const auto arguments = json::parse(call);
                    const auto resource = snapshot->resource(*tool, arguments->root());
                    if (!resource) continue;
                    const auto verdict =
                        made->decide({*task_, *tool, *resource, arguments->root(), kNow_us, false});
                    if (verdict.kind == Kind::kForbid) continue;
                    ++permitted;
                    EXPECT_TRUE(shown) << first << " / " << second << " / " << call;
                }
            }
        }
    }
    EXPECT_GT(permitted, 50);
}

TEST_F(PossibleTest, ConditionsOfGrantsAreHeldAgainstTheTypesOfTheTools) {
    const auto made = engine(kAll, true);
    const auto check = [&](std::string when, std::vector<std::string> tools) {
        const auto status = made->check_grants({{std::move(tools), {}, std::move(when), 0}});
        return status ? std::string() : status.error().message();
    };
    EXPECT_EQ(check("", {"bank/*"}), "");
    EXPECT_EQ(check("context.input.amount <= 100", {"bank/pay"}), "");
    EXPECT_EQ(check("context.input.anything", {"other/tool"}), "");  // not known yet
    EXPECT_EQ(check("context.input.amout <= 100", {"bank/pay"}).substr(0, 22),
              "grants[0].when:1:1: at");
    EXPECT_NE(check("context.input.amout <= 100", {"bank/pay"}).find("`amount`"),
              std::string::npos);
    EXPECT_NE(check("true &&\n  context.input.memo like \"x\"", {"bank/pay"}).find("when:2:3: "),
              std::string::npos);
    EXPECT_NE(check("context.input.amount ==", {"bank/pay"}), "");
    // It does not fit balance, which has no amount: its calls would all be refused.
    EXPECT_NE(check("context.input.amount <= 100", {"bank/*"}).find("a grant of their own"),
              std::string::npos);
}

}  // namespace
}  // namespace writ::policy
