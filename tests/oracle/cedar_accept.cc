// For cedar_accept.cjs. Each line of the input, {"kind", …}, is answered by one line, {"ok": bool,
// "error"?, …}: whether the text is taken, and for what is taken what it comes to.
//   {"kind": "policy", "text"}                "est": JSON, of one policy
//   {"kind": "est", "text"}                   of a policy set, with templates and links
//   {"kind": "entities", "text"}              without a schema
//   {"kind": "schema" | "schema_json", "text"}
//   {"kind": "typed", "schema", "policies": [text…]}
//                                             "verdicts": refused, fails, impossible or passes each
//   {"kind": "data", "schema", "policies", "entities", "action", "principal", "resource",
//    "context"}                               "decision", "reason", "errors"; "part" that is
//    refused
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "cedar/cedar.h"
#include "cedar/schema.h"
#include "cedar/validator.h"
#include "json/node.h"

namespace {

using writ::json::Node;
using namespace writ::cedar;

Node refused(const writ::Error& why, std::string_view part = {}) {
    Node out = Node::object();
    out["ok"] = false;
    if (!part.empty()) out["part"] = part;
    out["error"] = why.message();
    return out;
}

Node taken() {
    Node out = Node::object();
    out["ok"] = true;
    return out;
}

Node policy(std::string_view text) {
    const auto policies = PolicySet::parse(text);
    if (!policies) return refused(policies.error());
    Node out = taken();
    if (policies->list().size() != 1) return out;
    const auto json = policies->policy_json(policies->list().front().id);
    if (!json) return refused(json.error(), "est");
    out["est"] = Node::raw(*json);
    return out;
}

Node sorted(std::vector<std::string> lines) {
    std::sort(lines.begin(), lines.end());
    Node out = Node::array();
    for (auto& line : lines) out.push_back(std::move(line));
    return out;
}

EntityUid uid(const writ::json::Value& of) {
    return {std::string(*of.string("type")), std::string(*of.string("id"))};
}

Node data(const writ::json::Value& line) {
    const auto schema = Schema::parse(*line.string("schema"));
    if (!schema) return refused(schema.error(), "schema");
    const auto policies = PolicySet::parse(*line.string("policies"));
    if (!policies) return refused(policies.error(), "policies");
    const Validator validator(*schema);
    const EntityUid action = uid(*line.find("action"));
    auto context = validator.read_context(*line.find("context"), action);
    if (!context) return refused(context.error(), "context");
    const Request request{uid(*line.find("principal")), action, uid(*line.find("resource")),
                          std::move(*context)};
    if (const auto valid = validator.validate_request(request); !valid)
        return refused(valid.error(), "request");
    const auto entities = validator.read_entities(*line.string("entities"));
    if (!entities) return refused(entities.error(), "entities");
    const Response response = authorize(request, *policies, *entities);
    Node out = taken();
    out["decision"] = response.decision == Decision::kAllow ? "allow" : "deny";
    out["reason"] = sorted(response.reason);
    std::vector<std::string> errors;
    for (const auto& error : response.errors) errors.push_back(error.policy + ": " + error.message);
    out["errors"] = sorted(std::move(errors));
    return out;
}

std::string verdict(const Validator& validator, std::string_view text) {
    const auto policies = PolicySet::parse(text);
    if (!policies) return "refused: " + policies.error().message();
    const Validation found = validator.validate(*policies);
    if (!found.passed()) return "fails: " + found.findings.front().text();
    for (const Finding& finding : found.findings)
        if (finding.kind == FindingKind::kImpossiblePolicy) return "impossible";
    return "passes";
}

Node typed(const writ::json::Value& line) {
    const auto schema = Schema::parse(*line.string("schema"));
    if (!schema) return refused(schema.error(), "schema");
    const Validator validator(*schema);
    Node out = taken();
    out["verdicts"] = Node::array();
    for (const auto& policy : line.find("policies")->elements())
        out["verdicts"].push_back(verdict(validator, *policy.as_string()));
    return out;
}

Node answer(const writ::json::Value& line) {
    const std::string_view kind = *line.string("kind");
    if (kind == "data") return data(line);
    if (kind == "typed") return typed(line);
    const std::string_view text = *line.string("text");
    if (kind == "policy") return policy(text);
    if (kind == "entities") {
        const auto entities = Entities::parse_json(text);
        return entities ? taken() : refused(entities.error());
    }
    if (kind == "est") {
        const auto policies = PolicySet::parse_json(text);
        return policies ? taken() : refused(policies.error());
    }
    const auto schema = kind == "schema" ? Schema::parse(text) : Schema::parse_json(text);
    return schema ? taken() : refused(schema.error());
}

}  // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);) {
        const auto document = writ::json::parse(line);
        if (!document) return 2;
        std::cout << answer(document->root()).dump() << std::endl;
    }
}
