#include "policy/case_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "policy/cedar_engine.h"

namespace writ::policy {
namespace {

std::string joined(const std::vector<std::string>& words) {
    return words.empty() ? "none" : fmt::format("{}", fmt::join(words, ", "));
}

void compare(CaseResult& result, std::string_view what, const std::optional<std::string>& expected,
             const std::string& got) {
    if (expected && *expected != got)
        result.differences.push_back({std::string(what), *expected, got});
}

void compare_contained(CaseResult& result, std::string_view what,
                       const std::optional<std::string>& expected, const std::string& got) {
    if (expected && got.find(*expected) == std::string::npos)
        result.differences.push_back({std::string(what), "… " + *expected + " …", got});
}

void compare(CaseResult& result, std::string_view what,
             const std::optional<std::vector<std::string>>& expected,
             std::vector<std::string> got) {
    std::sort(got.begin(), got.end());
    got.erase(std::unique(got.begin(), got.end()), got.end());
    if (expected && *expected != got)
        result.differences.push_back({std::string(what), joined(*expected), joined(got)});
}

}  // namespace

struct CaseRunner::Covered {
    Covered(std::string name, std::shared_ptr<const cedar::Policy> policy)
        : anatomy(std::move(policy)) {
        coverage.id = std::move(name);
        coverage.at = anatomy.policy().source->at(anatomy.policy().begin);
        for (const Leaf& leaf : anatomy.leaves())
            coverage.conditions.push_back({leaf.text, leaf.at, 0, 0});
    }
    Anatomy anatomy;
    PolicyCoverage coverage;
};

CaseRunner::CaseRunner(World world) : world_(std::move(world)) {
    const auto* engine = CedarEngine::from(*world_.engine);
    if (engine == nullptr) return;
    for (auto& [id, policy] : policies_of(engine->set()))
        covered_.push_back(std::make_unique<Covered>(id, std::move(policy)));
}

CaseRunner::~CaseRunner() = default;

CaseResult CaseRunner::run(const Case& one) {
    CaseResult result;
    result.name = one.name;
    result.at = one.at;
    const auto posed = Posed::make(one.scenario, world_);
    if (!posed) {
        result.error = posed.error().detail;
        return result;
    }
    result.verdict = posed->decide(*world_.engine);
    const Verdict& verdict = result.verdict;
    if (const auto question = posed->question()) cover(*question);
    compare(result, "verdict", one.verdict, std::string(name(verdict.kind)));
    compare(result, "code", one.code, verdict.code);
    compare_contained(result, "reason", one.reason, verdict.reason);
    compare_contained(result, "advice", one.advice, verdict.advice);
    std::vector<std::string> because, obligations;
    const bool grants_too =
        one.because && std::any_of(one.because->begin(), one.because->end(),
                                   [](const auto& id) { return id.starts_with("grant:"); });
    for (const auto& by : verdict.determining)
        if (grants_too || by.effect != "grant") because.push_back(by.id);
    for (const auto& obligation : verdict.obligations)
        obligations.push_back(obligation.kind + "=" + obligation.value);
    compare(result, "because", one.because, std::move(because));
    compare(result, "holds", one.holds, verdict.holds);
    compare(result, "obligations", one.obligations, std::move(obligations));
    return result;
}

void CaseRunner::cover(const Question& question) {
    const auto* engine = CedarEngine::from(*world_.engine);
    if (engine == nullptr) return;
    const auto prepared = engine->prepared(question);
    if (!prepared) return;
    std::map<std::string, cedar::Outcome, std::less<>> outcomes;
    for (auto& outcome : cedar::evaluate(prepared->request, engine->set(), prepared->entities))
        outcomes[outcome.policy] = outcome.outcome;
    for (auto& one : covered_) {
        const auto found = outcomes.find(one->coverage.id);
        if (found == outcomes.end()) continue;
        auto& counts = one->coverage;
        if (found->second == cedar::Outcome::kSatisfied) ++counts.satisfied;
        if (found->second == cedar::Outcome::kNotSatisfied) ++counts.unsatisfied;
        if (found->second == cedar::Outcome::kError) ++counts.errors;
        const auto leaves = one->anatomy.evaluate(prepared->request, prepared->entities);
        for (std::size_t i = 0; i < leaves.size(); ++i) {
            if (leaves[i].came == LeafOutcome::Came::kTrue) ++counts.conditions[i].was_true;
            if (leaves[i].came == LeafOutcome::Came::kFalse) ++counts.conditions[i].was_false;
        }
    }
}

Coverage CaseRunner::coverage() const {
    Coverage out;
    for (const auto& one : covered_) {
        const PolicyCoverage& policy = one->coverage;
        out.all += 1 + 2 * policy.conditions.size();
        out.seen += policy.satisfied > 0 ? 1 : 0;
        for (const auto& condition : policy.conditions)
            out.seen += (condition.was_true > 0 ? 1u : 0u) + (condition.was_false > 0 ? 1u : 0u);
        out.policies.push_back(policy);
    }
    return out;
}

json::Node to_node(const Verdict& verdict) {
    json::Node out = json::Node::object();
    out["verdict"] = name(verdict.kind);
    out["code"] = verdict.code;
    out["reason"] = verdict.reason;
    out["advice"] = verdict.advice;
    out["granted"] = verdict.granted;
    out["determining"] = json::Node::array();
    for (const auto& by : verdict.determining) {
        json::Node entry = json::Node::object();
        entry["id"] = by.id;
        entry["effect"] = by.effect;
        out["determining"].push_back(std::move(entry));
    }
    out["obligations"] = json::Node::array();
    for (const auto& obligation : verdict.obligations) {
        json::Node entry = json::Node::object();
        entry["kind"] = obligation.kind;
        entry["value"] = obligation.value;
        out["obligations"].push_back(std::move(entry));
    }
    out["holds"] = json::Node::array_of(verdict.holds);
    out["errors"] = json::Node::array_of(verdict.errors);
    return out;
}

json::Node to_node(const CaseResult& result) {
    json::Node out = json::Node::object();
    out["case"] = result.name;
    out["at"] = result.at.text();
    out["passed"] = result.passed();
    if (!result.error.empty()) {
        out["error"] = result.error;
        return out;
    }
    out["got"] = to_node(result.verdict);
    out["differences"] = json::Node::array();
    for (const auto& difference : result.differences) {
        json::Node entry = json::Node::object();
        entry["what"] = difference.what;
        entry["expected"] = difference.expected;
        entry["got"] = difference.got;
        out["differences"].push_back(std::move(entry));
    }
    return out;
}

json::Node to_node(const Coverage& coverage) {
    json::Node out = json::Node::object();
    out["percent"] = json::Node(std::floor(coverage.percent() * 10) / 10);
    out["seen"] = coverage.seen;
    out["all"] = coverage.all;
    out["policies"] = json::Node::array();
    for (const auto& policy : coverage.policies) {
        json::Node entry = json::Node::object();
        entry["id"] = policy.id;
        entry["at"] = policy.at.text();
        entry["satisfied"] = policy.satisfied;
        entry["unsatisfied"] = policy.unsatisfied;
        entry["errors"] = policy.errors;
        entry["conditions"] = json::Node::array();
        for (const auto& condition : policy.conditions) {
            json::Node one = json::Node::object();
            one["condition"] = condition.text;
            one["at"] = condition.at.text();
            one["true"] = condition.was_true;
            one["false"] = condition.was_false;
            entry["conditions"].push_back(std::move(one));
        }
        out["policies"].push_back(std::move(entry));
    }
    return out;
}

}  // namespace writ::policy
