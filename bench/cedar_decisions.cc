// Decisions of the Cedar engine, timed: cedar_decisions DIR [CASE…]
//
// DIR/CASE.cedar, DIR/CASE.entities.json and DIR/CASE.request.json ({"principal", "action",
// "resource": {"type", "id"}, "context"}) make a case; entities and policies are resident. Prints
// one JSON object a line: the answer, to be compared with the reference's, p50 and p99 of a
// decision, the cost of parsing, and the memory that the policies take.
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "cedar/cedar.h"
#include "json/node.h"
#include "json/value.h"

namespace cedar = writ::cedar;
namespace json = writ::json;

namespace {

using Clock = std::chrono::steady_clock;

double ns_since(Clock::time_point start) {
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

std::string read_file(const std::string& name) {
    std::ifstream in(name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

cedar::EntityUid uid_of(const json::Value& request, const char* role) {
    const auto uid = request.find(role);
    if (!uid) return {};
    return {std::string(uid->string("type").value_or("")),
            std::string(uid->string("id").value_or(""))};
}

std::int64_t heap_bytes() {
    return static_cast<std::int64_t>(mallinfo2().uordblks);
}

double at(const std::vector<double>& sorted, double quantile) {
    return sorted[static_cast<std::size_t>(quantile * static_cast<double>(sorted.size() - 1))];
}

// Batches, because one decision is not much longer than reading the clock.
void time_decisions(const cedar::Request& request, const cedar::PolicySet& policies,
                    const cedar::Entities& entities, json::Node& row) {
    constexpr int kBatch = 32, kBatches = 4'000;
    cedar::Scratch scratch;
    std::size_t seen = 0;
    std::vector<double> ns;
    for (int i = 0; i < kBatches + kBatches / 10; ++i) {
        const auto start = Clock::now();
        for (int j = 0; j < kBatch; ++j)
            seen += cedar::authorize(request, policies, entities, scratch).reason.size();
        if (i >= kBatches / 10) ns.push_back(ns_since(start) / kBatch);
    }
    std::sort(ns.begin(), ns.end());
    row["p50_ns"] = static_cast<std::int64_t>(at(ns, 0.5));
    row["p99_ns"] = static_cast<std::int64_t>(at(ns, 0.99));
    row["min_ns"] = static_cast<std::int64_t>(ns.front());
    row["reasons_seen"] = seen;
}

int run(const std::string& folder, const std::string& name) {
    const std::string base = folder + "/" + name;
    const std::string text = read_file(base + ".cedar");
    const std::int64_t before = heap_bytes();
    auto start = Clock::now();
    const auto policies = cedar::PolicySet::parse(text, {.file = name + ".cedar"});
    const double parse_ns = ns_since(start);
    const std::int64_t after = heap_bytes();
    const auto entities = cedar::Entities::parse_json(read_file(base + ".entities.json"));
    const std::string request_text = read_file(base + ".request.json");
    const auto document = json::parse(request_text);
    if (!policies || !entities || !document) {
        std::fprintf(stderr, "%s: %s\n", base.c_str(),
                     !policies   ? policies.error().message().c_str()
                     : !entities ? entities.error().message().c_str()
                                 : document.error().message().c_str());
        return 1;
    }
    const json::Value root = document->root();
    const auto context = root.find("context");
    auto record = context ? cedar::Value::from_json(*context) : cedar::Value::record({});
    if (!record) return 1;
    const cedar::Request request{uid_of(root, "principal"), uid_of(root, "action"),
                                 uid_of(root, "resource"), *record};
    json::Node row = json::Node::object();
    row["case"] = name;
    row["policies"] = policies->size();
    const cedar::Response answer = cedar::authorize(request, *policies, *entities);
    row["decision"] = answer.decision == cedar::Decision::kAllow ? "allow" : "deny";
    row["reasons"] = answer.reason.size();
    row["errors"] = answer.errors.size();
    row["parse_us"] = static_cast<std::int64_t>(parse_ns / 1'000);
    const auto count = static_cast<std::int64_t>(std::max<std::size_t>(1, policies->size()));
    row["bytes_per_policy"] = (after - before) / count;
    time_decisions(request, *policies, *entities, row);
    std::puts(row.dump().c_str());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fputs("usage: cedar_decisions DIR CASE...\n", stderr);
        return 2;
    }
    for (int i = 2; i < argc; ++i)
        if (run(argv[1], argv[i]) != 0) return 1;
    return 0;
}
