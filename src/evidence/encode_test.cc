// The leaf is canonical whatever is put into a draft.
#include "evidence/encode.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "crypto/hash.h"
#include "evidence/leaf.h"
#include "evidence/samples.h"
#include "json/value.h"

namespace writ::evidence {
namespace {

EventId id_of(const char* text) {
    return *EventId::parse(text);
}

Trace some_trace(std::string peer) {
    Trace out;
    out.trace_id.fill(0xaa);
    out.span_id.fill(0xbb);
    out.peer = std::move(peer);
    return out;
}

class EncodeTest : public ::testing::Test {
  protected:
    EncodeTest() {
        place.id = id_of("01a209c1-6900-7043-aa71-8774c572bd8a");
        place.t_us = 1795460000018000;
        place.tenant = "acme";
        place.emitter = "spiffe://acme.example/writ/gw-1/0";
        place.boot = "01a209c1-6900-7450-a9be-b0ab401d71fa";
        place.seq = 12;
        place.chain = "01a209c1-6900-73f3-aaf1-ecebbd1410ab";
        place.chain_seq = 3;
        place.prev = &prev;
        draft.type = "call.decided";
    }
    std::string leaf() const {
        auto out = encode(draft, place, payloads);
        EXPECT_TRUE(out) << out.error().message();
        return out ? *out : "";
    }
    // The leaf must be what a parser and the RFC 8785 writer make of it.
    static void expect_canonical(const std::string& text) {
        const auto parsed = json::parse(text);
        ASSERT_TRUE(parsed) << parsed.error().message();
        EXPECT_EQ(*json::canonicalize(parsed->root()), text);
    }
    Draft draft;
    Place place;
    Sha256 prev{};
    std::vector<StoredPayload> payloads;
};

// The scan only ever says yes to what the writer would write.
TEST(CanonicalScan, SaysYesToEveryLeafAndToNothingThatIsNotCanonical) {
    testing::Rig rig;
    testing::record_everything(rig);
    std::uint32_t random = 1;
    const auto next = [&random](std::size_t below) {
        random = random * 1'664'525U + 1'013'904'223U;
        return static_cast<std::size_t>(random >> 8) % below;
    };
    constexpr std::string_view kBytes = "\"\\{}[]:,. \n019-eEtfnu/bA\x7f";
    for (const auto& entry : rig.ledger.entries) {
        EXPECT_TRUE(scans_canonical(entry)) << entry;
        for (int i = 0; i < 2'000; ++i) {
            std::string text = entry;
            const std::size_t at = next(text.size());
            const char byte = kBytes[next(kBytes.size())];
            if (i % 3 == 0) {
                text.insert(at, 1, byte);
            } else if (i % 3 == 1) {
                text.erase(at, 1);
            } else {
                text[at] = byte;
            }
            const auto parsed = json::parse(text);
            if (!parsed || !scans_canonical(text)) continue;
            const auto written = json::canonicalize(parsed->root());
            ASSERT_TRUE(written && *written == text) << text;
        }
    }
    for (const char* wrong :
         {R"({"b":1,"a":2})", R"({"a":1,"a":2})", R"({"a":1 })", R"({"a":-0})", R"({"a":1.0})",
          R"({"a":1e3})", R"({"a":9007199254740992})", R"({"a":"\/"})", R"({"a":"\u0041"})",
          R"({"a":"\u000A"})", R"({"a":"\u000a"})", R"({"a":"\u001F"})", R"( {})",
          R"({"\u00e4":1})", "{\"\xc3\xa4\":1}"}) {
        EXPECT_FALSE(scans_canonical(wrong)) << wrong;
    }
    for (const char* right : {R"({"a":"\u001f\b\"\\\n","b":[true,null,-5]})", R"([])", R"({})",
                              "{\"a\":\"\xc3\xa4\x7f/\"}"}) {
        EXPECT_TRUE(scans_canonical(right)) << right;
    }
}

TEST_F(EncodeTest, WritesEveryMemberInCanonicalOrder) {
    draft.session = *SessionId::parse("01a209c1-6900-73f3-aaf1-ecebbd1410ab");
    draft.task = *TaskId::parse("01a209c1-6900-70eb-ab42-9fa86d481c26");
    draft.call = *CallId::parse("01a209c1-6905-7f3f-acef-e42c8de1ab8f");
    draft.attempt = 2;
    draft.cause.push_back({"requested_by", place.id, Basis::kAsserted});
    draft.trace = some_trace("00-peer");
    draft.actor = Actor{"spiffe://acme.example/agent/bot",
                        "inst",
                        digest_text(prev),
                        {{"human", "ps:0123456789abcdef"}},
                        CredentialRef{"writ", "jti-1", 5, 6, "pid:1@b"},
                        "writ"};
    draft.data["b"] = 1;
    draft.data["a"] = "x";
    payloads.push_back({"args",
                        "application/json",
                        "stored",
                        {digest_text(prev), "hmac-sha256:" + std::string(64, '0'), "k1-0", 7}});
    const std::string zeros(64, '0');
    const std::string expected =
        R"({"actor":{"agent":{"charter":"sha256:)" + zeros +
        R"(","id":"spiffe://acme.example/agent/bot","instance":"inst"},)"
        R"("credential":{"cnf":"pid:1@b","exp":6,"iat":5,"kind":"writ","uid":"jti-1"},)"
        R"("for":[{"kind":"human","sub":"ps:0123456789abcdef"}],"operator":"writ"},)"
        R"("attempt":2,"basis":"observed","call":"01a209c1-6905-7f3f-acef-e42c8de1ab8f",)"
        R"("cause":[{"basis":"asserted","id":"01a209c1-6900-7043-aa71-8774c572bd8a",)"
        R"("rel":"requested_by"}],"chain":{"prev":"sha256:)" +
        zeros +
        R"(","seq":3,"uid":"01a209c1-6900-73f3-aaf1-ecebbd1410ab"},"data":{"a":"x","b":1},)"
        R"("emitter":{"boot":"01a209c1-6900-7450-a9be-b0ab401d71fa",)"
        R"("id":"spiffe://acme.example/writ/gw-1/0","seq":12},)"
        R"("id":"01a209c1-6900-7043-aa71-8774c572bd8a","payloads":[{"cid":"sha256:)" +
        zeros + R"(","com":"hmac-sha256:)" + zeros +
        R"(","kid":"k1-0","len":7,"mt":"application/json","role":"args","state":"stored"}],)"
        R"("session":"01a209c1-6900-73f3-aaf1-ecebbd1410ab","t_us":1795460000018000,)"
        R"("task":"01a209c1-6900-70eb-ab42-9fa86d481c26","tenant":"acme",)"
        R"("trace":{"peer":"00-peer","span_id":"bbbbbbbbbbbbbbbb",)"
        R"("trace_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},"type":"call.decided",)"
        R"("v":"writ.evidence/1"})";
    EXPECT_EQ(leaf(), expected);
    expect_canonical(leaf());
}

TEST_F(EncodeTest, AnEventWithoutAnActorIsWritsOwn) {
    EXPECT_NE(leaf().find(R"("actor":{"operator":"writ"})"), std::string::npos);
}

TEST_F(EncodeTest, NumbersBeyondTheRestrictionBecomeText) {
    draft.data["big"] = std::int64_t{9007199254740993};
    draft.data["edge"] = std::int64_t{9007199254740991};
    draft.data["low"] = -9007199254740991;
    draft.data["f"] = 1.5;
    draft.data["raw"] = json::Node::raw("[1e2, -0, 12345678901234567890, 0.1, true, null]");
    draft.data["bad"] = json::Node::raw("{not json");
    draft.data["yes"] = true;
    draft.data["nil"] = nullptr;
    const auto text = leaf();
    expect_canonical(text);
    const std::string data =
        R"("data":{"bad":"{not json","big":"9007199254740993","edge":9007199254740991,)"
        R"("f":"1.5","low":-9007199254740991,"nil":null,)"
        R"("raw":["1e2",0,"12345678901234567890","0.1",true,null],"yes":true})";
    EXPECT_NE(text.find(data), std::string::npos) << text;
}

TEST_F(EncodeTest, ForeignTextCannotBreakTheLeaf) {
    draft.data["tool"] = std::string("a\"b\\c\n\x01\x7f\xff\xc3\xa9\xed\xa0\x80");
    draft.data["reason"] = std::string("nul:\0:", 6);
    draft.trace = some_trace(std::string(5000, '\xff'));
    const auto text = leaf();
    expect_canonical(text);
    const auto parsed = json::parse(text);
    EXPECT_EQ(parsed->root().find("data")->string("reason")->size(), 6u);
}

TEST_F(EncodeTest, MemberNamesBeyondAsciiAreEncodedWithoutCollision) {
    json::Node foreign = json::Node::object();
    foreign["\xc3\xa9"] = 1;
    foreign["%C3%A9"] = 2;
    foreign["\xf0\x9f\x92\xa9"] = 3;
    draft.data["codes"] = std::move(foreign);
    const auto text = leaf();
    expect_canonical(text);
    EXPECT_NE(text.find(R"({"%25C3%25A9":2,"%C3%A9":1,"%F0%9F%92%A9":3})"), std::string::npos);
}

TEST_F(EncodeTest, DeepValuesAreCut) {
    json::Node deep = json::Node::array();
    for (int i = 0; i < 200; ++i) {
        json::Node outer = json::Node::array();
        outer.push_back(std::move(deep));
        deep = std::move(outer);
    }
    draft.data["deep"] = std::move(deep);
    expect_canonical(leaf());
}

TEST_F(EncodeTest, WhatIsTooLargeIsShortenedNotLost) {
    draft.data["kind"] = "forbid";
    draft.data["reason"] = std::string(40'000, 'r');
    draft.data["pin"] = digest_text(prev);
    for (int i = 0; i < 500; ++i) {
        json::Node fact = json::Node::object();
        fact["k"] = "context.input." + std::to_string(i);
        fact["v"] = std::string(200, '\x01');
        draft.data["facts"].push_back(std::move(fact));
    }
    const auto text = leaf();
    EXPECT_LE(text.size(), kMaxEventBytes);
    expect_canonical(text);
    const auto parsed = json::parse(text);
    const auto data = *parsed->root().find("data");
    EXPECT_EQ(data.string("kind"), "forbid");
    EXPECT_EQ(data.string("pin"), digest_text(prev)) << "a digest is never cut";
    EXPECT_TRUE(data.string("reason")->ends_with("…"));
    EXPECT_GT(*data.i64("truncated"), 1);
}

TEST_F(EncodeTest, AnEnvelopeFullOfTextStillFits) {
    Actor actor;
    actor.agent = "spiffe://" + std::string(100'000, 'a');
    for (int i = 0; i < 1000; ++i) {
        actor.on_behalf_of.push_back({"human", std::string(1000, 's')});
        draft.cause.push_back({"requested_by", place.id, Basis::kObserved});
    }
    draft.actor = std::move(actor);
    draft.data["reason"] = std::string(100'000, 'r');
    EXPECT_LE(leaf().size(), kMaxEventBytes);
}

TEST_F(EncodeTest, WhatCannotFitIsAnError) {
    json::Node codes = json::Node::object();
    for (int i = 0; i < 5000; ++i) codes["code_" + std::to_string(i)] = i;
    draft.data["codes"] = std::move(codes);
    EXPECT_EQ(encode(draft, place, payloads).error().code, ErrorCode::kTooLarge);
}

TEST_F(EncodeTest, TheLeafHashIsRfc6962s) {
    EXPECT_EQ(leaf_hash("abc"), crypto::sha256(std::string("\0abc", 4)));
    const std::string whole = leaf();
    EXPECT_EQ(draft.actor.leaf_hash(whole), leaf_hash(whole));
    EXPECT_EQ(ActorRef().leaf_hash(R"({"actor":{"operator":"writ"},"more":1})"),
              leaf_hash(R"({"actor":{"operator":"writ"},"more":1})"));
}

TEST(Shortened, CutsBetweenCharacters) {
    EXPECT_EQ(shortened("abc", 3), "abc");
    EXPECT_EQ(shortened("\xc3\xa9\xc3\xa9\xc3\xa9", 5), "\xc3\xa9…");
}

TEST(TraceStart, MakesValidAndDifferentIds) {
    const auto a = Trace::start();
    const auto b = Trace::start();
    EXPECT_TRUE(a.valid());
    EXPECT_TRUE(b.valid());
    EXPECT_FALSE(Trace{}.valid());
    EXPECT_NE(a.trace_id, b.trace_id);
}

}  // namespace
}  // namespace writ::evidence
