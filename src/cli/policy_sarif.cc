#include "cli/policy_sarif.h"

#include <fmt/format.h>

#include <map>

namespace writ::cli {
namespace {

// A path as a URI reference (RFC 3986, section 4.1): everything but unreserved and `/` encoded.
std::string uri_of(std::string_view path) {
    std::string out = path.starts_with('/') ? "file://" : "";
    for (const char c : path) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') ||
                           std::string_view("-._~/").find(c) != std::string_view::npos;
        out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

json::Node location_of(const policy::CheckFinding& finding) {
    json::Node out = json::Node::object();
    out["physicalLocation"]["artifactLocation"]["uri"] = uri_of(finding.at.file);
    if (finding.at.line > 0) {
        out["physicalLocation"]["region"]["startLine"] = finding.at.line;
        if (finding.at.column > 0)
            out["physicalLocation"]["region"]["startColumn"] = finding.at.column;
    }
    return out;
}

}  // namespace

json::Node sarif_of(const std::vector<policy::CheckFinding>& findings) {
    std::map<std::string, std::size_t> rules;
    for (const auto& finding : findings) rules.emplace(finding.rule, 0);
    json::Node driver = json::Node::object();
    driver["name"] = "writ policy check";
    driver["semanticVersion"] = "0.1.0";
    driver["rules"] = json::Node::array();
    std::size_t next = 0;
    for (auto& [id, index] : rules) {
        index = next++;
        json::Node rule = json::Node::object();
        rule["id"] = id;
        driver["rules"].push_back(std::move(rule));
    }
    json::Node results = json::Node::array();
    for (const auto& finding : findings) {
        json::Node result = json::Node::object();
        result["ruleId"] = finding.rule;
        result["ruleIndex"] = rules[finding.rule];
        result["level"] = policy::name(finding.level);
        policy::CheckFinding placeless = finding;
        placeless.at = {};
        result["message"]["text"] = placeless.text();
        result["locations"] = json::Node::array();
        if (!finding.at.file.empty()) result["locations"].push_back(location_of(finding));
        results.push_back(std::move(result));
    }
    json::Node run = json::Node::object();
    run["tool"]["driver"] = std::move(driver);
    run["columnKind"] = "unicodeCodePoints";
    run["results"] = std::move(results);
    json::Node out = json::Node::object();
    out["version"] = "2.1.0";
    out["$schema"] = "https://json.schemastore.org/sarif-2.1.0.json";
    out["runs"] = json::Node::array();
    out["runs"].push_back(std::move(run));
    return out;
}

}  // namespace writ::cli
