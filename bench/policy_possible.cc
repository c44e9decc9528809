// What tools/list asks of the policies, timed: policy_possible TOOLS POLICIES
//
// TOOLS tools of ten servers, with arguments of several types, and POLICIES policies over them: by
// tool, effect, server or for all. For each tool Engine::possible() says whether some arguments
// could be permitted. Prints one JSON object: p50 and p99 of asking for all tools, one after the
// other on one thread.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "json/node.h"
#include "policy/policy.h"

using namespace writ;

namespace {

using Steady = std::chrono::steady_clock;
constexpr std::size_t kServers = 10;
constexpr std::int64_t kNow_us = 1'795'460'000'000'000;

constexpr const char* kTool = R"({{"name":"tool_{}","inputSchema":{{"type":"object",
    "additionalProperties":false,"required":["to","amount"],"properties":{{
    "to":{{"type":"string"}},"amount":{{"type":"integer"}},"memo":{{"type":"string"}},
    "mode":{{"enum":["fast","safe"]}},"at":{{"type":"object","additionalProperties":false,
    "properties":{{"place":{{"type":"string"}}}}}}}}}}}})";

std::unique_ptr<catalog::Catalog> catalog_of(std::size_t tools) {
    std::vector<catalog::ServerSpec> servers(kServers);
    for (std::size_t s = 0; s < kServers; ++s) {
        servers[s].name = fmt::format("s{}", s);
        servers[s].command = {"none"};
    }
    auto catalog = catalog::Catalog::make(servers, {}, {});
    if (!catalog) return nullptr;
    for (std::size_t s = 0; s < kServers; ++s) {
        std::string listed;
        for (std::size_t i = s; i < tools; i += kServers)
            listed += (listed.empty() ? "[" : ",") + fmt::format(fmt::runtime(kTool), i);
        listed = listed.empty() ? "[]" : listed + "]";
        const auto document = json::parse(listed);
        if (!document || !(*catalog)->update(servers[s].name, document->root())) return nullptr;
    }
    return std::move(*catalog);
}

std::string policies_of(std::size_t count, std::size_t tools) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t tool = i % tools, server = tool % kServers;
        switch (i % 5) {
            case 0:
            case 1:
                out += fmt::format(
                    "permit (principal, action == Writ::Action::\"s{}/tool_{}\", resource) when {{ "
                    "context.input.amount <= {} && context.task.depth < 4 }};\n",
                    server, tool, i);
                break;
            case 2:
                out += fmt::format(
                    "permit (principal, action in Writ::Action::\"server:s{}\", resource) when {{ "
                    "context.input has memo && context.input.memo like \"rent {}*\" }};\n",
                    server, i);
                break;
            case 3:
                out += fmt::format(
                    "forbid (principal, action, resource) when {{ context.subject == "
                    "\"person:{}\" }};\n",
                    i);
                break;
            default:
                out += fmt::format(
                    "forbid (principal, action in Writ::Action::\"effect:write\", resource) when "
                    "{{ context.input.to == \"blocked-{}\" }};\n",
                    i);
        }
    }
    return out;
}

std::shared_ptr<const identity::Task> task_of(const std::shared_ptr<const identity::Agent>& agent) {
    auto task = std::make_shared<identity::Task>();
    task->agent = agent;
    task->spec.subject = "person:alice";
    task->spec.purpose = "pay the rent";
    std::vector<std::string> all;
    for (std::size_t s = 0; s < kServers; ++s) all.push_back(fmt::format("s{}/*", s));
    task->spec.grants = {{all, {}, "", 0}};
    return task;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: policy_possible TOOLS POLICIES\n", stderr);
        return 2;
    }
    const std::size_t tools = std::max(1UL, std::strtoul(argv[1], nullptr, 10));
    const std::size_t count = std::max(1UL, std::strtoul(argv[2], nullptr, 10));
    const auto catalog = catalog_of(tools);
    auto agent = std::make_shared<identity::Agent>();
    agent->name = "bot";
    agent->spiffe_id = "spiffe://bench/agent/bot";
    if (!catalog) return 1;
    auto engine = policy::Engine::make({{"policies/bench.cedar", policies_of(count, tools)}},
                                       {agent}, catalog->snapshot());
    if (!engine || (*engine)->report().error()) {
        std::fprintf(stderr, "policy_possible: %s\n",
                     !engine ? engine.error().message().c_str()
                             : (*engine)->report().error()->message().c_str());
        return 1;
    }
    const auto task = task_of(agent);
    constexpr int kRounds = 60, kWarm = 10;
    std::vector<double> us;
    std::size_t shown = 0;
    for (int round = 0; round < kRounds + kWarm; ++round) {
        shown = 0;
        const auto start = Steady::now();
        for (const auto& tool : catalog->snapshot()->tools())
            shown += (*engine)->possible(*task, *tool, kNow_us) ? 1 : 0;
        if (round >= kWarm)
            us.push_back(std::chrono::duration<double, std::micro>(Steady::now() - start).count());
    }
    std::sort(us.begin(), us.end());
    json::Node row = json::Node::object();
    row["tools"] = catalog->snapshot()->tools().size();
    row["policies"] = (*engine)->policies();
    row["shown"] = shown;
    row["p50_us"] = us[us.size() / 2];
    row["p99_us"] = us[us.size() - 1];
    std::puts(row.dump().c_str());
    return 0;
}
