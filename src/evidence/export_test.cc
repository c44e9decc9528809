// What leaves for other systems: every event, once each in order, resumable, and never without its
// place in the log.
#include "evidence/export.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "evidence/encode.h"
#include "evidence/explain.h"
#include "evidence/exporter.h"
#include "evidence/log_rig.h"

namespace writ::evidence {
namespace {

using testing::LogRig;

std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
}

LeafSource source(const testing::Rig& rig) {
    return {
        "writ.local/log/acme/gw-1", rig.ledger.entries.size(),
        [&rig](std::uint64_t from, const EachLeaf& each) { return rig.ledger.read(from, each); }};
}

TEST(Export, EveryTypeOfEventHasAnOcsfClassWithWhatItRequires) {
    testing::Rig rig;
    testing::record_everything(rig);
    const auto batch =
        next_batch(source(rig), {"writ.local/log/acme/gw-1", 0, {}}, ExportFormat::kOcsf);
    ASSERT_TRUE(batch);
    // OCSF 1.8.0: what each class requires beyond the base event.
    const std::map<std::int64_t, std::vector<const char*>> required = {
        {6002, {"app"}},
        {6003, {"actor", "api", "src_endpoint"}},
        {3002, {"user"}},
        {3003, {"user"}},
        {3004, {"entity"}},
        {6005, {"actor", "src_endpoint", "databucket"}},
        {0, {}},
        {2004, {"finding_info"}},
        {4002, {"http_request"}},
        {6008, {"message"}}};
    for (const auto& line : lines(batch->body)) {
        const auto document = json::parse(line);
        ASSERT_TRUE(document) << line;
        const auto root = document->root();
        const auto class_uid = root.i64("class_uid").value_or(0);
        ASSERT_TRUE(required.contains(class_uid)) << line;
        for (const char* member : required.at(class_uid)) {
            EXPECT_TRUE(root.find(member)) << member << " of " << line;
        }
        EXPECT_EQ(root.i64("type_uid"), class_uid * 100 + *root.i64("activity_id"));
        EXPECT_EQ(root.i64("category_uid"), class_uid / 1000);
        for (const char* member : {"time", "severity_id", "metadata", "status_id", "unmapped"}) {
            EXPECT_TRUE(root.find(member)) << member;
        }
        const auto own = root.find("unmapped")->find("writ");
        const auto index = static_cast<std::size_t>(*own->i64("index"));
        EXPECT_EQ(own->find("event")->raw(), rig.ledger.entries[index]);
        EXPECT_EQ(own->find("attestation")->find("fingerprint")->string("value"),
                  digest_text(leaf_hash(rig.ledger.entries[index])).substr(7));
    }
    EXPECT_EQ(batch->events, rig.ledger.entries.size());
}

TEST(Export, CloudEventsAndOtlpAreWellFormed) {
    testing::Rig rig;
    testing::record_everything(rig);
    const ExportCursor from{"writ.local/log/acme/gw-1", 0, {}};
    const auto events = next_batch(source(rig), from, ExportFormat::kCloudEvents);
    for (const auto& line : lines(events->body)) {
        const auto document = json::parse(line);
        ASSERT_TRUE(document) << line;
        for (const char* member : {"id", "source", "type", "time"}) {
            EXPECT_FALSE(document->root().string(member).value_or("").empty()) << member;
        }
        EXPECT_EQ(document->root().string("specversion"), "1.0");
    }
    const auto otlp = next_batch(source(rig), from, ExportFormat::kOtlp);
    const auto document = json::parse(otlp->body);
    ASSERT_TRUE(document);
    const auto records = document->root()
                             .find("resourceLogs")
                             ->elements()[0]
                             .find("scopeLogs")
                             ->elements()[0]
                             .find("logRecords");
    EXPECT_EQ(records->size(), rig.ledger.entries.size());
    for (const auto& record : records->elements()) {
        EXPECT_TRUE(record.string("timeUnixNano"));
        EXPECT_TRUE(record.string("eventName")->starts_with("writ."));
    }
}

TEST(Export, ResumesWhereItStoppedAndNoticesAnotherLog) {
    testing::Rig rig;
    testing::record_everything(rig);
    const auto log = source(rig);
    const auto file = rig.dir.path() / "cursor";
    std::string all;
    for (int i = 0; i < 1000; ++i) {
        auto cursor = ExportCursor::load(file, log.origin);
        ASSERT_TRUE(cursor) << cursor.error().message();
        ASSERT_TRUE(cursor->check(log));
        const auto batch = next_batch(log, *cursor, ExportFormat::kJsonl, 3);
        if (batch->events == 0) break;
        all += batch->body;
        ASSERT_TRUE(batch->after.save(file));
    }
    const auto rows = lines(all);
    ASSERT_EQ(rows.size(), rig.ledger.entries.size()) << "each once";
    for (std::size_t i = 0; i < rows.size(); ++i) {
        EXPECT_EQ(json::parse(rows[i])->root().find("event")->raw(), rig.ledger.entries[i]);
    }
    const auto cursor = ExportCursor::load(file, log.origin);
    rig.ledger.entries.back() += " ";
    EXPECT_EQ(cursor->check(source(rig)).error().code, ErrorCode::kCorrupt) << "changed";
    rig.ledger.entries.pop_back();
    EXPECT_EQ(cursor->check(source(rig)).error().code, ErrorCode::kCorrupt) << "cut";
    std::ofstream(file) << "nonsense\n";
    EXPECT_FALSE(ExportCursor::load(file, log.origin));
}

TEST(Export, WhatIsNoEventGoesOutAsWhatItIs) {
    testing::Rig rig;
    rig.ledger.entries = {"not an event"};
    for (const auto format : {ExportFormat::kJsonl, ExportFormat::kOcsf, ExportFormat::kOtlp}) {
        const auto batch = next_batch(source(rig), {"o", 0, {}}, format);
        ASSERT_TRUE(batch);
        EXPECT_EQ(batch->events, 1u);
        EXPECT_NE(batch->body.find("unreadable"), std::string::npos);
    }
}

TEST(Exporter, FollowsTheLogIntoAFileAndGoesOnAfterARestart) {
    LogRig rig;
    rig.record_everything();
    static_cast<void>(rig.reader());
    const auto file = rig.dir.path() / "out.ndjson";
    const auto run_until = [&](std::size_t want) {
        auto exporter = Exporter::start({"siem", ExportFormat::kJsonl, "file:" + file.string(), ""},
                                        rig.dir.path() / "data/log/acme/gw-1", rig.ledger->vkey(),
                                        rig.dir.path() / "export/siem.cursor");
        ASSERT_TRUE(exporter) << exporter.error().message();
        for (int i = 0; i < 200 && (*exporter)->state().next < want; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        EXPECT_EQ((*exporter)->state().next, want) << (*exporter)->state().error;
    };
    const std::size_t first = rig.reader().checkpoint().size;
    run_until(first);
    rig.must(rig.story.of_writ("gateway.stopped"));
    const std::size_t second = rig.reader().checkpoint().size;
    run_until(second);
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    EXPECT_EQ(lines(text.str()).size(), second);
}

TEST(Exporter, SaysWhatIsWrongWithItsConfiguration) {
    for (const char* to :
         {"", "out.ndjson", "ftp://x/", "http://siem.example/in", "http://user:pass@127.0.0.1:1/",
          "https://user@siem.example/", "http://10.0.0.1:80/"}) {
        EXPECT_FALSE(check_export({"a", ExportFormat::kJsonl, to, ""})) << to;
    }
    EXPECT_TRUE(check_export({"a", ExportFormat::kJsonl, "https://siem.example/in"}));
    EXPECT_TRUE(check_export(
        {"a", ExportFormat::kOtlp, "https://siem.example/v1/logs", "", "TOKEN", "/etc/ca.pem"}));
    EXPECT_FALSE(
        check_export({"a", ExportFormat::kOtlp, "http://127.0.0.1:1/", "", "", "/etc/ca.pem"}))
        << "certificates without TLS";
    EXPECT_FALSE(
        check_export({"a", ExportFormat::kOtlp, "https://siem.example/", "/token", "TOKEN"}))
        << "two tokens";
    EXPECT_FALSE(check_export({"a", ExportFormat::kOtlp, "file:/tmp/x", "", "TOKEN"}));
    EXPECT_TRUE(check_export({"a", ExportFormat::kJsonl, "http://127.0.0.1:4318/v1/logs", ""}));
    EXPECT_FALSE(check_export({"../a", ExportFormat::kJsonl, "file:/tmp/x", ""}));
}

TEST(Explain, RanksWhatChangedSinceTheLastGoodRun) {
    LogRig rig;
    const auto good = [&](testing::Story& story) {
        rig.must(story.task_started());
        rig.must(story.session_started());
        const auto call = rig.ids.mint<CallId>();
        const auto decision = rig.must(story.decided(call, "permit"));
        rig.must(story.ended(call, decision));
        WRIT_CHECK(rig.seal(story.session).has_value());
    };
    testing::Story first(rig.ids), second(rig.ids);
    good(first);
    // The policies are changed, and the next run is forbidden.
    Draft changed = rig.story.of_writ("policy.changed");
    changed.data["policy_set"] = "sha256:" + std::string(64, 'b');
    const auto change = rig.must(std::move(changed));
    rig.must(second.task_started());
    rig.must(second.session_started());
    Draft refused = second.decided(rig.ids.mint<CallId>(), "forbid");
    refused.data["policy_set"] = "sha256:" + std::string(64, 'b');
    const auto trouble = rig.must(std::move(refused));
    const auto log = rig.reader();
    auto index = LogIndex::open({}, source_of(log));
    const auto found = explain(**index, second.task.text());
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(found->session, second.session.text());
    EXPECT_EQ(found->good_session, first.session.text());
    EXPECT_EQ(found->trouble_event, trouble.text());
    ASSERT_FALSE(found->ranked.empty());
    EXPECT_EQ(found->ranked[0].suspect, Suspect::kAccess);
    EXPECT_NE(render(*found).find(change.text()), std::string::npos) << render(*found);
    EXPECT_NE(render(*found).find("1. access change"), std::string::npos);

    // Another run with another charter and another definition of a tool.
    testing::Story third(rig.ids);
    rig.must(third.task_started());
    Actor other = *third.session_started().actor;
    other.charter = "sha256:" + std::string(64, 'c');
    Draft started = third.session_started();
    started.actor = other;
    rig.must(std::move(started));
    const auto call = rig.ids.mint<CallId>();
    Draft decided = third.decided(call, "permit");
    decided.actor = other;
    const auto decision = rig.must(std::move(decided));
    Draft ended = third.ended(call, decision);
    ended.data["status"] = "ok";
    rig.must(std::move(ended));
    const auto later = rig.reader();
    index = LogIndex::open({}, source_of(later));
    const auto next = explain(**index, third.session.text());
    ASSERT_TRUE(next);
    ASSERT_FALSE(next->ranked.empty());
    EXPECT_EQ(next->ranked[0].suspect, Suspect::kInstructions) << render(*next);
    EXPECT_EQ(next->first_trouble, "");
}

}  // namespace
}  // namespace writ::evidence
