// For cedar_syntax.cjs. Each line of the input, {"text": policies, "est"?: JSON text of the first},
// is answered by one line: {"error"} or
// {"est": [JSON…], "read": JSON or {"error"}, "format": text or {"error"}}: the JSON of every
// policy of the text, what the given JSON is written as after it has been read, and the text
// formatted.
#include <iostream>
#include <string>

#include "cedar/cedar.h"
#include "cedar/formatter.h"
#include "json/node.h"

namespace {

using writ::json::Node;
using namespace writ::cedar;

Node refused(const writ::Error& error) {
    Node out = Node::object();
    out["error"] = error.message();
    return out;
}

Node read(std::string_view est) {
    PolicySet policies;
    if (const auto added = policies.add_json("p", est); !added) return refused(added.error());
    const auto json = policies.policy_json("p");
    return json ? Node::raw(*json) : refused(json.error());
}

Node answer(const writ::json::Value& line) {
    const std::string_view text = *line.string("text");
    const auto policies = PolicySet::parse(text);
    if (!policies) return refused(policies.error());
    Node out = Node::object();
    out["est"] = Node::array();
    for (const PolicyInfo& policy : policies->list()) {
        const auto json = policies->policy_json(policy.id);
        out["est"].push_back(json ? Node::raw(*json) : refused(json.error()));
    }
    if (const auto est = line.string("est")) out["read"] = read(*est);
    const auto formatted = format(text);
    out["format"] = formatted ? Node(*formatted) : refused(formatted.error());
    if (formatted) out["stable"] = format(*formatted).value_or("") == *formatted;
    return out;
}

}  // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);) {
        const auto document = writ::json::parse(line, {.bytes_max = 64 << 20});
        if (!document) return 2;
        std::cout << answer(document->root()).dump() << std::endl;
    }
}
