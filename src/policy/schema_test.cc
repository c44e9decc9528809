#include "policy/schema.h"

#include <gtest/gtest.h>

#include <memory>

namespace writ::policy {
namespace {

std::shared_ptr<const catalog::Snapshot> catalog_of(const std::string& tools) {
    catalog::ServerSpec server;
    server.name = "fs";
    server.command = {"fs"};
    auto made = catalog::Catalog::make({server}, {}, {});
    EXPECT_TRUE(made);
    const auto listed = json::parse(tools);
    EXPECT_TRUE((*made)->update("fs", listed->root()));
    return (*made)->snapshot();
}

TEST(SchemaText, OneActionATool) {
    const auto snapshot = catalog_of(
        R"([{"name":"read-file","inputSchema":{"type":"object","additionalProperties":false,
             "properties":{"content-type":{"type":"string"},"in":{"type":"integer"}}}}])");
    const Shapes shapes(*snapshot);
    const auto text =
        schema_text({*snapshot, shapes, {"fs", "bank"}, {"bank/pay", "nobody/x"}, {}});
    ASSERT_TRUE(text);
    EXPECT_NE(text->find(R"(type fs__2fread__2dfile = { "content-type"?: String, "in"?: Long };)"),
              std::string::npos)
        << *text;
    EXPECT_NE(text->find(R"(action "fs/read-file" in ["effect:write", "server:fs"] appliesTo)"),
              std::string::npos)
        << *text;
    EXPECT_NE(text->find(R"(action "bank/pay" in ["server:bank"];)"), std::string::npos);
    EXPECT_EQ(text->find("nobody"), std::string::npos);
}

TEST(SchemaText, TheOrderOfAListDoesNotShow) {
    const std::string a = R"({"name":"a","inputSchema":{"type":"object"}})";
    const std::string b = R"({"name":"b","inputSchema":{"type":"object"}})";
    const auto one = catalog_of("[" + a + "," + b + "]");
    const auto two = catalog_of("[" + b + "," + a + "]");
    EXPECT_EQ(*schema_text({*one, Shapes(*one), {"fs"}, {}, {}}),
              *schema_text({*two, Shapes(*two), {"fs"}, {}, {}}));
}

}  // namespace
}  // namespace writ::policy
