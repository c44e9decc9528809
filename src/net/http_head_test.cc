// Defends: one reading of a message head. Everything that two parsers could read differently is
// refused; what is left Beast reads as we do.
#include "net/http_head.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "net/http_body.h"
#include "net/http_oracle.h"

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

// Requests made of parts, good and bad, whose reading other parsers are known to differ in.
rc::Gen<std::string> some_request() {
    const auto one = [](std::vector<std::string> of) { return rc::gen::elementOf(std::move(of)); };
    const auto odd_field = rc::gen::map(
        rc::gen::tuple(one({"Content-Length", "Transfer-Encoding", "Host", "Connection", "Expect",
                            "A", "X-Y", "Content-Length ", "Trailer", "Upgrade"}),
                       one({":", ": ", ":\t", " :"}),
                       one({"0", "3", "03", "chunked", "gzip", "a", "", "close", "3, 3",
                            "100-continue", "a\tb", "+3", "3 ", "websocket", "\xc3\xa9"})),
        [](const auto& t) { return std::get<0>(t) + std::get<1>(t) + std::get<2>(t) + "\r\n"; });
    const auto field = rc::gen::weightedOneOf<std::string>(
        {{1, odd_field},
         {3, one({"content-length: 5\r\n", "A:b\r\n", "transfer-encoding: chunked\r\n",
                  "Content-Length:0 \r\n", "X: \r\n"})}});
    const auto fields = rc::gen::resize(3, rc::gen::container<std::vector<std::string>>(field));
    return rc::gen::map(
        rc::gen::tuple(
            one({"POST", "GET", "HEAD", "G-T"}), one({"/", "/mcp", "//a", "/a?b=%00"}),
            one({"1.1", "1.1", "1.1", "1.0"}), fields,
            one({"", "abcde", "0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\nmore", "5\r\nab\r\n\r\n",
                 "00003\r\nabc\r\n0\r\n\r\n", "3;x\r\nabc\r\n0\r\n\r\n"})),
        [](const auto& t) {
            std::string out = std::get<0>(t) + " " + std::get<1>(t) + " HTTP/" + std::get<2>(t) +
                              "\r\nHost: a\r\n";
            for (const auto& line : std::get<3>(t)) out += line;
            return out + "\r\n" + std::get<4>(t);
        });
}

TEST(HttpHeadOracle, BeastReadsWhatWeAcceptAsWeDo) {
    int whole = 0;
    const auto reads_the_same = [&] {
        const std::string raw = *some_request();
        std::size_t scanned = 0;
        const HeadEnd end = find_head_end(raw, &scanned, kMaxHeaderBytes);
        if (end.refusal || end.size == 0) return;
        RequestHead head;
        if (parse_request_head(std::string_view(raw).substr(0, end.size), head)) return;
        std::string rest = raw.substr(end.size);
        RequestBody body(head.framing, 1'000);
        if (body.put(rest) != Body::kDone) return;
        ++whole;
        const auto other = beast_reads(std::string_view(raw).substr(0, raw.size() - rest.size()));
        RC_ASSERT(other.has_value());
        RC_ASSERT(other->chunked == head.framing.chunked);
        RC_ASSERT(other->length == head.framing.length);
        RC_ASSERT(other->body == body.take());
    };
    for (int round = 0; round < 20; ++round) ASSERT_TRUE(rc::check(reads_the_same));
    EXPECT_GT(whole, 200) << "of 2,000 requests";
}

TEST(HttpBody, ReadsExactlyItsLengthInWhateverPiecesItComes) {
    Framing framing;
    framing.length = 5;
    RequestBody whole(framing, 5);
    std::string bytes = "abcdeGET";
    EXPECT_EQ(whole.put(bytes), Body::kDone);
    EXPECT_EQ(bytes, "GET");
    EXPECT_EQ(whole.take(), "abcde");
    RequestBody pieces(framing, 5);
    for (std::string piece : {"ab", "", "cd"}) EXPECT_EQ(pieces.put(piece), Body::kMore);
    bytes = "eX";
    EXPECT_EQ(pieces.put(bytes), Body::kDone);
    EXPECT_EQ(pieces.take(), "abcde");
    EXPECT_EQ(bytes, "X");
    EXPECT_EQ(RequestBody(framing, 4).put(bytes), Body::kTooLarge);
    EXPECT_EQ(RequestBody(Framing(), 4).put(bytes), Body::kDone) << "no length, no body";
    EXPECT_EQ(bytes, "X");
}

}  // namespace
}  // namespace writ::net
