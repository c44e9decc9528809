// The index against trying every policy, on random sets, stores and requests.
#include "cedar/index.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "cedar/policy_set.h"
#include "cedar/test_world.h"

namespace writ::cedar {
namespace {

std::string pick_uid() {
    const int kind = *rc::gen::inRange(0, 4);
    const std::string id = std::to_string(*rc::gen::inRange(0, 6));
    return (kind == 0 ? "N::U::\"" : kind == 1 ? "U::\"" : "G::\"") + id + "\"";
}

std::string pick_action() {
    return "Action::\"" + std::to_string(*rc::gen::inRange(0, 5)) + "\"";
}

std::string entity_scope(std::string_view variable) {
    std::string out(variable);
    switch (*rc::gen::inRange(0, 6)) {
        case 0:
            return out + " == " + pick_uid();
        case 1:
            return out + " in " + pick_uid();
        case 2:
            return out + *rc::gen::element<std::string>(" is U", " is G", " is N::U");
        case 3:
            return out + *rc::gen::element<std::string>(" is U", " is G") + " in " + pick_uid();
        default:
            return out;
    }
}

std::string action_scope() {
    switch (*rc::gen::inRange(0, 5)) {
        case 0:
            return "action == " + pick_action();
        case 1:
            return "action in " + pick_action();
        case 2:
            return "action in [" + pick_action() + ", " + pick_action() + "]";
        case 3:
            return "action in []";
        default:
            return "action";
    }
}

EntityUid uid(const std::string& text) {
    const std::size_t colons = text.rfind("::");
    return {text.substr(0, colons), text.substr(colons + 3, text.size() - colons - 4)};
}

Entities pick_store() {
    std::vector<EntityData> out;
    for (int i = 0; i < 6; ++i) {
        for (const char* type : {"U", "N::U", "G"}) {
            EntityData data;
            data.uid = {type, std::to_string(i)};
            for (int j = i + 1; j < 6; ++j)
                if (*rc::gen::inRange(0, 3) == 0) data.parents.push_back({"G", std::to_string(j)});
            out.push_back(std::move(data));
        }
    }
    for (int i = 0; i < 4; ++i) {
        EntityData data;
        data.uid = {"Action", std::to_string(i)};
        if (*rc::gen::arbitrary<bool>()) data.parents.push_back({"Action", std::to_string(i + 1)});
        out.push_back(std::move(data));
    }
    return Entities::build(std::move(out)).value();
}

TEST(ScopeIndex, AnswersAsTryingEveryPolicyDoes) {
    const bool held = rc::check([] {
        std::string text;
        const int count = *rc::gen::element(3, 20, 120, 400);
        for (int i = 0; i < count; ++i)
            text += *rc::gen::element<std::string>("permit(", "permit(", "forbid(") +
                    entity_scope("principal") + ", " + action_scope() + ", " +
                    entity_scope("resource") + ")" +
                    *rc::gen::element<std::string>(";", " when { context.c == 1 };",
                                                   " unless { context.none };");
        const auto policies = PolicySet::parse(text).value();
        const Entities store = pick_store();
        for (int i = 0; i < 10; ++i) {
            Request request = test::request();
            request.principal = uid(pick_uid());
            request.action = uid(pick_action());
            request.resource = uid(pick_uid());
            const Response scan = authorize_with(Lookup::kScan, request, policies, store);
            const Response indexed = authorize(request, policies, store);
            RC_ASSERT(indexed.decision == scan.decision);
            RC_ASSERT(indexed.reason == scan.reason);
            RC_ASSERT(indexed.errors.size() == scan.errors.size());
            for (std::size_t e = 0; e < scan.errors.size(); ++e)
                RC_ASSERT(indexed.errors[e].policy == scan.errors[e].policy);
        }
    });
    EXPECT_TRUE(held);
}

TEST(ScopeIndex, LeavesOutWhatCannotMatch) {
    std::string text;
    for (int i = 0; i < 1'000; ++i)
        text += "permit(principal in G::\"g\", action == Action::\"x\", resource == R::\"" +
                std::to_string(i) + "\");";
    const auto policies = PolicySet::parse(text).value();
    Request request = test::request();
    request.resource = {"R", "500"};
    const Entities store = test::world();
    const RequestView view(request, store.impl());
    std::vector<std::uint32_t> candidates;
    IndexProbe probe;
    ASSERT_TRUE(policies.impl().index.candidates(view, probe, candidates));
    EXPECT_EQ(candidates, (std::vector<std::uint32_t>{500}));
}

TEST(ScopeIndex, FindsMergedPolicies) {
    std::string text;
    for (int i = 0; i < 100; ++i) text += "permit(principal == User::\"a\", action, resource);";
    auto first = PolicySet::parse(text).value();
    const auto second = PolicySet::parse(text, {.id_prefix = "b"}).value();
    ASSERT_TRUE(first.merge(second));
    EXPECT_EQ(authorize(test::request(), first, test::world()).reason.size(), 200u);
}

}  // namespace
}  // namespace writ::cedar
