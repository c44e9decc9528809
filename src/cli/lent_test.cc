// Defends: what is lent to tool servers is looked for in answers, or nobody serves.
#include "cli/lent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace writ::cli {
namespace {

using ::testing::HasSubstr;

constexpr const char* kOddName = "npm_config_//registry.example/:_authToken";

std::vector<catalog::ServerSpec> lending(std::map<std::string, std::string> set) {
    catalog::ServerSpec server;
    server.name = "fs";
    server.set = std::move(set);
    return {server};
}

TEST(LentSecrets, OneOddNameLeavesNoneUnguarded) {
    const auto made = lent_secrets(
        lending({{"GH_TOKEN", "ghp_0123456789abcdef"}, {kOddName, "npm-very-secret"}}));
    ASSERT_TRUE(made) << made.error().message();
    gate::SecretScan scan(*made);
    EXPECT_EQ(scan.pass(R"({"text":"ghp_0123456789abcdef npm-very-secret"})") + scan.rest(),
              R"({"text":"[withheld: GH_TOKEN] [withheld: )" + std::string(kOddName) + R"(]"})");
}

TEST(LentSecrets, TooManyAreAnError) {
    std::map<std::string, std::string> set;
    for (std::size_t i = 0; i <= gate::kMaxSecrets; ++i)
        set.emplace("TOKEN_" + std::to_string(i) + "_KEY", "secret-value-" + std::to_string(i));
    const auto made = lent_secrets(lending(set));
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().message(), HasSubstr("257"));
    set.erase(set.begin());
    EXPECT_TRUE(lent_secrets(lending(set)));
}

}  // namespace
}  // namespace writ::cli
