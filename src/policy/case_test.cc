// Cases, coverage, explanations and single changes, over one small organisation.
#include <gtest/gtest.h>

#include "policy/case_run.h"
#include "policy/flip.h"

namespace writ::policy {
namespace {

class Cases : public ::testing::Test {
  protected:
    explicit Cases() {
        catalog::ServerSpec server;
        server.name = "bank";
        server.command = {"bank"};
        server.tools = {{"pay", catalog::Effect::kPay, "", {}, {}}};
        auto made = catalog::Catalog::make({server}, {}, {});
        const std::string tools = R"([{"name":"pay","inputSchema":{"type":"object","properties":{
            "to":{"type":"string"},"amount":{"type":"integer"},
            "currency":{"type":"string","enum":["EUR","USD"]}},"required":["amount"]}}])";
        const auto listed = json::parse(tools);
        EXPECT_TRUE((*made)->update("bank", listed->root()));
        world_.catalog = (*made)->snapshot();
        auto agent = std::make_shared<identity::Agent>();
        agent->name = "bot";
        agent->spiffe_id = "spiffe://test/agent/bot";
        agent->groups = {"assistants"};
        world_.agents = {agent};
    }

    void policies(const std::string& text, bool types = true) {
        auto engine = Engine::make({{"test.cedar", text}}, world_.agents, world_.catalog,
                                   {{"bank"}, {"accounts"}, types});
        ASSERT_TRUE(engine) << engine.error().message();
        world_.engine = *engine;
    }

    std::vector<std::string> rules() {
        std::vector<std::string> out;
        for (const auto& finding : check_world(world_).findings) out.push_back(finding.rule);
        return out;
    }

    World world_;
};

constexpr const char* kLimit = R"(
@id("all") permit (principal, action, resource);
@id("limit") forbid (principal, action == Writ::Action::"bank/pay", resource)
when { context.input.amount > 100 && context.input has to };)";

TEST_F(Cases, ACaseSaysWhatDiffers) {
    policies(kLimit);
    const auto cases = parse_cases(
        "tool: bank/pay\n"
        "case: small\narguments: {\"amount\": 5}\nexpect: permit\nbecause: all\n"
        "case: wrong\narguments:\n  {\"amount\": 500,\n   \"to\": \"x\"}\nexpect: permit\n",
        "a.case");
    ASSERT_TRUE(cases) << cases.error().message();
    CaseRunner runner(world_);
    EXPECT_TRUE(runner.run(cases->at(0)).passed());
    const auto wrong = runner.run(cases->at(1));
    ASSERT_EQ(wrong.differences.size(), 1u);
    EXPECT_EQ(wrong.differences[0].got, "forbid");
    EXPECT_EQ(wrong.at.line, 6u);
    const auto coverage = runner.coverage();
    EXPECT_EQ(coverage.all, 6u);   // two policies, two conditions both ways
    EXPECT_EQ(coverage.seen, 5u);  // `has to` was never false
}

TEST_F(Cases, AMistakeInACaseFileHasItsPlace) {
    const std::pair<const char*, const char*> wrong[] = {
        {"case: a\ntool: x/y\nexpct: permit\n",
         "a.case:3:1: unknown key `expct`, did you mean `expect`"},
        {"case: a\ntool: x/y\nexpect: maybe\n", "a.case:3:9"},
        {"case: a\ntool: x/y\narguments: {\n", "a.case:3:12"},
        {"case: a\nexpect: permit\n", "calls nothing"},
        {"case: a\ntool: x/y\n", "expects nothing"},
        {"expect: permit\n", "belongs to a case"},
        {"", "no case"}};
    for (const auto& [text, expected] : wrong) {
        const auto cases = parse_cases(text, "a.case");
        ASSERT_FALSE(cases) << text;
        EXPECT_NE(cases.error().message().find(expected), std::string::npos)
            << cases.error().message();
    }
}

TEST_F(Cases, ExplainNamesTheConditionAndTheChangeThatTurnsIt) {
    policies(kLimit);
    Scenario scenario;
    scenario.tool = "bank/pay";
    scenario.arguments = R"({"amount": 500, "to": "x"})";
    const auto posed = Posed::make(scenario, world_);
    ASSERT_TRUE(posed) << posed.error().message();
    const std::string why = posed->explain(*world_.engine).dump();
    EXPECT_NE(why.find("context.input.amount is 500"), std::string::npos) << why;
    const std::string changes = single_changes(*posed, *world_.engine).dump();
    EXPECT_NE(changes.find("argument `amount`: 500 -> 100"), std::string::npos) << changes;
    EXPECT_NE(changes.find("remove policy `limit`"), std::string::npos) << changes;
    EXPECT_NE(changes.find("argument `to`"), std::string::npos) << changes;
}

TEST_F(Cases, AnUngrantedToolIsTurnedByAGrant) {
    policies(kLimit);
    Scenario scenario;
    scenario.tool = "bank/pay";
    scenario.arguments = R"({"amount": 5})";
    scenario.chain = {{{{"other/*"}, {}, "", 0}}};
    const auto posed = Posed::make(scenario, world_);
    ASSERT_TRUE(posed);
    EXPECT_EQ(posed->decide(*world_.engine).code, "not_granted");
    const std::string changes = single_changes(*posed, *world_.engine).dump();
    EXPECT_NE(changes.find("let grant:0:0 name `bank/pay`"), std::string::npos) << changes;
}

// Every kind of evaluation error forbids, in a permit, in a forbid and in a grant's condition.
TEST_F(Cases, EveryEvaluationErrorForbids) {
    const char* errors[] = {"context.input.amount + 9223372036854775807 > 0",         // overflow
                            "context.input.amount * 9223372036854775807 > 0",         // overflow
                            "-(context.input.amount - 9223372036854775807 - 6) > 0",  // overflow
                            "context.input.nope",                     // missing attribute
                            "context.input.amount.x == 1",            // attribute of a number
                            "context.input.amount && true",           // no boolean
                            "context.input.amount",                   // result is no boolean
                            "Writ::Agent::\"nobody\".name == \"x\"",  // entity does not exist
                            "principal.nope == 1",                    // entity without it
                            "principal.getTag(\"x\") == 1",           // no such tag
                            "context.input.amount like \"x\"",        // no string
                            "context.input.amount < context.now",     // types differ
                            "decimal(context.subject) == decimal(\"1.0\")",  // no decimal
                            "ip(context.subject).isLoopback()",              // no address
                            "principal in [principal, 1]",                   // no entity
                            "[1].containsAll(1)"};                           // no set
    for (const char* error : errors) {
        Scenario scenario;
        scenario.tool = "bank/pay";
        scenario.arguments = R"({"amount": 5})";
        for (const char* effect : {"permit", "forbid"}) {
            policies(
                std::string("@id(\"ok\") permit (principal, action, resource);\n@id(\"bad\") ") +
                    effect + " (principal, action, resource) when { " + error + " };",
                false);
            const auto verdict = Posed::make(scenario, world_)->decide(*world_.engine);
            EXPECT_EQ(verdict.kind, Kind::kForbid) << error;
            EXPECT_EQ(verdict.code, "policy_error") << error;
            ASSERT_EQ(verdict.errors.size(), 1u) << error;
            EXPECT_TRUE(verdict.errors[0].starts_with("bad: ")) << verdict.errors[0];
        }
        policies("permit (principal, action, resource);");
        scenario.chain = {{{{"bank/*"}, {}, error, 0}, {{"bank/pay"}, {}, "", 0}}};
        const auto verdict = Posed::make(scenario, world_)->decide(*world_.engine);
        EXPECT_EQ(verdict.code, "policy_error") << error;
        EXPECT_EQ(verdict.errors.size(), 1u) << error;
    }
}

TEST_F(Cases, CheckFindsNamesAndWordsThatNobodyHas) {
    policies(R"(
permit (principal in Writ::Group::"asistants", action, resource in Writ::Domain::"acounts");
forbid (principal, action == Writ::Action::"bank/pya", resource);
forbid (principal, action == Writ::Action::"bnak/pay", resource);
forbid (principal, action in Writ::Action::"effect:raed", resource);
forbid (principal, action == Writ::Action::"bank/pay", resource)
when { context.input has currency && context.input.currency == "GBP" &&
       context.tool.effect == "py" };
)");
    std::string all;
    for (const auto& finding : check_world(world_).findings) all += finding.text() + "\n";
    for (const char* expected :
         {"did you mean `assistants`?", "did you mean `accounts`?", "did you mean `bank/pay`?",
          "did you mean `bank`?", "did you mean `effect:read`?", "it is never `GBP`",
          "it is never `py`"})
        EXPECT_NE(all.find(expected), std::string::npos) << expected << "\n" << all;
    EXPECT_TRUE(world_.engine->report().error());
}

TEST_F(Cases, CheckFindsPoliciesThatOthersHide) {
    policies(R"(
@id("a") permit (principal, action, resource);
@id("b") permit (principal, action == Writ::Action::"bank/pay", resource);
)");
    EXPECT_EQ(rules(), std::vector<std::string>{"shadowed"});
    policies(R"(
@id("a") forbid (principal, action, resource);
@id("b") permit (principal, action == Writ::Action::"bank/pay", resource);
)");
    EXPECT_EQ(rules(), std::vector<std::string>{"unreachable"});
    policies(kLimit);
    EXPECT_TRUE(rules().empty());
}

TEST_F(Cases, AMistypedArgumentIsAnErrorWithPlaceAndSuggestion) {
    policies(
        "permit (principal, action, resource);\n"
        "forbid (principal, action == Writ::Action::\"bank/pay\", resource)\n"
        "when { context.input.amuont > 100 };");
    const auto& report = world_.engine->report();
    ASSERT_TRUE(report.error());
    const std::string text = report.error()->message();
    EXPECT_NE(text.find("test.cedar:3:"), std::string::npos) << text;
    EXPECT_NE(text.find("amount"), std::string::npos) << text;
}

// A running gateway keeps every policy when a tool changes under it: what no longer fits is
// refused, for the tools that it is about and no others.
TEST_F(Cases, AToolThatChangesUnderAPolicyIsRefusedAndNoOther) {
    catalog::ServerSpec server;
    server.name = "bank";
    server.command = {"bank"};
    const auto list = [&](const std::string& type) {
        const std::string tools = R"([{"name":"pay","inputSchema":{"type":"object","properties":{
            "amount":{"type":")" + type +
                                  R"("}},"required":["amount"]}},
            {"name":"balance","inputSchema":{"type":"object"}}])";
        auto fresh = catalog::Catalog::make({server}, {}, {});
        const auto listed = json::parse(tools);
        EXPECT_TRUE((*fresh)->update("bank", listed->root()));
        return (*fresh)->snapshot();
    };
    world_.catalog = list("integer");
    policies(
        "permit (principal, action, resource);\n"
        "forbid (principal, action == Writ::Action::\"bank/pay\", resource)\n"
        "when { context.input.amount > 100 };");
    ASSERT_FALSE(world_.engine->report().error());
    world_.catalog = list("string");
    world_.engine = world_.engine->with(world_.catalog);
    Scenario scenario;
    scenario.tool = "bank/pay";
    scenario.arguments = R"({"amount": "5"})";
    const auto refused = Posed::make(scenario, world_)->decide(*world_.engine);
    EXPECT_EQ(refused.code, "policy_invalid");
    EXPECT_NE(refused.reason.find("test.cedar:3:"), std::string::npos) << refused.reason;
    scenario.tool = "bank/balance";
    scenario.arguments = "{}";
    EXPECT_EQ(Posed::make(scenario, world_)->decide(*world_.engine).kind, Kind::kPermit);
}

TEST_F(Cases, AServerThatIsNotThereYetIsNoMistake) {
    auto engine = Engine::make(
        {{"t.cedar", "permit (principal, action == Writ::Action::\"mail/send\", resource);"}},
        world_.agents, world_.catalog, {{"bank", "mail"}, {}, true});
    ASSERT_TRUE(engine);
    EXPECT_FALSE((*engine)->report().error());
    ASSERT_EQ((*engine)->report().findings.size(), 1u);
    EXPECT_EQ((*engine)->report().findings[0].rule, "unlisted_server");
}

}  // namespace
}  // namespace writ::policy
