#include "cli/config.h"

#include <gtest/gtest.h>

#include "cli/toml_reader.h"

namespace writ::cli {
namespace {

constexpr const char* kAgent = "[[agents]]\nname = \"bot\"\nowner = \"alice\"\n";

TEST(Config, DefaultsAreLoopbackAndDeny) {
    const auto config = parse_config(kAgent, "/etc/writ/writ.toml");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->agents_listen, "127.0.0.1:7420");
    EXPECT_FALSE(config->bearer);
    EXPECT_EQ(config->policies, "/etc/writ/policies");
    EXPECT_EQ(config->agents.at(0).spiffe_id, "spiffe://writ.local/agent/bot");
    ASSERT_EQ(config->people.size(), 1u) << "the uid that runs it has every role";
    EXPECT_TRUE(config->people[0].has(identity::Role::kOperator));
}

TEST(Config, PeopleOnceNamedAreTheOnlyOnes) {
    const auto config = parse_config(
        std::string(kAgent) + "[[people]]\nlogin = \"bob\"\nuid = 7\nroles = [\"viewer\"]\n",
        "w.toml");
    ASSERT_TRUE(config);
    ASSERT_EQ(config->people.size(), 1u);
    EXPECT_EQ(config->people[0].uid, 7u);
    EXPECT_FALSE(config->people[0].has(identity::Role::kOperator));
}

TEST(Config, MistakesSayWhereAndWhatToWrite) {
    const std::pair<const char*, const char*> cases[] = {
        {"polices = \"x\"\n", "w.toml:1:1: unknown key `polices`, did you mean `policies`?"},
        {"reactors = 0\n", "`reactors` must be between 1 and 64"},
        {"reactors = \"two\"\n", "`reactors` must be a whole number"},
        {"tenant = \"A b\"\n", "`A b` is not a name"},
        {"[listen]\nbearer = 1\n", "w.toml:2:10: `listen.bearer` must be true or false"},
        {"[[servers]]\nname = \"x\"\n", "`command` is missing"},
        {"[[servers]]\nname = \"x\"\ncommand = [\"a\"]\n[[servers.tools]]\nname = \"t\"\neffect = "
         "\"reed\"\n",
         "unknown effect `reed`"},
        {"[[domains]]\nname = \"d\"\nsensitivity = \"secret\"\nresources = [\"a\"]\n",
         "unknown sensitivity `secret`"},
        {"[[people]]\nlogin = \"x\"\nroles = [\"root\"]\n", "unknown role `root`"},
        {"servers = 3\n", "`servers` must be a list of tables: [[servers]]"},
        {"x = [1\n", "w.toml:"},
        {"x = 1\nx = 2\n", "w.toml:2"},
    };
    for (const auto& [text, expected] : cases) {
        const auto config = parse_config(std::string(text) + kAgent, "w.toml");
        ASSERT_FALSE(config) << text;
        EXPECT_NE(config.error().message().find(expected), std::string::npos)
            << text << config.error().message();
    }
}

TEST(Config, AServerIsACommandOrAUrl) {
    const auto config = parse_config(
        std::string(kAgent) +
            "[[servers]]\nname = \"web\"\nurl = \"https://tools.example.com/mcp\"\n"
            "bearer_env = \"TOKEN\"\nheader_env = { X-Tenant = \"TENANT\" }\nca_file = "
            "\"ca.pem\"\nin_flight = 8\ntimeout = \"30s\"\ncalls_per_second = 5\n",
        "/etc/writ/writ.toml");
    ASSERT_TRUE(config) << config.error().message();
    const auto& web = config->servers.at(0);
    EXPECT_EQ(web.url, "https://tools.example.com/mcp");
    EXPECT_EQ(web.bearer_env, "TOKEN");
    EXPECT_EQ(web.header_env.at("X-Tenant"), "TENANT");
    EXPECT_EQ(web.ca_file, "/etc/writ/ca.pem");
    EXPECT_EQ(web.in_flight, 8u);
    EXPECT_EQ(web.timeout_s, 30);
    EXPECT_EQ(web.calls_per_second, 5);
    EXPECT_TRUE(web.command.empty());
}

TEST(Config, MistakesAboutServersSayWhatToWrite) {
    const std::string web = "[[servers]]\nname = \"x\"\nurl = \"http://127.0.0.1:1/mcp\"\n";
    const std::string command = "[[servers]]\nname = \"x\"\ncommand = [\"a\"]\n";
    const std::pair<std::string, const char*> cases[] = {
        {"[[servers]]\nname = \"x\"\nurl = \"http://tools.example.com/\"\n", "in the clear"},
        {"[[servers]]\nname = \"x\"\nurl = \"https://u:p@h/\"\n", "secrets come from"},
        {web + "command = [\"a\"]\n", "only one of them"},
        {web + "bearer_env = \"eyJ.secret-token\"\n", "is not the name of an environment variable"},
        {web + "header_env = { Host = \"H\" }\n", "the field `Host` is the gateway's own"},
        {web + "header_env = { X = \"Bearer abc\" }\n", "not a value"},
        {web + "bearer_env = \"A\"\nheader_env = { Authorization = \"B\" }\n", "gateway's own"},
        {web + "ca_file = \"x.pem\"\n", "`ca_file` is for https urls"},
        {web + "env = [\"A\"]\n", "`env` is for servers with `command`"},
        {command + "env = [\"TOKEN=secret-token\"]\n", "write values into `set`"},
        {command + "env = [\"\"]\n", "is not the name of an environment variable"},
        {command + "set = { \"A=B\" = \"c\" }\n", "is not the name of an environment variable"},
        {command + "set = { \"A\\u0000B\" = \"c\" }\n", "is not the name of an environment"},
        {command + "set = { A = \"b\\u0000c\" }\n", "must not hold a NUL character"},
        {"[[servers]]\nname = \"x\"\ncommand = [\"a\", \"b\\u0000c\"]\n", "must not hold a NUL"},
        {web + "in_flight = 0\n", "`in_flight` must be between 1 and 1024"},
        {web + "timeout = \"10m\"\n", "`timeout` must be between 1s and 110s"},
        {"[[servers]]\nname = \"x\"\ncommand = [\"a\"]\nbearer_env = \"A\"\n",
         "`bearer_env` is for servers with `url`"},
    };
    for (const auto& [text, expected] : cases) {
        const auto config = parse_config(text + kAgent, "w.toml");
        ASSERT_FALSE(config) << text;
        EXPECT_NE(config.error().message().find(expected), std::string::npos)
            << text << config.error().message();
        EXPECT_EQ(config.error().message().find("secret-token"), std::string::npos);
    }
}

// What looks like a protection or a name must be one.
TEST(Config, WhatSaysNothingIsRefused) {
    const std::string server = "[[servers]]\nname = \"x\"\ncommand = [\"a\"]\n";
    const std::pair<std::string, const char*> cases[] = {
        {"data = \"\"\n", "`data` is empty"},
        {"policies = \"\"\n", "`policies` is empty"},
        {"[listen]\nagents_socket = \"\"\n", "`agents_socket` is empty"},
        {"[listen]\noperators_socket = \"\"\n", "`operators_socket` is empty"},
        {"[log]\nmirror = \"\"\n", "`mirror` is empty"},
        {server + "cwd = \"\"\n", "`cwd` is empty"},
        {"trust_domain = \"\"\n", "is not a name"},
        {"tenant = \"\"\n", "is not a name"},
        {"[[agents]]\nname = \"\"\nowner = \"a\"\n", "is not a name"},
        {"[[agents]]\nname = \"b\"\nowner = \"\"\n", "`owner` is empty"},
        {"[[agents]]\nname = \"bot\"\nowner = \"a\"\n", "two agents are called `bot`"},
        {"[[people]]\nlogin = \"\"\nuid = 1\n", "`login` is empty"},
        {"[[people]]\nlogin = \"a\"\nuid = 1\n[[people]]\nlogin = \"b\"\nuid = 1\n",
         "`a` has this uid already"},
        {"[vault]\npassphrase_file = \"pw\"\n", "protects nothing here"},
        {"[vault]\nmodule = \"p11.so\"\n", "`module` is for custody = \"pkcs11\""},
        {"data = \"/d\"\n[log]\nmirror = \"/d/log/default/gw-1\"\n", "`mirror` is inside `data`"},
        {"[log]\nwitness_ca_file = \"x.pem\"\n", "is for the witnesses of `policy`"},
        {server + "url = \"http://127.0.0.1:1/mcp\"\n", "only one of them"},
    };
    for (const auto& [text, expected] : cases) {
        const auto config = parse_config(text + kAgent, "w.toml");
        ASSERT_FALSE(config) << text;
        EXPECT_NE(config.error().message().find(expected), std::string::npos)
            << text << config.error().message();
    }
    EXPECT_TRUE(parse_config(std::string("data = \"/d\"\n[log]\nmirror = \"/d2\"\n") + kAgent, ""));
}

TEST(Config, AnAgentNeedsAnOwner) {
    const auto config = parse_config("[[agents]]\nname = \"bot\"\n", "w.toml");
    ASSERT_FALSE(config);
    EXPECT_NE(config.error().message().find("`agents[0].owner` is missing"), std::string::npos);
    EXPECT_FALSE(parse_config("", "w.toml"));
}

TEST(TomlTable, DurationsHaveAUnit) {
    auto table = *TomlTable::parse("a = \"15m\"\nb = 90\nc = \"7d\"\n", "t");
    EXPECT_EQ(table.seconds("a", 0), 900);
    EXPECT_EQ(table.seconds("b", 0), 90);
    EXPECT_EQ(table.seconds("c", 0), 604'800);
    EXPECT_TRUE(table.finish());
    for (const char* bad : {"\"15\"", "\"m\"", "\"1h30m\"", "-5", "1.5", "\"99999999999d\""}) {
        auto wrong = *TomlTable::parse(std::string("a = ") + bad, "t");
        (void)wrong.seconds("a", 0);
        EXPECT_FALSE(wrong.finish()) << bad;
    }
}

TEST(TomlTable, TheFirstErrorIsTheOneReported) {
    auto table = *TomlTable::parse("a = 1\nb = 2\n", "t");
    (void)table.string("a");
    (void)table.string("b");
    EXPECT_EQ(table.finish().error().at.line, 1u);
}

TEST(Closest, SuggestsOnlyWhatCanBeMeant) {
    EXPECT_EQ(closest("tol", {"tools", "tool"}), "tool");
    EXPECT_EQ(closest("xyzzy", {"tools", "tool"}), std::nullopt);
}

}  // namespace
}  // namespace writ::cli
