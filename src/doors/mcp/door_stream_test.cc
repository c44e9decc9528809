// Defends: what goes to a client in front of its result, who may stop a call, and the stream of a
// GET.
#include "doors/mcp/door_stream.h"

#include <gtest/gtest.h>

#include <string>

#include "doors/mcp/test_door.h"
#include "doors/mcp/test_peer.h"

namespace writ::mcp {
namespace {

using testing_gate::Journal;
using testing_peer::count;

const std::string kProgressCall =
    R"({"name":"fs__a","arguments":{},"_meta":{"progressToken":"t\u0041"}})";

class StreamTest : public DoorTest {
  protected:
    void SetUp() override { serve("progress"); }
    void serve(const std::string& mode, DoorOptions options = {}) {
        make(mode, std::move(options));
        open();
        gate_.journal.clear();
    }
    std::shared_ptr<Beside> begin_call(const std::string& id = "1", const Fields& fields = {}) {
        return begin("POST",
                     R"({"jsonrpc":"2.0","id":)" + id +
                         R"(,"method":"tools/call","params":{"name":"fs__a","arguments":{}}})",
                     fields);
    }
    std::shared_ptr<Beside> listen() { return begin("GET", "", {{"Accept", "text/event-stream"}}); }
    void cancel(const std::string& id) {
        EXPECT_EQ(post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":)"
                       R"({"requestId":)" +
                       id + "}}")
                      .status,
                  202);
    }
};

TEST(EventText, IsOneEventWhateverTheWhiteSpace) {
    EXPECT_EQ(event_text("{}"), "data: {}\n\n");
    EXPECT_EQ(event_text("{\"a\":1,\n\n\r\n\"data: b\":2}"),
              "data: {\"a\":1,    \"data: b\":2}\n\n");
}

TEST_F(StreamTest, ProgressPassesTheGateAndPrecedesTheRecordedResult) {
    const auto response = call(kProgressCall);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.headers.get("content-type"), "text/event-stream");
    EXPECT_EQ(response.headers.get("cache-control"), "no-store");
    EXPECT_NE(streamed_.find(R"("method":"notifications/progress")"), std::string::npos);
    EXPECT_NE(streamed_.find(R"("progressToken":"t\u0041")"), std::string::npos) << streamed_;
    EXPECT_EQ(received().find("t\\u0041"), std::string::npos);  // the server sees one of ours
    const auto progress = count(streamed_, "notifications/progress");
    ASSERT_GE(progress, 1u);
    Journal expected = {"admit", "depart", "chunk", "begin 200", "event"};
    for (std::size_t i = 1; i < progress; ++i) expected.insert(expected.end(), {"chunk", "event"});
    expected.insert(expected.end(), {"chunk", "close ok", "event", "end"});
    EXPECT_EQ(gate_.journal, expected);
    const auto last = streamed_.substr(streamed_.rfind("data: "));
    EXPECT_TRUE(last.starts_with(R"(data: {"jsonrpc":"2.0","id":"c-1","result":)")) << last;
    EXPECT_NE(last.find("dev.writ/receipt"), std::string::npos);
    EXPECT_EQ(streamed_.find("id: "), std::string::npos);  // nobody is told that it resumes
}

TEST_F(StreamTest, NothingToSayOrNobodyToHearItIsPlainJson) {
    EXPECT_EQ(call(R"({"name":"fs__a","arguments":{}})").headers.get("content-type"),
              "application/json");
    const auto json =
        post(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":)" + kProgressCall + "}",
             {{"Accept", "application/json"}});
    EXPECT_EQ(json.headers.get("content-type"), "application/json");
    EXPECT_EQ(received().find("progressToken"), std::string::npos);
}

TEST_F(StreamTest, AClientOfEventStreamsOnlyGetsOne) {
    const auto pong =
        post(R"({"jsonrpc":"2.0","id":1,"method":"ping"})", {{"Accept", "text/event-stream"}});
    EXPECT_EQ(pong.headers.get("content-type"), "text/event-stream");
    EXPECT_EQ(streamed_, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n");
    const auto bad = post("{", {{"Accept", "text/event-stream"}});
    EXPECT_EQ(bad.status, 400);  // a refusal of the transport stays one
}

// Without the name of its protocol session it could ask nothing more.
TEST_F(StreamTest, AClientOfEventStreamsOnlyLearnsItsProtocolSession) {
    const auto hello = post(initialize(), {{"Accept", "text/event-stream"}});
    EXPECT_EQ(hello.status, 200);
    EXPECT_EQ(hello.headers.get("content-type"), "text/event-stream");
    EXPECT_EQ(hello.headers.count("content-type"), 1u);
    EXPECT_TRUE(streamed_.starts_with(R"(data: {"jsonrpc":"2.0","id":0,"result":)")) << streamed_;
    ASSERT_TRUE(hello.headers.get("mcp-session-id"));
    const std::string other(*hello.headers.get("mcp-session-id"));
    EXPECT_NE(other, id_);
    id_ = other;
    const auto called =
        post(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":)" + kProgressCall + "}",
             {{"Accept", "text/event-stream"}});
    EXPECT_EQ(called.status, 200);
    EXPECT_NE(streamed_.find("dev.writ/receipt"), std::string::npos) << streamed_;
}

// What the gate holds back from the middle of an answer is not sent, and neither is what follows.
TEST_F(StreamTest, OutputThatTheGateStopsEndsTheStreamWithAnError) {
    int chunks = 0;
    gate_.script.chunk = [&](std::string bytes) -> Result<std::string> {
        if (++chunks == 1) return bytes;
        return fail(ErrorCode::kTooLarge, "too much");
    };
    (void)call(kProgressCall);
    EXPECT_EQ(count(streamed_, "notifications/progress"), 1u);
    const auto last = streamed_.substr(streamed_.rfind("data: "));
    EXPECT_NE(last.find("its output is withheld"), std::string::npos) << last;
    EXPECT_EQ(gate_.outcomes.at(0).status, gate::Status_::kBlocked);
}

TEST_F(StreamTest, ACancelledCallIsRecordedAndNotAnswered) {
    serve("hang");
    const auto running = begin_call("\"x\"");
    ASSERT_TRUE(eventually([&] { return received().find("tools/call") != std::string::npos; }));
    cancel("\"y\"");
    run_for(net::Millis(20));
    EXPECT_FALSE(running->over);
    cancel("\"\\u0078\"");  // the same id, spelt differently
    ASSERT_TRUE(eventually([&] { return running->over; }));
    EXPECT_EQ(gate_.outcomes.at(0).status, gate::Status_::kCancelled);
    EXPECT_EQ(running->responder.response.status, 200);
    EXPECT_EQ(running->responder.streamed, "");
    EXPECT_TRUE(eventually(
        [&] { return received().find("notifications/cancelled") != std::string::npos; }));
    cancel("\"x\"");  // it is over: nothing happens
}

TEST_F(StreamTest, AClientOfJsonOnlyHearsThatItCancelled) {
    serve("hang");
    const auto running = begin_call("7", {{"Accept", "application/json"}});
    ASSERT_TRUE(eventually([&] { return received().find("tools/call") != std::string::npos; }));
    cancel("7");
    ASSERT_TRUE(eventually([&] { return running->over; }));
    EXPECT_EQ(
        running->responder.response.body,
        R"({"jsonrpc":"2.0","id":7,"error":{"code":-32800,"message":"cancelled by the client"}})");
}

TEST_F(StreamTest, AnIdInFlightIsNotAcceptedAgain) {
    serve("hang");
    const auto running = begin_call("1");
    ASSERT_TRUE(eventually([&] { return received().find("tools/call") != std::string::npos; }));
    const auto again =
        post(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"fs__a"}})");
    EXPECT_EQ(again.status, 400);
    EXPECT_NE(again.body.find("-32600"), std::string::npos);
    EXPECT_EQ(gate_.calls.size(), 1u);
    cancel("1");
    ASSERT_TRUE(eventually([&] { return running->over; }));
}

TEST_F(StreamTest, ADeadTaskEndsItsCallsAtOnce) {
    serve("hang");
    const auto running = begin_call("1");
    ASSERT_TRUE(eventually([&] { return received().find("tools/call") != std::string::npos; }));
    end_task(identity::TaskState::kRevoked);
    ASSERT_TRUE(eventually([&] { return running->over; }));
    EXPECT_EQ(running->responder.response.status, 401);
    EXPECT_TRUE(running->responder.response.headers.get("www-authenticate").has_value());
}

TEST_F(StreamTest, ATaskThatDiesInTheMiddleOfAStreamEndsItWithAnError) {
    serve("progress");
    gate_.script.chunk = [&](std::string bytes) -> Result<std::string> {
        if (bytes.find("progress") == std::string::npos) end_task(identity::TaskState::kEnded);
        return bytes;
    };
    (void)call(kProgressCall);
    const auto last = streamed_.substr(streamed_.rfind("data: "));
    EXPECT_NE(last.find(R"("id":"c-1","error")"), std::string::npos) << last;
    EXPECT_NE(last.find("task ended"), std::string::npos) << last;
    EXPECT_EQ(streamed_.find("\"result\""), std::string::npos);
}

TEST_F(StreamTest, AClientThatLeavesDoesNotCancel) {
    peer_gone_ = true;
    (void)call(kProgressCall);
    EXPECT_EQ(gate_.outcomes.at(0).status, gate::Status_::kOk);
}

// Whoever stops reading in front of the result does not keep the outcome from the record.
TEST_F(StreamTest, AReaderThatStallsDoesNotDelayTheRecord) {
    const net::Promise<bool> reads(reactor_);
    const auto running = begin(
        "POST", R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":)" + kProgressCall + "}");
    running->responder.reads = reads;
    ASSERT_TRUE(eventually([&] { return gate_.outcomes.size() == 1; }));
    EXPECT_EQ(gate_.outcomes[0].status, gate::Status_::kOk);
    EXPECT_FALSE(running->over);
    reads.set(true);
    ASSERT_TRUE(eventually([&] { return running->over; }));
    // The first was on its way; what waited behind it is given up, the result never is.
    EXPECT_EQ(count(running->responder.streamed, "notifications/progress"), 1u);
    EXPECT_NE(running->responder.streamed.find("dev.writ/receipt"), std::string::npos);
    EXPECT_EQ(gate_.journal.back(), "end");
}

TEST_F(StreamTest, TheGetStreamSaysOnceThatTheListHasChanged) {
    const auto first = listen();
    const auto second = listen();
    ASSERT_TRUE(eventually([&] { return second->responder.sent == 1; }));
    EXPECT_EQ(first->responder.response.headers.get("content-type"), "text/event-stream");
    run_for(net::Millis(120));
    EXPECT_EQ(first->responder.streamed, "");
    auto tool = std::make_shared<catalog::Tool>();
    tool->server = "fs";
    tool->name = "new";
    gate_.tools = {tool};
    // Another engine is how a changed catalog and changed policies show.
    run_for(net::Millis(120));
    EXPECT_EQ(first->responder.streamed, "") << "no other engine yet";
    int engine = 0;
    gate_.engine_now = std::shared_ptr<const policy::Engine>(
        std::make_shared<int>(1), reinterpret_cast<const policy::Engine*>(&engine));
    ASSERT_TRUE(eventually([&] { return !first->responder.streamed.empty(); }));
    EXPECT_EQ(first->responder.streamed,
              "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n");
    run_for(net::Millis(120));
    EXPECT_EQ(count(first->responder.streamed, "data:"), 1u);
    EXPECT_EQ(second->responder.streamed, "");  // each message on exactly one stream
    end_task(identity::TaskState::kEnded);
    ASSERT_TRUE(eventually([&] { return first->over && second->over; }));
    EXPECT_EQ(gate_.journal.back(), "end");
    gate_.engine_now.reset();
}

TEST_F(StreamTest, TheGetStreamShowsSignsOfLifeAndEndsWithItsPeer) {
    DoorOptions options;
    options.keep_alive = net::Millis(100);
    serve("echo", options);
    const auto stream = listen();
    ASSERT_TRUE(eventually([&] { return count(stream->responder.streamed, ": alive\n\n") >= 2; }));
    stream->responder.leave();
    ASSERT_TRUE(eventually([&] { return stream->over; }));
}

TEST_F(StreamTest, GetStreamsNeedAnAcceptASessionAndAPlace) {
    EXPECT_EQ(ask(handler_, "GET", "/secret", "", {{"Accept", "application/json"}}).status, 406);
    EXPECT_EQ(ask(handler_, "GET", "/secret", "", {{"MCP-Session-Id", ""}}).status, 400);
    EXPECT_EQ(ask(handler_, "GET", "/secret", "", {{"MCP-Session-Id", "x"}}).status, 404);
    std::vector<std::shared_ptr<Beside>> open;
    for (std::size_t i = 0; i < kMaxStreams_per_session; ++i) open.push_back(listen());
    run_for(net::Millis(10));
    EXPECT_EQ(ask(handler_, "GET", "/secret", "").status, 409);
    open[0]->responder.leave();
    ASSERT_TRUE(eventually([&] { return open[0]->over; }));
    const auto late = listen();
    ASSERT_TRUE(eventually([&] { return late->responder.sent == 1; }));
    EXPECT_EQ(late->responder.response.status, 200);
    EXPECT_EQ(ask(handler_, "DELETE", "/secret", "").status, 204);
    ASSERT_TRUE(eventually([&] { return late->over; }));
}

}  // namespace
}  // namespace writ::mcp
