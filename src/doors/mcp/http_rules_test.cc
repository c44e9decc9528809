#include "doors/mcp/http_rules.h"

#include <gtest/gtest.h>

namespace writ::mcp {
namespace {

net::HttpRequest request(std::initializer_list<std::pair<std::string, std::string>> fields) {
    net::HttpRequest out;
    out.method = "POST";
    for (const auto& [name, value] : fields) out.headers.add(name, value);
    return out;
}

int source(std::initializer_list<std::pair<std::string, std::string>> fields,
           std::uint16_t port = 7420) {
    const auto refusal = check_source(request(fields), port);
    return refusal ? refusal->status : 200;
}

int content(std::initializer_list<std::pair<std::string, std::string>> fields) {
    const auto r = request(fields);
    const auto refusal = check_content(r, accepts(r));
    return refusal ? refusal->status : 200;
}

TEST(HttpRules, HostIsALoopbackNameWithOurPort) {
    for (const char* host : {"127.0.0.1:7420", "localhost:7420", "LOCALHOST:7420", "[::1]:7420"})
        EXPECT_EQ(source({{"Host", host}}), 200) << host;
    for (const char* host :
         {"evil.example:7420", "localhost.evil.example:7420", "127.0.0.1.evil:7420", "localhost",
          "localhost:7421", "localhost:", "localhost:+7420", "localhost:074200", "localhost:7420x",
          "localhost@evil:7420", "user@localhost:7420", "0.0.0.0:7420", "127.1:7420", "",
          "localhost:72956"})
        EXPECT_EQ(source({{"Host", host}}), 403) << host;
    EXPECT_EQ(source({}), 400);
    EXPECT_EQ(source({{"Host", "localhost:7420"}, {"Host", "evil"}}), 400);
    EXPECT_EQ(source({{"Host", "localhost"}}, 80), 200);
    EXPECT_EQ(source({{"Host", "localhost:9"}}, 0), 200);
}

TEST(HttpRules, OriginIsAbsentOrLoopback) {
    for (const char* origin : {"http://localhost:7420", "http://127.0.0.1", "https://[::1]:1"})
        EXPECT_EQ(source({{"Host", "localhost:7420"}, {"Origin", origin}}), 200) << origin;
    for (const char* origin :
         {"http://evil.example", "null", "", "http://localhost.evil.example", "file://localhost",
          "http://localhost:80@evil", "chrome-extension://localhost"})
        EXPECT_EQ(source({{"Host", "localhost:7420"}, {"Origin", origin}}), 403) << origin;
    EXPECT_EQ(source({{"Host", "localhost:7420"},
                      {"Origin", "http://localhost"},
                      {"Origin", "http://evil"}}),
              403);
}

TEST(HttpRules, BodiesAreJsonAndSoAreAnswers) {
    const std::pair<std::string, std::string> json{"Content-Type", "application/json"};
    for (const char* accept :
         {"application/json, text/event-stream", "text/event-stream,application/json;q=0.5", "*/*",
          "application/*", "APPLICATION/JSON"})
        EXPECT_EQ(content({json, {"Accept", accept}}), 200) << accept;
    EXPECT_EQ(content({json, {"Accept", "text/event-stream"}, {"Accept", "application/json"}}),
              200);
    EXPECT_EQ(content({json, {"Accept", "text/event-stream"}}), 200);
    for (const char* accept : {"text/html", "application/jsonx", "text/event-streams", ""})
        EXPECT_EQ(content({json, {"Accept", accept}}), 406) << accept;
    EXPECT_EQ(content({json}), 406);
    EXPECT_EQ(content({{"Content-Type", "application/json; charset=utf-8"}, {"Accept", "*/*"}}),
              200);
    for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "application/json5",
                             "", "text/plain;application/json"})
        EXPECT_EQ(content({{"Content-Type", type}, {"Accept", "*/*"}}), 415) << type;
    EXPECT_EQ(content({{"Accept", "*/*"}}), 415);
}

TEST(HttpRules, ProtocolVersionIsAbsentOrOneWeSpeak) {
    EXPECT_FALSE(check_version(request({})).has_value());
    for (const auto version : kVersions)
        EXPECT_FALSE(
            check_version(request({{"MCP-Protocol-Version", std::string(version)}})).has_value());
    for (const char* version : {"2026-07-28", "2025-11-2", "", "latest"})
        EXPECT_EQ(check_version(request({{"mcp-protocol-version", version}}))->status, 400);
}

TEST(HttpRules, AcceptNamesTheFormsOfAnAnswer) {
    const auto forms = [](const char* accept) {
        const auto a = accepts(request({{"Accept", accept}}));
        return std::string(a.json ? "j" : "") + (a.events ? "e" : "");
    };
    EXPECT_EQ(forms("application/json, text/event-stream"), "je");
    EXPECT_EQ(forms("*/*"), "je");
    EXPECT_EQ(forms("application/json"), "j");
    EXPECT_EQ(forms("TEXT/Event-Stream; q=1"), "e");
    EXPECT_EQ(forms("text/plain"), "");
}

// RFC 9110 section 12.4.2: a weight of 0 is "not acceptable"; section 12.5.1: the most specific
// range counts.
TEST(HttpRules, AFormOfWeightZeroIsNotAccepted) {
    const auto forms = [](const std::string& accept) {
        const auto a = accepts(request({{"Accept", accept}}));
        return std::string(a.json ? "j" : "") + (a.events ? "e" : "");
    };
    for (const std::string zero : {"q=0", "q=0.", "q=0.0", "q=0.00", "q=0.000", "Q=0", " \tq=0 "}) {
        EXPECT_EQ(forms("application/json;" + zero), "") << zero;
        EXPECT_EQ(forms("application/json ;" + zero + ", text/event-stream"), "e") << zero;
        EXPECT_EQ(forms("*/*, text/event-stream;" + zero), "j") << zero;
        EXPECT_EQ(forms("text/event-stream;" + zero + ", */*"), "j") << zero;
        EXPECT_EQ(forms("text/*;" + zero + ", */*;q=0.1"), "j") << zero;
        EXPECT_EQ(forms("text/event-stream, text/*;" + zero), "e") << zero;
        EXPECT_EQ(forms("application/json;charset=utf-8;" + zero), "") << zero;
        EXPECT_EQ(forms("*/*;" + zero), "") << zero;
    }
    for (const std::string some : {"q=0.1", "q=0.001", "q=1", "q=1.000", "q", "q=", "q=0.0000",
                                   "q=00", "q=-0", "x=0", "xq=0", "q=0.5;q=0"})
        EXPECT_EQ(forms("application/json;" + some), "j") << some;
    const auto two = request({{"Accept", "*/*"}, {"Accept", "text/event-stream;q=0"}});
    EXPECT_FALSE(accepts(two).events);
    const std::pair<std::string, std::string> json{"Content-Type", "application/json"};
    EXPECT_EQ(content({json, {"Accept", "application/json;q=0, text/event-stream;q=0, */*"}}), 406);
}

TEST(HttpRules, TheChallengeNamesTheMetadata) {
    const auto response =
        unauthenticated(Credential::kInvalid, "http://127.0.0.1:7420/meta", "task ended");
    EXPECT_EQ(response.status, 401);
    EXPECT_EQ(response.headers.get("www-authenticate"),
              R"(Bearer resource_metadata="http://127.0.0.1:7420/meta", error="invalid_token", )"
              R"(error_description="task ended")");
    EXPECT_EQ(response.body, R"({"error":"invalid_token","error_description":"task ended"})");
}

// RFC 6750 section 3.1: who brought nothing has brought nothing invalid.
TEST(HttpRules, WithoutACredentialTheChallengeHasNoError) {
    EXPECT_EQ(unauthenticated(Credential::kAbsent, "http://x/meta", "why")
                  .headers.get("www-authenticate"),
              R"(Bearer resource_metadata="http://x/meta")");
    EXPECT_EQ(unauthenticated(Credential::kAbsent, "", "why").headers.get("www-authenticate"),
              R"(Bearer realm="writ")");
}

TEST(HttpRules, AnEndpointAndItsServers) {
    for (const auto scope : {scope_behind, scope_behind_secret}) {
        EXPECT_EQ(scope("/mcp", "/mcp")->server, "");
        EXPECT_EQ(scope("/mcp", "/mcp/fs-2")->server, "fs-2");
        for (const char* target :
             {"/", "", "/mc", "/mcpx", "/mcp/", "/mcp//", "/mcp/fs/", "/mcp/Fs", "/mcp/fs?x=1",
              "/mcp?x", "/mcp/-fs", "/mcp/..", "/MCP"})
            EXPECT_FALSE(scope("/mcp", target).has_value()) << target;
        EXPECT_TRUE(scope("/mcp", "/mcp/" + std::string(31, 'a')).has_value());
        EXPECT_FALSE(scope("/mcp", "/mcp/" + std::string(32, 'a')).has_value());
    }
}

}  // namespace
}  // namespace writ::mcp
