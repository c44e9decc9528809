// Defends: only addresses that an operator can mean are dialled, and none in the clear across the
// network.
#include "net/http_url.h"

#include <gtest/gtest.h>

namespace writ::net {
namespace {

TEST(HttpUrl, ReadsWhatOperatorsWrite) {
    const auto local = Url::parse("http://127.0.0.1:3001/mcp?x=1");
    ASSERT_TRUE(local) << local.error().detail;
    EXPECT_FALSE(local->tls);
    EXPECT_EQ(local->port, 3001);
    EXPECT_EQ(local->target, "/mcp?x=1");
    EXPECT_EQ(local->authority(), "127.0.0.1:3001");
    const auto remote = Url::parse("https://Tools.Example.com/mcp");
    ASSERT_TRUE(remote);
    EXPECT_EQ(remote->host, "tools.example.com");
    EXPECT_EQ(remote->authority(), "tools.example.com");
    EXPECT_FALSE(remote->is_loopback());
    const auto v6 = Url::parse("http://[::1]:8080");
    ASSERT_TRUE(v6);
    EXPECT_EQ(v6->authority(), "[::1]:8080");
    EXPECT_EQ(v6->target, "/");
}

TEST(HttpUrl, RefusesTheRestAndSaysWhatToWrite) {
    for (const char* bad : {"",
                            "127.0.0.1:1",
                            "ftp://127.0.0.1/",
                            "http://tools.example.com/mcp",
                            "http://10.0.0.1/",
                            "https://user:secret@host/",
                            "https://host/#x",
                            "https://host/a b",
                            "https://host:0/",
                            "https://host:99999/",
                            "https://host:0443/",
                            "https://host:/",
                            "https:///x",
                            "https://[::g]/",
                            "https://a..b/",
                            "https://-a/",
                            "https://h\xC3\xB6st/",
                            "http://127.0.0.1\\@evil/",
                            "http://127.0.0.1.evil.com/",
                            "https://host/\r\nX: y"}) {
        const auto got = Url::parse(bad);
        ASSERT_FALSE(got) << bad;
        EXPECT_EQ(got.error().code, ErrorCode::kInvalid);
        EXPECT_NE(got.error().detail.find("https://HOST/PATH"), std::string::npos);
    }
}

}  // namespace
}  // namespace writ::net
