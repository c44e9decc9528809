// `*.case` files: calls and the verdicts that are expected of them, one `key: value` a line
// (docs/spec/policy-cases.md).
//
//   agent: bot                         # before the first case: for every case of the file
//   tool: bank/pay
//
//   case: above the limit
//   arguments: {"to": "DE1", "amount": 500}
//   expect: forbid
//   code: forbidden
//   because: amount-limit
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "policy/scenario.h"

namespace writ::policy {

inline constexpr std::size_t kMaxCaseFileBytes = 4 << 20;
inline constexpr std::size_t kMaxCasesPerFile = 10'000;

struct Case {
    std::string name;
    SourceRef at;  // of its `case:`
    Scenario scenario;
    // What is expected; what is absent is not compared.
    std::optional<std::string> verdict, code, reason, advice;  // reason, advice: contained
    // Ids of the policies and grants that decided, rules that hold, obligations as `kind=value`;
    // each sorted, compared as sets.
    std::optional<std::vector<std::string>> because, holds, obligations;
};

// Errors: kInvalid with file, line and column, kTooLarge.
Result<std::vector<Case>> parse_cases(std::string_view text, const std::string& file);

}  // namespace writ::policy
