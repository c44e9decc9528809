// The whole way with a real ledger: events recorded through the committer's thread, published,
// and read back from files alone.
#include <gtest/gtest.h>

#include "base/temp_dir.h"
#include "evidence/resume.h"
#include "evidence/samples.h"
#include "evidence/trail.h"

namespace writ::evidence {
namespace {

using testing::Story;

class LedgerTrail : public ::testing::Test {
  protected:
    static constexpr const char* kOrigin = "writ.local/log/acme/gw-1";

    void SetUp() override { open(); }
    void open() {
        ledger::Options options;
        options.dir = dir.path() / "data";
        options.tenant = "acme";
        options.node = "gw-1";
        options.origin = kOrigin;
        options.segment_bytes = 1 << 20;
        auto key = crypto::Ed25519Key::from_seed(seed);
        auto opened = ledger::Ledger::open(std::move(options), std::move(*key), clock);
        ASSERT_TRUE(opened) << opened.error().message();
        ledger = std::move(*opened);
        const auto boot = ids.mint<BootId>();
        recorder = std::make_unique<Recorder>(
            RecorderOptions{"acme", "spiffe://acme.example/writ/gw-1/0", boot, kOrigin}, reactor,
            *ledger, *vault, ids, clock);
    }
    Result<Receipt> record(Draft draft) {
        return reactor.run_until(recorder->record(std::move(draft)));
    }
    ledger::LogReader reader() {
        EXPECT_TRUE(ledger->flush());
        auto log = ledger::LogReader::open(dir.path() / "data/log/acme/gw-1", ledger->vkey());
        EXPECT_TRUE(log) << log.error().message();
        return std::move(*log);
    }

    TempDir dir;
    SystemClock clock;
    IdSource ids{clock};
    Bytes seed = Bytes(32, 9);
    std::unique_ptr<Vault> vault = std::move(*Vault::open(dir.path() / "vault", "acme"));
    net::Reactor reactor;  // outlives the ledger, which posts to it
    std::unique_ptr<ledger::Ledger> ledger;
    std::unique_ptr<Recorder> recorder;
};

TEST_F(LedgerTrail, WhatIsRecordedIsPublishedProvableAndTraceable) {
    const Story story(ids);
    ASSERT_TRUE(record(story.task_started()));
    ASSERT_TRUE(record(story.session_started()));
    const auto call = ids.mint<CallId>();
    const auto decision = record(story.decided(call, "permit"));
    ASSERT_TRUE(decision);
    ASSERT_TRUE(record(story.ended(call, decision->event)));
    ASSERT_TRUE(reactor.run_until(recorder->seal(story.session, "completed", Draft{})));

    const auto log = reader();
    EXPECT_EQ(log.checkpoint().size, 5u);
    EXPECT_TRUE(log.verify().findings.empty());
    const auto entry = log.entry(decision->index);
    ASSERT_TRUE(entry);
    EXPECT_EQ(leaf_hash(*entry), decision->leaf) << "the receipt names what is in the log";
    std::uint64_t told = 0;
    const auto report = check(log, [&told](std::uint64_t done, std::uint64_t) { told = done; });
    EXPECT_EQ(report.findings, std::vector<std::string>());
    EXPECT_EQ(report.events, 5u);
    EXPECT_EQ(report.sessions, 1u);
    EXPECT_EQ(report.open_sessions, 0u);
    EXPECT_EQ(told, 5u);
    const auto found = trace(log, call.text());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->events, 4u);
    PayloadReader payloads(*vault);
    const auto text = whole_text([&](const Sink& sink) { return render(*found, &payloads, sink); });
    EXPECT_NE(text.find("args: {\"amount\":9900"), std::string::npos);
}

TEST_F(LedgerTrail, ManyAtOnceKeepTheirOrder) {
    const Story story(ids);
    int done = 0;
    const int total = 2000;
    const auto count = [&](Result<Receipt> receipt) {
        EXPECT_TRUE(receipt);
        if (++done == total) reactor.stop();
    };
    reactor.post([&] {
        recorder->record(story.task_started(), count);
        recorder->record(story.session_started(), count);
        for (int i = 2; i < total; ++i) {
            recorder->record(story.decided(ids.mint<CallId>(), i % 3 == 0 ? "forbid" : "permit"),
                             count);
        }
    });
    reactor.run();
    ASSERT_TRUE(reactor.run_until(recorder->seal(story.session, "revoked", Draft{})));
    const auto report = check(reader());
    EXPECT_EQ(report.findings, std::vector<std::string>());
    EXPECT_EQ(report.events, static_cast<std::uint64_t>(total) + 1);
}

TEST_F(LedgerTrail, ARestartFindsTheOpenChainsAndGoesOn) {
    const Story story(ids);
    ASSERT_TRUE(record(story.task_started()));
    ASSERT_TRUE(record(story.session_started()));
    ASSERT_TRUE(record(story.decided(ids.mint<CallId>(), "permit")));
    recorder.reset();
    ledger.reset();
    open();
    const auto chains = open_chains(*ledger);
    ASSERT_TRUE(chains);
    ASSERT_EQ(chains->size(), 1u);
    recorder->adopt(chains->front().session, chains->front().end);
    ASSERT_TRUE(record(story.decided(ids.mint<CallId>(), "forbid")));
    ASSERT_TRUE(reactor.run_until(recorder->seal(story.session, "completed", Draft{})));
    const auto report = check(reader());
    EXPECT_EQ(report.findings, std::vector<std::string>());
    EXPECT_EQ(report.sessions, 1u);
    EXPECT_EQ(report.open_sessions, 0u);
}

}  // namespace
}  // namespace writ::evidence
