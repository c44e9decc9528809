// Policies as JSON, the format that the reference calls EST (digest section 9): one object for a
// policy or a template, and one for a set of them with its links.
//
//   {"effect", "principal", "action", "resource",
//    "conditions": [{"kind": "when" | "unless", "body": E}…], "annotations": {name: text | null}?}
//
//   {"staticPolicies": {id: policy}, "templates": {id: template},
//    "templateLinks": [{"templateId", "newId", "values": {"?principal": uid, "?resource": uid}}]}
//
// Written as the reference writes it. Read more strictly than the reference does: a member that
// nobody would look at is an error, since its writer meant something by it.
//
// Reading goes through the one parser: the JSON becomes policy text, so that both syntaxes have the
// same limits, and errors, explanations and readers of a policy have a text to show.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cedar/ast.h"
#include "json/value.h"

namespace writ::cedar {

// Bytes of JSON read or written at once: the JSON of a policy is ten to twenty times its text.
inline constexpr std::size_t kEstBytesMax = 64 << 20;
// Nesting of JSON read. An expression that nests kMaxDepth deep needs two levels for each; the
// rest is for chains of `&&` and `||`, which nest to the left in this format only.
inline constexpr std::size_t kEstDepthMax = 16'384;

// A policy, a template, or a linked policy with its slots filled. Errors: kTooLarge, as
// `has a.b.c` repeats what stands before it.
Result<std::string> policy_to_json(const Policy& policy);

// The text of a policy or template that is given as JSON. `pointer` is where `value` stands (RFC
// 6901), for errors. Errors: kInvalid with the pointer and what was expected, kTooLarge.
Result<std::string> policy_text_of_json(const json::Value& value, std::string_view pointer);

// The same, parsed. Errors of the parser point into the JSON.
Result<std::shared_ptr<const Policy>> policy_from_json(const json::Value& value,
                                                       std::string_view pointer,
                                                       const ParseOptions& options);

// `key` as one step of a JSON pointer, with its slash.
std::string pointer_step(std::string_view key);

}  // namespace writ::cedar
