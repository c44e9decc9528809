// Defends: what a request must be before anything is asked of the gate, and the protocol session.
#include "doors/mcp/door.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "doors/mcp/test_door.h"

namespace writ::mcp {
namespace {

const std::string kPing = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
const std::string kList = R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})";

std::string error_of(const net::HttpResponse& response) {
    const auto at = response.body.find("\"code\":");
    return at == std::string::npos
               ? ""
               : response.body.substr(at + 7, response.body.find_first_of(",}", at) - at - 7);
}

TEST_F(DoorTest, ShakesHands) {
    const auto response = post(initialize());
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body,
              R"({"jsonrpc":"2.0","id":0,"result":{"capabilities":{"logging":{},)"
              R"("tools":{"listChanged":true}},)"
              R"("protocolVersion":"2025-11-25","serverInfo":{"name":"writ","version":"0.1.0"}}})");
    id_ = std::string(*response.headers.get("MCP-Session-Id"));
    EXPECT_GE(id_.size(), 32u);
    const auto ready = post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    EXPECT_EQ(ready.status, 202);
    EXPECT_TRUE(ready.body.empty());
    const auto pong = post(kPing);
    EXPECT_EQ(pong.status, 200);
    EXPECT_EQ(pong.body, R"({"jsonrpc":"2.0","id":1,"result":{}})");
}

TEST_F(DoorTest, NegotiatesTheRevisionDown) {
    const std::pair<const char*, const char*> cases[] = {
        {"2025-11-25", "2025-11-25"}, {"2025-06-18", "2025-06-18"}, {"2025-03-26", "2025-03-26"},
        {"2024-11-05", "2024-11-05"}, {"2026-07-28", "2025-11-25"}, {"nonsense", "2025-11-25"}};
    for (const auto& [asked, given] : cases)
        EXPECT_NE(post(initialize(asked)).body.find(std::string(R"("protocolVersion":")") + given),
                  std::string::npos)
            << asked;
}

TEST_F(DoorTest, InitializeNeedsItsParameters) {
    for (const char* params : {"", R"(,"params":{})", R"(,"params":{"protocolVersion":1})",
                               R"(,"params":{"protocolVersion":"2025-11-25","capabilities":[]})",
                               R"(,"params":{"protocolVersion":"2025-11-25","clientInfo":"x"})"}) {
        const auto response =
            post(std::string(R"({"jsonrpc":"2.0","id":1,"method":"initialize")") + params + "}");
        EXPECT_EQ(error_of(response), "-32602") << params;
        EXPECT_FALSE(response.headers.get("mcp-session-id").has_value());
    }
}

// Before the body is read: nothing of these ever reaches the gate.
TEST_F(DoorTest, RefusesStrangeSourcesAndContents) {
    open();
    EXPECT_EQ(post(kPing, {{"Host", "evil.example:7420"}}).status, 403);
    EXPECT_EQ(post(kPing, {{"Host", "127.0.0.1:7421"}}).status, 403);
    EXPECT_EQ(post(kPing, {{"Host", ""}}).status, 400);
    EXPECT_EQ(post(kPing, {{"Origin", "http://evil.example"}}).status, 403);
    EXPECT_EQ(post(kPing, {{"Origin", "http://localhost:3000"}}).status, 200);
    EXPECT_EQ(post(kPing, {{"Content-Type", "text/plain"}}).status, 415);
    EXPECT_EQ(post(kPing, {{"Accept", "text/html"}}).status, 406);
    EXPECT_EQ(post(kPing, {{"MCP-Protocol-Version", "2026-07-28"}}).status, 400);
    EXPECT_EQ(post(kPing, {{"MCP-Protocol-Version", "2025-06-18"}}).status, 200);
}

TEST_F(DoorTest, OnlyItsOwnPathIsServed) {
    open();
    for (const char* path : {"/", "/mcp", "/secret/", "/secret?x=1", "/Secret", "/secre", ""})
        EXPECT_EQ(ask(handler_, "POST", path, kPing).status, 404) << path;
}

TEST_F(DoorTest, OtherMethodsAreNotAllowed) {
    open();
    for (const char* method : {"TRACE", "PUT", "OPTIONS", "HEAD", "PATCH"}) {
        const auto response = ask(handler_, method, "/secret", "");
        EXPECT_EQ(response.status, 405) << method;
        EXPECT_EQ(response.headers.get("allow"), "GET, POST, DELETE");
        EXPECT_FALSE(response.headers.get("access-control-allow-origin").has_value());
    }
}

TEST_F(DoorTest, BadMessagesAreRefusedWithTheRightCode) {
    open();
    struct Bad {
        const char* body;
        const char* code;
    };
    const Bad table[] = {
        {"{", "-32700"},
        {"", "-32700"},
        {R"({"jsonrpc":"2.0","id":1,"id":1,"method":"ping"})", "-32700"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", "-32700"},
        {R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])", "-32600"},
        {R"({"jsonrpc":"2.0","id":null,"method":"ping"})", "-32600"},
        {R"({"jsonrpc":"2.0","id":1.5,"method":"ping"})", "-32600"},
        {R"({"jsonrpc":"2.0","id":{},"method":"ping"})", "-32600"},
        {R"({"jsonrpc":"2.0","id":1,"method":"ping","params":[]})", "-32600"},
        {R"({"id":1,"method":"ping"})", "-32600"},
        {R"({"jsonrpc":"2.0","id":"g-1","result":{}})", "-32600"},  // we asked nothing
        {R"({"jsonrpc":"2.0","method":"tools/call","params":{"name":"fs__a"}})", "-32600"},
    };
    for (const auto& bad : table) {
        const auto response = post(bad.body);
        EXPECT_EQ(response.status, 400) << bad.body;
        EXPECT_EQ(error_of(response), bad.code) << bad.body;
    }
    EXPECT_EQ(post(std::string(kMaxBodyBytes + 1, ' ')).status, 400);
    EXPECT_TRUE(gate_.calls.empty());
}

TEST_F(DoorTest, UnknownMethodsAreJsonRpcErrorsNot404) {
    open();
    for (const char* method :
         {"x/y", "resources/list", "prompts/get", "logging/setlevel", "tasks/list",
          "sampling/createMessage", "notifications/initialized", "server/discover", "Tools/call"}) {
        const auto response =
            post(std::string(R"({"jsonrpc":"2.0","id":5,"method":")") + method + R"("})");
        EXPECT_EQ(response.status, 200) << method;
        EXPECT_EQ(
            response.body,
            R"({"jsonrpc":"2.0","id":5,"error":{"code":-32601,"message":"Method not found"}})");
    }
}

TEST_F(DoorTest, TheProtocolSessionIsNeededAndKnown) {
    EXPECT_EQ(post(kPing).status, 400);
    EXPECT_EQ(post(kPing, {{"MCP-Session-Id", "made-up"}}).status, 404);
    open();
    EXPECT_EQ(post(kPing).status, 200);
    EXPECT_EQ(
        post(R"({"jsonrpc":"2.0","method":"notifications/cancelled"})", {{"MCP-Session-Id", ""}})
            .status,
        400);
}

TEST_F(DoorTest, DeleteEndsTheProtocolSession) {
    open();
    EXPECT_EQ(ask(handler_, "DELETE", "/secret", "", {{"MCP-Session-Id", ""}}).status, 400);
    EXPECT_EQ(ask(handler_, "DELETE", "/secret", "", {{"MCP-Session-Id", "x"}}).status, 404);
    const auto gone = ask(handler_, "DELETE", "/secret", "");
    EXPECT_EQ(gone.status, 204);
    EXPECT_TRUE(gone.body.empty());
    EXPECT_EQ(post(kList).status, 404);
    EXPECT_EQ(ask(handler_, "DELETE", "/secret", "").status, 404);
}

// An id leaked to another agent opens nothing there: it is a name, not a capability.
TEST_F(DoorTest, AProtocolSessionIsBoundToItsWritSession) {
    open();
    const auto other = door_->for_session(new_session(), "/other", 7420);
    EXPECT_EQ(ask(other, "POST", "/other", kPing).status, 404);
    EXPECT_EQ(ask(other, "DELETE", "/other", "").status, 404);
    EXPECT_EQ(post(kPing).status, 200);
}

TEST_F(DoorTest, ProtocolSessionsAreBoundedAndTheOldestUnusedGoes) {
    open();
    const std::string first = id_;
    std::set<std::string> all = {first};
    open();
    const std::string second = id_;
    for (std::size_t i = 2; i < kMaxProtocolSessions; ++i) {
        open();
        all.insert(id_);
    }
    EXPECT_EQ(post(kPing, {{"MCP-Session-Id", first}}).status, 200);  // used again
    open();
    EXPECT_EQ(all.count(id_), 0u);
    EXPECT_EQ(post(kPing, {{"MCP-Session-Id", first}}).status, 200);
    EXPECT_EQ(post(kPing, {{"MCP-Session-Id", second}}).status, 404);
}

TEST_F(DoorTest, ADeadTaskIsToldSoOnEveryRequest) {
    open();
    end_task(identity::TaskState::kRevoked);
    const std::string bodies[] = {kPing, kList, initialize(), "{",
                                  R"({"jsonrpc":"2.0","method":"notifications/initialized"})"};
    for (const auto& body : bodies) {
        const auto response = post(body);
        EXPECT_EQ(response.status, 401) << body;
        EXPECT_EQ(response.body, R"({"error":"invalid_token","error_description":"task revoked"})");
        EXPECT_EQ(response.headers.get("WWW-Authenticate"),
                  "Bearer resource_metadata=\"http://127.0.0.1:7420/.well-known/"
                  "oauth-protected-resource/mcp\", error=\"invalid_token\", "
                  "error_description=\"task revoked\"");
    }
    EXPECT_EQ(ask(handler_, "DELETE", "/secret", "").status, 401);
    EXPECT_EQ(ask(handler_, "GET", "/secret", "").status, 401);
    EXPECT_TRUE(gate_.calls.empty());
    EXPECT_EQ(gate_.turned, std::vector<identity::SessionPtr>(7, session_));
}

TEST_F(DoorTest, TheReasonOfTheEndIsNamed) {
    end_task(identity::TaskState::kEnded);
    EXPECT_NE(post(kPing).body.find("task ended"), std::string::npos);
    make("echo");
    end_task(identity::TaskState::kExpired);
    EXPECT_NE(post(kPing).body.find("task expired"), std::string::npos);
    make("echo");
    session_->ended = true;
    EXPECT_NE(post(kPing).body.find("session ended"), std::string::npos);
    make("echo");
    clock_.advance_us(4'000'000'000);
    EXPECT_NE(post(kPing).body.find("session expired"), std::string::npos);
}

TEST_F(DoorTest, ListsTheVisibleToolsOnOnePage) {
    open();
    EXPECT_EQ(post(kList).body, R"({"jsonrpc":"2.0","id":1,"result":{"tools":[]}})");
    auto tool = std::make_shared<catalog::Tool>();
    tool->server = "fs";
    tool->name = "read";
    tool->definition = R"({"icons":[],"inputSchema":{"type":"object"},"name":"read"})";
    gate_.tools = {tool};
    EXPECT_EQ(post(kList).body,
              R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"inputSchema":{"type":"object"},)"
              R"("name":"fs__read"}]}})");
    for (const char* cursor : {"\"\"", "\"x\"", "null"})
        EXPECT_EQ(error_of(post(std::string(R"({"jsonrpc":"2.0","id":1,"method":"tools/list",)"
                                            R"("params":{"cursor":)") +
                                cursor + "}}")),
                  "-32602");
}

TEST_F(DoorTest, BearersAreAuthenticatedOnEveryRequest) {
    int asked = 0;
    const auto handler = door_->for_bearer(
        [&](std::string_view token) -> Result<identity::SessionPtr> {
            ++asked;
            if (token == "good") return session_;
            if (token == "null") return identity::SessionPtr{};
            return fail(ErrorCode::kUnauthenticated, "secret detail about the token");
        },
        7420);
    const auto with = [&](const std::string& value) {
        return ask(handler, "POST", "/mcp", initialize(), {{"Authorization", value}});
    };
    EXPECT_EQ(with("Bearer good").status, 200);
    EXPECT_EQ(with("bearer good").status, 200);
    EXPECT_EQ(asked, 2);
    for (const char* bad : {"", "Bearer", "Bearer ", "Basic good", "good", "Bearergood"}) {
        const auto response = with(bad);
        EXPECT_EQ(response.status, 401) << bad;
        EXPECT_TRUE(response.headers.get("www-authenticate")->starts_with("Bearer resource_m"));
    }
    EXPECT_EQ(asked, 2);
    EXPECT_EQ(gate_.turned, std::vector<identity::SessionPtr>(6, nullptr));
    for (const char* bad : {"Bearer bad", "Bearer null"}) {
        const auto response = with(bad);
        EXPECT_EQ(response.status, 401);
        EXPECT_EQ(response.body.find("secret detail"), std::string::npos);
    }
    EXPECT_EQ(gate_.turned, std::vector<identity::SessionPtr>(8, nullptr));
    EXPECT_EQ(ask(handler, "POST", "/mcp?access_token=good", initialize()).status, 404);
    EXPECT_EQ(
        ask(handler, "POST", "/secret", initialize(), {{"Authorization", "Bearer good"}}).status,
        404);
    const int before = asked;
    EXPECT_EQ(ask(handler, "POST", "/mcp", initialize(),
                  {{"Authorization", "Bearer good"}, {"Host", "evil.example"}})
                  .status,
              403);
    EXPECT_EQ(asked, before);  // the source is checked before the token
    end_task(identity::TaskState::kEnded);
    EXPECT_EQ(with("Bearer good").status, 401);
}

std::shared_ptr<catalog::Tool> tool_of(const std::string& server, const std::string& name) {
    auto tool = std::make_shared<catalog::Tool>();
    tool->server = server;
    tool->name = name;
    tool->definition = R"({"inputSchema":{"type":"object"},"name":")" + name + "\"}";
    return tool;
}

TEST_F(DoorTest, OneServerIsServedAloneUnderItsOwnNames) {
    gate_.tools = {tool_of("fs", "a"), tool_of("db", "b")};
    const auto hello = ask(handler_, "POST", "/secret/fs", initialize());
    ASSERT_EQ(hello.status, 200);
    id_ = std::string(*hello.headers.get("MCP-Session-Id"));
    const auto listed = ask(handler_, "POST", "/secret/fs", kList);
    EXPECT_NE(listed.body.find(R"("name":"a")"), std::string::npos) << listed.body;
    EXPECT_EQ(listed.body.find("\"b\""), std::string::npos) << listed.body;
    const std::string call =
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{}}})";
    EXPECT_EQ(ask(handler_, "POST", "/secret/fs", call).status, 200);
    EXPECT_EQ(gate_.calls.back().tool, "fs__a");
    // A name that looks like another server's is only a name here.
    gate_.refuse = gate::Refusal{};
    const std::string other =
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"db__b"}})";
    EXPECT_NE(ask(handler_, "POST", "/secret/fs", other).body.find("Unknown tool: db__b"),
              std::string::npos);
    EXPECT_EQ(gate_.calls.back().tool, "fs__db__b");
    // The protocol session is of that endpoint only.
    EXPECT_EQ(post(kPing).status, 404);
    EXPECT_EQ(ask(handler_, "POST", "/secret/db", kPing).status, 404);
}

TEST_F(DoorTest, AServerThatIsNotGrantedIsNotThere) {
    gate_.tools = {tool_of("fs", "a")};
    const auto ungranted = ask(handler_, "POST", "/secret/db", initialize());
    const auto unknown = ask(handler_, "POST", "/secret/nobody", initialize());
    EXPECT_EQ(ungranted.status, 404);
    EXPECT_EQ(ungranted.body, unknown.body);
    EXPECT_TRUE(ungranted.headers == unknown.headers);
    for (const char* odd : {"/secret/FS", "/secret/fs/", "/secret/fs/x", "/secret/-a",
                            "/secret/%66s", "/secretfs", "/secret//fs"})
        EXPECT_EQ(ask(handler_, "POST", odd, initialize()).status, 404) << odd;
}

// Its tools are shown once it lists them; an SDK's client takes a 404 for final.
TEST_F(DoorTest, AServerThatIsStillStartingIsThere) {
    gate_.coming = {"slow"};
    const auto hello = ask(handler_, "POST", "/secret/slow", initialize());
    ASSERT_EQ(hello.status, 200);
    id_ = std::string(*hello.headers.get("MCP-Session-Id"));
    EXPECT_EQ(ask(handler_, "POST", "/secret/slow", kList).body,
              R"({"jsonrpc":"2.0","id":1,"result":{"tools":[]}})");
    EXPECT_EQ(ask(handler_, "POST", "/secret/other", initialize()).status, 404);
}

TEST_F(DoorTest, TheProtectedResourceMetadataIsForEverybody) {
    const auto handler = door_->for_bearer(
        [](std::string_view) -> Result<identity::SessionPtr> { return fail(Error{}); }, 7420);
    const std::string base = "/.well-known/oauth-protected-resource";
    for (const std::string path : {"/mcp", "/mcp/fs", "/mcp/nobody"}) {
        const auto response = ask(handler, "GET", base + path, "");
        EXPECT_EQ(response.status, 200);
        EXPECT_NE(response.body.find("\"resource\":\"http://127.0.0.1:7420" + path + "\""),
                  std::string::npos)
            << response.body;
    }
    EXPECT_EQ(ask(handler, "GET", base, "").body, ask(handler, "GET", base + "/mcp", "").body);
    for (const std::string path : {"/x", "/mcp/", "/mcp/A", "mcp"})
        EXPECT_EQ(ask(handler, "GET", base + path, "").status, 404) << path;
    EXPECT_EQ(ask(handler, "GET", base, "", {{"Host", "evil.example"}}).status, 403);
    // The challenge names the one that belongs to the path (RFC 9728 section 5.1).
    EXPECT_EQ(ask(handler, "POST", "/mcp/fs", kPing).headers.get("www-authenticate"),
              "Bearer resource_metadata=\"http://127.0.0.1:7420" + base + "/mcp/fs\"");
}

TEST_F(DoorTest, LogLevelsAreNamed) {
    open();
    const auto set = [&](const std::string& level) {
        return post(R"({"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":)" +
                    level + "}}");
    };
    EXPECT_EQ(set("\"warning\"").body, R"({"jsonrpc":"2.0","id":1,"result":{}})");
    for (const char* bad : {"\"loud\"", "\"\"", "3", "null"})
        EXPECT_EQ(error_of(set(bad)), "-32602");
}

TEST_F(DoorTest, ProtocolSessionsEndWithTheListener) {
    open();
    const std::string id = id_;
    handler_ = {};
    handler_ = door_->for_session(session_, "/secret", 7420);
    EXPECT_EQ(post(kPing).status, 404);
}

}  // namespace
}  // namespace writ::mcp
