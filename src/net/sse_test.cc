// Defends: an event stream is read the same way however its bytes arrive, as the standard says, and
// a sender cannot make it grow without end.
#include "net/sse.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

namespace writ::net {
namespace {

struct Seen {
    std::vector<SseEvent> events;
    std::string last_id;
    std::optional<std::uint64_t> retry_ms;
    bool operator==(const Seen&) const = default;
};

Seen see(std::string_view text, std::size_t piece = std::string_view::npos) {
    SseParser parser;
    Seen out;
    for (std::size_t at = 0; at < text.size(); at += std::min(piece, text.size())) {
        EXPECT_TRUE(parser.put(text.substr(at, piece)));
        while (auto event = parser.next()) out.events.push_back(std::move(*event));
    }
    out.last_id = parser.last_id();
    out.retry_ms = parser.retry_ms();
    return out;
}

std::vector<std::string> data(std::string_view text) {
    std::vector<std::string> out;
    for (const auto& event : see(text).events) out.push_back(event.data);
    return out;
}

using Texts = std::vector<std::string>;

TEST(Sse, TheExamplesOfTheStandard) {
    EXPECT_EQ(data("data: YHOO\ndata: +2\ndata: 10\n\n"), Texts{"YHOO\n+2\n10"});
    const auto ids =
        see(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
            "data:  third event\n");
    ASSERT_EQ(ids.events.size(), 2u);  // the third has no empty line
    EXPECT_EQ(ids.events[1].data, "second event");
    EXPECT_EQ(ids.last_id, "");
    EXPECT_EQ(data("data\n\ndata\ndata\n\ndata:"), (Texts{"", "\n"}));
    EXPECT_EQ(data("data:test\n\ndata: test\n\n"), (Texts{"test", "test"}));
}

TEST(Sse, EveryLineEndAndTheByteOrderMark) {
    EXPECT_EQ(data("\xEF\xBB\xBF"
                   "data: a\r\n\r\ndata: b\r\rdata: c\n\n"),
              (Texts{"a", "b", "c"}));
    EXPECT_EQ(data("data: a\n\xEF\xBB\xBF"
                   "data: b\n\n"),
              Texts{"a"});  // not a mark, a field name
    EXPECT_EQ(data("data: a\r\ndata: b\n\r\n"), Texts{"a\nb"});
}

TEST(Sse, TypesIdsAndRetry) {
    const auto got =
        see("event: endpoint\ndata: /x\nid: 7\nretry: 250\n\nretry: 1s\nretry: -1\n"
            "data: y\n\n");
    ASSERT_EQ(got.events.size(), 2u);
    EXPECT_EQ(got.events[0].type, "endpoint");
    EXPECT_EQ(got.events[1].type, "message");
    EXPECT_EQ(got.retry_ms, 250u);
    EXPECT_EQ(see("retry: 99999999999999999999999\n").retry_ms, kMaxSseRetry_ms);
    const auto nul = std::string("id: 1\ndata: x\n\nid: a\0b\ndata: y\n\n", 31);
    EXPECT_EQ(see(nul).last_id, "1");
    EXPECT_EQ(see("id: " + std::string(kMaxSseIdBytes + 1, 'x') + "\ndata: x\n\n").last_id, "");
}

// The priming event of MCP 2025-11-25: an id and an empty data line.
TEST(Sse, ThePrimingEventCountsAndAnIdAloneIsNoEvent) {
    const auto priming = see("id: stream-0\ndata:\n\n");
    ASSERT_EQ(priming.events.size(), 1u);
    EXPECT_EQ(priming.events[0].data, "");
    EXPECT_EQ(priming.last_id, "stream-0");
    EXPECT_EQ(see("id: 4\n\n").events.size(), 0u);
    EXPECT_EQ(see("id: 4\n\n").last_id, "4");
    EXPECT_EQ(see("id: 4\n").last_id, "");  // not dispatched
}

TEST(Sse, OneEndlessEventOrLineIsRefused) {
    for (const char* endless :
         {"data: xxxxxxxxxxxxxxxx\n", "xxxxxxxxxxxxxxxx", ": xxxxxxxxxxxxxxx"}) {
        SseParser parser(1'000);
        std::size_t taken = 0;
        while (taken < 100'000 && parser.put(endless)) taken += 16;
        EXPECT_LE(taken, std::string_view(endless).ends_with('\n') ? 1'300u : 1'100u) << endless;
        EXPECT_FALSE(parser.put("\n\n"));
        EXPECT_FALSE(parser.next().has_value());
    }
}

TEST(Sse, CommentsAreCountedNotKept) {
    SseParser parser(1'000);
    for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(parser.put(": keep-alive\n\n"));
    EXPECT_EQ(parser.idle_lines(), 2'000u);
    EXPECT_FALSE(parser.next().has_value());
}

TEST(Sse, AnyChunkingGivesTheSameEvents) {
    const bool held = rc::check("any chunking gives the same events", [] {
        const auto parts =
            *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
                "data", ":", " ", "\r", "\n", "\r\n", "\n\n", "id", "event", "retry", "1",
                "x\xC3\xA4", "\xEF\xBB\xBF", std::string(1, '\0')));
        std::string text;
        for (const auto& part : parts) text += part;
        const auto whole = see(text);
        for (const std::size_t piece : {1UL, 2UL, 3UL, 7UL}) RC_ASSERT(see(text, piece) == whole);
    });
    EXPECT_TRUE(held);
}

}  // namespace
}  // namespace writ::net
