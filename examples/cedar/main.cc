// Parse once, authorize many: three requests to a small bank, with the reasons; and what is left of
// the policies where the amount is not known yet.
#include <cstdio>
#include <string>

#include "cedar/cedar.h"
#include "cedar/partial.h"
#include "cedar/validator.h"

namespace cedar = writ::cedar;

namespace {

constexpr std::string_view kSchema = R"(
entity Team;
entity User in [Team];
entity Account { owner: User };
action pay appliesTo { principal: User, resource: Account, context: { amount: Long } };
)";

constexpr std::string_view kPolicies = R"(
permit (principal in Team::"tellers", action == Action::"pay", resource)
when { context.amount <= 1000 };

forbid (principal, action, resource)
when { resource.owner == principal };
)";

constexpr std::string_view kLending = R"(
permit (principal == ?principal, action == Action::"pay", resource == ?resource);
)";

constexpr std::string_view kEntities = R"([
  {"uid": {"type": "User", "id": "ada"}, "attrs": {}, "parents": [{"type": "Team", "id": "tellers"}]},
  {"uid": {"type": "Account", "id": "a1"}, "attrs": {"owner": {"type": "User", "id": "bob"}}, "parents": []},
  {"uid": {"type": "Account", "id": "a2"}, "attrs": {"owner": {"type": "User", "id": "ada"}}, "parents": []},
  {"uid": {"type": "Account", "id": "a3"}, "attrs": {"owner": {"type": "User", "id": "bob"}}, "parents": []}
])";

int refuse(const writ::Error& error) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
    return 1;
}

void decide(const cedar::PolicySet& policies, const cedar::Entities& entities, const char* account,
            std::int64_t amount, cedar::Scratch& scratch) {
    const cedar::Request request{{"User", "ada"},
                                 {"Action", "pay"},
                                 {"Account", account},
                                 cedar::Value::record({{"amount", cedar::Value::integer(amount)}})};
    const cedar::Answer answer = cedar::authorize(request, policies, entities, scratch);
    std::printf("%s %lld: %s", account, static_cast<long long>(amount),
                answer.decision == cedar::Decision::kAllow ? "allow" : "deny");
    for (const std::string_view id : answer.reason)
        std::printf(" %.*s", static_cast<int>(id.size()), id.data());
    std::printf("\n");
}

void what_is_left(const cedar::PolicySet& policies, const cedar::Entities& entities) {
    cedar::PartialRequest request;
    request.principal = cedar::EntityUid{"User", "ada"};
    request.action = cedar::EntityUid{"Action", "pay"};
    request.resource = cedar::EntityUid{"Account", "a3"};
    request.context = cedar::PartialValue::record({{"amount", {cedar::PartialValue::unknown()}}});
    const auto answer = cedar::partially_authorize(request, policies, entities);
    for (const cedar::PartialPolicy& policy : answer.policies())
        if (policy.outcome == cedar::PartialOutcome::kResidual)
            std::printf("a3: %s: %s\n", policy.id.c_str(), policy.residual().c_str());
}

}  // namespace

int main() {
    auto schema = cedar::Schema::parse(kSchema, {.file = "bank.cedarschema"});
    if (!schema) return refuse(schema.error());
    auto policies = cedar::PolicySet::parse(kPolicies, {.file = "bank.cedar"});
    if (!policies) return refuse(policies.error());
    if (auto added = policies->add("lending", kLending); !added) return refuse(added.error());
    if (auto linked =
            policies->link("lending", "ada-may-lend", {{{"User", "ada"}}, {{"Account", "a1"}}});
        !linked)
        return refuse(linked.error());

    const cedar::Validator validator(std::move(*schema));
    const cedar::Validation found = validator.validate(*policies);
    for (const cedar::Finding& finding : found.findings)
        std::fprintf(stderr, "%s\n", finding.text().c_str());
    auto entities = validator.read_entities(kEntities);
    if (!entities) return refuse(entities.error());

    cedar::Scratch scratch;  // one for each thread
    decide(*policies, *entities, "a1", 500, scratch);
    decide(*policies, *entities, "a1", 5000, scratch);
    decide(*policies, *entities, "a2", 500, scratch);
    what_is_left(*policies, *entities);
    return found.passed() ? 0 : 1;
}
