// What must be forgettable, and what must never be kept: keys per subject and month, custody of the
// tenant's key, shredding on the record, redaction on every path.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>

#include "base/temp_dir.h"
#include "evidence/log_rig.h"
#include "evidence/redact.h"
#include "evidence/shred.h"
#include "evidence/subject_keys.h"

namespace writ::evidence {
namespace {

namespace fs = std::filesystem;
using testing::kNovember;

constexpr std::int64_t kOctober = kNovember - 40LL * 86'400 * 1'000'000;

std::string rendered(LogIndex& index, const CallId& call, PayloadReader& payloads) {
    const auto shown = trace(index, call.text());
    EXPECT_TRUE(shown);
    return whole_text([&](const Sink& sink) { return render(*shown, &payloads, sink); });
}

class PrivacyTest : public ::testing::Test {
  protected:
    std::unique_ptr<Vault> open(std::shared_ptr<const Custody> custody = file_custody()) {
        auto vault = Vault::open(dir.path() / "v", "acme", std::move(custody));
        EXPECT_TRUE(vault) << vault.error().message();
        return vault ? std::move(*vault) : nullptr;
    }
    TempDir dir;
};

TEST_F(PrivacyTest, EachSubjectAndMonthHasAKeyOfItsOwn) {
    auto vault = open();
    const auto alice = vault->put("hello", {"ps:a", kNovember});
    const auto again = vault->put("hello", {"ps:a", kNovember});
    const auto bob = vault->put("hello", {"ps:b", kNovember});
    const auto earlier = vault->put("hello", {"ps:a", kOctober});
    const auto tenant = vault->put("hello");
    EXPECT_EQ(alice->cid, again->cid);
    for (const auto* other : {&bob, &earlier, &tenant}) {
        EXPECT_NE(alice->kid, (*other)->kid);
        EXPECT_NE(alice->cid, (*other)->cid) << "equality must not show across subjects";
        EXPECT_NE(alice->com, (*other)->com);
    }
    vault.reset();
    vault = open();
    for (const auto* ref : {&alice, &bob, &earlier, &tenant}) {
        EXPECT_EQ(*vault->get((*ref)->cid, (*ref)->kid), "hello");
        EXPECT_TRUE(vault->commits((*ref)->kid, (*ref)->com, "hello"));
    }
}

TEST_F(PrivacyTest, ShreddingTakesOneSubjectsMonthsAndNothingElse) {
    auto vault = open();
    const auto old = vault->put("old", {"ps:a", kOctober});
    const auto fresh = vault->put("new", {"ps:a", kNovember});
    const auto bob = vault->put("bob", {"ps:b", kOctober});
    ASSERT_TRUE(vault->flush());
    auto plan = vault->plan_shredding("ps:a", "2026-11");
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->kids, std::vector<std::string>{old->kid});
    EXPECT_EQ(plan->months, std::vector<std::string>{"2026-10"});
    ASSERT_TRUE(vault->shred("ps:a", *plan));
    EXPECT_EQ(vault->get(old->cid, old->kid).error().code, ErrorCode::kForbidden);
    EXPECT_FALSE(vault->commits(old->kid, old->com, "old"));
    EXPECT_EQ(*vault->get(fresh->cid, fresh->kid), "new");
    EXPECT_EQ(*vault->get(bob->cid, bob->kid), "bob");
    plan = vault->plan_shredding("ps:a", "");
    ASSERT_TRUE(vault->shred("ps:a", *plan));
    EXPECT_EQ(vault->get(fresh->cid, fresh->kid).error().code, ErrorCode::kForbidden);
    EXPECT_NE(vault->put("new", {"ps:a", kNovember})->kid, fresh->kid)
        << "a new key for what comes";
    EXPECT_FALSE(vault->plan_shredding("ps:a", "November"));
}

// Many times over: the key may wait, be on its way to the disk, or be there.
TEST_F(PrivacyTest, AKeyThatWasNeverWrittenIsShreddedToo) {
    auto vault = open();
    std::vector<PayloadRef> refs;
    for (int i = 0; i < 100; ++i) {
        const std::string subject = "ps:" + std::to_string(i);
        refs.push_back(*vault->put("at once", {subject, kNovember}));
        const auto plan = vault->plan_shredding(subject, "");
        ASSERT_EQ(plan->kids.size(), 1u) << "round " << i;
        ASSERT_TRUE(vault->shred(subject, *plan));
        EXPECT_FALSE(vault->get(refs.back().cid, refs.back().kid));
    }
    vault.reset();
    const auto again = open();
    for (const auto& ref : refs) {
        EXPECT_EQ(again->get(ref.cid, ref.kid).error().code, ErrorCode::kForbidden);
    }
}

TEST_F(PrivacyTest, ALegalHoldRefuses) {
    auto vault = open();
    ASSERT_TRUE(vault->put("x", {"ps:a", kNovember}));
    std::ofstream(dir.path() / "v" / "holds") << "ps:b\nps:a\n";
    EXPECT_EQ(vault->plan_shredding("ps:a", "").error().code, ErrorCode::kForbidden);
    EXPECT_EQ(vault->shred("ps:a", {}).error().code, ErrorCode::kForbidden);
    EXPECT_TRUE(vault->plan_shredding("ps:c", ""));
}

TEST_F(PrivacyTest, ASubjectsKeyMovedOrRenamedDoesNotOpen) {
    auto vault = open();
    const auto ref = vault->put("x", {"ps:a", kNovember});
    vault.reset();
    const fs::path keys = dir.path() / "v" / "keys";
    for (const auto& file : fs::directory_iterator(keys / month_of(kNovember))) {
        fs::create_directories(keys / "2020-01");
        fs::rename(file.path(), keys / "2020-01" / file.path().filename());
    }
    EXPECT_EQ(open()->get(ref->cid, ref->kid).error().code, ErrorCode::kCorrupt);
}

TEST_F(PrivacyTest, AShreddingIsRecordedBeforeItHappensAndProofsStay) {
    testing::LogRig rig;
    rig.record_everything();
    const std::string subject = "ps:9d1f4c0011223344";
    const auto ask = [&](bool dry) {
        return rig.reactor.run_until(
            shred(*rig.recorder, *rig.vault, rig.reactor,
                  {subject, "", "erasure request 7", dry, testing::Story::person()}));
    };
    const auto dry = ask(true);
    ASSERT_TRUE(dry);
    EXPECT_EQ(dry->what.kids.size(), 1u);
    EXPECT_TRUE(dry->events.empty());
    {
        const auto log = rig.reader();
        auto index = LogIndex::open({}, source_of(log));
        PayloadReader payloads(*rig.vault, index->get());
        EXPECT_NE(rendered(**index, rig.call, payloads).find("args: {\"amount\""),
                  std::string::npos);
    }
    const auto done = ask(false);
    ASSERT_TRUE(done) << done.error().message();
    ASSERT_EQ(done->events.size(), 1u);
    const auto log = rig.reader();
    EXPECT_TRUE(log.verify().findings.empty());
    EXPECT_TRUE(check(log).findings.empty());
    auto index = LogIndex::open({}, source_of(log));
    PayloadReader payloads(*rig.vault, index->get());
    const std::string text = rendered(**index, rig.call, payloads);
    EXPECT_NE(text.find("args: (shredded by event " + done->events.front().text() + ")"),
              std::string::npos)
        << text;
    EXPECT_TRUE(ask(false)->events.empty()) << "nothing is left to shred";
    EXPECT_FALSE(rig.reactor.run_until(
        shred(*rig.recorder, *rig.vault, rig.reactor, {subject, "", "", false, {}})))
        << "not without a reason";
}

TEST_F(PrivacyTest, AKeyThatIsGoneWithoutAnEventIsMissingNotShredded) {
    testing::LogRig rig;
    rig.record_everything();
    const auto plan = rig.vault->plan_shredding("ps:9d1f4c0011223344", "");
    ASSERT_TRUE(rig.vault->shred("ps:9d1f4c0011223344", *plan));
    const auto log = rig.reader();
    auto index = LogIndex::open({}, source_of(log));
    PayloadReader payloads(*rig.vault, index->get());
    EXPECT_NE(rendered(**index, rig.call, payloads).find("(MISSING: its key is gone"),
              std::string::npos);
}

TEST_F(PrivacyTest, UnderAPassphraseTheKeyIsNotInTheFileAndAWrongOneDoesNotOpen) {
    const auto secret = [](std::string_view text) {
        return passphrase_custody(SecretBytes(as_bytes(text)), 1, 8192);
    };
    auto vault = open();
    const auto ref = vault->put("kept", {"ps:a", kNovember});
    vault.reset();
    // A vault in the plain goes under the passphrase as it is.
    vault = open(secret("correct horse"));
    EXPECT_EQ(*vault->get(ref->cid, ref->kid), "kept");
    vault.reset();
    EXPECT_EQ(Vault::open(dir.path() / "v", "acme").error().code, ErrorCode::kCorrupt)
        << "the key file is no longer plain";
    EXPECT_EQ(Vault::open(dir.path() / "v", "acme", secret("battery staple")).error().code,
              ErrorCode::kUnauthenticated);
    EXPECT_EQ(*open(secret("correct horse"))->get(ref->cid, ref->kid), "kept");
}

TEST_F(PrivacyTest, ATokenKeepsTheKey) {
    const fs::path module = "/usr/lib/softhsm/libsofthsm2.so";
    if (!fs::exists(module)) GTEST_SKIP() << "softhsm2 is not installed";
    const fs::path tokens = dir.path() / "tokens";
    fs::create_directories(tokens);
    std::ofstream(dir.path() / "softhsm2.conf")
        << "directories.tokendir = " << tokens.string() << "\nobjectstore.backend = file\n";
    ::setenv("SOFTHSM2_CONF", (dir.path() / "softhsm2.conf").c_str(), 1);
    ASSERT_EQ(std::system("softhsm2-util --init-token --free --label writ-test --so-pin 1234 "
                          "--pin 5678 > /dev/null"),
              0);
    const fs::path pin = dir.path() / "pin";
    const auto write_pin = [&pin](const char* text) {
        std::ofstream(pin) << text << "\n";
        ::chmod(pin.c_str(), 0600);
    };
    CustodySpec spec{"pkcs11", pin.string(), module.string(), "writ-test", "vault"};
    write_pin("5678");
    PayloadRef ref;
    {
        auto custody = make_custody(spec);
        ASSERT_TRUE(custody) << custody.error().message();
        auto vault = open(*custody);
        ref = *vault->put("kept", {"ps:a", kNovember});
    }
    EXPECT_EQ(Vault::open(dir.path() / "v", "acme").error().code, ErrorCode::kCorrupt);
    {
        auto custody = make_custody(spec);
        ASSERT_TRUE(custody) << custody.error().message();
        EXPECT_EQ(*open(*custody)->get(ref.cid, ref.kid), "kept");
    }
    write_pin("0000");
    EXPECT_EQ(make_custody(spec).error().code, ErrorCode::kUnauthenticated);
    write_pin("5678");
    spec.token = "another";
    EXPECT_EQ(make_custody(spec).error().code, ErrorCode::kUnavailable);
    spec.module = "/nonexistent.so";
    EXPECT_EQ(make_custody(spec).error().code, ErrorCode::kUnavailable);
}

TEST_F(PrivacyTest, APassphraseFileOpenToOthersIsRefused) {
    const fs::path file = dir.path() / "pass";
    std::ofstream(file) << "secret\n";
    ::chmod(file.c_str(), 0644);
    EXPECT_EQ(make_custody({"passphrase", file.string(), "", "", ""}).error().code,
              ErrorCode::kInvalid);
    EXPECT_FALSE(make_custody({"vibes", "", "", "", ""}));
}

std::string redacted(std::string text, const RedactionSpec& spec = {}) {
    const auto redactor = Redactor::make(spec);
    EXPECT_TRUE(redactor) << redactor.error().message();
    (*redactor)->redact(text);
    return text;
}

TEST(Redaction, TakesSecretsOutOfEveryKindOfContent) {
    // Built from parts, so that no scanner takes this file for a leak.
    const std::string token = std::string("gh") + "p_" + std::string(36, 'A');
    const std::string key =
        std::string("-----BEGIN ") + "PRIVATE KEY-----\\nMIIabc\\n-----END " + "PRIVATE KEY-----";
    const std::string rows[] = {
        R"({"password":"hunter2","user":"bob"})",
        R"({"content":[{"type":"text","text":"{\"password\": \"hunter2\"}"}]})",
        R"({"structuredContent":{"db":{"Password" : "hunter2"}}})",
        R"({"error":{"code":-1,"data":{"api_key":"hunter2"}}})",
        R"({"password":"hun\"ter2"})",
        R"({"url":"https://bob:hunter2@example.com/x"})",
        R"(user=bob&password=hunter2&x=1)",
        R"({"headers":{"Authorization":"Bearer hunter2hunter2hunter2"}})",
        R"({"text":"the token is )" + token + R"( ok"})",
        R"({"text":")" + key + R"("})",
        R"({"contents":[{"uri":"file:///x","blob":")" +
            to_base64(as_bytes(R"({"password":"hunter2"})")) + R"("}]})",
        R"({"type":"image","data":")" + to_base64(as_bytes("key " + token)) + R"("})",
    };
    for (const auto& row : rows) {
        const std::string out = redacted(row);
        EXPECT_NE(out, row);
        for (const std::string& gone :
             {std::string("hunter2"), std::string("ter2"), token, std::string("MIIabc"),
              to_base64(as_bytes(R"({"password":"hunter2"})"))}) {
            EXPECT_EQ(out.find(gone), std::string::npos) << row << "\n" << out;
        }
        if (row.starts_with("{")) EXPECT_TRUE(json::parse(out)) << "JSON stays JSON: " << out;
    }
}

TEST(Redaction, FindsABlobWhereverItStands) {
    const std::string blob = to_base64(as_bytes(R"({"password":"hunter2"})"));
    for (const std::string member : {"blob", "data"}) {
        for (std::size_t before = 0; before < 40; ++before) {
            const std::string text = std::string(before, '.') + '"' + member + "\":\"" + blob + '"';
            EXPECT_EQ(redacted(text).find(blob), std::string::npos) << text;
        }
    }
}

TEST(Redaction, LeavesTheRestAsItIs) {
    for (const char* row : {R"({"path":"/data/a.txt","n":1})", R"({"password":""})",
                            R"({"passwords":["a"]})", "", "plain text", R"({"blob":"not base64!"})",
                            R"({"data":"aGVsbG8gd29ybGQ="})", R"({"author":"secretary"})"}) {
        EXPECT_EQ(redacted(row), row);
    }
}

TEST(Redaction, TheOperatorsFieldsAndPatternsGoToo) {
    const RedactionSpec spec{{"iban"}, {R"(\b\d{3}-\d{2}-\d{4}\b)", R"(PIN (\d+))"}, false};
    EXPECT_EQ(redacted(R"({"iban":"DE00","ssn":"123-45-6789","t":"PIN 4711","pin":12})", spec),
              R"({"iban":"[redacted]","ssn":"[redacted]","t":"PIN [redacted]","pin":12})");
    EXPECT_EQ(redacted(R"({"iban":77})", spec), R"({"iban":"[redacted]"})");
    EXPECT_EQ(redacted(R"({"password":"kept"})", spec), R"({"password":"kept"})");
    EXPECT_FALSE(Redactor::make({{}, {"("}, true}));
}

TEST(Redaction, RunsBeforeTheCommitmentAndTheEventSaysSo) {
    testing::Rig rig;
    testing::Story story(rig.ids);
    rig.recorder = std::make_unique<Recorder>(
        RecorderOptions{"acme", "spiffe://acme.example/writ/gw-1/0", rig.ids.mint<BootId>(), "o", 0,
                        *Redactor::make({})},
        rig.reactor, rig.ledger, *rig.vault, rig.ids, rig.clock);
    ASSERT_TRUE(rig.record(story.task_started()));
    ASSERT_TRUE(rig.record(story.session_started()));
    Draft draft = story.decided(rig.ids.mint<CallId>(), "permit");
    draft.payloads = {{"args", R"({"password":"hunter2"})"}};
    ASSERT_TRUE(rig.record(std::move(draft)));
    const auto& bytes = rig.ledger.entries.back();
    EXPECT_NE(bytes.find(R"("redaction":{"n":1,"profile":"secrets"})"), std::string::npos) << bytes;
    EXPECT_NE(bytes.find(R"("state":"redacted")"), std::string::npos);
    PayloadReader payloads(*rig.vault);
    const auto leaf = read_leaf(bytes);
    const auto views = payloads.read(*leaf);
    ASSERT_EQ(views.size(), 1u);
    EXPECT_EQ(views[0].answer, PayloadAnswer::kMatches);
    EXPECT_EQ(views[0].plain, R"({"password":"[redacted]"})");
}

}  // namespace
}  // namespace writ::evidence
