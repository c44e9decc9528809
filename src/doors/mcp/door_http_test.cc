// Defends: the door behind the real HTTP server on a loopback listener, as the launcher uses it.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "doors/mcp/test_door.h"
#include "net/socket.h"

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

// How many bytes still come.
net::Task<std::size_t> hear(net::Stream* from) {
    std::size_t heard = 0;
    for (;;) {
        const auto some = co_await from->read_some(1 << 20, net::Millis(5'000));
        if (!some || some->empty()) co_return heard;
        heard += some->size();
    }
}

// Revoked while its answer waits for a slow reader: what has not left yet does not leave.
TEST_F(DoorHttpTest, AnAnswerUnderWayEndsWithItsTask) {
    const std::size_t size = kMaxUpstreamMessageBytes - 1024;
    gate_.script.chunk = [&](std::string) -> Result<std::string> {
        return R"({"content":[{"type":"text","text":")" + std::string(size, 'x') + R"("}]})";
    };
    id_ = std::string(*send(initialize()).headers.get("mcp-session-id"));
    auto slow = reactor_.run_until(net::Stream::connect(reactor_, endpoint_, net::Millis(20'000)));
    ASSERT_TRUE(slow.has_value());
    const std::string body = R"({"jsonrpc":"2.0","id":1,"method":"tools/call",)"
                             R"("params":{"name":"fs__a","arguments":{}}})";
    const std::string request =
        "POST /secret HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(endpoint_.port) +
        "\r\nContent-Type: application/json\r\nMCP-Session-Id: " + id_ +
        "\r\nAccept: application/json, text/event-stream\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    std::string four;  // more than the kernel takes
    for (int i = 0; i < 4; ++i) four += request;
    ASSERT_TRUE(reactor_.run_until((*slow)->write_all(std::move(four), net::Millis(20'000))));
    const auto meanwhile = [this](std::function<bool()> ready) {
        return reactor_.run_until(testing_peer::eventually(&reactor_, std::move(ready)));
    };
    ASSERT_TRUE(meanwhile([&] { return !gate_.outcomes.empty(); }));
    reactor_.run_until(reactor_.sleep(net::Millis(500)));
    EXPECT_EQ(server_->connections(), 2u);
    EXPECT_LT(gate_.outcomes.size(), 4u);  // the answer before waits
    end_task(identity::TaskState::kRevoked);
    EXPECT_TRUE(meanwhile([&] { return server_->connections() == 1; }));
    EXPECT_LT(reactor_.run_until(hear(slow->get())), gate_.outcomes.size() * size);
}

}  // namespace
}  // namespace writ::mcp
