#include "doors/mcp/message.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace writ::mcp {
namespace {

struct Bad {
    const char* why;
    std::string text;
    int code;
    std::string id;  // echoed, when it could be read
};

std::string nested(std::size_t depth) {
    return R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"a":)" + std::string(depth, '[') +
           std::string(depth, ']') + "}}";
}

class Refuses : public testing::TestWithParam<Bad> {};

TEST_P(Refuses, WhatIsNotOneMessage) {
    const auto message = parse_message(GetParam().text);
    ASSERT_FALSE(message.has_value()) << GetParam().why;
    EXPECT_EQ(message.error().code, GetParam().code) << message.error().detail;
    EXPECT_EQ(message.error().id, GetParam().id);
    EXPECT_FALSE(message.error().detail.empty());
}

const Bad kBad[] = {
    {"empty", "", kParseError, ""},
    {"cut off", R"({"jsonrpc":"2.0","id":1,"method":"ping")", kParseError, ""},
    {"trailing bytes", R"({"jsonrpc":"2.0","id":1,"method":"ping"}{})", kParseError, ""},
    {"duplicate key", R"({"jsonrpc":"2.0","id":1,"id":2,"method":"ping"})", kParseError, ""},
    {"duplicate key, spelt otherwise",
     R"({"jsonrpc":"2.0","id":1,"method":"ping","\u006dethod":"tools/call"})", kParseError, ""},
    {"duplicate key in the arguments",
     R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":{"p":1,"p":2}}})", kParseError,
     ""},
    {"invalid utf-8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\xff\"}", kParseError, ""},
    {"lone surrogate", R"({"jsonrpc":"2.0","id":1,"method":"\ud800"})", kParseError, ""},
    {"too deep", nested(200), kParseError, ""},
    {"batch", R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])", kInvalidRequest, ""},
    {"empty batch", "[]", kInvalidRequest, ""},
    {"scalar", "7", kInvalidRequest, ""},
    {"no jsonrpc", R"({"id":1,"method":"ping"})", kInvalidRequest, "1"},
    {"jsonrpc 1.0", R"({"jsonrpc":"1.0","id":"a","method":"ping"})", kInvalidRequest, "\"a\""},
    {"jsonrpc is a number", R"({"jsonrpc":2.0,"id":1,"method":"ping"})", kInvalidRequest, "1"},
    {"null id", R"({"jsonrpc":"2.0","id":null,"method":"ping"})", kInvalidRequest, ""},
    {"float id", R"({"jsonrpc":"2.0","id":1.5,"method":"ping"})", kInvalidRequest, ""},
    {"exponent id", R"({"jsonrpc":"2.0","id":1e2,"method":"ping"})", kInvalidRequest, ""},
    {"object id", R"({"jsonrpc":"2.0","id":{},"method":"ping"})", kInvalidRequest, ""},
    {"array id", R"({"jsonrpc":"2.0","id":[1],"method":"ping"})", kInvalidRequest, ""},
    {"boolean id", R"({"jsonrpc":"2.0","id":true,"method":"ping"})", kInvalidRequest, ""},
    {"long id", R"({"jsonrpc":"2.0","id":")" + std::string(300, 'x') + R"(","method":"ping"})",
     kInvalidRequest, ""},
    {"id beyond 64 bits", R"({"jsonrpc":"2.0","id":99999999999999999999,"method":"ping"})",
     kInvalidRequest, ""},
    {"method is no string", R"({"jsonrpc":"2.0","id":1,"method":7})", kInvalidRequest, "1"},
    {"empty method", R"({"jsonrpc":"2.0","id":1,"method":""})", kInvalidRequest, "1"},
    {"params array", R"({"jsonrpc":"2.0","id":1,"method":"m","params":[1]})", kInvalidRequest, "1"},
    {"params null", R"({"jsonrpc":"2.0","id":1,"method":"m","params":null})", kInvalidRequest, "1"},
    {"request and result", R"({"jsonrpc":"2.0","id":1,"method":"m","result":{}})", kInvalidRequest,
     "1"},
    {"result and error", R"({"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"m"}})",
     kInvalidRequest, "1"},
    {"neither result nor error", R"({"jsonrpc":"2.0","id":1})", kInvalidRequest, "1"},
    {"result without id", R"({"jsonrpc":"2.0","result":{}})", kInvalidRequest, ""},
    {"result is a string", R"({"jsonrpc":"2.0","id":1,"result":"x"})", kInvalidRequest, "1"},
    {"error without message", R"({"jsonrpc":"2.0","id":1,"error":{"code":1}})", kInvalidRequest,
     "1"},
    {"error code is no integer", R"({"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":"m"}})",
     kInvalidRequest, "1"},
};
INSTANTIATE_TEST_SUITE_P(Message, Refuses, testing::ValuesIn(kBad));

TEST(Message, RefusesWhatIsOverTheLimit) {
    const auto message =
        parse_message(R"({"jsonrpc":"2.0","id":1,"method":"ping"})", {.bytes_max = 10});
    ASSERT_FALSE(message.has_value());
    EXPECT_EQ(message.error().code, kParseError);
}

TEST(Message, KeepsIdsAndParamsByteForByte) {
    const auto m = parse_message(
        "{\"jsonrpc\":\"2.0\", \"id\" : \"\\u0061\\/\" ,\"method\":\"tools\\/call\",\n"
        "\"params\":{ \"a\" : 1.0, \"b\":1e400 }}");
    ASSERT_TRUE(m.has_value()) << m.error().detail;
    EXPECT_EQ((*m)->kind, MessageKind::kRequest);
    EXPECT_EQ((*m)->id, R"("\u0061\/")");
    EXPECT_EQ((*m)->method, "tools/call");
    EXPECT_EQ((*m)->params->raw(), R"({ "a" : 1.0, "b":1e400 })");
}

TEST(Message, TellsTheThreeKindsApart) {
    const auto note = parse_message(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    ASSERT_TRUE(note.has_value());
    EXPECT_EQ((*note)->kind, MessageKind::kNotification);
    const auto result = parse_message(R"({"jsonrpc":"2.0","id":0,"result":{}})");
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ((*result)->kind, MessageKind::kResponse);
    EXPECT_EQ((*result)->id, "0");
    const auto error = parse_message(R"({"jsonrpc":"2.0","error":{"code":-1,"message":"m"}})");
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ((*error)->kind, MessageKind::kResponse);
    EXPECT_TRUE((*error)->id.empty());
}

TEST(Message, BuildsWhatItParses) {
    for (const auto& text :
         {request_text(7, "tools/call", R"({"a":1})"), request_text(8, "ping", ""),
          notification_text("notifications/initialized"), result_text("\"x\"", "{}"),
          error_text("7", kMethodNotFound, "no \"such\" method", R"({"k":1})"),
          error_text("", kParseError, "bad")})
        EXPECT_TRUE(parse_message(text).has_value()) << text;
}

// A pretty-printed argument may hold line breaks; sent as it is, its second line would be a message
// of its own to a server that reads lines: a call nobody decided on.
TEST(OneLine, ArgumentsCannotSmuggleASecondMessage) {
    const std::string smuggled =
        "{\"a\":\n{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"tools/call\"}\r\n}";
    const std::string line = one_line(smuggled);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_EQ(line.find('\r'), std::string::npos);
    EXPECT_EQ(line.size(), smuggled.size());
    EXPECT_TRUE(json::parse(line).has_value());
}

TEST(OneLine, EscapesTheLineEndsOfOtherReaders) {
    EXPECT_EQ(one_line("{\"a\":\"x\xe2\x80\xa8y\xe2\x80\xa9z\xc2\x85\xc3\x85\"}"),
              "{\"a\":\"x\\u2028y\\u2029z\\u0085\xc3\x85\"}");
}

TEST(OneLine, LeavesEverythingElseAlone) {
    const std::string text = R"({ "a" : "\n\u2028", "n": 1.0, "e": 1e400 })";
    EXPECT_EQ(one_line(text), text);
}

TEST(OneLine, IsLinearInATextFullOfThem) {
    std::string text = "\"";
    for (int i = 0; i < 300'000; ++i) text += "\xe2\x80\xa8";
    text += '"';
    EXPECT_EQ(one_line(text).size(), 2u + 6u * 300'000u);
}

}  // namespace
}  // namespace writ::mcp
