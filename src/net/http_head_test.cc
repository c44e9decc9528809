// Defends: one reading of a message head. Everything that two parsers could read differently is
// refused before Beast sees it.
#include "net/http_head.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace writ::net {
namespace {

int status_of(const std::string& raw) {
    std::size_t scanned = 0;
    const HeadEnd end = find_head_end(raw, &scanned, kMaxHeaderBytes);
    if (end.refusal) return end.refusal.status;
    if (end.size == 0) return -1;
    RequestHead head;
    return parse_request_head(std::string_view(raw).substr(0, end.size), head).status;
}

std::string with(const std::string& fields) {
    return "POST /mcp HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
}

TEST(HttpHead, ReadsAnOrdinaryRequest) {
    const std::string raw = with(
        "Content-Type: application/json\r\nX-Empty:\r\nConnection: foo, Close\r\n"
        "content-length: 12\r\nExpect: 100-Continue\r\n");
    RequestHead head;
    EXPECT_EQ(parse_request_head(raw, head).status, 0);
    EXPECT_EQ(head.method, "POST");
    EXPECT_EQ(head.target, "/mcp");
    EXPECT_EQ(head.headers.get("HOST"), "localhost");
    EXPECT_EQ(head.headers.get("x-empty"), "");
    EXPECT_EQ(head.headers.get("absent"), std::nullopt);
    EXPECT_EQ(head.framing.length, 12u);
    EXPECT_FALSE(head.framing.keep_alive);
    EXPECT_TRUE(head.framing.expects_continue);
}

TEST(HttpHead, RefusesASecondFraming) {
    EXPECT_EQ(status_of(with("Content-Length: 1\r\nContent-Length: 1\r\n")), 400);
    EXPECT_EQ(status_of(with("Content-Length: 1\r\ncontent-LENGTH: 2\r\n")), 400);
    EXPECT_EQ(status_of(with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")), 400);
    EXPECT_EQ(status_of(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")), 400);
    EXPECT_EQ(status_of(with("Host: localhost\r\n")), 400);
    EXPECT_EQ(status_of(with("Authorization: a\r\nAuthorization: a\r\n")), 400);
}

TEST(HttpHead, RefusesEveryOtherWayToWriteALength) {
    for (const char* length : {"+1", "-1", "1,1", "1, 1", "0x1", "01", "1 ", "", " ", "1a", "\t"})
        if (std::string(length) != "1 ") {  // trailing white space is not part of a value
            EXPECT_EQ(status_of(with(std::string("Content-Length: ") + length + "\r\n")), 400)
                << length;
        }
    EXPECT_EQ(status_of(with("Content-Length: 99999999999999999999\r\n")), 413);
    EXPECT_EQ(status_of(with("Content-Length: 0\r\n")), 0);
}

TEST(HttpHead, OffersChunkedAndNothingElse) {
    EXPECT_EQ(status_of(with("Transfer-Encoding: chunked\r\n")), 0);
    for (const char* coding : {"Chunked", "gzip", "gzip, chunked", "chunked, chunked", "chunked;x",
                               "x-chunked", "identity", "\"chunked\"", ""})
        EXPECT_EQ(status_of(with(std::string("Transfer-Encoding: ") + coding + "\r\n")), 501)
            << coding;
}

TEST(HttpHead, RefusesFoldingAndOddFields) {
    EXPECT_EQ(status_of(with("A: b\r\n c\r\n")), 400);
    EXPECT_EQ(status_of(with("A: b\r\n\tc\r\n")), 400);
    EXPECT_EQ(status_of(with(" A: b\r\n")), 400);
    EXPECT_EQ(status_of(with("A : b\r\n")), 400);
    EXPECT_EQ(status_of(with("Transfer-Encoding : chunked\r\n")), 400);
    EXPECT_EQ(status_of(with("no colon\r\n")), 400);
    EXPECT_EQ(status_of(with(": b\r\n")), 400);
    EXPECT_EQ(status_of(with("A\"b: c\r\n")), 400);
    EXPECT_EQ(status_of(with("\xc3\xa9: c\r\n")), 400);
    EXPECT_EQ(status_of(with("A: b\tc \xc3\xa9\r\n")), 0);
}

TEST(HttpHead, RefusesControlCharacters) {
    for (int c = 0; c < 0x20; ++c) {
        if (c == '\t') continue;
        const std::string raw = with(std::string("A: b") + static_cast<char>(c) + "c\r\n");
        EXPECT_EQ(status_of(raw), 400) << c;
    }
    EXPECT_EQ(status_of(with("A: b\x7f\r\n")), 400);
}

TEST(HttpHead, RefusesBareLineEnds) {
    EXPECT_EQ(status_of("GET / HTTP/1.1\nHost: a\n\n"), 400);
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400);
    EXPECT_EQ(status_of("GET / HTTP/1.1\rHost: a\r\r"), 400);
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"), 400);
    EXPECT_EQ(status_of("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    EXPECT_EQ(status_of("\x16\x03\x01\x02"), 400);  // TLS on the wrong port
}

TEST(HttpHead, TakesOriginFormOnly) {
    for (const char* target :
         {"http://localhost/", "*", "localhost:80", "//", "/a?b=c&d", "/%00"}) {
        const std::string raw = std::string("GET ") + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
        EXPECT_EQ(status_of(raw), target[0] == '/' ? 0 : 400) << target;
    }
    EXPECT_EQ(status_of("CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    EXPECT_EQ(status_of("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    EXPECT_EQ(status_of("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    EXPECT_EQ(status_of("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    EXPECT_EQ(status_of("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    EXPECT_EQ(status_of("GET /\t HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    EXPECT_EQ(status_of("GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    EXPECT_EQ(status_of("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    EXPECT_EQ(status_of("G@T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

TEST(HttpHead, SpeaksOneVersionAndNamesItsHost) {
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400);
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400);
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400);
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 0);
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), 0);
    for (const char* version : {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "http/1.1", "HTTP/1.1x", ""})
        EXPECT_EQ(status_of(std::string("GET / ") + version + "\r\nHost: a\r\n\r\n"), 400)
            << version;
    EXPECT_EQ(status_of("GET /\r\n\r\n"), 400);
    EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 0);
    EXPECT_EQ(status_of("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 400);
    EXPECT_EQ(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    EXPECT_EQ(status_of(with("Expect: 200-ok\r\n")), 417);
}

TEST(HttpHead, TakesOnlyWordsAsConnectionOptions) {
    EXPECT_EQ(status_of(with("Connection: close, TE,, x\r\n")), 0);
    EXPECT_EQ(status_of(with("Connection: a b\r\n")), 400);
    EXPECT_EQ(status_of(with("Connection: close;q=1\r\n")), 400);
    EXPECT_EQ(status_of(with("Proxy-Connection: \"close\"\r\n")), 400);
}

TEST(HttpHead, BoundsItsSizeAndFields) {
    EXPECT_EQ(status_of(with("A: " + std::string(kMaxHeaderBytes, 'a') + "\r\n")), 431);
    EXPECT_EQ(status_of("GET /" + std::string(kMaxHeaderBytes, 'a')), 431);
    std::string many;
    for (std::size_t i = 0; i < kMaxHeaders - 1; ++i) many += "A: b\r\n";
    EXPECT_EQ(status_of(with(many)), 0);
    EXPECT_EQ(status_of(with(many + "A: b\r\n")), 431);
}

TEST(HttpHead, ReadsTheSameInWhateverPiecesItComes) {
    const std::string raw = with("A: b\r\n");
    for (std::size_t step = 1; step < raw.size(); ++step) {
        std::size_t scanned = 0;
        std::size_t size = 0;
        for (std::size_t n = step; size == 0; n += step) {
            const auto part = std::string_view(raw).substr(0, std::min(n, raw.size()));
            const HeadEnd end = find_head_end(part, &scanned, kMaxHeaderBytes);
            ASSERT_FALSE(end.refusal) << step;
            ASSERT_TRUE(end.size == 0 || part.size() == raw.size());
            size = end.size;
        }
        EXPECT_EQ(size, raw.size());
    }
}

int answer_status(const std::string& raw) {
    ResponseHead head;
    const Refusal bad = parse_response_head(raw, head);
    return bad ? 0 : head.status;
}

TEST(HttpHead, ReadsAnswersAsStrictly) {
    EXPECT_EQ(answer_status("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), 200);
    EXPECT_EQ(answer_status("HTTP/1.1 204\r\n\r\n"), 204);
    EXPECT_EQ(answer_status("HTTP/1.1 204 \r\n\r\n"), 204);
    for (const char* raw :
         {"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
          "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 -20 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n",
          "SSH-2.0-OpenSSH\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"})
        EXPECT_EQ(answer_status(raw), 0) << raw;
}

}  // namespace
}  // namespace writ::net
