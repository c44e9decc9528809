// Defends: every message of a batch is decided by itself, and the answers of those that were
// carried out reach the client.
#include <gtest/gtest.h>

#include <string>

#include "doors/mcp/test_door.h"

namespace writ::mcp {
namespace {

class BatchTest : public DoorTest {
  protected:
    void SetUp() override { serve("echo"); }
    void serve(const std::string& mode, DoorOptions options = {}) {
        make(mode, std::move(options));
        open();
    }
    void open() {
        const auto hello = post(initialize("2025-03-26"));
        id_ = std::string(*hello.headers.get("MCP-Session-Id"));
    }
    static std::string call(int id) {
        return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
               R"(,"method":"tools/call","params":{"name":"fs__a","arguments":{}}})";
    }
};

TEST_F(BatchTest, BatchesAreOfRevision20250326Only) {
    const std::string batch = R"([{"jsonrpc":"2.0","id":1,"method":"ping"},)"
                              R"({"jsonrpc":"2.0","method":"notifications/initialized"},)"
                              R"( {"jsonrpc":"2.0","id":"b","method":"x/y"}])";
    DoorTest::open();
    EXPECT_EQ(post(batch).status, 400);
    open();
    const auto answered = post(batch);
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(answered.body,
              R"([{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":"b","error":)"
              R"({"code":-32601,"message":"Method not found"}}])");
    EXPECT_EQ(post(R"([{"jsonrpc":"2.0","method":"notifications/initialized"}])").status, 202);
}

// Elsewhere a denied call went past the check inside an array; here every member is a call.
TEST_F(BatchTest, EveryMemberOfABatchIsDecided) {
    gate_.refuse = gate::Refusal{};
    const auto refused = post("[" + call(1) + "," + call(2) + "]");
    EXPECT_EQ(gate_.calls.size(), 2u);
    EXPECT_EQ(refused.body.find("\"result\""), std::string::npos);
    EXPECT_EQ(received(), "");
    gate_.calls.clear();
    // One bad member, and nothing of the whole happens.
    for (const std::string& bad :
         {std::string("{}"), std::string("[]"), std::string("1"), initialize(), call(1),
          std::string(R"({"jsonrpc":"2.0","id":9,"result":{}})"),
          std::string(R"({"jsonrpc":"2.0","id":null,"method":"ping"})")})
        EXPECT_EQ(post("[" + call(1) + "," + bad + "]").status, 400) << bad;
    EXPECT_EQ(post("[]").status, 400);
    std::string many = "[";
    for (std::size_t i = 0; i <= kMaxBatch; ++i) many += (i ? "," : "") + call(static_cast<int>(i));
    EXPECT_EQ(post(many + "]").status, 400);
    EXPECT_TRUE(gate_.calls.empty());
    end_task(identity::TaskState::kEnded);
    EXPECT_EQ(post("[" + call(1) + "]").status, 401);
}

// Not JSON is a parse error in an array as well, whatever the revision (message.h).
TEST_F(BatchTest, WhatIsNotJsonIsAParseError) {
    const std::string deep(kMaxJsonDepth, '[');
    const std::string bad[] = {
        R"([{"jsonrpc":"2.0","id":1,)",
        "[" + call(1) + "] " + call(2),
        R"([{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}])",
        "[{\"jsonrpc\":\"2.0\",\"id\":\"\xff\",\"method\":\"ping\"}]",
        "[" + deep + std::string(kMaxJsonDepth, ']') + "]",
    };
    for (const bool newest : {false, true}) {
        newest ? DoorTest::open() : BatchTest::open();
        for (const auto& text : bad) {
            const auto response = post(text);
            EXPECT_EQ(response.status, 400) << text;
            EXPECT_NE(response.body.find(R"("code":-32700,)"), std::string::npos) << text;
        }
    }
    EXPECT_NE(post("[]").body.find(R"("code":-32600,)"), std::string::npos);
    EXPECT_TRUE(gate_.calls.empty());
}

}  // namespace
}  // namespace writ::mcp
