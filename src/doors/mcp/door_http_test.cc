// Defends: the door behind the real HTTP server on a loopback listener, as the launcher uses it.
#include <gtest/gtest.h>

#include <string>

#include "doors/mcp/test_door.h"

namespace writ::mcp {
namespace {

class DoorHttpTest : public DoorTest {
  protected:
    void SetUp() override {
        DoorTest::SetUp();
        auto endpoint = net::Endpoint::parse("127.0.0.1:0");
        ASSERT_TRUE(endpoint.has_value());
        auto listener = net::Listener::bind(*endpoint);
        ASSERT_TRUE(listener.has_value()) << listener.error().detail;
        endpoint_ = listener->endpoint();
        server_ = std::make_unique<net::HttpServer>(
            reactor_, std::move(*listener),
            door_->for_session(session_, "/secret", endpoint_.port));
        client_ = std::make_unique<net::HttpClient>(reactor_, endpoint_);
    }
    void TearDown() override {
        client_.reset();
        server_->close();
        server_.reset();
        DoorTest::TearDown();
    }
    net::HttpResponse send(std::string body, const Fields& fields = {}) {
        net::HttpRequest request;
        request.method = "POST";
        request.target = "/secret";
        request.headers.add("Content-Type", "application/json");
        request.headers.add("Accept", "application/json, text/event-stream");
        if (!id_.empty()) request.headers.add("MCP-Session-Id", id_);
        for (const auto& [name, value] : fields) request.headers.add(name, value);
        request.body = std::move(body);
        auto response =
            reactor_.run_until(client_->request(std::move(request), net::Millis(20'000)));
        EXPECT_TRUE(response.has_value()) << response.error().detail;
        return response ? std::move(*response) : net::HttpResponse{};
    }

    net::Endpoint endpoint_;
    std::unique_ptr<net::HttpServer> server_;
    std::unique_ptr<net::HttpClient> client_;
};

TEST_F(DoorHttpTest, AWholeConversation) {
    const auto hello = send(initialize());
    ASSERT_EQ(hello.status, 200);
    EXPECT_EQ(hello.headers.get("content-type"), "application/json");
    id_ = std::string(hello.headers.get("mcp-session-id").value_or(""));
    EXPECT_EQ(send(R"({"jsonrpc":"2.0","method":"notifications/initialized"})").status, 202);
    const auto called = send(R"({"jsonrpc":"2.0","id":1,"method":"tools/call",)"
                             R"("params":{"name":"fs__a","arguments":{"k":1}}})");
    EXPECT_EQ(called.status, 200);
    EXPECT_NE(called.body.find(R"("structuredContent":{"k":1})"), std::string::npos);
    end_task(identity::TaskState::kEnded);
    const auto dead = send(R"({"jsonrpc":"2.0","id":2,"method":"ping"})");
    EXPECT_EQ(dead.status, 401);
    EXPECT_TRUE(dead.headers.get("www-authenticate").has_value());
}

TEST_F(DoorHttpTest, ABodyOverTheLimitIsNotRead) {
    EXPECT_EQ(send(std::string(kMaxBodyBytes + 1, ' ')).status, 413);
    EXPECT_TRUE(gate_.calls.empty());
}

// A page that rebinds its own name to 127.0.0.1 still says that name.
TEST_F(DoorHttpTest, ARebindingPageIsRefused) {
    EXPECT_EQ(send(initialize(), {{"Host", "evil.example"}}).status, 403);
    EXPECT_EQ(send(initialize(), {{"Origin", "http://evil.example"}}).status, 403);
}

}  // namespace
}  // namespace writ::mcp
