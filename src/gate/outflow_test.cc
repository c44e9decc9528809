// Output on its way back: what must not come back does not, wherever the chunks are cut.
#include "gate/outflow.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"

namespace writ::gate {
namespace {

constexpr std::string_view kToken = "s3cr3t-t0ken/with+\"quote";

std::shared_ptr<const Secrets> secrets(std::string_view value = kToken) {
    std::vector<Secrets::Value> values;
    values.push_back({"github", SecretBytes(as_bytes(value))});
    auto made = Secrets::make(std::move(values));
    EXPECT_TRUE(made) << made.error().detail;
    return made ? *made : nullptr;
}

// All that comes out when `text` comes in pieces of `size` bytes.
std::string through(Outflow& out, std::string_view text, std::size_t size) {
    std::string all;
    for (std::size_t at = 0; at < text.size(); at += size) {
        auto released = out.pass(std::string(text.substr(at, size)));
        if (!released) return "error: " + released.error().detail;
        EXPECT_LE(out.held(), kHoldBackBytes);
        all += *released;
    }
    auto rest = out.rest();
    return rest ? all + *rest : "error: " + rest.error().detail;
}

Duties duties(std::vector<policy::Obligation> obligations) {
    static Patterns patterns;
    auto made = duties_of(obligations, patterns);
    EXPECT_TRUE(made) << made.error().detail;
    return made ? std::move(*made) : Duties{};
}

TEST(Outflow, HoldsNothingWithoutDutiesAndSecrets) {
    Outflow out({}, nullptr);
    EXPECT_EQ(out.pass("any").value(), "any");
    EXPECT_EQ(out.held(), 0U);
    EXPECT_EQ(out.rest().value(), "");
}

TEST(Outflow, HoldsOnlyWhatCouldBeTheBeginningOfASecret) {
    Outflow out({}, secrets());
    EXPECT_EQ(out.pass("harmless text, s3cr").value(), "harmless text, ");
    EXPECT_EQ(out.held(), 4U);
    EXPECT_EQ(out.pass("eam").value(), "s3cream");
    EXPECT_EQ(out.held(), 0U);
}

TEST(Outflow, ALentSecretDoesNotComeBackHoweverItIsCutOrSpelt) {
    const std::string plain(kToken);
    std::string escaped = R"(s3cr3t-t0ken\/with+\"quote)";
    std::string unicode;
    for (const char c : plain) unicode += "\\u00" + to_hex(as_bytes(std::string_view(&c, 1)));
    std::vector<std::string> spellings = {escaped, unicode, to_hex(as_bytes(plain)),
                                          to_base64(as_bytes(plain)),
                                          to_base64url(as_bytes(plain))};
    for (const std::string_view before : {"u", "us"})
        spellings.push_back(to_base64(as_bytes(std::string(before) + plain + "tail")));
    for (const std::string& spelt : spellings) {
        const std::string text = R"({"content":[{"type":"text","text":"a )" + spelt + R"( b\n"}]})";
        for (std::size_t size = 1; size <= text.size(); size += size < 40 ? 1 : 37) {
            Outflow out({}, secrets());
            const std::string came = through(out, text, size);
            EXPECT_NE(came.find("[withheld: github]"), std::string::npos) << came;
            EXPECT_EQ(out.withheld(), 1U) << spelt;
            EXPECT_TRUE(came.starts_with(R"({"content":[{"type":"text","text":"a )")) << came;
            EXPECT_TRUE(came.ends_with(R"( b\n"}]})")) << came;
            EXPECT_EQ(came.find("t0ken"), std::string::npos) << came;
        }
    }
}

TEST(Outflow, EveryCutGivesTheSameAnswer) {
    const std::string text =
        R"({"a":"s3cr3t-t0ken s3cr3t-t0ken\/with+\"quotes3cr3t-t0ken\/with+\"quote\u00","b":"\\"})";
    Outflow whole({}, secrets());
    const std::string expected = through(whole, text, text.size());
    for (std::size_t size = 1; size < text.size(); ++size) {
        Outflow out({}, secrets());
        EXPECT_EQ(through(out, text, size), expected) << size;
    }
    EXPECT_EQ(whole.withheld(), 2U);
}

TEST(Outflow, AMessageBesideTheAnswerIsInspectedByItselfAndNotMixedIntoIt) {
    Outflow out(duties({{"redact", "email"}}), secrets("lent-s3cret-value"));
    EXPECT_EQ(out.pass(R"({"a":"lent-s3c)").value(), "");
    EXPECT_EQ(out.aside(R"({"m":"a@b.example lent-s3cret-value lent-s3c"})").value(),
              R"({"m":"[redacted] [withheld: github] lent-s3c"})");
    EXPECT_EQ(out.pass(R"(ret-value"})").value(), "");
    EXPECT_EQ(out.rest().value(), R"({"a":"[withheld: github]"})");
    EXPECT_EQ(out.withheld(), 2U);
}

TEST(Secrets, RefusesWhatWouldBeFoundByAccidentAndNeverNamesTheValue) {
    std::vector<Secrets::Value> values;
    values.push_back({"pin", SecretBytes(as_bytes("1234"))});
    const auto made = Secrets::make(std::move(values));
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().detail.find("pin"), std::string::npos);
    EXPECT_EQ(made.error().detail.find("1234"), std::string::npos);
}

// A name that is refused would leave all the others unguarded.
TEST(Secrets, AnyNameIsShownSafely) {
    std::vector<Secrets::Value> values;
    values.push_back({"//r.example/:_t", SecretBytes(as_bytes("a-secret-value-1"))});
    values.push_back({"a\"\\]\n\xff", SecretBytes(as_bytes("a-secret-value-2"))});
    values.push_back({std::string(300, 'K'), SecretBytes(as_bytes("a-secret-value-3"))});
    const auto made = Secrets::make(std::move(values));
    ASSERT_TRUE(made) << made.error().message();
    SecretScan scan(*made);
    const std::string out = scan.pass(R"(["a-secret-value-1","a-secret-value-2",)") +
                            scan.pass(R"("a-secret-value-3"])") + scan.rest();
    EXPECT_EQ(out, R"(["[withheld: //r.example/:_t]","[withheld: a%22%5C%5D%0A%FF]","[withheld: )" +
                       std::string(100, 'K') + R"(...]"])");
}

TEST(Outflow, CapStopsAndStaysStopped) {
    Outflow out(duties({{"cap", "1KiB"}, {"cap", "10"}}), nullptr);
    EXPECT_EQ(out.pass("0123456789").value(), "0123456789");
    EXPECT_FALSE(out.pass("x"));
    EXPECT_FALSE(out.pass(""));
    EXPECT_FALSE(out.rest());
}

TEST(Outflow, IsBoundedWithoutAnyDuty) {
    Outflow out({}, nullptr);
    EXPECT_TRUE(out.pass(std::string(kMaxUpstreamMessageBytes, 'x')));
    EXPECT_FALSE(out.pass("x"));
}

TEST(Redact, CoversEveryKindOfContentAndNothingIsReleasedBefore) {
    const std::string blob = to_base64(as_bytes(std::string_view("mail me at a@b.example")));
    const std::string text =
        R"({"content":[{"type":"text","text":"x a@b.example \u0061@b.example"},)"
        R"({"type":"resource","resource":{"uri":"file:///a@b.example","blob":")" +
        blob + R"("}}],"structuredContent":{"a@b.example":["a@b.example",7]}})";
    Outflow out(duties({{"redact", "email"}}), nullptr);
    std::string early;
    for (const char c : text) early += *out.pass(std::string(1, c));
    EXPECT_EQ(early, "");
    const auto rest = out.rest();
    ASSERT_TRUE(rest) << rest.error().detail;
    EXPECT_EQ(rest->find("@b.example"), std::string::npos) << *rest;
    EXPECT_EQ(rest->find(blob), std::string::npos);
    EXPECT_NE(rest->find(to_base64(as_bytes(std::string_view("mail me at [redacted]")))),
              std::string::npos);
    EXPECT_NE(rest->find("7"), std::string::npos);
    EXPECT_EQ(out.redacted(), 6U);
}

TEST(Redact, ANumberIsAText) {
    Outflow out(duties({{"redact", "re:^4[0-9]{15}$"}}), nullptr);
    static_cast<void>(out.pass(R"({"card":4111111111111111,"n":4})"));
    EXPECT_EQ(out.rest().value(), R"({"card":"[redacted]","n":4})");
}

TEST(Redact, WhatMatchesNothingComesBackByteForByte) {
    const std::string text = R"({ "b" : 1.50 , "a":"\u0041" })";
    Outflow out(duties({{"redact", "email"}}), nullptr);
    static_cast<void>(out.pass(text));
    EXPECT_EQ(out.rest().value(), text);
}

TEST(Redact, AnAnswerThatIsNotJsonIsWithheld) {
    Outflow out(duties({{"redact", "email"}}), nullptr);
    static_cast<void>(out.pass("a@b.example"));
    EXPECT_FALSE(out.rest());
    EXPECT_FALSE(out.rest());
}

TEST(Duties, WhatCannotBeCarriedOutIsAnError) {
    Patterns patterns;
    for (const policy::Obligation& each :
         std::vector<policy::Obligation>{{"redact", "emial"},
                                         {"redact", ""},
                                         {"redact", "re:("},
                                         {"redact", "re:x*"},
                                         {"redact", "re:" + std::string(kMaxPatternBytes, 'x')},
                                         {"cap", ""},
                                         {"cap", "0"},
                                         {"cap", "-1"},
                                         {"cap", "12 apples"},
                                         {"cap", "99999999999999999999"},
                                         {"escrow", "x"}}) {
        const auto made = duties_of({each}, patterns);
        ASSERT_FALSE(made) << each.kind << " " << each.value;
        EXPECT_EQ(made.error().code, ErrorCode::kUnsupported);
    }
    EXPECT_TRUE(duties_of({{"notify", "anybody"}}, patterns));
}

}  // namespace
}  // namespace writ::gate
