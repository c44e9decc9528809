// `writ policy test`: folders of *.case files, their policies, coverage.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>

#include "base/inert.h"
#include "cli/config.h"
#include "cli/policy_world.h"
#include "policy/case_run.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

struct TestOptions {
    std::vector<std::string> folders;
    std::string policies, catalog, junit;
    double min_coverage = 0;
};

struct Suite {
    std::string folder;
    std::vector<policy::CaseResult> results;
    policy::Coverage coverage;
    std::size_t failed() const {
        return static_cast<std::size_t>(std::count_if(results.begin(), results.end(),
                                                      [](const auto& r) { return !r.passed(); }));
    }
};

Result<std::vector<policy::Case>> load_cases(const fs::path& dir) {
    std::error_code error;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(dir, error))
        if (entry.path().extension() == ".case") files.push_back(entry.path());
    if (error)
        return fail(ErrorCode::kNotFound, fmt::format("cannot read the folder `{}`", dir.string()));
    std::sort(files.begin(), files.end());
    std::vector<policy::Case> out;
    for (const auto& file : files) {
        if (!fs::is_regular_file(file, error) ||
            fs::file_size(file, error) > policy::kMaxCaseFileBytes)
            return fail(ErrorCode::kTooLarge,
                        fmt::format("`{}` is no file of at most {} MiB", file.string(),
                                    policy::kMaxCaseFileBytes >> 20));
        std::ifstream in(file, std::ios::binary);
        const std::string text(std::istreambuf_iterator<char>(in), {});
        auto cases = policy::parse_cases(text, file.string());
        if (!cases) return fail(cases.error());
        std::move(cases->begin(), cases->end(), std::back_inserter(out));
    }
    if (out.empty())
        return fail(ErrorCode::kNotFound,
                    fmt::format("no *.case file in `{}`: docs/spec/policy-cases.md says how to "
                                "write one",
                                dir.string()));
    return out;
}

bool has_policies(const fs::path& dir) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(dir, error))
        if (entry.path().extension() == ".cedar") return true;
    return false;
}

Result<Suite> run_suite(const Context& context, const TestOptions& options,
                        const std::string& folder) {
    auto cases = load_cases(folder);
    if (!cases) return fail(cases.error());
    PolicyOptions from;
    from.catalog = options.catalog;
    from.folder = !options.policies.empty() ? options.policies : has_policies(folder) ? folder : "";
    auto world = open_policy_world(context, from);
    if (!world) return fail(world.error());
    if (auto made = make_engine(*world); !made) return fail(made.error());
    if (const auto wrong = world->world.engine->report().error()) return fail(*wrong);
    Suite out;
    out.folder = folder;
    policy::CaseRunner runner(world->world);
    for (const auto& one : *cases) out.results.push_back(runner.run(one));
    out.coverage = runner.coverage();
    return out;
}

void print_result(const policy::CaseResult& result) {
    if (result.passed()) return;
    fmt::print("FAIL  {}\n      {}:{}\n", inert(result.name, 200), inert(result.at.file),
               result.at.line);
    if (!result.error.empty()) {
        fmt::print("      {}\n", inert(result.error, 1'000));
        return;
    }
    for (const auto& difference : result.differences)
        fmt::print("      {:11} - {}\n                  + {}\n", difference.what,
                   inert(difference.expected, 500), inert(difference.got, 500));
    fmt::print("      because     {}\n", inert(result.verdict.reason, 1'000));
}

void print_unseen(const policy::Coverage& coverage) {
    for (const auto& policy : coverage.policies) {
        const std::string where = fmt::format("{}:{}", inert(policy.at.file), policy.at.line);
        if (policy.satisfied == 0)
            fmt::print("unseen  {}  policy `{}` never satisfied\n", where, inert(policy.id, 200));
        for (const auto& condition : policy.conditions) {
            if (condition.was_true > 0 && condition.was_false > 0) continue;
            fmt::print("unseen  {}:{}  `{}` never {}\n", inert(policy.at.file), condition.at.line,
                       inert(condition.text, 160),
                       condition.was_true > 0    ? "false"
                       : condition.was_false > 0 ? "true"
                                                 : "reached");
        }
    }
}

std::string xml(std::string_view text) {
    std::string out;
    for (const char c : inert(text, 4'000)) {
        switch (c) {
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '&':
                out += "&amp;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

Status write_junit(const std::string& file, const std::vector<Suite>& suites) {
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
    for (const auto& suite : suites) {
        out += fmt::format("<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">\n",
                           xml(suite.folder), suite.results.size(), suite.failed());
        for (const auto& result : suite.results) {
            out += fmt::format("<testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\"",
                               xml(suite.folder), xml(result.name), xml(result.at.file),
                               result.at.line);
            if (result.passed()) {
                out += "/>\n";
                continue;
            }
            std::string what = result.error;
            for (const auto& d : result.differences)
                what += fmt::format("{}: expected {}, got {}; ", d.what, d.expected, d.got);
            out += fmt::format("><failure message=\"{}\"/></testcase>\n", xml(what));
        }
        out += "</testsuite>\n";
    }
    std::ofstream to(file, std::ios::binary | std::ios::trunc);
    to << out << "</testsuites>\n";
    to.close();
    if (!to) return fail(ErrorCode::kIo, fmt::format("cannot write `{}`", file));
    return {};
}

int answer(const Context& context, const TestOptions& options, const std::vector<Suite>& suites) {
    std::size_t cases = 0, failed = 0;
    bool uncovered = false;
    json::Node list = json::Node::array();
    for (const auto& suite : suites) {
        cases += suite.results.size();
        failed += suite.failed();
        const bool low = suite.coverage.percent() + 1e-9 < options.min_coverage;
        uncovered = uncovered || low;
        if (context.json) {
            json::Node one = json::Node::object();
            one["folder"] = suite.folder;
            one["cases"] = json::Node::array();
            for (const auto& result : suite.results) one["cases"].push_back(to_node(result));
            one["coverage"] = to_node(suite.coverage);
            list.push_back(std::move(one));
            continue;
        }
        for (const auto& result : suite.results) print_result(result);
        if (low || (options.min_coverage > 0 && suite.coverage.percent() < 100))
            print_unseen(suite.coverage);
        fmt::print("{}  {}: {} cases, {} failed, coverage {:.1f} % ({} of {})\n",
                   suite.failed() > 0 || low ? "FAIL" : "ok  ", inert(suite.folder),
                   suite.results.size(), suite.failed(), suite.coverage.percent(),
                   suite.coverage.seen, suite.coverage.all);
    }
    if (context.json) {
        json::Node out = json::Node::object();
        out["suites"] = std::move(list);
        out["cases"] = cases;
        out["failed"] = failed;
        out["covered"] = !uncovered;
        print_json(context, versioned("policy.test", std::move(out)));
    }
    return failed > 0 || uncovered ? kFound : kDone;
}

int test(const Context& context, const TestOptions& options) {
    std::vector<Suite> suites;
    for (const auto& folder : options.folders) {
        auto suite = run_suite(context, options, folder);
        if (!suite) return report(context, suite.error());
        suites.push_back(std::move(*suite));
    }
    if (!options.junit.empty())
        if (const auto written = write_junit(options.junit, suites); !written)
            return report(context, written.error());
    return answer(context, options, suites);
}

}  // namespace

void add_policy_test(Command app, Context& context) {
    auto options = std::make_shared<TestOptions>();
    Command verb =
        app.add_subcommand("test", "Run folders of *.case files and say what they cover");
    verb.add_option("folders", options->folders, "of *.case files").required();
    verb.add_option("--policies", options->policies,
                    "folder of *.cedar files (default: the case folder if it has some, else the "
                    "configuration's)");
    verb.add_option("--catalog", options->catalog,
                    "a saved catalog (default: catalog.json beside the configuration)");
    verb.add_option("--min-coverage", options->min_coverage,
                    "percent of policies satisfied and of conditions seen true and seen false")
        .range(0.0, 100.0);
    verb.add_option("--junit", options->junit, "also write a JUnit XML file");
    verb.footer(
        "Example: writ policy test examples/policies/*/ --min-coverage 90\n"
        "Exit codes: 0 all as expected, 4 a case failed or coverage is too low, 2 a broken file.");
    verb.callback([&context, options] { return test(context, *options); });
}

}  // namespace writ::cli
