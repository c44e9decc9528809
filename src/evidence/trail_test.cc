// Which events a trace shows, and how they look to a person.
#include "evidence/trail.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "evidence/samples.h"

namespace writ::evidence {
namespace {

using testing::Rig;
using testing::Story;

std::unique_ptr<LogIndex> index_of(const Rig& rig) {
    LeafSource source{
        "writ.local/log/acme/gw-1", rig.ledger.entries.size(),
        [&rig](std::uint64_t from, const EachLeaf& each) { return rig.ledger.read(from, each); }};
    return std::move(*LogIndex::open({}, std::move(source)));
}

void collect(const TraceNode& node, std::vector<std::string>& types) {
    types.push_back(node.event.type);
    for (const auto& effect : node.effects) collect(effect, types);
}

std::vector<std::string> types(const Trace_& trace) {
    std::vector<std::string> out;
    for (const auto& root : trace.roots) collect(root, out);
    return out;
}

std::string text_of(const Trace_& trace, PayloadReader* payloads = nullptr) {
    return whole_text([&](const Sink& sink) { return render(trace, payloads, sink); });
}

std::string page_of(const Trace_& trace, PayloadReader& payloads, std::string_view origin) {
    return whole_text([&](const Sink& sink) { return to_html(trace, &payloads, origin, sink); });
}

class TrailTest : public ::testing::Test {
  protected:
    EventId must(Draft draft) {
        const auto receipt = rig.record(std::move(draft));
        EXPECT_TRUE(receipt);
        return receipt->event;
    }
    void SetUp() override {
        must(story.of_writ("gateway.started"));
        must(story.task_started());
        must(story.session_started());
        must(other.task_started());
        must(other.session_started());
        decision = must(story.decided(call, "permit"));
        must(story.ended(call, decision));
        forbidden = must(story.decided(rig.ids.mint<CallId>(), "forbid"));
        must(child.child_started(story));
        must(child.session_started());
        must(other.decided(rig.ids.mint<CallId>(), "forbid"));
        must(story.task_ended("ended"));
    }
    Trace_ trace(const Uuid& id) {
        auto out = writ::evidence::trace(*index_of(rig), id.text());
        EXPECT_TRUE(out) << out.error().message();
        return out ? std::move(*out) : Trace_{};
    }
    Rig rig;
    Story story{rig.ids}, other{rig.ids}, child{rig.ids};
    CallId call = rig.ids.mint<CallId>();
    EventId decision, forbidden;
};

TEST_F(TrailTest, ATaskIsItsWholeTreeOfTasksAndNothingElse) {
    const std::vector<std::string> whole = {"task.started",    "session.started", "call.decided",
                                            "call.ended",      "call.decided",    "task.started",
                                            "session.started", "task.ended"};
    EXPECT_EQ(types(trace(story.task)), whole);
    EXPECT_EQ(types(trace(child.task)), whole) << "asked from the child too";
    EXPECT_EQ(trace(story.task).roots.size(), 1u);
}

TEST_F(TrailTest, ACallIsWhatLedToItAndWhatCameOfIt) {
    EXPECT_EQ(types(trace(call)), (std::vector<std::string>{"task.started", "session.started",
                                                            "call.decided", "call.ended"}));
    EXPECT_EQ(types(trace(decision)), types(trace(call)));
    EXPECT_EQ(types(trace(forbidden)),
              (std::vector<std::string>{"task.started", "session.started", "call.decided"}));
}

TEST_F(TrailTest, ASessionIsItsEventsAndItsTasksStart) {
    EXPECT_EQ(types(trace(other.session)),
              (std::vector<std::string>{"task.started", "session.started", "call.decided"}));
}

TEST_F(TrailTest, AnUnknownIdIsNotFound) {
    const auto index = index_of(rig);
    for (const std::string& id : {rig.ids.next().text(), std::string("nonsense"), std::string()}) {
        EXPECT_EQ(writ::evidence::trace(*index, id).error().code, ErrorCode::kNotFound) << id;
    }
}

TEST_F(TrailTest, IsShownAsATreeWithVerdictsAndReasons) {
    const std::string text = text_of(trace(call));
    EXPECT_EQ(text,
              "2026-11-23T18:53:20.003Z  task.started  invoice-bot for ps:9d1f4c0011223344: pay "
              "the invoices\n"
              "2026-11-23T18:53:20.004Z  └─ session.started  unix-peer pid:4711@1\n"
              "2026-11-23T18:53:20.009Z     └─ call.decided  permit bank/pay (permitted) on "
              "bank://accounts/DE00: policy `pay-small` permits\n"
              "2026-11-23T18:53:20.010Z        └─ call.ended  ok in 81.2 ms, 29 bytes\n");
}

TEST_F(TrailTest, WithTheVaultThePayloadsAreShownAndTheThreeAnswersDiffer) {
    PayloadReader payloads(*rig.vault);
    const std::string text = text_of(trace(call), &payloads);
    EXPECT_NE(text.find(R"(args: {"amount":9900,"iban":"DE00"})"), std::string::npos) << text;
    EXPECT_NE(text.find("prompt: pay what is due"), std::string::npos) << text;
    ASSERT_TRUE(rig.vault->flush());
    auto fresh = Vault::open(rig.dir.path() / "vault", "acme");
    PayloadReader again(**fresh);
    std::filesystem::remove_all(rig.dir.path() / "vault" / "packs");
    EXPECT_NE(text_of(trace(call), &again).find("args: (MISSING"), std::string::npos);
    for (const auto& file : std::filesystem::directory_iterator(rig.dir.path() / "vault/keys")) {
        if (file.path().extension() == ".key") std::filesystem::remove(file.path());
    }
    EXPECT_NE(text_of(trace(call), &again).find("args: (shredded)"), std::string::npos);
}

TEST_F(TrailTest, ForeignTextIsShownInert) {
    Draft evil = story.decided(rig.ids.mint<CallId>(), "forbid");
    evil.data["tool"] = "\x1b]0;owned\x07";
    evil.data["action"] = "";
    evil.data["reason"] = "line\nbreak \xe2\x80\xae rtl";
    evil.payloads = {{"args", "\x1b[31m{\"a\":1}\n"}};
    const auto id = must(std::move(evil));
    PayloadReader payloads(*rig.vault);
    const std::string text = text_of(trace(id), &payloads);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find('\x07'), std::string::npos);
    EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos);
    EXPECT_EQ(std::ranges::count(text, '\n'), 5) << "three events, two payloads:\n" << text;
}

TEST_F(TrailTest, AVeryLongChainOfCausesIsFlattenedNotRecursedInto) {
    EventId last = story.task_event;
    for (int i = 0; i < 3000; ++i) {
        Draft draft = story.of_writ("tool.pinned");
        draft.task = story.task;
        draft.cause.push_back({"derived_from", last, Basis::kObserved});
        last = must(std::move(draft));
    }
    const auto long_trace = trace(story.task);
    EXPECT_EQ(types(long_trace).size(), long_trace.events);
    EXPECT_GT(long_trace.events, 3000u);
}

TEST_F(TrailTest, AnAgentAFileAndAValueAreNamesToo) {
    const auto index = index_of(rig);
    const auto agent = writ::evidence::trace(*index, "invoice-bot");
    ASSERT_TRUE(agent);
    EXPECT_EQ(agent->kind, "agent");
    EXPECT_EQ(agent->events, rig.ledger.entries.size() - 2)
        << "all but the gateway's start and the task's end";
    for (const char* words : {"bank://accounts/DE00", "9900"}) {
        const auto found = writ::evidence::trace(*index, words);
        ASSERT_TRUE(found) << words;
        EXPECT_EQ(found->kind, "text");
        EXPECT_EQ(found->events, 8u) << "three calls with their sessions and tasks";
    }
    Draft draft = story.identity("identity.issued");
    const auto jti = rig.ids.next().text();
    draft.data["jti"] = jti;
    must(std::move(draft));
    EXPECT_EQ(writ::evidence::trace(*index_of(rig), jti)->kind, "token");
}

TEST_F(TrailTest, TheHtmlPageLoadsNothingAndForeignTextIsInertInIt) {
    Draft evil = story.decided(rig.ids.mint<CallId>(), "forbid");
    evil.data["reason"] = "<script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m";
    evil.data["action"] = "a\" onmouseover=\"alert(3)";
    evil.payloads = {{"args", "{\"x\":\"</pre><script src=//evil.example></script>\"}"}};
    const auto id = must(std::move(evil));
    PayloadReader payloads(*rig.vault);
    const std::string page = page_of(trace(id), payloads, "<b>origin</b>");
    for (const char* bad : {"<script", "<img", "<b>origin", "onmouseover=\"", "\x1b"}) {
        EXPECT_EQ(page.find(bad), std::string::npos) << bad;
    }
    EXPECT_NE(page.find("&lt;script&gt;alert(1)"), std::string::npos);
    EXPECT_NE(page.find("default-src &#39;none&#39;"), page.find("default-src 'none'"));
    for (const char* outside : {"http://", "https://", "src=", "href=", "url(", "@import"}) {
        std::string own = page.substr(0, page.find("<body>"));
        EXPECT_EQ(own.find(outside), std::string::npos) << outside;
    }
}

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t n = 0;
    for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
    return n;
}

// A browser must be able to open it.
TEST_F(TrailTest, AnHtmlPageOfManyEventsStandsInGroupsAndThenInLines) {
    const auto page_of = [this](std::size_t events) {
        Trace_ many = trace(call);
        TraceNode one = many.roots.at(0);
        one.effects.clear();
        many.roots.assign(events, one);
        return whole_text([&](const Sink& sink) { return to_html(many, nullptr, "o", sink); });
    };
    const std::string few = page_of(200);
    EXPECT_EQ(count(few, "class=\"group\""), 0u);
    EXPECT_EQ(count(few, "<h2>event</h2>"), 200u);
    const std::string more = page_of(450);
    EXPECT_EQ(count(more, "<li class=\"group\">"), 5u);
    EXPECT_EQ(count(more, "<details open>"), 1u) << "the first";
    EXPECT_EQ(count(more, "<h2>event</h2>"), 450u);
    EXPECT_NE(more.find("<b>450</b><span>events</span>"), std::string::npos);
    const std::string many = page_of(5'001);
    EXPECT_EQ(count(many, "<div class=\"line\">"), 5'001u);
    EXPECT_EQ(count(many, "<h2>event</h2>"), 0u);
    EXPECT_NE(many.find("more of each than a line"), std::string::npos);
}

TEST_F(TrailTest, WhatWasNotObservedIsMarked) {
    Draft draft = story.decided(rig.ids.mint<CallId>(), "permit");
    draft.cause.push_back({"derived_from", decision, Basis::kInferred});
    const auto id = must(std::move(draft));
    EXPECT_NE(text_of(trace(id)).find("[derived_from " + decision.text() + ", inferred]"),
              std::string::npos);
}

TEST_F(TrailTest, JsonCarriesTheExactLeaves) {
    const std::string text =
        whole_text([&](const Sink& sink) { return to_json(trace(call), nullptr, {}, sink); });
    const auto parsed = json::parse(text);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->root().i64("events"), 4);
    const auto root = parsed->root().find("roots")->elements().at(0);
    EXPECT_EQ(root.find("event")->raw(), rig.ledger.entries[1]);
    EXPECT_EQ(root.i64("index"), 1);
    EXPECT_EQ(root.find("effects")->size(), 1u);
}

}  // namespace
}  // namespace writ::evidence
