#include "policy/policy.h"

#include <gtest/gtest.h>

#include <memory>

#include "policy/annotations.h"
#include "policy/bank.h"

namespace writ::policy {
namespace {

using test::kAll;
using test::kNow_us;

class PolicyTest : public test::Bank {
  protected:
    PolicyTest()
        : Bank(R"([
            {"name":"pay","inputSchema":{"type":"object","additionalProperties":false,"properties":{
                "to":{"type":"string"},"amount":{"type":"integer"},"rate":{"type":"number"},
                "memo":{},"tags":{"type":"array","items":{"type":["integer","string"]}}},
                "required":["to"]}},
            {"name":"balance","inputSchema":{"type":"object","properties":{
                "limit":{"type":"integer"},"never":{"type":"boolean"},
                "who":{"type":"object","properties":{}}}}},
            {"name":"close","inputSchema":{"type":"object"}}])",
               {{"accounts", catalog::Sensitivity::kConfidential, {"account/*"}}}) {}

    Result<std::shared_ptr<const Engine>> engine(std::string text) {
        // What happens to a call whatever was checked beforehand.
        EngineOptions unchecked;
        unchecked.check_types = false;
        return Engine::make({{"policies/test.cedar", std::move(text)}}, {agent_},
                            catalog_->snapshot(), unchecked);
    }

    Verdict decide(const std::string& policies, const std::string& tool,
                   const std::string& arguments = "{}", const std::string& uri = "") {
        const auto made = engine(policies);
        EXPECT_TRUE(made) << made.error().message();
        const auto snapshot = catalog_->snapshot();
        const auto found = snapshot->by_qualified(tool);
        const auto parsed = json::parse(arguments);
        const auto resource = uri.empty() ? snapshot->resource(*found, parsed->root())
                                          : Result<catalog::Resource>(snapshot->classify(uri));
        EXPECT_TRUE(resource) << resource.error().message();
        return (*made)->decide({*task_, *found, *resource, parsed->root(), kNow_us, false});
    }

    bool visible(const std::string& policies, const std::string& tool) {
        const auto made = engine(policies);
        EXPECT_TRUE(made) << made.error().message();
        return (*made)->visible(*task_, *catalog_->snapshot()->by_qualified(tool));
    }
};

TEST_F(PolicyTest, NothingIsPermittedByNoPolicy) {
    const auto verdict = decide("", "bank/balance");
    EXPECT_EQ(verdict.kind, Kind::kForbid);
    EXPECT_EQ(verdict.code, "no_permit");
    EXPECT_TRUE(verdict.granted);
}

TEST_F(PolicyTest, GrantAndPolicyMustBothAgree) {
    EXPECT_EQ(decide(kAll, "bank/balance").kind, Kind::kPermit);
    grant("", {"bank/pay"});
    const auto verdict = decide(kAll, "bank/balance");
    EXPECT_EQ(verdict.code, "not_granted");
    EXPECT_FALSE(verdict.granted);
}

// Contexts are kept by task id; "what if" asks with altered tasks of the same id.
TEST_F(PolicyTest, AlteredTasksOfOneIdAreToldApart) {
    const char* text = R"(permit (principal, action, resource) when {
        context.task.purpose == "pay the rent" && context.subject == "person:alice" };)";
    EXPECT_EQ(decide(text, "bank/balance").kind, Kind::kPermit);
    const auto before = task_;
    const auto altered = [&before](std::string purpose, std::string subject) {
        auto task = std::make_shared<identity::Task>();
        task->id = before->id;
        task->agent = before->agent;
        task->spec = before->spec;
        task->spec.purpose = std::move(purpose);
        task->spec.subject = std::move(subject);
        return task;
    };
    task_ = altered("pay a friend", "person:alice");
    EXPECT_EQ(decide(text, "bank/balance").code, "no_permit");
    task_ = altered("pay the rent", "person:mallory");
    EXPECT_EQ(decide(text, "bank/balance").code, "no_permit");
    task_ = before;
    EXPECT_EQ(decide(text, "bank/balance").kind, Kind::kPermit);
}

TEST_F(PolicyTest, PolicyNamesAreThoseOfTheHouse) {
    const char* text = R"(permit (principal in Writ::Group::"assistants",
        action in Writ::Action::"effect:pay", resource in Writ::Domain::"accounts")
        when { action in Writ::Action::"server:bank" && context.input.amount <= 100 &&
               context.task.purpose == "pay the rent" && context.subject == "person:alice" &&
               context.tool.effect == "pay" && resource.sensitivity == "confidential" &&
               principal == Writ::Agent::"spiffe://test/agent/bot" &&
               context.now > datetime("2026-01-01") };)";
    EXPECT_EQ(decide(text, "bank/pay", R"({"to":"12","amount":100})").kind, Kind::kPermit);
    EXPECT_EQ(decide(text, "bank/pay", R"({"to":"12","amount":101})").code, "no_permit");
    EXPECT_EQ(decide(text, "bank/balance").code, "no_permit");
}

TEST_F(PolicyTest, AForbidThatErrsForbids) {
    const std::string text =
        std::string(kAll) +
        "forbid (principal, action, resource) when { context.input.limit > 5 };";
    const auto verdict = decide(text, "bank/balance");
    EXPECT_EQ(verdict.kind, Kind::kForbid);
    EXPECT_EQ(verdict.code, "policy_error");
    ASSERT_EQ(verdict.errors.size(), 1u);
}

TEST_F(PolicyTest, APermitThatErrsForbidsEvenBesideAnother) {
    const std::string text =
        std::string(kAll) + "permit (principal, action, resource) when { context.nope };";
    EXPECT_EQ(decide(text, "bank/balance").code, "policy_error");
}

TEST_F(PolicyTest, HoldNeedsAPermitAndNoPlainForbid) {
    const std::string hold =
        R"(@hold("four-eyes") forbid (principal, action, resource)
           when { context.input.amount > 10 };)";
    const std::string pay = R"({"to":"1","amount":50})";
    const auto held = decide(kAll + hold, "bank/pay", pay);
    EXPECT_EQ(held.kind, Kind::kHold);
    EXPECT_EQ(held.holds, std::vector<std::string>{"four-eyes"});
    EXPECT_EQ(decide(hold, "bank/pay", pay).code, "no_permit");
    EXPECT_EQ(decide(kAll + hold + "forbid (principal, action, resource);", "bank/pay", pay).code,
              "forbidden");
    EXPECT_EQ(decide(kAll + hold, "bank/pay", R"({"to":"1"})").code, "policy_error");
    EXPECT_EQ(decide(kAll + hold, "bank/pay", R"({"to":"1","amount":5})").kind, Kind::kPermit);
}

TEST_F(PolicyTest, EveryLinkOfTheChainIsAsked) {
    grant("context.input.amount <= 100", {"bank/pay"});
    child("context.input.amount <= 1000", {"bank/pay"});
    const auto over = decide(kAll, "bank/pay", R"({"to":"1","amount":500})");
    EXPECT_EQ(over.code, "condition");
    EXPECT_EQ(over.determining.at(0).id, "grant:0:0");
    EXPECT_EQ(decide(kAll, "bank/pay", R"({"to":"1","amount":50})").kind, Kind::kPermit);
    grant("", {"bank/balance"});
    child("", {"bank/pay"});
    EXPECT_FALSE(decide(kAll, "bank/pay", R"({"to":"1","amount":1})").granted);
}

TEST_F(PolicyTest, DomainsAndExpiryOfAGrantBind) {
    grant("", {"bank/*"}, {"accounts"});
    EXPECT_EQ(decide(kAll, "bank/pay", R"({"to":"1"})").kind, Kind::kPermit);
    EXPECT_EQ(decide(kAll, "bank/balance").code, "domain");
    grant("", {"bank/*"}, {}, kNow_us / 1'000'000);
    EXPECT_EQ(decide(kAll, "bank/balance").code, "expired");
}

TEST_F(PolicyTest, AConditionCannotSmuggleAPolicy) {
    for (const char* when : {"true }; permit (principal, action, resource) when { true", "true // ",
                             "", "}", "true };"}) {
        const auto checked = check_condition(when);
        if (std::string(when) == "true // ")
            EXPECT_TRUE(checked);
        else
            EXPECT_FALSE(checked) << when;
    }
    const auto wrong = check_condition("context.input.x ==");
    ASSERT_FALSE(wrong);
    EXPECT_GE(wrong.error().at.line, 1u);
}

TEST_F(PolicyTest, ArgumentsWithoutACedarFormAreRefused) {
    for (const char* arguments :
         {R"({"to":null})", R"({"to":"1","amount":null})", R"({"to":"1","amount":1.5})",
          R"({"to":"1","amount":9223372036854775808})", R"({"to":"1","rate":0.00001})",
          R"({"to":"1","rate":1e300})", R"({"to":"1","tags":[1,null]})", R"({"to":5})",
          R"({"to":"1","evil":1})", R"({"amount":1})"}) {
        const auto verdict = decide(kAll, "bank/pay", arguments, "account/1");
        EXPECT_EQ(verdict.code, "bad_argument") << arguments;
    }
    EXPECT_EQ(decide(kAll, "bank/pay",
                     R"({"to":"1","amount":1e3,"rate":2.5,"tags":[1,"a"],"memo":{"k":[null,1e9]}})")
                  .kind,
              Kind::kPermit);
}

TEST_F(PolicyTest, AnArgumentCannotPoseAsAnEntity) {
    const char* text = R"(permit (principal, action, resource)
        when { context.input.who is Writ::Agent };)";
    const auto verdict =
        decide(text, "bank/balance",
               R"({"who":{"__entity":{"type":"Writ::Agent","id":"spiffe://test/agent/bot"}}})");
    EXPECT_EQ(verdict.kind, Kind::kForbid);
}

TEST_F(PolicyTest, VisibleIsWhatEveryLinkNamesAndAPermitCouldReach) {
    const char* reads = R"(permit (principal, action in Writ::Action::"effect:read", resource)
        when { context.input.never };)";
    EXPECT_TRUE(visible(reads, "bank/balance"));
    EXPECT_FALSE(visible(reads, "bank/pay"));
    grant("", {"bank/pay"});
    EXPECT_FALSE(visible(kAll, "bank/balance"));
}

TEST_F(PolicyTest, ExplainShowsTheConditionAndItsValues) {
    grant("context.input.amount <= 100", {"bank/pay"});
    const auto made = engine(kAll);
    ASSERT_TRUE(made);
    const auto snapshot = catalog_->snapshot();
    const auto arguments = json::parse(R"({"to":"1","amount":250})");
    const auto tool = snapshot->by_qualified("bank/pay");
    const auto resource = snapshot->resource(*tool, arguments->root());
    const std::string out =
        (*made)->explain({*task_, *tool, *resource, arguments->root(), kNow_us, false}).dump();
    EXPECT_NE(out.find("condition"), std::string::npos) << out;
    EXPECT_NE(out.find("250"), std::string::npos) << out;
}

TEST_F(PolicyTest, FilesWithMistakesAreRefusedWithTheirPlace) {
    const std::pair<const char*, const char*> cases[] = {
        {"permit (principal, action, resource", "test.cedar"},
        {"@hodl(\"x\") forbid (principal, action, resource);", "did you mean `@hold`"},
        {"@hold forbid (principal, action, resource);", "needs the name of its rule"},
        {"@hold(\"x\") permit (principal, action, resource);", "stands on a permit"},
        {"@redact(\"x\") forbid (principal, action, resource);", "stands on a forbid"},
        {"@id(\"a\") permit (principal, action, resource); @id(\"a\") forbid (principal, action, "
         "resource);",
         "used twice"},
        {"permit (principal == ?principal, action, resource);", "templates are not offered"}};
    for (const auto& [text, expected] : cases) {
        const auto made = engine(text);
        ASSERT_FALSE(made) << text;
        EXPECT_NE(made.error().message().find(expected), std::string::npos)
            << made.error().message();
        EXPECT_FALSE(made.error().at.file.empty()) << text;
    }
    EXPECT_TRUE(engine("@advice(\"mine\") @owner(\"me\") permit (principal, action, resource);"));
}

TEST_F(PolicyTest, ObligationsOfSatisfiedPermitsAreJoined) {
    const auto verdict = decide(
        R"(@redact("iban") permit (principal, action, resource);
           @cap("10") @redact("iban") permit (principal, action, resource);
           @notify("x") permit (principal, action, resource) when { false };)",
        "bank/balance");
    ASSERT_EQ(verdict.obligations.size(), 2u);
    EXPECT_EQ(verdict.obligations[0].kind, "cap");
    EXPECT_EQ(verdict.obligations[1].kind, "redact");
}

TEST_F(PolicyTest, DigestChangesWithAnyByteOfAnyFile) {
    EXPECT_NE((*engine(kAll))->digest(), (*engine(std::string(kAll) + " "))->digest());
}

}  // namespace
}  // namespace writ::policy
