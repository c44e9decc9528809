// For cedar_validate.cjs. Each line of the input, {"schema": text, "json"?: text, "policies":
// [text…]}, is answered by one line:
// {"schema": bool, "error"?: text, "round_trip"?: bool, "json"?: true or text, "policies":
// [{"passed", "impossible", "findings"} or {"refused": text}…]}.
#include <iostream>
#include <string>

#include "cedar/validator.h"
#include "json/node.h"

namespace {

using writ::json::Node;
using namespace writ::cedar;

Node check_policy(const Validator& validator, std::string_view text) {
    Node out = Node::object();
    const auto policies = PolicySet::parse(text);
    if (!policies) {
        out["refused"] = policies.error().message();
        return out;
    }
    const Validation found = validator.validate(*policies);
    bool impossible = false;
    Node findings = Node::array();
    for (const Finding& finding : found.findings) {
        impossible = impossible || finding.kind == FindingKind::kImpossiblePolicy;
        findings.push_back(finding.text());
    }
    out["passed"] = found.passed();
    out["impossible"] = impossible;
    out["findings"] = std::move(findings);
    return out;
}

// Whether both printers give texts that read back as the same schema.
bool reads_back(const Schema& schema) {
    const auto text = schema.to_cedar();
    const auto json = schema.to_json();
    if (!text || !json) return false;
    const auto from_text = Schema::parse(*text);
    const auto from_json = Schema::parse_json(*json);
    return from_text && from_json && from_text->to_json().value() == *json &&
           from_json->to_json().value() == *json;
}

Node answer(const writ::json::Value& line) {
    Node out = Node::object();
    const auto schema = Schema::parse(*line.string("schema"));
    out["schema"] = schema.has_value();
    if (!schema) {
        out["error"] = schema.error().message();
        return out;
    }
    out["round_trip"] = reads_back(*schema);
    if (const auto json = line.string("json")) {
        const auto from_json = Schema::parse_json(*json);
        const auto ours = schema->to_json();
        if (!from_json)
            out["json"] = from_json.error().message();
        else if (from_json->to_json().value() != *ours)
            out["json"] = "differs from: " + *ours;
        else
            out["json"] = true;
    }
    const Validator validator(*schema);
    Node policies = Node::array();
    for (const auto& policy : line.find("policies")->elements())
        policies.push_back(check_policy(validator, *policy.as_string()));
    out["policies"] = std::move(policies);
    return out;
}

}  // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);) {
        const auto document = writ::json::parse(line);
        if (!document) return 2;
        std::cout << answer(document->root()).dump() << std::endl;
    }
}
