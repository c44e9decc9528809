// TaskSpec as JSON, both ways; what makes a task and a session live.
#include "identity/types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/value.h"

namespace writ::identity {
namespace {

using ::testing::HasSubstr;

Result<TaskSpec> read(std::string_view text) {
    const auto document = json::parse(text);
    if (!document) return fail(document.error());
    return TaskSpec::from_json(document->root());
}

std::string refusal(std::string_view text) {
    const auto spec = read(text);
    if (spec) return "accepted";
    EXPECT_EQ(spec.error().code, ErrorCode::kInvalid);
    return spec.error().detail;
}

TEST(TaskSpecJson, ReadsWhatItWrites) {
    const std::string text =
        R"({"agent":"coder","budget":{"calls":40},"deadline_s":900,"depth_max":2,"grants":[)"
        R"({"domains":["work"],"expires_s":1790000000,"tools":["fs/read","git/*"],)"
        R"("when":"context.input.path like \"/src/*\""},)"
        R"({"domains":[],"expires_s":0,"tools":["mail/send"],"when":""}],)"
        R"("prompt":"make it \"so\"\n","purpose":"fix","subject":"person:alice"})";
    const auto spec = read(text);
    ASSERT_TRUE(spec) << spec.error().detail;
    EXPECT_EQ(spec->grants.size(), 2u);
    EXPECT_EQ(spec->budget.calls, 40);
    EXPECT_EQ(spec->to_json().dump(), text);
}

TEST(TaskSpecJson, AbsentMembersKeepTheirDefaults) {
    const auto spec = read("{}");
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->deadline_s, 0);
    EXPECT_TRUE(spec->grants.empty());
}

TEST(TaskSpecJson, RefusesUnknownMembersNamingThePath) {
    EXPECT_THAT(refusal(R"({"grant":[]})"), HasSubstr("unknown member `grant`"));
    EXPECT_THAT(refusal(R"({"grants":[{"tools":[]},{"tool":[]}]})"),
                HasSubstr("unknown member `grants[1].tool`"));
    EXPECT_THAT(refusal(R"({"budget":{"call":1}})"), HasSubstr("unknown member `budget.call`"));
    EXPECT_THAT(refusal("{\"\\u001b[31m\":1}"), HasSubstr("\\x1b"));
}

TEST(TaskSpecJson, RefusesWrongTypesNamingThePath) {
    EXPECT_THAT(refusal("[]"), HasSubstr("the text must be an object"));
    EXPECT_THAT(refusal(R"({"agent":1})"), HasSubstr("`agent` must be a string"));
    EXPECT_THAT(refusal(R"({"agent":null})"), HasSubstr("`agent` must be a string"));
    EXPECT_THAT(refusal(R"({"grants":{}})"), HasSubstr("`grants` must be an array"));
    EXPECT_THAT(refusal(R"({"grants":["fs/*"]})"), HasSubstr("`grants[0]` must be an object"));
    EXPECT_THAT(refusal(R"({"grants":[{"tools":["a/b",3]}]})"),
                HasSubstr("`grants[0].tools[1]` must be a string"));
    EXPECT_THAT(refusal(R"({"budget":3})"), HasSubstr("`budget` must be an object"));
}

TEST(TaskSpecJson, RefusesNumbersOutOfRange) {
    for (const char* number :
         {"-1", "604801", "1.0", "1e3", "99999999999999999999", "\"60\"", "true"})
        EXPECT_THAT(refusal(std::string(R"({"deadline_s":)") + number + "}"),
                    HasSubstr("`deadline_s` must be a whole number from 0 to 604800"))
            << number;
    EXPECT_THAT(refusal(R"({"budget":{"calls":-1}})"), HasSubstr("`budget.calls`"));
    EXPECT_THAT(refusal(R"({"depth_max":16})"), HasSubstr("`depth_max`"));
    EXPECT_THAT(refusal(R"({"grants":[{"expires_s":-5}]})"), HasSubstr("`grants[0].expires_s`"));
}

struct Chain {
    std::shared_ptr<Task> root = std::make_shared<Task>(), child = std::make_shared<Task>();
    Session session;
    Chain() {
        root->deadline_boot_us = child->deadline_boot_us = 100;
        child->parent_task = root;
        session.task = child;
        session.expires_boot_us = 50;
    }
};

TEST(TaskLive, EveryLinkOfTheChainMustLive) {
    Chain chain;
    EXPECT_TRUE(chain.child->live(99));
    chain.root->state = TaskState::kRevoked;
    EXPECT_FALSE(chain.child->live(1));
    EXPECT_FALSE(chain.session.live(1));
}

TEST(TaskLive, TheDeadlineItselfIsTooLate) {
    Chain chain;
    EXPECT_FALSE(chain.child->live(100));
    chain.root->deadline_boot_us = 10;
    EXPECT_FALSE(chain.child->live(10));
    EXPECT_TRUE(chain.child->live(9));
}

TEST(SessionLive, EndsWithItsExpiryAndByItself) {
    Chain chain;
    EXPECT_TRUE(chain.session.live(49));
    EXPECT_FALSE(chain.session.live(50));
    chain.session.ended = true;
    EXPECT_FALSE(chain.session.live(1));
}

TEST(Names, RolesAndStatesReadBack) {
    for (const Role role : kRoles) EXPECT_EQ(role_from(name(role)), role);
    EXPECT_EQ(role_from("root"), std::nullopt);
    EXPECT_EQ(task_state_from("revoked"), TaskState::kRevoked);
    EXPECT_EQ(task_state_from(name(TaskState::kExpired)), TaskState::kExpired);
    EXPECT_EQ(task_state_from("alive"), std::nullopt);
    const Person person{"alice", 1000, {Role::kLauncher}};
    EXPECT_TRUE(person.has(Role::kLauncher));
    EXPECT_FALSE(person.has(Role::kOperator));
}

}  // namespace
}  // namespace writ::identity
