// Defends: what a reload may change is told from what it may not, by the names operators write.
#include "cli/reload.h"

#include <gtest/gtest.h>

#include "cli/idle_rules.h"

namespace writ::cli {
namespace {

constexpr const char* kBase = R"(
data = "/var/lib/writ"
[listen]
agents = "127.0.0.1:7420"
[[agents]]
name = "bot"
owner = "alice"
groups = ["a"]
[[agents]]
name = "other"
owner = "bob"
[[people]]
login = "alice"
uid = 1000
roles = ["operator"]
[[servers]]
name = "fs"
command = ["server", "x"]
timeout = "5s"
[[servers.tools]]
name = "read"
effect = "read"
[[domains]]
name = "notes"
resources = ["file:///notes/**"]
)";

Config config(std::string text) {
    auto made = parse_config(text, "/etc/writ/writ.toml");
    EXPECT_TRUE(made.has_value()) << made.error().message();
    return std::move(*made);
}

Difference changed(const std::string& from, const std::string& to) {
    std::string text = kBase;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    return difference(config(kBase), config(text.replace(at, from.size(), to)));
}

using Lines = std::vector<std::string>;

TEST(Difference, TheSameIsNone) {
    const auto none = difference(config(kBase), config(kBase));
    EXPECT_TRUE(none.reloads.empty());
    EXPECT_TRUE(none.restarts.empty());
    EXPECT_TRUE(changed("[listen]", "# a comment\n[listen]").reloads.empty());
}

TEST(Difference, WhatCannotBeReloadedIsNamed) {
    EXPECT_EQ(changed("/var/lib", "/srv").restarts, Lines{"data"});
    EXPECT_EQ(changed("7420", "7421").restarts, Lines{"listen.agents"});
    EXPECT_EQ(changed("[listen]", "reactors = 2\n[listen]").restarts, Lines{"reactors"});
    EXPECT_EQ(changed("[listen]", "[redact]\nfields = [\"pin\"]\n[listen]").restarts,
              Lines{"[redact]"});
    EXPECT_EQ(changed("[listen]", "[log]\nheartbeat = \"9s\"\n[listen]").restarts, Lines{"[log]"});
}

TEST(Difference, AgentsAndPeople) {
    EXPECT_EQ(changed("[\"a\"]", "[\"a\", \"b\"]").reloads, Lines{"agent bot: groups"});
    const auto renamed = changed("\"other\"", "\"new\"");
    EXPECT_EQ(renamed.reloads, (Lines{"agent new: new", "agent other: gone"}));
    EXPECT_EQ(renamed.gone_agents, std::set<std::string>{"other"});
    EXPECT_EQ(changed("[\"operator\"]", "[\"viewer\"]").reloads, Lines{"person alice: roles"});
}

TEST(Difference, ServersStartedOtherwiseAreToldFromLimitsAndRules) {
    const auto limits = changed("\"5s\"", "\"6s\"");
    EXPECT_EQ(limits.reloads, Lines{"server fs: timeout"});
    EXPECT_TRUE(limits.restarted_servers.empty());
    const auto rules = changed("effect = \"read\"", "effect = \"send\"");
    EXPECT_EQ(rules.reloads, Lines{"server fs: tools"});
    EXPECT_TRUE(rules.restarted_servers.empty());
    const auto command = changed("\"x\"", "\"y\"");
    EXPECT_EQ(command.reloads, Lines{"server fs: command"});
    EXPECT_EQ(command.restarted_servers, std::set<std::string>{"fs"});
    EXPECT_EQ(changed("/notes/**", "/**").reloads, Lines{"domain notes: resources"});
}

TEST(PolicyDifference, ByFile) {
    const PolicyTexts now = {{"/p/a.cedar", "x"}, {"/p/b.cedar", "y"}};
    const PolicyTexts next = {{"/q/a.cedar", "x"}, {"/q/b.cedar", "z"}, {"/q/c.cedar", ""}};
    EXPECT_TRUE(policy_difference(now, now).empty());
    EXPECT_EQ(policy_difference(now, next),
              (Lines{"policy b.cedar: changed", "policy c.cedar: new"}));
}

TEST(IdleRules, AMisspeltToolIsNamedOnceItsServerLists) {
    catalog::ServerSpec fs;
    fs.name = "fs";
    for (const char* name : {"raed", "write", "something_else"})
        fs.tools.emplace_back().tool = name;
    const auto lines = idle_rules(fs, {"read", "write"});
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0],
              "server `fs` lists no tool `raed`: its [[servers.tools]] does nothing, did you mean "
              "`read`?");
    EXPECT_EQ(lines[1],
              "server `fs` lists no tool `something_else`: its [[servers.tools]] does nothing");
    EXPECT_TRUE(idle_rules(fs, {}).empty()) << "nothing is known of them";
}

}  // namespace
}  // namespace writ::cli
