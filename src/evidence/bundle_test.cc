// A bundle is made by somebody we do not trust, and mailed through others: each attack on one must
// be a finding.
#include "evidence/bundle.h"

#include <gtest/gtest.h>

#include "crypto/sign.h"
#include "evidence/encode.h"
#include "evidence/log_rig.h"

namespace writ::evidence {
namespace {

using testing::joined;
using testing::LogRig;
using testing::replace;

// Empty where none is made.
std::string bundle_of(const ledger::LogReader& log, std::string_view vkey,
                      const std::vector<std::uint64_t>& indexes) {
    std::string out;
    const auto made =
        make_bundle(log, vkey, {}, {"01", "task", 1}, indexes, [&out](std::string_view piece) {
            out += piece;
            return Status();
        });
    EXPECT_TRUE(made) << made.error().message();
    return made ? out : std::string();
}

class BundleTest : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        rig = new LogRig;
        rig->record_everything();
        const auto log = rig->reader();
        vkey = rig->ledger->vkey();
        std::vector<std::uint64_t> all;
        for (std::uint64_t i = 0; i < log.checkpoint().size; ++i) all.push_back(i);
        whole = bundle_of(log, vkey, all);
        ASSERT_FALSE(whole.empty());
    }
    static void TearDownTestSuite() {
        delete rig;
        rig = nullptr;
    }
    // The bundle without event `at` of the array, by text surgery, as an attacker would.
    static json::Node without(std::size_t at) {
        const auto document = json::parse(whole, {kMaxBundleBytes, 64});
        json::Node out = json::Node::from(document->root());
        auto events = *out["events"].if_array();
        events.erase(events.begin() + static_cast<std::ptrdiff_t>(at));
        out["events"] = json::Node(events);
        return out;
    }
    void expect_found(const std::string& text, std::string_view words) {
        const auto report = check_bundle(text, vkey);
        EXPECT_NE(joined(report.findings).find(words), std::string::npos)
            << joined(report.findings) << "\nwanted: " << words;
    }
    static inline LogRig* rig = nullptr;
    static inline std::string whole, vkey;
};

TEST_F(BundleTest, HoldsUnderTheLogsKeyAndSaysWhatIsWhole) {
    const auto report = check_bundle(whole, vkey);
    EXPECT_EQ(joined(report.findings), "");
    EXPECT_FALSE(report.self_declared);
    EXPECT_EQ(report.events, 10u);
    EXPECT_EQ(report.whole.size(), 1u) << "the one session that was sealed";
    EXPECT_EQ(report.fingerprint, *key_fingerprint(vkey));
    EXPECT_TRUE(check_bundle(whole, "").self_declared) << "its own key is only its own word";
}

TEST_F(BundleTest, AnotherKeyIsNotTheLogs) {
    const auto other =
        ledger::make_vkey("writ.local/log/acme/gw-1", crypto::Ed25519Key::generate().public_key());
    const auto report = check_bundle(whole, other);
    EXPECT_NE(joined(report.findings).find("another log key"), std::string::npos);
}

TEST_F(BundleTest, AForgerWhoSignsWithHisOwnKeyIsShownByTheFingerprint) {
    // The whole log made anew under another key: everything fits but the key.
    LogRig forged(7);
    forged.record_everything();
    const auto made = bundle_of(forged.reader(), forged.ledger->vkey(), {0, 1, 2});
    ASSERT_FALSE(made.empty());
    EXPECT_TRUE(check_bundle(made, "").findings.empty());
    EXPECT_NE(check_bundle(made, "").fingerprint, *key_fingerprint(vkey));
    EXPECT_FALSE(check_bundle(made, vkey).findings.empty());
}

TEST_F(BundleTest, EachEventTakenOutOfAWholeSessionIsFound) {
    const auto document = json::parse(whole, {kMaxBundleBytes, 64});
    const std::size_t n = document->root().find("events")->size();
    for (std::size_t at = 0; at < n; ++at) {
        EXPECT_FALSE(check_bundle(without(at).dump(), vkey).findings.empty()) << at;
    }
}

TEST_F(BundleTest, TakingOutAnEventAndItsCountLeavesASessionThatIsNoLongerWhole) {
    const auto document = json::parse(whole, {kMaxBundleBytes, 64});
    const auto events = document->root().find("events")->elements();
    for (std::size_t at = 0; at < events.size(); ++at) {
        const auto leaf = events[at].string("leaf").value_or("");
        if (leaf.find("\"type\":\"call.decided\"") == std::string_view::npos) continue;
        json::Node cut = without(at);
        json::Node chains = json::Node::array();
        for (const auto& chain : document->root().find("chains")->elements()) {
            json::Node entry = json::Node::from(chain);
            if (chain.boolean("whole") == true) {
                entry["events"] = *chain.i64("events") - 1;
            }
            chains.push_back(std::move(entry));
        }
        cut["chains"] = chains;
        expect_found(cut.dump(), "said to be whole and is not");
        return;
    }
    FAIL() << "no decision in the bundle";
}

TEST_F(BundleTest, AChangedByteOfALeafIsFound) {
    std::string text = whole;
    replace(text, "9900", "9901");
    expect_found(text, "does not lead to the checkpoint's root");
}

TEST_F(BundleTest, ALeafWithARepairedProofStillNeedsTheSignature) {
    std::string text = whole;
    replace(text, "writ.local/log/acme/gw-1\\n", "writ.local/log/acme/gw-2\\n");
    expect_found(text, "checkpoint");
}

TEST_F(BundleTest, AStrippedSealIsFound) {
    const auto document = json::parse(whole, {kMaxBundleBytes, 64});
    const auto events = document->root().find("events")->elements();
    for (std::size_t at = 0; at < events.size(); ++at) {
        if (events[at].string("leaf")->find("session.sealed") == std::string_view::npos) continue;
        EXPECT_FALSE(check_bundle(without(at).dump(), vkey).findings.empty());
        return;
    }
    FAIL() << "no seal";
}

TEST_F(BundleTest, UnknownMembersOtherVersionsAndNonsenseAreRefused) {
    std::string text = whole;
    replace(text, "{\"about\"", "{\"aa\":1,\"about\"");
    expect_found(text, "unknown member");
    text = whole;
    replace(text, "evidence-bundle/1", "evidence-bundle/2");
    expect_found(text, "schema");
    for (const char* bad : {"", "{}", "[]", "null", "{\"schema\":\"writ.evidence-bundle/1\"}"}) {
        EXPECT_FALSE(check_bundle(bad, vkey).findings.empty()) << bad;
    }
}

TEST_F(BundleTest, WithoutTheRequiredWitnessesItDoesNotHold) {
    const auto report = check_bundle(whole, vkey, {}, 1);
    EXPECT_NE(joined(report.findings).find("required witnesses"), std::string::npos);
}

TEST_F(BundleTest, AReceiptIsFoundInItsLogAndAForgedOneIsNot) {
    const auto log = rig->reader();
    const auto bytes = log.entry(3);
    ASSERT_TRUE(bytes);
    const std::string leaf = digest_text(leaf_hash(*bytes));
    const auto claim = parse_receipt(R"({"jsonrpc":"2.0","id":1,"result":{"content":[],"_meta":{)"
                                     R"("dev.writ/receipt":{"index":3,"leaf":")" +
                                     leaf + R"(","origin":"writ.local/log/acme/gw-1"}}}})");
    ASSERT_TRUE(claim) << claim.error().message();
    EXPECT_EQ(joined(check_receipt(log, *claim)), "");
    ReceiptClaim wrong = *claim;
    wrong.index = 4;
    EXPECT_NE(joined(check_receipt(log, wrong)).find("is not the event"), std::string::npos);
    wrong = *claim;
    wrong.index = 1'000'000;
    EXPECT_NE(joined(check_receipt(log, wrong)).find("it was cut"), std::string::npos);
    wrong = *claim;
    wrong.origin = "elsewhere/log";
    EXPECT_FALSE(check_receipt(log, wrong).empty());
    EXPECT_FALSE(parse_receipt("{}"));
    EXPECT_FALSE(parse_receipt("not json"));
}

}  // namespace
}  // namespace writ::evidence
