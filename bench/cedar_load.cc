// Loading policies, timed: cedar_load DIR CASE
//
// Reads DIR/CASE.cedar and DIR/CASE.cedarschema, then, in one measurement, parses the policies,
// files them in the index and validates them all against the schema, which is resident. Prints one
// JSON object: wall and CPU time, the parts, the memory that the policies keep, and the highest
// resident memory of the process, which holds the text, the schema and one set.
#include <malloc.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>

#include "cedar/cedar.h"
#include "cedar/schema.h"
#include "cedar/validator.h"
#include "json/node.h"

namespace cedar = writ::cedar;

namespace {

double us_now(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

std::string read_file(const std::string& name) {
    std::ifstream in(name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

std::int64_t heap_bytes() {
    return static_cast<std::int64_t>(mallinfo2().uordblks);
}

int failed(const std::string& why) {
    std::fprintf(stderr, "cedar_load: %s\n", why.c_str());
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return failed("usage: cedar_load DIR CASE");
    const std::string base = std::string(argv[1]) + "/" + argv[2];
    const std::string text = read_file(base + ".cedar");
    auto schema = cedar::Schema::parse(read_file(base + ".cedarschema"));
    if (!schema) return failed(schema.error().message());
    const cedar::Validator validator(*schema);

    const std::int64_t before = heap_bytes();
    const double wall = us_now(CLOCK_MONOTONIC), cpu = us_now(CLOCK_PROCESS_CPUTIME_ID);
    const auto policies = cedar::PolicySet::parse(text);
    const double parsed = us_now(CLOCK_MONOTONIC);
    if (!policies) return failed(policies.error().message());
    const cedar::Validation found = validator.validate(*policies);
    const double wall_end = us_now(CLOCK_MONOTONIC), cpu_end = us_now(CLOCK_PROCESS_CPUTIME_ID);
    if (!found.passed()) return failed(found.findings.front().text());

    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto count = static_cast<std::int64_t>(std::max<std::size_t>(1, policies->size()));
    writ::json::Node row = writ::json::Node::object();
    row["policies"] = count;
    row["load_us"] = static_cast<std::int64_t>(wall_end - wall);
    row["load_cpu_us"] = static_cast<std::int64_t>(cpu_end - cpu);
    row["parse_and_index_us"] = static_cast<std::int64_t>(parsed - wall);
    row["validate_us"] = static_cast<std::int64_t>(wall_end - parsed);
    row["bytes_per_policy"] = (heap_bytes() - before) / count;
    row["peak_rss_kb"] = static_cast<std::int64_t>(usage.ru_maxrss);
    std::puts(row.dump().c_str());
    return 0;
}
