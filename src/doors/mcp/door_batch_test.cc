// Defends: every message of a batch is decided by itself, and the answers of those that were
// carried out reach the client.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

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
    static std::string ping(int id) {
        return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"ping"})";
    }
    static std::string pong(int id) {
        return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":{}})";
    }
    static std::string error(int id, int code, const std::string& why) {
        return error_text(std::to_string(id), code, why);
    }
    static std::string cancelled(int id) { return error(id, -32800, "cancelled by the client"); }
    void cancel(int id) {
        EXPECT_EQ(post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":)"
                       R"({"requestId":)" +
                       std::to_string(id) + "}}")
                      .status,
                  202);
    }
    std::size_t sent() const { return testing_peer::count(received(), R"("method":"tools/call")"); }
};

const std::string kTooLarge =
    "the answers in front of this one are too large to wait for it; nothing was done, send it "
    "again alone";

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

// The tool servers' answers may be 4 MiB each, and wait until the last of the batch has ended.
TEST_F(BatchTest, HoldsTwoOfTheLargestAnswersAtMost) {
    const std::string large(kMaxBatchAnswersBytes / 4 * 3, 'x');
    gate_.script.chunk = [&](std::string) {
        return Result<std::string>(R"({"content":[{"type":"text","text":")" + large + R"("}]})");
    };
    const auto response = post("[" + call(1) + "," + call(2) + "," + call(3) + "," + ping(4) + "]");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(gate_.calls.size(), 2u);
    EXPECT_EQ(sent(), 2u);
    EXPECT_LT(response.body.size(), 2 * kMaxUpstreamMessageBytes);
    EXPECT_TRUE(response.body.ends_with("}," + error(3, -32603, kTooLarge) + "," +
                                        error(4, -32603, kTooLarge) + "]"));
    EXPECT_EQ(testing_peer::count(response.body, R"("text":"xx)"), 2u);
    // Alone it is carried out.
    EXPECT_GT(post("[" + call(3) + "]").body.size(), large.size());
}

// A call that hangs keeps the answers before it; those of all connections together are bounded.
TEST_F(BatchTest, WhatWaitsInAllBatchesIsBounded) {
    serve("hang");
    catalog::Tool tool;
    tool.server = "fs";
    tool.name = "a";
    tool.definition = R"({"description":")" + std::string(3 << 20, 'x') + R"(","name":"a"})";
    gate_.tools = {std::make_shared<const catalog::Tool>(tool)};
    const auto list = [](int id) {
        return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"tools/list"})";
    };
    const std::size_t most = kMaxWaitingAnswersBytes / (3 << 20);
    std::vector<std::shared_ptr<Beside>> batches;
    for (int i = 0; i < static_cast<int>(most); ++i)
        batches.push_back(begin("POST", "[" + list(1000 + i) + "," + call(i) + "]"));
    ASSERT_TRUE(eventually([&] { return sent() == most; }));
    const std::string last = "[" + list(2000) + "," + ping(2001) + "]";
    EXPECT_TRUE(post(last).body.ends_with("}," + error(2001, -32603, kTooLarge) + "]"));
    EXPECT_EQ(post("[" + ping(1) + "," + ping(2) + "]").status, 400);  // in flight, both
    for (int i = 0; i < static_cast<int>(most); ++i) cancel(i);
    ASSERT_TRUE(eventually(
        [&] { return std::ranges::all_of(batches, [](const auto& b) { return b->over; }); }));
    EXPECT_TRUE(post(last).body.ends_with("}," + pong(2001) + "]"));
}

TEST_F(BatchTest, ARequestThatWaitsForItsTurnCanBeTakenBack) {
    serve("hang");
    const auto batch =
        begin("POST", "[" + call(1) + "," + call(2) + "," + ping(3) + "," + ping(4) + "]");
    ASSERT_TRUE(eventually([&] { return sent() == 1; }));
    cancel(2);
    cancel(3);
    cancel(1);
    ASSERT_TRUE(eventually([&] { return batch->over; }));
    EXPECT_EQ(batch->responder.response.body,
              "[" + cancelled(1) + "," + cancelled(2) + "," + cancelled(3) + "," + pong(4) + "]");
    EXPECT_EQ(gate_.calls.size(), 1u);
    EXPECT_EQ(sent(), 1u);
}

TEST_F(BatchTest, IdsOfItsRequestsAreInFlightFromTheStart) {
    serve("hang");
    const auto batch = begin("POST", "[" + call(1) + "," + call(2) + "]");
    ASSERT_TRUE(eventually([&] { return sent() == 1; }));
    for (const std::string& again : {call(2), "[" + call(3) + "," + call(2) + "]"}) {
        const auto refused = post(again);
        EXPECT_EQ(refused.status, 400);
        EXPECT_EQ(refused.body, error(2, -32600, "this id is in flight already"));
    }
    EXPECT_EQ(gate_.calls.size(), 1u);
    cancel(2);
    cancel(1);
    ASSERT_TRUE(eventually([&] { return batch->over; }));
    const std::string pings = "[" + ping(1) + "," + ping(2) + "," + ping(3) + "]";
    EXPECT_EQ(post(pings).body, "[" + pong(1) + "," + pong(2) + "," + pong(3) + "]");
    EXPECT_EQ(post(pings).status, 200);
}

// The log stops taking decisions after the first call: it was made, and its client hears of it.
TEST_F(BatchTest, AMemberThatCannotBeRecordedFailsAlone) {
    gate_.script.close = [this] {
        gate_.refuse = gate::Refusal{};
        gate_.refuse->kind = gate::RefusalKind::kUnrecordable;
        return Status{};
    };
    const auto response = post("[" + call(1) + "," + call(2) + "," + ping(3) + "]");
    EXPECT_EQ(response.status, 200);
    EXPECT_TRUE(response.body.starts_with(R"([{"jsonrpc":"2.0","id":1,"result":{"content":[],)"))
        << response.body;
    EXPECT_TRUE(response.body.ends_with(
        "}," + error(2, -32603, "the evidence log cannot be written; nothing was done") + "," +
        pong(3) + "]"))
        << response.body;
    EXPECT_EQ(sent(), 1u);
}

TEST_F(BatchTest, WhatIsLeftWhenTheProtocolSessionEndsIsNotDone) {
    serve("hang");
    const auto batch = begin("POST", "[" + ping(1) + "," + call(2) + "," + call(3) + "]");
    ASSERT_TRUE(eventually([&] { return sent() == 1; }));
    EXPECT_EQ(ask(handler_, "DELETE", "/secret", "").status, 204);
    ASSERT_TRUE(eventually([&] { return batch->over; }));
    const auto& response = batch->responder.response;
    EXPECT_EQ(response.status, 200);
    EXPECT_TRUE(response.body.starts_with("[" + pong(1) + R"(,{"jsonrpc":"2.0","id":2,"result":)"))
        << response.body;
    EXPECT_TRUE(response.body.ends_with(
        "}," + error(3, -32603, "the session has ended; nothing was done") + "]"))
        << response.body;
    EXPECT_EQ(gate_.calls.size(), 1u);
}

// Dead is dead: no output leaves after the end, of earlier calls neither; that there was some does.
TEST_F(BatchTest, AfterDeathNothingIsDoneAndNoAnswerLeaves) {
    for (const auto kind : {gate::RefusalKind::kUnauthenticated, gate::RefusalKind::kForbidden}) {
        serve("echo");
        gate_.refuse.reset();
        gate_.calls.clear();
        gate_.meanwhile = [&] {
            if (gate_.calls.size() != 2) return;
            end_task(identity::TaskState::kRevoked);
            gate_.refuse = gate::Refusal{};
            gate_.refuse->kind = kind;
        };
        const auto response = post("[" + call(1) + "," + call(2) + "," + call(3) + "]");
        EXPECT_EQ(response.status, 401);
        const bool second = kind == gate::RefusalKind::kForbidden;  // was answered, before its end
        EXPECT_EQ(response.body,
                  R"({"error":"invalid_token","error_description":"task revoked; the answers to )" +
                      std::string(second ? "2" : "1") +
                      R"( of the batch's requests are withheld"})");
        EXPECT_EQ(gate_.calls.size(), 2u);
    }
    // The last one, too.
    make("echo");
    open();
    gate_.refuse.reset();
    gate_.calls.clear();
    gate_.meanwhile = [&] {
        if (gate_.calls.size() != 2) return;
        end_task(identity::TaskState::kEnded);
        gate_.refuse = gate::Refusal{};
    };
    EXPECT_EQ(post("[" + call(1) + "," + call(2) + "]").status, 401);
}

}  // namespace
}  // namespace writ::mcp
