// cedar_conformance DIR [--decisions-only]: runs the reference's corpus and compares the verdicts
// of validation, decisions, reasons and the ids of erring policies. With --decisions-only the
// schemas are not read. Exit 0: all agree; 1: some do not; 2: cannot run.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "corpus.h"

namespace writ::conformance {
namespace {

// Their entities or contexts leave out the escapes that only a schema can put back.
constexpr std::array<std::string_view, 5> kNeedSchema = {
    "tests/example_use_cases/4d.json", "tests/example_use_cases/4e.json",
    "tests/example_use_cases/4f.json", "tests/multi/3.json", "tests/multi/4.json"};

int run(const std::filesystem::path& root, Check check) {
    const auto cases = find_cases(root);
    if (!cases) {
        fmt::print(stderr, "cedar_conformance: {}\n", cases.error().message());
        return 2;
    }
    std::size_t passed = 0, failed = 0;
    for (const auto& file : *cases) {
        const std::string shown = std::filesystem::relative(file, root).string();
        if (check == Check::kDecisions &&
            std::find(kNeedSchema.begin(), kNeedSchema.end(), shown) != kNeedSchema.end()) {
            fmt::print("skipped {}: its entities or contexts can only be read with a schema\n",
                       shown);
            continue;
        }
        const CaseResult result = run_case(root, file, check);
        passed += result.passed;
        failed += result.failures.size();
        for (const std::string& failure : result.failures) fmt::print("FAILED {}\n", failure);
    }
    fmt::print("{} passed, {} failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace writ::conformance

int main(int argc, char** argv) {
    std::string root;
    bool decisions_only = false, usage = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--decisions-only")
            decisions_only = true;
        else if (root.empty() && !argument.starts_with("-"))
            root = argument;
        else
            usage = true;
    }
    if (usage || root.empty()) {
        fmt::print(stderr, "usage: cedar_conformance DIR [--decisions-only]\n");
        return 2;
    }
    using writ::conformance::Check;
    return writ::conformance::run(root, decisions_only ? Check::kDecisions : Check::kAll);
}
