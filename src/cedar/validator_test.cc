// Validation of policies: the reference engine's recorded verdicts and words, levels, limits, and
// what only we say.
#include "cedar/validator.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "cedar/test_world.h"

namespace writ::cedar {
namespace {

// The schema for which the answers were recorded.
constexpr std::string_view kSchema =
    R"(entity User in Group { name: String, age?: Long, rec: { a?: Long, b: Bool }, mgr: User,
  friends: Set<User>, dt: datetime } tags String;
entity Group; entity Enm enum ["x","y"];
entity Doc { owner: User, e: Enm, any: Bool } tags Set<Long>; entity Other;
action grp;
action view in grp appliesTo { principal: User, resource: Doc, context: { ip: ipaddr, o?: Long } };
action edit in grp appliesTo { principal: [User, Other], resource: [Doc], context: {} };
action unused;)";

Validation validate(std::string_view policy, const ValidateOptions& options = {},
                    std::string_view schema = kSchema) {
    const Validator validator(Schema::parse(schema).value());
    const auto policies = PolicySet::parse(policy, {.file = "p"});
    EXPECT_TRUE(policies) << policies.error().message();
    return policies ? validator.validate(*policies, options) : Validation{};
}

// In the form of the recorded ones: `ok`, `ERR: a | b`, each maybe with ` WARN: …`.
std::string answer(std::string_view policy) {
    std::string errors, warnings;
    for (const Finding& finding : validate(policy).findings) {
        std::string& into = finding.severity == Severity::kError ? errors : warnings;
        into += (into.empty() ? "" : " | ") + finding.message;
    }
    return (errors.empty() ? "ok" : "ERR: " + errors) +
           (warnings.empty() ? "" : " WARN: " + warnings);
}

std::string kinds(const Validation& found) {
    std::string out;
    for (const Finding& finding : found.findings)
        out += (out.empty() ? "" : " ") + std::string(name(finding.kind));
    return out;
}

std::string when(std::string_view condition) {
    return fmt::format("permit(principal, action == Action::\"view\", resource) when {{ {} }};",
                       condition);
}

TEST(ValidatorProbes, PoliciesAnswerAsInTheReference) {
    const auto folder = test::shared_folder();
    if (!folder) GTEST_SKIP() << "no shared folder with the corpora";
    const std::string text = test::read_rows(*folder / "corpora/cedar-probes-validate.json");
    const auto document = json::parse(text);
    ASSERT_TRUE(document) << document.error().message();
    std::size_t asked = 0;
    for (const json::Value& probe : document->root().elements()) {
        const auto columns = probe.elements();
        const std::string_view what = *columns[0].as_string();
        if (what != "validate" && what != "scope") continue;
        const std::string input(*columns[1].as_string());
        const std::string_view expected = *columns[2].as_string();
        if (expected.starts_with("PARSE")) {
            EXPECT_FALSE(PolicySet::parse(input)) << input;
            continue;
        }
        ++asked;
        const std::string got = answer(what == "scope" ? input : when(input));
        // Verdicts are equal; so are the words, where one message says it.
        EXPECT_EQ(got.starts_with("ok"), expected.starts_with("ok")) << input << "\n" << got;
        if (expected.find(" | ") == std::string_view::npos &&
            expected.find("unexpected type") == std::string_view::npos &&
            expected.find("extension function argument") == std::string_view::npos &&
            expected.find("for policy") == std::string_view::npos)
            EXPECT_EQ(got, expected) << input;
    }
    EXPECT_GE(asked, 117u);
}

TEST(Validator, SaysWhereAndWhatWasMeant) {
    const Validation found = validate(
        "permit(principal,\n  action == Action::\"view\",\n  resource)\n"
        "when { principal.nmae == \"x\" };");
    ASSERT_EQ(found.findings.size(), 1u);
    EXPECT_EQ(found.findings[0].text(),
              "p:4:8: policy `policy0`: attribute `nmae` on entity type `User` not found: did you "
              "mean `name`?");
    EXPECT_EQ(found.findings[0].offending, "principal.nmae");
    EXPECT_FALSE(found.passed());
    EXPECT_EQ(validate("permit(principal, action == Action::\"veiw\", resource);").findings[0].help,
              "did you mean `Action::\"view\"`?");
    EXPECT_EQ(validate("permit(principal is Usr, action, resource);").findings[0].help,
              "did you mean `User`?");
    EXPECT_EQ(validate(when("resource.e == Enm::\"z\"")).findings[0].kind,
              FindingKind::kUnknownEnumId);
}

TEST(Validator, AnErrorInManyEnvironmentsIsSaidOnce) {
    EXPECT_EQ(kinds(validate("permit(principal, action, resource) when { 1 + \"a\" == 2 };")),
              "unexpected_type");
}

TEST(Validator, NoApplicableActionIsAnErrorUnlessTheCallerSaysOtherwise) {
    const std::string policy = "permit(principal, action == Action::\"unused\", resource);";
    EXPECT_FALSE(validate(policy).passed());
    ValidateOptions options;
    options.no_applicable_action_is_error = false;
    EXPECT_TRUE(validate(policy, options).passed());
    EXPECT_EQ(validate("permit(principal == Group::\"g\", action == Action::\"view\", resource) "
                       "when { true };")
                  .findings[0]
                  .help,
              "try replacing `==` with `in` in the principal clause");
}

TEST(Validator, TellsPartsThatDecideNothing) {
    ValidateOptions options;
    options.redundant_parts = true;
    EXPECT_EQ(kinds(validate(when("context has ip && principal.rec.b"), options)), "always_true");
    EXPECT_EQ(kinds(validate(when("context has nope || principal.rec.b"), options)),
              "always_false");
    EXPECT_EQ(kinds(validate(when("context has ip || principal.rec.b"), options)), "always_true");
    EXPECT_EQ(
        kinds(validate(when("principal.rec.b && (context has nope && principal.rec.b)"), options)),
        "impossible_policy");
    EXPECT_EQ(kinds(validate(when("principal.rec.b || (action == Action::\"edit\" && "
                                  "principal.rec.b)"),
                             options)),
              "always_false");
    EXPECT_EQ(kinds(validate(when("principal.rec.b"), options)), "");
}

// RFC 76.
TEST(ValidatorLevels, CountsDereferences) {
    const auto at = [](std::string_view policy, std::uint32_t level) {
        ValidateOptions options;
        options.level = level;
        return validate(policy, options).passed();
    };
    const std::vector<std::pair<std::string, std::uint32_t>> cases = {
        {when("context.ip.isLoopback()"), 0},
        {when("principal == resource.owner"), 1},
        {when("principal.name == \"x\""), 1},
        {when("principal.mgr.name == \"x\""), 2},
        {when("principal.mgr.mgr.name == \"x\""), 3},
        {when("principal.rec.b"), 1},
        {when("principal in Group::\"g\""), 1},
        {when("principal.mgr in Group::\"g\""), 2},
        {when("principal.hasTag(resource.owner.name)"), 2},
        {when("resource has owner.mgr.age"), 3},
        {when("{a: principal, b: principal.mgr}.a.name == \"x\""), 1},
        {when("{a: principal, b: principal.mgr}.b.name == \"x\""), 2},
        {when("(if principal.rec.b then principal else principal.mgr).name == \"x\""), 2},
        {when("true || principal.mgr.name == \"x\""), 0},
        {"permit(principal in Group::\"g\", action, resource);", 1},
    };
    for (const auto& [policy, level] : cases) {
        EXPECT_TRUE(at(policy, level)) << policy << " at " << level;
        if (level > 0) EXPECT_FALSE(at(policy, level - 1)) << policy << " at " << level - 1;
    }
    EXPECT_FALSE(at(when("User::\"a\".name == \"x\""), 100));
}

TEST(ValidatorLimits, LargePoliciesAreCheckedOrRefusedQuickly) {
    std::string wide = "principal has age";
    for (int i = 0; i < 20'000; ++i) wide += " && principal has age";
    EXPECT_EQ(kinds(validate(when(wide))), "");
    std::string many = "true";
    for (int i = 0; i < 5'000; ++i) many += fmt::format(" && User::\"{}\" has age", i);
    EXPECT_EQ(kinds(validate(when(many))), "limit");
    std::string schema = "entity P0";
    for (int i = 1; i < 300; ++i) schema += fmt::format(",P{}", i);
    schema += "; action a appliesTo { principal: [P0";
    for (int i = 1; i < 300; ++i) schema += fmt::format(",P{}", i);
    schema += "], resource: [P0";
    for (int i = 1; i < 300; ++i) schema += fmt::format(",P{}", i);
    schema += "] };";
    std::string sum = "0";
    for (int i = 0; i < 300; ++i) sum += " + 1";
    std::string big = "permit(principal, action, resource) when { true";
    for (int i = 0; i < 1'000; ++i) big += " && principal == resource";
    EXPECT_NE(kinds(validate(big + "};", {}, schema)).find("limit"), std::string::npos);
}

// The conditions of a template are typed once; a link answers for its entities only.
TEST(Validator, LinksAreHeldAgainstTheSchemaByTheirEntities) {
    const Validator validator(Schema::parse("entity U, R; entity Z; action go appliesTo { "
                                            "principal: U, resource: R, context: {} };")
                                  .value());
    PolicySet policies;
    ASSERT_TRUE(policies.add("t",
                             "permit(principal == ?principal, action, resource) when { "
                             "resource.x };"));
    ASSERT_TRUE(policies.link("t", "good", {.principal = EntityUid{"U", "a"}}));
    ASSERT_TRUE(policies.link("t", "unfit", {.principal = EntityUid{"Z", "a"}}));
    ASSERT_TRUE(policies.link("t", "unknown", {.principal = EntityUid{"Y", "a"}}));
    std::map<std::string, std::vector<FindingKind>> found;
    for (const Finding& finding : validator.validate(policies).findings)
        found[finding.policy].push_back(finding.kind);
    using Kinds = std::vector<FindingKind>;
    EXPECT_EQ(found["t"], Kinds{FindingKind::kUnknownAttribute});
    EXPECT_EQ(found["good"], Kinds{});
    EXPECT_EQ(found["unfit"], Kinds{FindingKind::kNoApplicableAction});
    EXPECT_EQ(found["unknown"],
              (Kinds{FindingKind::kUnknownEntityType, FindingKind::kNoApplicableAction}));
}

}  // namespace
}  // namespace writ::cedar
