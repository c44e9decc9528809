// Templates, links and policy sets as JSON.
#include <gtest/gtest.h>

#include "cedar/policy_set.h"
#include "cedar/test_world.h"

namespace writ::cedar {
namespace {

PolicySet templates() {
    PolicySet out;
    EXPECT_TRUE(out.add("pair",
                        "@note(\"n\") permit(principal == ?principal, action, resource in "
                        "?resource);"));
    EXPECT_TRUE(out.add("one",
                        "forbid(principal is User in ?principal, action, resource) when { "
                        "context.c == 1 };"));
    EXPECT_TRUE(out.add("plain", "permit(principal == User::\"zed\", action, resource);"));
    return out;
}

const EntityUid kUser{"User", "a"}, kResource{"R", "r"}, kGroup{"G", "g"};

std::string error_of(const Status& status) {
    return status ? "done" : status.error().detail;
}

TEST(Links, DecideUnderTheirOwnId) {
    PolicySet policies = templates();
    const Entities store = test::world();
    EXPECT_TRUE(authorize(test::request(), policies, store).reason.empty());
    ASSERT_TRUE(policies.link("pair", "link", {kUser, kResource}));
    Response response = authorize(test::request(), policies, store);
    EXPECT_EQ(response.decision, Decision::kAllow);
    EXPECT_EQ(response.reason, std::vector<std::string>{"link"});
    ASSERT_TRUE(policies.link("one", "stop", {.principal = kGroup}));
    response = authorize(test::request(), policies, store);
    EXPECT_EQ(response.decision, Decision::kDeny);
    EXPECT_EQ(response.reason, std::vector<std::string>{"stop"});
    ASSERT_TRUE(policies.unlink("stop"));
    EXPECT_EQ(authorize(test::request(), policies, store).decision, Decision::kAllow);

    const PolicyInfo info = *policies.info("link");
    EXPECT_EQ(info.template_id, "pair");
    EXPECT_EQ(info.values.principal, kUser);
    EXPECT_EQ(info.annotations.at("note"), "n");
    EXPECT_FALSE(info.is_template);
}

TEST(Links, BindEverySlotAndNoOther) {
    PolicySet policies = templates();
    EXPECT_EQ(error_of(policies.link("pair", "l", {.principal = kUser})),
              "the slot `?resource` of the template `pair` has no entity");
    EXPECT_EQ(error_of(policies.link("one", "l", {kUser, kResource})),
              "the template `one` has no slot `?resource`");
    EXPECT_EQ(error_of(policies.link("plain", "l", {})),
              "`plain` is not a template: it has no slot");
    EXPECT_EQ(error_of(policies.link("none", "l", {})), "no template has the id `none`");
    EXPECT_EQ(policies.size(), 3u);
}

TEST(Links, IdsAreUniqueAmongAll) {
    PolicySet policies = templates();
    ASSERT_TRUE(policies.link("one", "l", {.principal = kUser}));
    for (const char* id : {"pair", "one", "plain", "l"}) {
        EXPECT_EQ(policies.link("one", id, {.principal = kUser}).error().code,
                  ErrorCode::kConflict);
        EXPECT_EQ(policies.add(id, "permit(principal, action, resource);").error().code,
                  ErrorCode::kConflict);
    }
    ASSERT_TRUE(policies.unlink("l"));
    EXPECT_TRUE(policies.link("one", "l", {.principal = kUser})) << "the id is free again";
}

TEST(Links, RemovalKeepsWhatOthersNeed) {
    PolicySet policies = templates();
    ASSERT_TRUE(policies.link("one", "l", {.principal = kUser}));
    EXPECT_EQ(error_of(policies.remove("one")),
              "the template `one` has 1 linked policy: unlink it first");
    EXPECT_EQ(error_of(policies.remove("l")),
              "`l` is linked from the template `one`: unlink it instead");
    EXPECT_EQ(error_of(policies.unlink("plain")),
              "`plain` is not linked from a template: remove it instead");
    EXPECT_EQ(policies.unlink("none").error().code, ErrorCode::kNotFound);
    EXPECT_EQ(policies.remove("none").error().code, ErrorCode::kNotFound);
    EXPECT_TRUE(policies.unlink("l"));
    EXPECT_TRUE(policies.remove("one"));
    EXPECT_TRUE(policies.remove("plain"));
    EXPECT_EQ(policies.size(), 1u);
}

TEST(Links, FollowTheirTemplatesNewName) {
    PolicySet policies = templates();
    ASSERT_TRUE(policies.link("one", "l", {.principal = kUser}));
    ASSERT_TRUE(policies.rename("one", "renamed"));
    EXPECT_EQ(policies.info("l")->template_id, "renamed");
    EXPECT_EQ(policies.remove("renamed").error().code, ErrorCode::kConflict);
    PolicySet merged;
    ASSERT_TRUE(merged.merge(policies));
    EXPECT_EQ(merged.remove("renamed").error().code, ErrorCode::kConflict);
}

// A set that was changed answers as one that was made so at once.
TEST(Links, IndexFollowsEveryChange) {
    PolicySet policies = templates();
    for (int i = 0; i < 50; ++i)
        ASSERT_TRUE(policies.link("one", "l" + std::to_string(i),
                                  {.principal = i % 2 == 0 ? kGroup : EntityUid{"G", "other"}}));
    for (int i = 0; i < 50; i += 4) ASSERT_TRUE(policies.unlink("l" + std::to_string(i)));
    const Entities store = test::world();
    Scratch scratch;
    const auto ids = [&](Lookup lookup) {
        const Answer answer = authorize_with(lookup, test::request(), policies, store, scratch);
        return std::vector<std::string>(answer.reason.begin(), answer.reason.end());
    };
    EXPECT_EQ(ids(Lookup::kIndexed), ids(Lookup::kScan));
    EXPECT_EQ(ids(Lookup::kIndexed).size(), 12u);
}

TEST(Links, SetsAreReadBackFromTheirJson) {
    PolicySet policies = templates();
    ASSERT_TRUE(policies.link("pair", "link", {kUser, kResource}));
    const std::string json = policies.to_json().value();
    const auto again = PolicySet::parse_json(json);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->to_json().value(), json);
    const Entities store = test::world();
    EXPECT_EQ(authorize(test::request(), *again, store).reason, std::vector<std::string>{"link"});
    EXPECT_NE(policies.policy_json("link")->find(R"("principal":{"op":"==","entity")"),
              std::string::npos);
    EXPECT_EQ(policies.to_cedar().error().code, ErrorCode::kUnsupported);
    ASSERT_TRUE(policies.unlink("link"));
    EXPECT_EQ(PolicySet::parse(policies.to_cedar().value())->size(), 3u);
}

TEST(Links, BadSetsAreRefusedWithThePlace) {
    const auto error = [](std::string_view json) {
        const auto set = PolicySet::parse_json(json, {.file = "s.json"});
        return set ? "read" : set.error().message();
    };
    constexpr std::string_view kStatic =
        R"({"effect":"permit","principal":{"op":"All"},"action":{"op":"All"},)"
        R"("resource":{"op":"All"},"conditions":[]})";
    constexpr std::string_view kTemplate =
        R"({"effect":"permit","principal":{"op":"==","slot":"?principal"},)"
        R"("action":{"op":"All"},"resource":{"op":"All"},"conditions":[]})";
    const auto set = [&](std::string_view statics, std::string_view of, std::string_view links) {
        return R"({"staticPolicies":)" + std::string(statics) + R"(,"templates":)" +
               std::string(of) + R"(,"templateLinks":)" + std::string(links) + "}";
    };
    const std::string t = R"({"t":)" + std::string(kTemplate) + "}";
    EXPECT_EQ(error(set(R"({"a/b":{}})", "{}", "[]")),
              "s.json: at `/staticPolicies/a~1b`: missing member `effect`");
    EXPECT_EQ(error(set(t, "{}", "[]")),
              "s.json: at `/staticPolicies/t`: a policy with slots stands among the `templates`");
    EXPECT_EQ(error(set("{}", R"({"p":)" + std::string(kStatic) + "}", "[]")),
              "s.json: at `/templates/p`: a template has a slot, `?principal` or `?resource`");
    EXPECT_EQ(error(set(R"({"t":)" + std::string(kStatic) + "}", t, "[]")),
              "s.json: at `/templates/t`: a policy with the id `t` exists already");
    EXPECT_EQ(error(set("{}", t, R"([{"templateId":"t","newId":"l","values":{}}])")),
              "s.json: at `/templateLinks/0`: the slot `?principal` of the template `t` has no "
              "entity");
    EXPECT_EQ(error(set("{}", t, R"([{"templateId":"t","newId":1,"values":{}}])")),
              "s.json: at `/templateLinks/0/newId`: expected an id, a string, but got `1`");
    EXPECT_EQ(error(set("{}", t, R"([{"templateId":"t","newId":"l","values":{"?x":1}}])")),
              "s.json: at `/templateLinks/0/values/?x`: a slot is `?principal` or `?resource`");
    EXPECT_EQ(error(R"({"policies":{}})"),
              "s.json: at `/`: unknown member `policies`, expected `staticPolicies`, `templates` "
              "or `templateLinks`");
    EXPECT_EQ(error("{}"), "read");
}

}  // namespace
}  // namespace writ::cedar
