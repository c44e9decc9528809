// For cedar_decide.cjs. Each line of the input, {"policies": [{"id", "text"}…], "entities": text,
// "requests": [{"principal", "action", "resource", "context"}…]}, is answered by one line:
// {"answers": [{"decision", "reason", "errors"}…]} or {"refused": "policies" or "data", "why"},
// with "broken" where the engine contradicts itself: the index a scan, evaluate() authorize(), or
// what partial evaluation leaves the policies.
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "cedar/cedar.h"
#include "cedar/partial.h"
#include "cedar/policy_set.h"
#include "json/node.h"

namespace {

using writ::json::Node;
using namespace writ::cedar;

EntityUid uid(const writ::json::Value& of) {
    return {std::string(*of.string("type")), std::string(*of.string("id"))};
}

Node sorted(std::vector<std::string> lines) {
    std::sort(lines.begin(), lines.end());
    Node out = Node::array();
    for (auto& line : lines) out.push_back(std::move(line));
    return out;
}

Node told(const Response& response) {
    Node out = Node::object();
    out["decision"] = response.decision == Decision::kAllow ? "allow" : "deny";
    out["reason"] = sorted(response.reason);
    std::vector<std::string> errors;
    for (const auto& error : response.errors) errors.push_back(error.policy + ": " + error.message);
    out["errors"] = sorted(std::move(errors));
    return out;
}

bool same(const Response& a, const Response& b) {
    return told(a).dump() == told(b).dump();
}

// The request with some of it forgotten; another part for each `way`.
PartialRequest forget(const Request& request, unsigned way) {
    PartialRequest out;
    if ((way & 1) == 0) out.principal = request.principal;
    if ((way & 2) == 0) out.resource = request.resource;
    if ((way & 4) != 0) out.principal = PartialEntity::of_type(request.principal.type);
    if ((way & 8) == 0) out.action = request.action;
    if ((way & 16) == 0) {
        out.context = request.context;
        return out;
    }
    if ((way & 32) == 0) return out;
    std::map<std::string, PartialMember, std::less<>> members;
    std::size_t position = way >> 6;
    for (const auto& [name, value] : std::get<Record>(request.context.rep().data).members)
        members.emplace(
            name, PartialMember{++position % 2 == 0 ? PartialValue(value) : PartialValue::unknown(),
                                position % 5 == 0});
    out.context = PartialValue::record(std::move(members), (way & 64) != 0);
    return out;
}

std::string contradiction(const Request& request, const PolicySet& policies,
                          const Entities& entities, const Response& response, unsigned way) {
    if (!same(response, authorize_with(Lookup::kScan, request, policies, entities)))
        return "the index differs from a scan";
    std::size_t failed = 0;
    for (const auto& outcome : evaluate(request, policies, entities, true))
        failed += outcome.outcome == Outcome::kError ? 1 : 0;
    if (failed != response.errors.size()) return "evaluate() differs from authorize()";
    const auto partial = partially_authorize(forget(request, way), policies, entities);
    if (!same(response, partial.reauthorize(request, entities)))
        return "what partial evaluation leaves differs (way " + std::to_string(way) + ")";
    if (partial.decision() && *partial.decision() != response.decision)
        return "partial evaluation decided otherwise (way " + std::to_string(way) + ")";
    const auto may = partial.may_be_determining();
    for (const auto& id : response.reason)
        if (std::find(may.begin(), may.end(), id) == may.end()) return id + " may determine";
    return {};
}

Node refused(std::string_view what, const writ::Error& why) {
    Node out = Node::object();
    out["refused"] = what;
    out["why"] = why.message();
    return out;
}

Node answer(const writ::json::Value& line, unsigned& way) {
    PolicySet policies;
    for (const auto& each : line.find("policies")->elements()) {
        auto one = PolicySet::parse(*each.string("text"), {.id_prefix = "#"});
        if (!one) return refused("policies", one.error());
        const auto named = one->rename("#0", std::string(*each.string("id")));
        if (!named) return refused("policies", named.error());
        if (auto merged = policies.merge(*one); !merged) return refused("policies", merged.error());
    }
    const auto entities = Entities::parse_json(*line.string("entities"));
    if (!entities) return refused("data", entities.error());
    Node answers = Node::array();
    Node out = Node::object();
    for (const auto& each : line.find("requests")->elements()) {
        auto context = Value::from_json(*each.find("context"));
        if (!context) return refused("data", context.error());
        const Request request{uid(*each.find("principal")), uid(*each.find("action")),
                              uid(*each.find("resource")), std::move(*context)};
        const Response response = authorize(request, policies, *entities);
        const std::string wrong = contradiction(request, policies, *entities, response, ++way);
        if (!wrong.empty()) out["broken"] = wrong;
        answers.push_back(told(response));
    }
    out["answers"] = std::move(answers);
    return out;
}

}  // namespace

int main() {
    unsigned way = 0;
    for (std::string line; std::getline(std::cin, line);) {
        const auto document = writ::json::parse(line);
        if (!document) return 2;
        std::cout << answer(document->root(), way).dump() << std::endl;
    }
}
