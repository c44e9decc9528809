// Entities, contexts and requests held against a schema: verdicts recorded from the reference.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "cedar/test_world.h"
#include "cedar/validator.h"

namespace writ::cedar {
namespace {

// {"schema": text, "entities": [[entities, accepted]…], "contexts": [[context, accepted]…]}
const json::Value& recorded() {
    static const std::string text = test::read_file(std::filesystem::path(WRIT_SOURCE_DIR) /
                                                    "tests/conformance/cedar_data.json");
    static const json::Document document = json::parse(text).value();
    static const json::Value root = document.root();
    return root;
}

Validator validator() {
    return Validator(Schema::parse(*recorded().string("schema")).value());
}

TEST(ValidatorData, EntitiesAreAcceptedAsByTheReference) {
    const Validator held = validator();
    for (const json::Value& row : recorded().find("entities")->elements()) {
        const auto columns = row.elements();
        const auto entities = held.read_entities(columns[0].raw());
        EXPECT_EQ(entities.has_value(), *columns[1].as_bool())
            << columns[0].raw() << "\n"
            << (entities ? "" : entities.error().message());
    }
}

TEST(ValidatorData, ContextsAreAcceptedAsByTheReference) {
    const Validator held = validator();
    for (const json::Value& row : recorded().find("contexts")->elements()) {
        const auto columns = row.elements();
        const auto context = held.read_context(columns[0], {"Action", "view"});
        EXPECT_EQ(context.has_value(), *columns[1].as_bool())
            << columns[0].raw() << "\n"
            << (context ? "" : context.error().message());
    }
}

TEST(ValidatorData, RequestsAreRefusedInTheReferencesWords) {
    const Validator held = validator();
    const auto refusal = [&](EntityUid principal, EntityUid action, EntityUid resource,
                             std::string_view context = "{}") {
        const auto status = held.validate_request({std::move(principal), std::move(action),
                                                   std::move(resource), test::from_json(context)});
        return status ? std::string("ok") : status.error().detail;
    };
    const EntityUid user{"User", "a"}, view{"Action", "view"}, box{"Box", "b"};
    EXPECT_EQ(refusal(user, view, box), "ok");
    EXPECT_EQ(refusal({"Group", "g"}, view, box),
              "principal type `Group` is not valid for `Action::\"view\"`: valid principal types: "
              "`User`");
    EXPECT_EQ(refusal({"Zed", "g"}, view, box),
              "principal type `Zed` is not declared in the schema");
    EXPECT_EQ(refusal(user, {"Action", "q"}, box),
              "action `Action::\"q\"` does not exist in the supplied schema");
    EXPECT_EQ(refusal(user, {"Action", "grp"}, box),
              "principal type `User` is not valid for `Action::\"grp\"`: valid principal types: "
              "none");
    EXPECT_EQ(refusal(user, view, {"Enm", "q"}),
              "entity `Enm::\"q\"` is of an enumerated entity type, but `\"q\"` is not declared as "
              "a valid eid");
    EXPECT_NE(refusal(user, view, box, R"({"z": 1})").find("context"), std::string::npos);
}

TEST(ValidatorData, ActionsOfTheSchemaAreInTheStore) {
    const auto entities = validator().read_entities("[]");
    ASSERT_TRUE(entities);
    const auto policies =
        PolicySet::parse("permit(principal, action in Action::\"top\", resource);").value();
    const Request request{{"User", "a"}, {"Action", "view"}, {"Box", "b"}, Value::record({})};
    EXPECT_EQ(authorize(request, policies, *entities).decision, Decision::kAllow);
}

}  // namespace
}  // namespace writ::cedar
