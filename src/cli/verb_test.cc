// The command line as a whole: what is a usage error, and what --help has.
#include "cli/verb.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace writ::cli {
namespace {

struct Ran {
    int code;
    std::string out, err;
};

Ran run(std::vector<std::string> line) {
    line.insert(line.begin(), "writ");
    std::vector<char*> argv;
    for (auto& word : line) argv.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = main(static_cast<int>(argv.size()), argv.data());
    std::string out = testing::internal::GetCapturedStdout();
    return {code, std::move(out), testing::internal::GetCapturedStderr()};
}

TEST(CommandLine, AWrongOneIsAUsageErrorThatNamesTheOption) {
    const struct {
        std::vector<std::string> line;
        std::string named;
    } cases[] = {
        {{}, "subcommand"},
        {{"task"}, "subcommand"},
        {{"no-such-verb"}, "`no-such-verb`"},
        {{"task", "strat", "task.toml"}, "`strat`"},
        {{"polcy\x1b[2J"}, "`polcy\\x1b"},
        {{"task", "show"}, "task"},
        {{"run", "--task", "a.toml"}, "command"},
        {{"run", "--task", "a.toml", "--in", "t", "agent"}, "--task"},
        {{"catalog", "show", "no-slash"}, "server/tool"},
        {{"evidence", "export", "--format", "xml"}, "--format"},
        {{"evidence", "export", "--cursor", "c", "--from", "3"}, "--cursor"},
        {{"evidence", "search", "-n", "0"}, "--limit"},
        {{"evidence", "search", "-n", "many"}, "--limit"},
        {{"evidence", "search", "--verdict", "Permit"}, "--verdict"},
        {{"evidence", "verify", "--bundle", "b", "--receipt", "r"}, "--bundle"},
        {{"policy", "fmt", "--indent", "17", "p"}, "--indent"},
        {{"policy", "test", "--min-coverage", "100.5", "f"}, "--min-coverage"},
    };
    for (const auto& [line, named] : cases) {
        const Ran ran = run(line);
        EXPECT_EQ(ran.code, kUsage) << named;
        EXPECT_NE(ran.err.find(named), std::string::npos) << ran.err << " does not name " << named;
        EXPECT_EQ(ran.out, "");
    }
}

TEST(CommandLine, WhatFollowsTheAgentIsTheAgents) {
    // --json and -q are options of `writ` and `writ run` too. Without the file nothing is started.
    const Ran ran = run({"run", "--task", "/no/such/task.toml", "agent", "--json", "-q"});
    EXPECT_EQ(ran.code, kFailed);
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err.find("/no/such/task.toml"), std::string::npos) << ran.err;
}

TEST(CommandLine, HelpOfEveryVerbHasAnExample) {
    for (const Verb& verb : verbs()) {
        const Ran ran = run({verb.name, "--help"});
        EXPECT_EQ(ran.code, kDone) << verb.name;
        EXPECT_NE(ran.out.find("Example: writ "), std::string::npos) << ran.out;
    }
    const Ran shown = run({"policy", "fmt", "--help"});
    EXPECT_NE(shown.out.find("[1 - 1000]=80"), std::string::npos) << shown.out;
}

}  // namespace
}  // namespace writ::cli
