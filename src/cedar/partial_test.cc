// Partial evaluation: what it says of cases that a person can follow, and its promise, that asking
// what is left is asking the policies, on random policies, stores, requests and completions.
#include "cedar/partial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "cedar/policy_set.h"
#include "cedar/test_world.h"

namespace writ::cedar {
namespace {

using Names = std::vector<std::string>;

// The test world's request, with `input` of the context unknown and its resource too.
PartialRequest open_input() {
    PartialRequest out;
    out.principal = EntityUid{"User", "a"};
    out.action = EntityUid{"Action", "x"};
    out.context = PartialValue::record({{"input", {PartialValue::unknown()}},
                                        {"c", {Value::integer(1)}},
                                        {"maybe", {Value::integer(2), true}}});
    return out;
}

PartialPolicy ask_one(std::string_view policy, const PartialRequest& request = open_input(),
                      const PartialOptions& options = {}) {
    const auto policies = PolicySet::parse(policy);
    if (!policies) {
        ADD_FAILURE() << policies.error().message();
        return {};
    }
    return partially_authorize(request, *policies, test::world(), options).policies().at(0);
}

std::string rest_of(const std::string& condition) {
    const auto policy = ask_one("permit(principal, action, resource) when { " + condition + " };");
    switch (policy.outcome) {
        case PartialOutcome::kSatisfied:
            return "true";
        case PartialOutcome::kNotSatisfied:
            return "false";
        case PartialOutcome::kError:
            return "error: " + policy.error;
        case PartialOutcome::kResidual:
            break;
    }
    const std::string text = policy.residual();
    const std::string begin = "permit (principal, action, resource)\nwhen { ";
    EXPECT_TRUE(text.starts_with(begin)) << text;
    return text.substr(begin.size(), text.size() - begin.size() - 4) +
           (policy.satisfiable ? "" : " (never)");
}

TEST(PartialEvaluation, PutsInWhatIsKnown) {
    EXPECT_EQ(rest_of("principal in G::\"top\" && context.input.amount < principal.n + 9"),
              "context.input.amount < 10");
    EXPECT_EQ(rest_of("context.c == 1 || context.input.x"), "true");
    EXPECT_EQ(rest_of("context.c == 2 && context.input.x"), "false");
    EXPECT_EQ(rest_of("if context.c == 1 then resource == R::\"r\" else context.input.x"),
              "resource == R::\"r\"");
    EXPECT_EQ(rest_of("context has input && context.input has amount"), "context.input has amount");
    EXPECT_EQ(rest_of("context has other"), "false");
    EXPECT_EQ(rest_of("context has maybe && context.maybe == 2"),
              "(context has maybe) && (context.maybe == 2)");
    EXPECT_EQ(rest_of("[1, context.c].contains(context.input)"), "[1].contains(context.input)");
}

TEST(PartialEvaluation, KeepsWhatMayErr) {
    // The unknown may be no Bool, and then it is an error although the rest is decided.
    EXPECT_EQ(rest_of("context.input && true"), "true && context.input");
    EXPECT_EQ(rest_of("context.input && false"), "context.input && false (never)");
    EXPECT_EQ(rest_of("context.input.x == 1 && (1 + true) == 2"),
              "(context.input.x == 1) && ((1 + true) == 2) (never)");
    EXPECT_EQ(rest_of("(context.input has x) && false"), "(context.input has x) && false (never)");
    EXPECT_EQ(rest_of("(resource in G::\"g\") && false"), "false");
}

TEST(PartialEvaluation, TellsErrorsThatEveryCompletionHas) {
    EXPECT_EQ(rest_of("principal.nothing"),
              "error: `User::\"a\"` does not have the attribute `nothing`");
    EXPECT_EQ(rest_of("context.nothing"), "error: record does not have the attribute `nothing`");
    EXPECT_EQ(rest_of("context.c"), "error: type error: expected bool, got long");
    EXPECT_EQ(rest_of("context.c && context.input.x"),
              "error: type error: expected bool, got long");
    const auto open =
        ask_one("permit(principal, action, resource == R::\"r\") when { principal.nothing };");
    EXPECT_EQ(open.outcome, PartialOutcome::kResidual);  // another resource is no error
    EXPECT_FALSE(open.satisfiable);
    EXPECT_TRUE(open.fallible);
}

TEST(PartialEvaluation, UsesTheTypeOfAnUnknownEntity) {
    PartialRequest request = open_input();
    request.resource = PartialEntity::of_type("Doc");
    const auto outcome = [&](const std::string& scope, const std::string& condition) {
        return ask_one("permit(principal, action, " + scope + ") when { " + condition + " };",
                       request)
            .outcome;
    };
    EXPECT_EQ(outcome("resource is Doc", "true"), PartialOutcome::kSatisfied);
    EXPECT_EQ(outcome("resource is R", "true"), PartialOutcome::kNotSatisfied);
    EXPECT_EQ(outcome("resource == R::\"r\"", "true"), PartialOutcome::kNotSatisfied);
    EXPECT_EQ(outcome("resource", "resource is Doc"), PartialOutcome::kSatisfied);
    EXPECT_EQ(outcome("resource", "resource == R::\"r\""), PartialOutcome::kNotSatisfied);
    EXPECT_EQ(outcome("resource", "resource in G::\"g\""), PartialOutcome::kResidual);
}

TEST(PartialEvaluation, AMissingEntityIsEmptyOrUnknownAsAsked) {
    const std::string text = "permit(principal, action, resource) when { User::\"zed\" has n };";
    EXPECT_EQ(ask_one(text).outcome, PartialOutcome::kNotSatisfied);
    const PartialOptions unknown{.missing = MissingEntities::kUnknown};
    EXPECT_EQ(ask_one(text, open_input(), unknown).outcome, PartialOutcome::kResidual);
    const std::string below =
        "permit(principal, action, resource) when { User::\"zed\" in G::\"g\" };";
    EXPECT_EQ(ask_one(below, open_input(), unknown).outcome, PartialOutcome::kResidual);
}

TEST(PartialResponse, DecidesWhereTheUnknownCannotMatter) {
    const auto decide = [](std::string_view text) {
        const auto policies = PolicySet::parse(text).value();
        return partially_authorize(open_input(), policies, test::world()).decision();
    };
    EXPECT_EQ(decide("permit(principal, action, resource);"), Decision::kAllow);
    EXPECT_EQ(decide("permit(principal, action, resource == R::\"r\");"), std::nullopt);
    EXPECT_EQ(decide(""), Decision::kDeny);
    EXPECT_EQ(decide("permit(principal, action, resource == R::\"r\");"
                     "forbid(principal, action, resource);"),
              Decision::kDeny);
    EXPECT_EQ(decide("permit(principal, action, resource);"
                     "forbid(principal, action, resource) when { context.input has x };"),
              std::nullopt);
    // This forbid may only err, and an error takes no permit away.
    EXPECT_EQ(decide("permit(principal, action, resource);"
                     "forbid(principal, action, resource) when { context.input && false };"),
              Decision::kAllow);
}

TEST(PartialResponse, NamesWhatMayAndMustDetermine) {
    const auto policies = PolicySet::parse(
                              "permit(principal, action, resource);"
                              "permit(principal, action, resource) when { context.input.x };"
                              "forbid(principal, action, resource) when { context.input.y };"
                              "forbid(principal, action, resource) when { context.c == 2 };")
                              .value();
    const auto answer = partially_authorize(open_input(), policies, test::world());
    EXPECT_EQ(answer.may_be_determining(), (Names{"policy0", "policy1", "policy2"}));
    EXPECT_EQ(answer.must_be_determining(), Names{});
    EXPECT_EQ(answer.with(PartialOutcome::kResidual, Effect::kForbid), Names{"policy2"});
    EXPECT_EQ(answer.with(PartialOutcome::kNotSatisfied, Effect::kForbid), Names{"policy3"});
    EXPECT_EQ(answer.residuals()->size(), 2u);
}

TEST(PartialEvaluation, KnowsNothingOfAnEmptyRequest) {
    EXPECT_EQ(ask_one("permit(principal, action, resource);", PartialRequest()).outcome,
              PartialOutcome::kSatisfied);
    EXPECT_EQ(
        ask_one("permit(principal, action == Action::\"x\", resource);", PartialRequest()).outcome,
        PartialOutcome::kResidual);
}

// ---- Random policies, mostly of fitting types.

class Random {
  public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}
    int below(int n) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(n)); }
    bool one_in(int n) { return below(n) == 0; }
    template <class T>
    const T& pick(const std::vector<T>& from) {
        return from[static_cast<std::size_t>(below(static_cast<int>(from.size())))];
    }
    std::string of(std::initializer_list<const char*> from) {
        return *(from.begin() + below(static_cast<int>(from.size())));
    }

    std::string uid() { return uid_value().text(); }
    EntityUid uid_value() { return {of({"User", "G", "R"}), of({"a", "b", "g", "top"})}; }

    std::string boolean(int depth) {
        if (one_in(14)) return any(depth);
        if (depth <= 0)
            return of({"true", "false", "context.b", "principal.b", "context.r.b", "resource.b"});
        const int d = depth - 1;
        switch (below(20)) {
            case 0:
            case 1:
            case 2:
                return "(" + boolean(d) + " && " + boolean(d) +
                       (one_in(3) ? " && " + boolean(d) : "") + ")";
            case 3:
            case 4:
                return "(" + boolean(d) + " || " + boolean(d) + ")";
            case 5:
                return "(!" + boolean(d) + ")";
            case 6:
                return "(if " + boolean(d) + " then " + boolean(d) + " else " + boolean(d) + ")";
            case 7:
                return "(" + number(d) + of({" < ", " <= ", " > ", " >= "}) + number(d) + ")";
            case 8:
                return "(" + any(d) + of({" == ", " != "}) + any(d) + ")";
            case 9:
                return "(" + number(d) + " == " + number(d) + ")";
            case 10:
                return "(" + entity(d) + " in " +
                       (one_in(3) ? "[" + entity(d) + ", " + entity(d) + "]" : entity(d)) + ")";
            case 11:
                return "(" + entity(d) + " is " + of({"User", "G", "R"}) +
                       (one_in(2) ? " in " + entity(d) : "") + ")";
            case 12:
                return "(" + owner(d) + " has " +
                       of({"n", "b", "r", "r.n", "r.b", "e.n", "\"x y\""}) + ")";
            case 13:
                return entity(d) + ".hasTag(" + text(d) + ")";
            case 14:
                return set(d) + of({".contains(", ".containsAll(", ".containsAny("}) +
                       (one_in(2) ? set(d) : any(d)) + ")";
            case 15:
                return set(d) + ".isEmpty()";
            case 16:
                return "(" + text(d) + " like \"a*\")";
            case 17:
                return "decimal(" + text(d) + ").lessThan(context.d)";
            case 18:
                return "ip(\"10.0.0.1\").isInRange(" + of({"context.ip", "ip(\"10.0.0.0/8\")"}) +
                       ")";
            default:
                return "(" + owner(d) + " has b && " + owner(d) + ".b)";
        }
    }

    std::string number(int depth) {
        if (one_in(14)) return any(depth);
        if (depth <= 0 || one_in(3))
            return of({"1", "2", "(-1)", "9223372036854775807", "context.n", "principal.n",
                       "resource.n", "context.r.n", "principal.e.n"});
        if (one_in(6)) return "(-" + number(depth - 1) + ")";
        return "(" + number(depth - 1) + of({" + ", " - ", " * "}) + number(depth - 1) + ")";
    }

    std::string text(int depth) {
        if (one_in(12)) return any(depth);
        return of({"\"a\"", "\"1.5\"", "\"t\"", "context.s", "principal.s", "context.r.s"});
    }

    std::string entity(int depth) {
        if (one_in(14)) return any(depth);
        if (one_in(3)) return uid();
        return of({"principal", "resource", "action", "context.e", "principal.e", "resource.e"});
    }

    std::string set(int depth) {
        if (one_in(12)) return any(depth);
        if (one_in(2)) return of({"context.set", "principal.set"});
        return "[" + any(depth - 1) + ", " + any(depth - 1) + "]";
    }

    std::string owner(int depth) {
        if (one_in(6)) return "{n: " + any(depth - 1) + ", b: " + boolean(depth - 1) + "}";
        return of({"context", "context.r", "principal", "resource", "context.e", "principal.r",
                   "User::\"b\""});
    }

    std::string any(int depth) {
        if (depth <= 0)
            return of({"1", "true", "\"a\"", "principal", "context", "context.s", "[]"});
        switch (below(8)) {
            case 0:
                return boolean(depth - 1);
            case 1:
                return number(depth - 1);
            case 2:
                return text(depth - 1);
            case 3:
                return entity(depth - 1);
            case 4:
                return set(depth - 1);
            case 5:
                return owner(depth - 1) + of({".n", ".b", ".e", ".r", ".none"});
            case 6:
                return entity(depth - 1) + ".getTag(" + text(depth - 1) + ")";
            default:
                return of({"ip(\"x\")", "duration(\"1h\")", "datetime(\"2024-01-01\").toTime()",
                           "context.d", "context.ip", "{a: context}"});
        }
    }

    std::string scope(const std::string& variable) {
        switch (below(7)) {
            case 0:
                return variable + " == " + uid();
            case 1:
                return variable + " in " + uid();
            case 2:
                return variable + " is " + of({"User", "G", "R"});
            case 3:
                return variable + " is " + of({"User", "R"}) + " in " + uid();
            default:
                return variable;
        }
    }

    std::string policy() {
        const std::string action = of({"action", "action", "action == Action::\"x\"",
                                       "action in [Action::\"y\", Action::\"all\"]"});
        std::string out = of({"permit(", "permit(", "forbid("}) + scope("principal") + ", " +
                          action + ", " + scope("resource") + ")";
        for (int i = below(3); i >= 0; --i)
            out += of({" when { ", " when { ", " unless { "}) + boolean(1 + below(4)) + " }";
        return out + ";\n";
    }

    Value value(const std::string& name, int depth) {
        const auto wild = one_in(8);
        const std::string as = wild ? of({"n", "b", "s", "e", "set", "d"}) : name;
        if (as == "n") return Value::integer(below(4) - 1);
        if (as == "b") return Value::boolean(one_in(2));
        if (as == "s") return Value::string(of({"a", "1.5", "t", ""}));
        if (as == "e") return Value::entity(uid_value());
        if (as == "d") return Value::extension("decimal", of({"1.0", "2.5"})).value();
        if (as == "ip") return Value::extension("ip", of({"10.0.0.0/8", "::1"})).value();
        if (as == "set") return Value::set({value("n", 0), value("s", 0), value("e", 0)});
        return depth > 0 ? record(depth - 1) : Value::record({});
    }

    Value record(int depth) {
        std::vector<std::pair<std::string, Value>> members;
        for (const char* name : {"n", "b", "s", "e", "d", "ip", "set", "r"})
            if (!one_in(5)) members.emplace_back(name, value(name, depth));
        return Value::record(std::move(members));
    }

    std::vector<EntityData> entities() {
        std::vector<EntityData> out;
        for (const char* type : {"User", "R", "G"}) {
            for (const char* id : {"a", "b", "g", "top"}) {
                if (one_in(4)) continue;
                EntityData data;
                data.uid = {type, id};
                const Value attributes = record(1);
                for (const auto& member : std::get<Record>(attributes.rep().data).members)
                    data.attributes.push_back(member);
                if (one_in(2)) data.tags = {{"t", value("n", 0)}, {"a", value("b", 0)}};
                if (id != std::string("top")) {
                    if (one_in(2)) data.parents.push_back({"G", "top"});
                    if (one_in(3) && type != std::string("G")) data.parents.push_back({"G", "g"});
                }
                out.push_back(std::move(data));
            }
        }
        out.push_back({{"Action", "x"}, {}, {}, {{"Action", "all"}}});
        return out;
    }

    Request request() { return {uid_value(), {"Action", of({"x", "y"})}, uid_value(), record(2)}; }

    // What is left of a value when some of it is forgotten.
    PartialValue forget(const Value& value, bool must_be_record = false) {
        if (one_in(4)) return value;
        if (value.rep().type != Type::kRecord || (!must_be_record && one_in(3)))
            return PartialValue::unknown();
        const bool open = one_in(3);
        std::map<std::string, PartialMember, std::less<>> members;
        for (const auto& [name, member] : std::get<Record>(value.rep().data).members)
            if (!open || !one_in(3))
                members.emplace(name, PartialMember{forget(member), one_in(4)});
        for (const char* name : {"n", "b", "none"})
            if (one_in(3)) members.emplace(name, PartialMember{PartialValue::unknown(), true});
        return PartialValue::record(std::move(members), open);
    }

    PartialEntity forget(const EntityUid& uid) {
        if (one_in(2)) return uid;
        return one_in(2) ? PartialEntity::of_type(uid.type) : PartialEntity();
    }

    // Some value that `of` may be.
    Value complete(const PartialValue& of, const std::string& name, bool must_be_record = false) {
        if (of.known()) return *of.known();
        if (of.members() == nullptr) return must_be_record ? record(2) : value(name, 1);
        std::map<std::string, Value> members;
        if (of.open()) {
            const Value more = record(1);
            for (const auto& [key, member] : std::get<Record>(more.rep().data).members)
                members.emplace(key, member);
        }
        for (const auto& [key, member] : *of.members()) {
            members.erase(key);
            if (!member.may_be_absent || one_in(2))
                members.emplace(key, complete(member.value, key));
        }
        return Value::record({members.begin(), members.end()});
    }

    EntityUid complete(const PartialEntity& of) {
        if (of.uid) return *of.uid;
        EntityUid out = uid_value();
        if (!of.type.empty()) out.type = of.type;
        return out;
    }

  private:
    std::mt19937_64 engine_;
};

void expect_same(const Response& wanted, const Response& got, const std::string& what) {
    EXPECT_EQ(wanted.decision, got.decision) << what;
    EXPECT_EQ(wanted.reason, got.reason) << what;
    ASSERT_EQ(wanted.errors.size(), got.errors.size()) << what;
    for (std::size_t i = 0; i < wanted.errors.size(); ++i) {
        EXPECT_EQ(wanted.errors[i].policy, got.errors[i].policy) << what;
        EXPECT_EQ(wanted.errors[i].message, got.errors[i].message) << what;
    }
}

void expect_told(const PartialResponse& partial, const Request& request, const PolicySet& policies,
                 const Entities& entities, const Response& whole, const std::string& what) {
    const auto outcomes = evaluate(request, policies, entities, true);
    ASSERT_EQ(outcomes.size(), partial.policies().size());
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        const PartialPolicy& told = partial.policies()[i];
        const bool satisfied = outcomes[i].outcome == Outcome::kSatisfied;
        const bool failed = outcomes[i].outcome == Outcome::kError;
        EXPECT_TRUE(told.satisfiable || !satisfied) << told.id << what;
        EXPECT_TRUE(told.fallible || !failed) << told.id << what;
        if (told.outcome == PartialOutcome::kSatisfied) EXPECT_TRUE(satisfied) << what;
        if (told.outcome == PartialOutcome::kError) EXPECT_TRUE(failed) << what;
    }
    if (partial.decision()) EXPECT_EQ(*partial.decision(), whole.decision) << what;
    const auto may = partial.may_be_determining();
    for (const auto& id : whole.reason)
        EXPECT_NE(std::find(may.begin(), may.end(), id), may.end()) << id << what;
    for (const auto& id : partial.must_be_determining())
        EXPECT_NE(std::find(whole.reason.begin(), whole.reason.end(), id), whole.reason.end())
            << id << what;
}

// The texts of what is left, as policies of their own.
void expect_printed(const PartialResponse& partial, const Request& request,
                    const Entities& entities, const std::string& what) {
    const auto printed = partial.residuals();
    ASSERT_TRUE(printed) << printed.error().message() << what;
    const Response wanted = partial.reauthorize(request, entities);
    for (const auto& outcome : evaluate(request, *printed, entities, true)) {
        const auto is = [&](const auto& error) { return error.policy == outcome.policy; };
        const auto failed = std::find_if(wanted.errors.begin(), wanted.errors.end(), is);
        EXPECT_EQ(outcome.outcome == Outcome::kError, failed != wanted.errors.end()) << what;
        if (outcome.outcome == Outcome::kError) EXPECT_EQ(outcome.detail, failed->message) << what;
    }
}

void check_seed(std::uint64_t seed) {
    Random random(seed);
    std::string text;
    for (int i = 1 + random.below(6); i > 0; --i) text += random.policy();
    const auto policies = PolicySet::parse(text);
    ASSERT_TRUE(policies) << policies.error().message() << text;
    auto data = random.entities();
    const Entities entities = Entities::build(data).value();
    const PartialOptions options{.missing = random.one_in(2) ? MissingEntities::kUnknown
                                                             : MissingEntities::kEmpty};
    if (options.missing == MissingEntities::kUnknown)
        std::erase_if(data, [&](const auto&) { return random.one_in(3); });
    const Entities loaded = Entities::build(std::move(data)).value();
    Request request = random.request();
    PartialRequest asked;
    asked.principal = random.forget(request.principal);
    asked.action = random.forget(request.action);
    asked.resource = random.forget(request.resource);
    asked.context = random.forget(request.context, true);
    const auto partial = partially_authorize(asked, *policies, loaded, options);
    for (int i = 0; i < 4; ++i) {
        const std::string what =
            "\nseed " + std::to_string(seed) + "\n" + text + request.context.text();
        const Response whole = authorize(request, *policies, entities);
        expect_same(whole, partial.reauthorize(request, entities), what);
        expect_told(partial, request, *policies, entities, whole, what);
        expect_printed(partial, request, entities, what);
        request.principal = random.complete(asked.principal);
        if (!asked.action.uid) request.action.id = random.of({"x", "y"});
        request.resource = random.complete(asked.resource);
        request.context = random.complete(asked.context, "r", true);
    }
}

// WRIT_PARTIAL_SEEDS: how many; a failure names its seed.
TEST(PartialEvaluation, WhatIsLeftAnswersAsThePoliciesDo) {
    const char* wanted = std::getenv("WRIT_PARTIAL_SEEDS");
    const std::uint64_t seeds = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 3'000;
    for (std::uint64_t seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed)
        check_seed(seed);
}

}  // namespace
}  // namespace writ::cedar
