// Defends: one reading of a chunked body, in whatever pieces it comes.
#include "net/http_chunked.h"

#include <gtest/gtest.h>

#include <string>

namespace writ::net {
namespace {

struct Outcome {
    Body got = Body::kMore;
    std::string body;
    std::string rest;
};

Outcome read_by(std::string bytes, std::size_t piece, std::size_t bytes_max = 100) {
    ChunkedBody body(bytes_max);
    Outcome out;
    while (out.got == Body::kMore && !bytes.empty()) {
        out.rest += bytes.substr(0, piece);
        bytes.erase(0, piece);
        out.got = body.put(out.rest);
    }
    out.rest += bytes;
    out.body = body.take();
    return out;
}

TEST(Chunked, ReadsTheSameInEveryPiece) {
    const std::string text = "3\r\nabc\r\n00A\r\n0123456789\r\n000\r\n\r\nGET /next";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        const Outcome out = read_by(text, piece);
        EXPECT_EQ(out.got, Body::kDone) << piece;
        EXPECT_EQ(out.body, "abc0123456789") << piece;
        EXPECT_EQ(out.rest, "GET /next") << piece;
    }
}

TEST(Chunked, RefusesEverythingElse) {
    for (const char* lie :
         {"\r\n", "x\r\n", "-1\r\n", "+1\r\n", " 1\r\n", "1 \r\n", "0x1\r\n", "1\n", "1\rx",
          "1;a\r\n", "1\r\nab\r\n", "1\r\na\n", "1\r\na0\r\n", "0\r\nA: b\r\n\r\n", "0\r\n\n",
          "00000000000000001\r\n", "11111111111111111"})
        for (const std::size_t piece : {1U, 100U})
            EXPECT_EQ(read_by(lie, piece).got, Body::kMalformed) << lie;
}

TEST(Chunked, BoundsTheBodyBeforeItComes) {
    EXPECT_EQ(read_by("64\r\n" + std::string(100, 'x') + "\r\n0\r\n\r\n", 7).got, Body::kDone);
    EXPECT_EQ(read_by("65\r\n", 7).got, Body::kTooLarge);
    EXPECT_EQ(read_by("ffffffffffffffff\r\n", 7).got, Body::kTooLarge);
    EXPECT_EQ(read_by("63\r\n" + std::string(99, 'x') + "\r\n2\r\n", 7).got, Body::kTooLarge);
    EXPECT_EQ(read_by("1\r\nx\r\nffffffffffffffff\r\n", 7).got, Body::kTooLarge);
}

}  // namespace
}  // namespace writ::net
