// The conformance corpus of the reference engine: cases of one policy file, one store of entities
// and some requests with the answers that every engine must give.
//
//   DIR/corpus-tests/ID.json   generated cases; DIR/tests/**/*.json handwritten ones. Each:
//   {"policies": path, "schema": path, "entities": path, "shouldValidate": bool, "requests":
//   [{"principal": uid, "action": uid,
//    "resource": uid, "context": {…}, "decision": "allow" | "deny", "reason": [id…],
//    "errors": [id…], "validateRequest": bool}]}, paths relative to DIR.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace writ::conformance {

enum class Check {
    kAll,        // policies, entities and requests are held against the schema
    kDecisions,  // the schema is not read
};

struct CaseResult {
    std::size_t passed = 0;             // requests, and the verdict of validation
    std::vector<std::string> failures;  // one line each
};

// The case files below `root`, sorted. Errors: kNotFound if there are none.
Result<std::vector<std::filesystem::path>> find_cases(const std::filesystem::path& root);

// Runs one case. What cannot be loaded is a failure of all its requests.
CaseResult run_case(const std::filesystem::path& root, const std::filesystem::path& file,
                    Check check);

}  // namespace writ::conformance
