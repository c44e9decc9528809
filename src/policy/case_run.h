// Runs cases against a world, compares, and counts which policies and conditions they have seen
// both ways.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "json/node.h"
#include "policy/anatomy.h"
#include "policy/case_file.h"
#include "policy/scenario.h"

namespace writ::policy {

// One thing that differs from what a case expects.
struct Difference {
    std::string what, expected, got;
};

struct CaseResult {
    std::string name;
    SourceRef at;
    Verdict verdict;
    std::vector<Difference> differences;
    std::string error;  // the case could not be asked at all
    bool passed() const { return differences.empty() && error.empty(); }
};

// What the cases have seen of one policy.
struct PolicyCoverage {
    std::string id;
    SourceRef at;
    std::uint64_t satisfied = 0, unsatisfied = 0, errors = 0;  // of the calls in its scope
    struct Condition {
        std::string text;
        SourceRef at;
        std::uint64_t was_true = 0, was_false = 0;
    };
    std::vector<Condition> conditions;
};

struct Coverage {
    std::vector<PolicyCoverage> policies;
    // What can be seen: each policy satisfied, each condition true, each condition false.
    std::uint64_t seen = 0, all = 0;
    double percent() const { return all == 0 ? 100.0 : 100.0 * double(seen) / double(all); }
};

class CaseRunner {
  public:
    explicit CaseRunner(World world);
    ~CaseRunner();
    CaseResult run(const Case& one);
    Coverage coverage() const;

  private:
    struct Covered;
    void cover(const Question& question);
    World world_;
    std::vector<std::unique_ptr<Covered>> covered_;
};

json::Node to_node(const Verdict& verdict);
json::Node to_node(const CaseResult& result);
json::Node to_node(const Coverage& coverage);

}  // namespace writ::policy
